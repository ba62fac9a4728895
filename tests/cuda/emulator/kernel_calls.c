/* The driver's functions for modules, the linker and launches. Libraries and kernels are the newer
   names of modules and functions. */
#include "calls.h"

static struct function *function_of(const void *handle) { return (struct function *)handle; }

static CUresult load(void **module, const void *image) {
  LOCKED;
  *module = module_load(image);
  return *module ? CUDA_SUCCESS : CUDA_ERROR_INVALID_PTX;
}
static CUresult function(void **found, void *module, const char *name) {
  LOCKED;
  *found = module_function(module, name);
  return *found ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
static CUresult variable(CUdeviceptr *address, size_t *size, void *module, const char *name) {
  LOCKED;
  const struct variable *found = module_variable(module, name);
  REFUSE(!found, NOT_FOUND);
  if (address) *address = (CUdeviceptr)(uintptr_t)found->address;
  if (size) *size = found->bytes;
  return CUDA_SUCCESS;
}
static CUresult attribute_of(int *value, CUfunction_attribute attribute, const void *handle) {
  const struct kernel *kernel = function_of(handle)->kernel;
  *value = attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK         ? 1024
           : attribute == CU_FUNC_ATTRIBUTE_NUM_REGS                    ? 32
           : attribute == CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES && kernel ? (int)kernel->shared_bytes
                                                                        : 0;
  return CUDA_SUCCESS;
}
CUresult cuModuleLoadData(CUmodule *module, const void *image) { return load((void **)module, image); }
CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, CUjit_option *options,
                            void **values) {
  (void)count, (void)options, (void)values;
  return load((void **)module, image);
}
CUresult cuModuleGetFunction(CUfunction *found, CUmodule module, const char *name) {
  return function((void **)found, module, name);
}
CUresult cuModuleGetGlobal(CUdeviceptr *address, size_t *size, CUmodule module, const char *name) {
  return variable(address, size, module, name);
}
CUresult cuModuleUnload(CUmodule module) { /* its kernels may still be wanted by streams */
  (void)module;
  return CUDA_SUCCESS;
}
CUresult cuLibraryLoadData(CUlibrary *library, const void *image, CUjit_option *options, void **values,
                           unsigned count, CUlibraryOption *more, void **more_values, unsigned more_count) {
  (void)options, (void)values, (void)count, (void)more, (void)more_values, (void)more_count;
  return load((void **)library, image);
}
CUresult cuLibraryGetKernel(CUkernel *found, CUlibrary library, const char *name) {
  return function((void **)found, library, name);
}
CUresult cuLibraryGetGlobal(CUdeviceptr *address, size_t *size, CUlibrary library, const char *name) {
  return variable(address, size, library, name);
}
CUresult cuLibraryGetModule(CUmodule *module, CUlibrary library) {
  *module = (CUmodule)library;
  return CUDA_SUCCESS;
}
CUresult cuLibraryUnload(CUlibrary library) { (void)library; return CUDA_SUCCESS; }
CUresult cuKernelGetFunction(CUfunction *found, CUkernel kernel) {
  *found = (CUfunction)kernel;
  return CUDA_SUCCESS;
}
CUresult cuKernelGetAttribute(int *value, CUfunction_attribute attribute, CUkernel kernel, CUdevice device) {
  (void)device;
  return attribute_of(value, attribute, kernel);
}
CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction found) {
  return attribute_of(value, attribute, found);
}
CUresult cuFuncSetAttribute(CUfunction found, CUfunction_attribute attribute, int value) {
  (void)found, (void)attribute, (void)value;
  return CUDA_SUCCESS;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction found, int threads,
                                                     size_t shared) {
  (void)found, (void)shared;
  *blocks = 2048 / threads;
  return CUDA_SUCCESS;
}

/* The linker's output is its input behind a mark, so that it can be kept on disk and loaded again. */

struct link { char *image; size_t size; };

