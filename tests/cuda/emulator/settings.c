/* Settings from the environment, which tests may change while running; counters; random numbers. */
#include <stdarg.h>
#include <stdio.h>

#include "machine.h"

struct settings settings;
struct counters counters;
static uint64_t state;

void complain(const char *format, ...) {
  va_list rest;
  va_start(rest, format);
  fputs("emulated GPU: ", stderr);
  vfprintf(stderr, format, rest);
  fputc('\n', stderr);
  va_end(rest);
}

static int choice(const char *name, const char *value, const char *const *known) {
  for (int i = 0; known[i]; i++)
    if (!strcmp(value, known[i])) return i;
  complain("%s=%s is not known", name, value);
  exit(2);
}

/* Also for Python, through ctypes. */
void emulator_set(const char *name, const char *value) {
  static const char *const run[] = {"kernels", "nothing", NULL};
  static const char *const threads[] = {"mixed", "ordered", "interleaved", NULL};
  static const char *const streams[] = {"random", "latest", "ordered", NULL};
  if (!strcmp(name, "run")) settings.run = choice(name, value, run);
  else if (!strcmp(name, "threads")) settings.threads = choice(name, value, threads);
  else if (!strcmp(name, "streams")) settings.streams = choice(name, value, streams);
  else if (!strcmp(name, "seed")) {
    settings.seed = strtoull(value, NULL, 0);
    state = settings.seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
  } else if (!strcmp(name, "multiprocessors")) settings.multiprocessors = atoi(value);
  else if (!strcmp(name, "memory")) settings.memory = strtoull(value, NULL, 0);
  else complain("no setting is named %s", name), exit(2);
}

long emulator_count(const char *name) {
#define COUNTER(NAME) if (!strcmp(name, #NAME)) return counters.NAME
  COUNTER(launches);
  COUNTER(allocations);
  COUNTER(frees);
  COUNTER(synchronisations);
  COUNTER(copies);
  COUNTER(sets);
  COUNTER(records);
  COUNTER(waits);
  COUNTER(modules);
  return -1;
}

void read_settings(void) {
  static const char *const names[][2] = {
      {"run", "kernels"}, {"threads", "mixed"}, {"streams", "random"},
      {"seed", "1"}, {"multiprocessors", "8"}, {"memory", "0"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char name[64] = "EMULATOR_";
    for (size_t c = 0; names[i][0][c]; c++) name[9 + c] = names[i][0][c] - 'a' + 'A';
    const char *given = getenv(name);
    emulator_set(names[i][0], given ? given : names[i][1]);
  }
}

uint64_t draw(void) { /* splitmix64 */
  uint64_t z = (state += UINT64_C(0x9E3779B97F4A7C15));
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}
