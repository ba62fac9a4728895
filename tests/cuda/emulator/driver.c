/* The driver's functions for the device, its context, memory and copies; errors, and how callers find
   a function. */
#include <dlfcn.h>

#include "calls.h"

pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* -- the driver, the device and its context */

CUresult cuInit(unsigned flags) {
  static int started;
  (void)flags;
  if (!started++) read_settings();
  return CUDA_SUCCESS;
}
CUresult cuDriverGetVersion(int *version) { *version = CUDA_VERSION; return CUDA_SUCCESS; }
CUresult cuDeviceGetCount(int *count) { *count = 1; return CUDA_SUCCESS; }
CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  REFUSE(ordinal != 0, INVALID_DEVICE);
  *device = 0;
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  (void)device;
  snprintf(name, length, "Emulated GPU");
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device) {
  memset(uuid, device + 7, sizeof *uuid);
  return CUDA_SUCCESS;
}
CUresult cuDeviceTotalMem(size_t *bytes, CUdevice device) {
  (void)device;
  *bytes = device_available() + device_used();
  return CUDA_SUCCESS;
}
CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device) {
  (void)device;
  switch (attribute) {
  /* Of a chip for embedding: what is kept on disk for it no card will load. */
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = 8; break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = 7; break;
  case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH: *value = 1; break;
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = settings.multiprocessors; break;
  case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *value = 32; break;
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: *value = 1024; break;
  case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: *value = 64; break;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: *value = INT32_MAX; break;
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
  case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: *value = UINT16_MAX; break;
  case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: *value = 2048; break;
  case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *value = 48 << 10; break;
  case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: *value = 50 << 20; break;
  case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: *value = 1; break;
  default: *value = 0;
  }
  return CUDA_SUCCESS;
}

char the_context;
static __thread CUcontext contexts[64];
static __thread int depth;

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
  (void)device;
  *context = (CUcontext)&the_context;
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease(CUdevice device) { (void)device; return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxReset(CUdevice device) { (void)device; return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned flags) {
  (void)device, (void)flags;
  return CUDA_SUCCESS;
}
CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active) {
  (void)device;
  *flags = 0, *active = 1;
  return CUDA_SUCCESS;
}
CUresult cuCtxPushCurrent(CUcontext context) {
  REFUSE(depth + 1 == sizeof contexts / sizeof *contexts, OUT_OF_MEMORY);
  contexts[++depth] = context;
  return CUDA_SUCCESS;
}
CUresult cuCtxPopCurrent(CUcontext *context) {
  if (context) *context = contexts[depth];
  if (depth) depth--;
  else contexts[0] = NULL;
  return CUDA_SUCCESS;
}
CUresult cuCtxGetCurrent(CUcontext *context) { *context = contexts[depth]; return CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(CUcontext context) { contexts[depth] = context; return CUDA_SUCCESS; }
CUresult cuCtxGetDevice(CUdevice *device) {
  REFUSE(!contexts[depth], INVALID_CONTEXT);
  *device = 0;
  return CUDA_SUCCESS;
}
CUresult cuCtxGetId(CUcontext context, unsigned long long *id) {
  (void)context;
  *id = 1;
  return CUDA_SUCCESS;
}
CUresult cuCtxGetApiVersion(CUcontext context, unsigned *version) {
  (void)context;
  *version = CUDA_VERSION;
  return CUDA_SUCCESS;
}
CUresult cuCtxGetFlags(unsigned *flags) { *flags = 0; return CUDA_SUCCESS; }
CUresult cuCtxGetLimit(size_t *value, CUlimit limit) {
  (void)limit;
  *value = 1024;
  return CUDA_SUCCESS;
}
CUresult cuCtxSynchronize(void) {
  LOCKED;
  counters.synchronisations++;
  run_everything();
  DONE;
}

/* -- memory */

CUresult cuMemAlloc(CUdeviceptr *address, size_t size) {
  LOCKED;
  REFUSE(size == 0, INVALID_VALUE);
  void *start = device_alloc(size);
  REFUSE(!start, OUT_OF_MEMORY);
  counters.allocations++;
  *address = (CUdeviceptr)(uintptr_t)start;
  return CUDA_SUCCESS;
}
CUresult cuMemFree(CUdeviceptr address) {
  LOCKED;
  if (!address) return CUDA_SUCCESS;
  run_everything(); /* the real one waits for the device, too */
  REFUSE(device_free(at(address)), INVALID_VALUE);
  counters.frees++;
  DONE;
}
CUresult cuMemGetInfo(size_t *available, size_t *total) {
  *available = device_available();
  *total = settings.memory ? settings.memory : *available + device_used();
  return CUDA_SUCCESS;
}
CUresult cuMemGetAddressRange(CUdeviceptr *start, size_t *size, CUdeviceptr address) {
  LOCKED;
  size_t length;
  void *found = device_find(at(address), &length);
  REFUSE(!found, NOT_FOUND);
  if (start) *start = (CUdeviceptr)(uintptr_t)found;
  if (size) *size = length;
  return CUDA_SUCCESS;
}
CUresult cuMemHostAlloc(void **start, size_t size, unsigned flags) {
  LOCKED;
  (void)flags;
  *start = host_alloc(size);
  return *start ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}
CUresult cuMemFreeHost(void *start) {
  LOCKED;
  run_everything();
  host_free(start);
  return CUDA_SUCCESS;
}
CUresult cuPointerGetAttribute(void *value, CUpointer_attribute attribute, CUdeviceptr address) {
  LOCKED;
  size_t size;
  void *start = device_find(at(address), &size);
  REFUSE(!start, INVALID_VALUE);
  switch (attribute) {
  case CU_POINTER_ATTRIBUTE_CONTEXT: *(CUcontext *)value = (CUcontext)&the_context; break;
  case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: *(unsigned *)value = CU_MEMORYTYPE_DEVICE; break;
  case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: *(CUdeviceptr *)value = address; break;
  case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)value = 0; break;
  case CU_POINTER_ATTRIBUTE_IS_MANAGED: *(unsigned *)value = 0; break;
  case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR: *(void **)value = start; break;
  case CU_POINTER_ATTRIBUTE_RANGE_SIZE: *(size_t *)value = size; break;
  default: return CUDA_ERROR_NOT_SUPPORTED;
  }
  return CUDA_SUCCESS;
}
CUresult cuPointerGetAttributes(unsigned count, CUpointer_attribute *attributes, void **values,
                                CUdeviceptr address) {
  for (unsigned i = 0; i < count; i++) {
    memset(values[i], 0, sizeof(int));
    cuPointerGetAttribute(values[i], attributes[i], address);
  }
  return CUDA_SUCCESS;
}

