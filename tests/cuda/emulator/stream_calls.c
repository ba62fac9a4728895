/* The driver's functions for streams and events. */
#include "calls.h"

static struct event *event_of(CUevent handle) { return (struct event *)handle; }

CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
  LOCKED;
  stream_of(NULL); /* the default ones come first */
  *stream = (CUstream)stream_create(!(flags & CU_STREAM_NON_BLOCKING));
  return CUDA_SUCCESS;
}
CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority) {
  (void)priority;
  return cuStreamCreate(stream, flags);
}
CUresult cuStreamDestroy(CUstream handle) {
  LOCKED;
  struct stream *stream = stream_of(handle);
  REFUSE(!stream || (uintptr_t)handle <= 2, INVALID_HANDLE);
  stream_destroy(stream);
  return CUDA_SUCCESS;
}
CUresult cuStreamSynchronize(CUstream handle) {
  LOCKED;
  struct stream *stream = stream_of(handle);
  REFUSE(!stream, INVALID_HANDLE);
  counters.synchronisations++;
  run_stream(stream);
  DONE;
}
CUresult cuStreamQuery(CUstream handle) {
  LOCKED;
  struct stream *stream = stream_of(handle);
  REFUSE(!stream, INVALID_HANDLE);
  if (!stream_done(stream)) run_one();
  REFUSE(!stream_done(stream), NOT_READY);
  DONE;
}
CUresult cuStreamWaitEvent(CUstream handle, CUevent event, unsigned flags) {
  LOCKED;
  (void)flags;
  struct stream *stream = stream_of(handle);
  REFUSE(!stream || !event, INVALID_HANDLE);
  counters.waits++;
  if (settings.run != RUN_NOTHING) submit_wait(stream, event_of(event));
  DONE;
}
CUresult cuStreamGetFlags(CUstream handle, unsigned *flags) {
  LOCKED;
  struct stream *stream = stream_of(handle);
  REFUSE(!stream, INVALID_HANDLE);
  *flags = stream_is_blocking(stream) ? CU_STREAM_DEFAULT : CU_STREAM_NON_BLOCKING;
  return CUDA_SUCCESS;
}
CUresult cuStreamGetPriority(CUstream stream, int *priority) {
  (void)stream;
  *priority = 0;
  return CUDA_SUCCESS;
}
CUresult cuStreamGetId(CUstream stream, unsigned long long *id) {
  *id = (uintptr_t)stream;
  return CUDA_SUCCESS;
}
CUresult cuStreamGetCtx(CUstream stream, CUcontext *context) {
  REFUSE(!stream_of(stream), INVALID_HANDLE);
  *context = (CUcontext)&the_context;
  return CUDA_SUCCESS;
}
CUresult cuStreamGetDevice(CUstream stream, CUdevice *device) {
  REFUSE(!stream_of(stream), INVALID_HANDLE);
  *device = 0;
  return CUDA_SUCCESS;
}
CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status) {
  (void)stream;
  *status = CU_STREAM_CAPTURE_STATUS_NONE;
  return CUDA_SUCCESS;
}
CUresult cuLaunchHostFunc(CUstream handle, CUhostFn function, void *data) {
  LOCKED;
  struct stream *stream = stream_of(handle);
  REFUSE(!stream, INVALID_HANDLE);
  submit_call(stream, function, data);
  DONE;
}
CUresult cuEventCreate(CUevent *event, unsigned flags) {
  (void)flags;
  *event = calloc(1, sizeof(struct event));
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy(CUevent event) {
  LOCKED;
  event_destroy(event_of(event));
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream handle) {
  LOCKED;
  struct stream *stream = stream_of(handle);
  REFUSE(!stream || !event, INVALID_HANDLE);
  counters.records++;
  if (settings.run != RUN_NOTHING) submit_record(stream, event_of(event));
  DONE;
}
CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned flags) {
  (void)flags;
  return cuEventRecord(event, stream);
}
CUresult cuEventSynchronize(CUevent event) {
  LOCKED;
  counters.synchronisations++;
  run_event(event_of(event));
  DONE;
}
CUresult cuEventQuery(CUevent event) {
  LOCKED;
  if (!event_done(event_of(event))) run_one();
  REFUSE(!event_done(event_of(event)), NOT_READY);
  DONE;
}
CUresult cuEventElapsedTime(float *ms, CUevent start, CUevent end) {
  LOCKED;
  REFUSE(!event_done(event_of(start)) || !event_done(event_of(end)), NOT_READY);
  *ms = event_of(end)->ms - event_of(start)->ms;
  return CUDA_SUCCESS;
}
