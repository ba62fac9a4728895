/* Modules: PTX, or what the emulator's own linker made of it, translated to C and compiled by gcc.

   The translation of a text is kept in the folder EMULATOR_KERNELS, named by a hash of the text; that
   folder is named by a hash of the translator (see __init__.py). */
#include <dlfcn.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"

/* The head of an ELF file for a GPU (machine 190), so that callers may check it. */
const char emulator_mark[32] = "\x7f" "ELF emulated \0\0\0\xbe\0\n";
extern char **environ;

struct module {
  char *ptx;
  const struct kernel *kernels;     /* NULL where nothing is run: then there is no translation */
  const struct variable *variables;
  struct function *functions[64];
};

static int command(char *const arguments[]) {
  pid_t child;
  int status;
  if (posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ)) return -1;
  if (waitpid(child, &status, 0) < 0) return -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static const char *setting(const char *name) {
  const char *value = getenv(name);
  if (value) return value;
  complain("%s is not set: run through python -m tests.cuda.emulator", name);
  exit(2);
}

static void hash(const char *text, char *name) { /* 128 bits: two FNV-1a from different starts */
  uint64_t a = UINT64_C(0xcbf29ce484222325), b = ~a;
  for (; *text; text++) {
    a = (a ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    b = (b ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    b ^= b >> 29;
  }
  sprintf(name, "%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
}

/* Folders and names are ours and short. */
static int compile(const char *ptx, char *library) {
  char name[33], text[1024], code[1024], part[1024], include[1024];
  struct stat found;
  hash(ptx, name);
  const char *folder = setting("EMULATOR_KERNELS"), *source = setting("EMULATOR_SOURCE");
  snprintf(library, 1024, "%s/%s.so", folder, name);
  if (stat(library, &found) == 0) return 0;
  snprintf(text, sizeof text, "%s/%s.%d.ptx", folder, name, getpid());
  snprintf(code, sizeof code, "%s/%s.%d.c", folder, name, getpid());
  snprintf(part, sizeof part, "%s/%s.%d.so", folder, name, getpid());
  snprintf(include, sizeof include, "-I%s", source);
  FILE *file = fopen(text, "w");
  if (!file) return complain("%s cannot be written", text), -1;
  fputs(ptx, file);
  fclose(file);
  char *translate[] = {(char *)setting("EMULATOR_PYTHON"), "-S", "-E", "-c",
                       "import sys; sys.path.insert(0, sys.argv.pop(1)); "
                       "from translator import main; main()",
                       (char *)source, text, code, NULL};
  char *cc[] = {"gcc", "-w", "-O1", "-fwrapv", "-ffp-contract=off", "-fno-strict-aliasing", "-shared",
                "-fPIC", include, "-o", part, code, "-lm", NULL};
  int failed = command(translate) || command(cc) || rename(part, library);
  unlink(text);
  if (!failed) unlink(code); /* one that gcc refuses is kept to look at */
  return failed;
}

struct module *module_load(const void *image) {
  const char *ptx = image;
  if (!memcmp(image, emulator_mark, sizeof emulator_mark)) ptx += sizeof emulator_mark;
  else if (!memcmp(image, "\x7f" "ELF", 4)) {
    complain("this module is machine code of a GPU, linked by nvJitLink: uninstall nvidia-nvjitlink");
    return NULL;
  }
  struct module *module = calloc(1, sizeof *module);
  module->ptx = strdup(ptx);
  counters.modules++;
  if (settings.run == RUN_NOTHING) return module;
  char library[1024];
  void *handle = compile(ptx, library) ? NULL : dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    free(module->ptx), free(module);
    return NULL;
  }
  module->kernels = dlsym(handle, "kernels");
  module->variables = dlsym(handle, "variables");
  return module;
}

static int declared(const char *ptx, const char *name) {
  size_t length = strlen(name);
  for (const char *at = ptx; (at = strstr(at, ".entry ")); at += 7)
    if (!strncmp(at + 7, name, length) && strchr("( \t\n", at[7 + length])) return 1;
  return 0;
}

struct function *module_function(struct module *module, const char *name) {
  size_t i = 0, room = sizeof module->functions / sizeof *module->functions;
  for (; i < room && module->functions[i]; i++)
    if (!strcmp(module->functions[i]->name, name)) return module->functions[i];
  if (i == room || !declared(module->ptx, name)) return NULL;
  struct function *function = calloc(1, sizeof *function);
  function->name = strdup(name);
  for (const struct kernel *kernel = module->kernels; kernel && kernel->name; kernel++)
    if (!strcmp(kernel->name, name)) function->kernel = kernel;
  return module->functions[i] = function;
}

const struct variable *module_variable(struct module *module, const char *name) {
  for (const struct variable *v = module->variables; v && v->name; v++)
    if (!strcmp(v->name, name)) return v;
  return NULL;
}