CUresult cuLinkCreate(unsigned count, CUjit_option *options, void **values, CUlinkState *state) {
  (void)count, (void)options, (void)values;
  *state = calloc(1, sizeof(struct link));
  return CUDA_SUCCESS;
}
CUresult cuLinkAddData(CUlinkState state, CUjitInputType type, void *data, size_t size, const char *name,
                       unsigned count, CUjit_option *options, void **values) {
  struct link *link = (struct link *)state;
  (void)name, (void)count, (void)options, (void)values;
  if (type != CU_JIT_INPUT_PTX || link->image) {
    complain("only one PTX text can be linked");
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  link->size = sizeof emulator_mark + size + 1;
  link->image = calloc(1, link->size);
  memcpy(link->image, emulator_mark, sizeof emulator_mark);
  memcpy(link->image + sizeof emulator_mark, data, size);
  return CUDA_SUCCESS;
}
CUresult cuLinkComplete(CUlinkState state, void **image, size_t *size) {
  struct link *link = (struct link *)state;
  REFUSE(!link->image, INVALID_VALUE);
  *image = link->image, *size = link->size;
  return CUDA_SUCCESS;
}
CUresult cuLinkDestroy(CUlinkState state) {
  free(((struct link *)state)->image), free(state);
  return CUDA_SUCCESS;
}

/* -- launches */

static char **launched; /* names, for tests that count */
static size_t launched_room;

const char *emulator_launched(long i) { return i < counters.launches ? launched[i] : NULL; }

static void note(char *name) {
  if ((size_t)counters.launches == launched_room) {
    launched_room = 2 * launched_room + 1024;
    launched = realloc(launched, launched_room * sizeof *launched);
  }
  launched[counters.launches++] = name;
}

/* A launch takes its arguments at once: one pointer for each, or a buffer laid out as the kernel's. */
static CUresult arguments_of(const struct kernel *kernel, void **each, void **extra, char **taken) {
  *taken = calloc(1, kernel->parameter_bytes + 1);
  if (each) {
    for (uint32_t i = 0; i < kernel->parameters; i++)
      memcpy(*taken + kernel->offsets[i], each[i], kernel->sizes[i]);
    return CUDA_SUCCESS;
  }
  const char *buffer = NULL;
  size_t size = 0;
  for (; extra && extra[0] != CU_LAUNCH_PARAM_END; extra += 2)
    if (extra[0] == CU_LAUNCH_PARAM_BUFFER_POINTER) buffer = extra[1];
    else size = *(size_t *)extra[1];
  REFUSE(kernel->parameters && (!buffer || size < kernel->parameter_bytes), INVALID_VALUE);
  if (buffer) memcpy(*taken, buffer, kernel->parameter_bytes);
  return CUDA_SUCCESS;
}
CUresult cuLaunchKernelEx(const CUlaunchConfig *how, CUfunction found, void **each, void **extra) {
  LOCKED;
  struct stream *stream = stream_of(how->hStream);
  struct grid grid = {.blocks = {how->gridDimX, how->gridDimY, how->gridDimZ},
                      .threads = {how->blockDimX, how->blockDimY, how->blockDimZ},
                      .dynamic_shared = how->sharedMemBytes};
  REFUSE(!stream || !found, INVALID_HANDLE);
  for (int i = 0; i < 3; i++) REFUSE(!grid.blocks[i] || !grid.threads[i], INVALID_VALUE);
  REFUSE((uint64_t)grid.threads[0] * grid.threads[1] * grid.threads[2] > 1024, INVALID_VALUE);
  REFUSE(grid.blocks[1] > UINT16_MAX || grid.blocks[2] > UINT16_MAX, INVALID_VALUE);
  REFUSE(grid.threads[2] > 64, INVALID_VALUE);
  for (unsigned i = 0; i < how->numAttrs; i++)
    if (how->attrs[i].id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE)
      grid.cooperative = how->attrs[i].value.cooperative;
  REFUSE(grid.cooperative && !can_cooperate(&grid), COOPERATIVE_LAUNCH_TOO_LARGE);
  note(function_of(found)->name);
  if (settings.run == RUN_NOTHING) return CUDA_SUCCESS;
  grid.kernel = function_of(found)->kernel;
  REFUSE(!grid.kernel, INVALID_IMAGE); /* loaded while nothing was run */
  CUresult answer = arguments_of(grid.kernel, each, extra, &grid.parameters);
  if (answer != CUDA_SUCCESS) return answer;
  submit_grid(stream, &grid);
  DONE;
}
CUresult cuLaunchCooperativeKernel(CUfunction found, unsigned x, unsigned y, unsigned z, unsigned tx,
                                   unsigned ty, unsigned tz, unsigned shared, CUstream stream,
                                   void **each) {
  CUlaunchAttribute attribute = {.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE, .value.cooperative = 1};
  CUlaunchConfig how = {.gridDimX = x, .gridDimY = y, .gridDimZ = z, .blockDimX = tx, .blockDimY = ty,
                        .blockDimZ = tz, .sharedMemBytes = shared, .hStream = stream,
                        .attrs = &attribute, .numAttrs = 1};
  return cuLaunchKernelEx(&how, found, each, NULL);
}
CUresult cuLaunchKernel(CUfunction found, unsigned x, unsigned y, unsigned z, unsigned tx, unsigned ty,
                        unsigned tz, unsigned shared, CUstream stream, void **each, void **extra) {
  CUlaunchConfig how = {.gridDimX = x, .gridDimY = y, .gridDimZ = z, .blockDimX = tx, .blockDimY = ty,
                        .blockDimZ = tz, .sharedMemBytes = shared, .hStream = stream};
  return cuLaunchKernelEx(&how, found, each, extra);
}