/* Copies. From pageable memory the bytes are taken at once, to it they come when the copy runs, as
   late as the interface allows; page-locked memory is read when the copy runs. */

static CUresult copy(CUstream handle, void *to, const void *from, size_t size, int from_host, int wait) {
  LOCKED;
  struct stream *stream = stream_of(handle);
  REFUSE(!stream, INVALID_HANDLE);
  counters.copies++;
  if (settings.run == RUN_NOTHING) return CUDA_SUCCESS;
  if (from_host && !host_pinned(from)) submit_host_copy(stream, to, from, size);
  else submit_copy(stream, to, from, size);
  if (wait) run_stream(stream);
  DONE;
}
CUresult cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t size) {
  return copy(NULL, at(to), from, size, 1, 0);
}
CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t size) {
  return copy(NULL, to, at(from), size, 0, 1);
}
CUresult cuMemcpyDtoD(CUdeviceptr to, CUdeviceptr from, size_t size) {
  return copy(NULL, at(to), at(from), size, 0, 0);
}
CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t size, CUstream stream) {
  return copy(stream, at(to), from, size, 1, 0);
}
CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t size, CUstream stream) {
  return copy(stream, to, at(from), size, 0, 0);
}
CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream) {
  return copy(stream, at(to), at(from), size, 0, 0);
}
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream) {
  return copy(stream, at(to), at(from), size, !device_find(at(from), NULL), 0);
}

static CUresult set(CUstream handle, CUdeviceptr to, unsigned value, int width, size_t count) {
  LOCKED;
  struct stream *stream = stream_of(handle);
  REFUSE(!stream, INVALID_HANDLE);
  counters.sets++;
  if (settings.run != RUN_NOTHING) submit_set(stream, at(to), value, width, count);
  DONE;
}
CUresult cuMemsetD8(CUdeviceptr to, unsigned char value, size_t count) {
  return set(NULL, to, value, 1, count);
}
CUresult cuMemsetD32(CUdeviceptr to, unsigned value, size_t count) {
  return set(NULL, to, value, 4, count);
}
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  return set(stream, to, value, 1, count);
}
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
  return set(stream, to, value, 4, count);
}

/* -- errors, and how callers find the functions */

CUresult cuGetErrorName(CUresult error, const char **name) {
  switch (error) {
#define NAME(ERROR) case ERROR: *name = #ERROR; return CUDA_SUCCESS
  NAME(CUDA_SUCCESS);
  NAME(CUDA_ERROR_INVALID_VALUE);
  NAME(CUDA_ERROR_OUT_OF_MEMORY);
  NAME(CUDA_ERROR_INVALID_DEVICE);
  NAME(CUDA_ERROR_INVALID_IMAGE);
  NAME(CUDA_ERROR_INVALID_CONTEXT);
  NAME(CUDA_ERROR_INVALID_PTX);
  NAME(CUDA_ERROR_INVALID_HANDLE);
  NAME(CUDA_ERROR_NOT_FOUND);
  NAME(CUDA_ERROR_NOT_READY);
  NAME(CUDA_ERROR_ILLEGAL_ADDRESS);
  NAME(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
  NAME(CUDA_ERROR_NOT_SUPPORTED);
  default: *name = "CUDA_ERROR_UNKNOWN"; return CUDA_SUCCESS;
  }
}
CUresult cuGetErrorString(CUresult error, const char **text) {
  *text = error == CUDA_ERROR_INVALID_PTX     ? "the emulator cannot run this PTX, see its message"
          : error == CUDA_ERROR_ILLEGAL_ADDRESS ? "a kernel failed, see the emulator's message"
                                                : "see cuda.h";
  return CUDA_SUCCESS;
}
CUresult cuGetProcAddress(const char *symbol, void **found, int version, cuuint64_t flags,
                          CUdriverProcAddressQueryResult *result) {
  static const char *const suffixes[] = {"_v4", "_v3", "_v2", ""};
  static void *self;
  char name[256];
  Dl_info here;
  (void)version, (void)flags;
  if (!self && dladdr((void *)&the_context, &here)) self = dlopen(here.dli_fname, RTLD_LAZY);
  *found = NULL;
  for (int i = 0; i < 4 && !*found; i++) {
    snprintf(name, sizeof name, "%s%s", symbol, suffixes[i]);
    *found = dlsym(self, name);
  }
  if (result)
    *result = *found ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  return *found ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
