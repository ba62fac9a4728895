/* What streams were given and have not done. Nothing runs when it is submitted: only when somebody
   waits, and then what is next is drawn among the streams whose first operation may run. So work of
   two streams that nothing orders is done in either order, and a result that nobody waited for is
   not there. `latest` takes what was submitted last wherever it may: the worst order. */
#include <stdio.h>
#include <time.h>

#include "machine.h"

enum kind { GRID, COPY, SET, RECORD, WAIT, CALL };
struct operation {
  struct operation *next;
  uint64_t number; /* in the order of submission to all streams */
  enum kind kind;
  struct grid grid;
  void *to, *owned;
  const void *from;
  size_t size;
  unsigned value;
  int width;
  struct event *event;
  struct stream *awaited;
  uint64_t until;
  void (*call)(void *);
};
struct stream {
  struct stream *next;
  struct operation *first, **end;
  uint64_t last, done; /* numbers of operations */
  int blocking, destroyed;
};

int failed;
static struct stream *streams;
static uint64_t submitted;

static struct stream *legacy(void) { return stream_find(NULL); }

struct stream *stream_create(int blocking) {
  struct stream *stream = calloc(1, sizeof *stream), **end = &streams;
  stream->end = &stream->first;
  stream->blocking = blocking;
  while (*end) end = &(*end)->next;
  return *end = stream; /* the first two are the default ones; handles stay valid to look at */
}

struct stream *stream_find(const void *handle) {
  if (!streams) stream_create(1), stream_create(1);
  if ((uintptr_t)handle <= 1) return streams;
  if ((uintptr_t)handle == 2) return streams->next;
  for (struct stream *stream = streams; stream; stream = stream->next)
    if (stream == handle) return stream->destroyed ? NULL : stream;
  return NULL;
}

int stream_is_blocking(const struct stream *stream) { return stream->blocking; }

void stream_destroy(struct stream *stream) { stream->destroyed = 1; } /* its work goes on */

static struct operation *submit(struct stream *stream, enum kind kind) {
  struct operation *operation = calloc(1, sizeof *operation);
  operation->kind = kind;
  operation->number = stream->last = ++submitted;
  *stream->end = operation;
  stream->end = &operation->next;
  return operation;
}

void submit_grid(struct stream *stream, const struct grid *grid) {
  struct operation *operation = submit(stream, GRID);
  operation->grid = *grid;
  operation->owned = grid->parameters;
}

void submit_copy(struct stream *stream, void *to, const void *from, size_t size) {
  struct operation *operation = submit(stream, COPY);
  operation->to = to, operation->from = from, operation->size = size;
}

/* From memory that may change as soon as the call returns. */
void submit_host_copy(struct stream *stream, void *to, const void *from, size_t size) {
  struct operation *operation = submit(stream, COPY);
  operation->owned = malloc(size ? size : 1);
  memcpy(operation->owned, from, size);
  operation->to = to, operation->from = operation->owned, operation->size = size;
}

void submit_set(struct stream *stream, void *to, unsigned value, int width, size_t count) {
  struct operation *operation = submit(stream, SET);
  operation->to = to, operation->value = value, operation->width = width, operation->size = count;
}

void submit_record(struct stream *stream, struct event *event) {
  struct operation *operation = submit(stream, RECORD);
  operation->event = event;
  event->stream = stream, event->number = operation->number;
  event->pending++;
}

void submit_wait(struct stream *stream, const struct event *event) {
  if (!event->stream) return; /* never recorded: nothing to wait for */
  struct operation *operation = submit(stream, WAIT);
  operation->awaited = event->stream, operation->until = event->number;
}

void submit_call(struct stream *stream, void (*call)(void *), void *data) {
  struct operation *operation = submit(stream, CALL);
  operation->call = call, operation->to = data;
}

/* Operations of the legacy stream and of blocking streams run in the order of submission. */
static int may_run(const struct stream *stream) {
  const struct operation *first = stream->first;
  if (!first) return 0;
  if (first->kind == WAIT && first->awaited->done < first->until) return 0;
  if (!stream->blocking) return 1;
  if (stream != legacy()) {
    const struct operation *other = legacy()->first;
    return !other || other->number > first->number;
  }
  for (const struct stream *other = streams; other; other = other->next)
    if (other != stream && other->blocking && other->first && other->first->number < first->number)
      return 0;
  return 1;
}

static struct stream *chosen(void) {
  struct stream *best = NULL;
  uint64_t candidates = 0;
  for (struct stream *stream = streams; stream; stream = stream->next) {
    if (!may_run(stream)) continue;
    candidates++;
    uint64_t number = stream->first->number;
    if (!best || (settings.streams == STREAMS_LATEST && number > best->first->number) ||
        (settings.streams == STREAMS_ORDERED && number < best->first->number) ||
        (settings.streams == STREAMS_RANDOM && draw() % candidates == 0))
      best = stream;
  }
  return best;
}

static void perform(struct operation *operation) {
  struct timespec now;
  switch (operation->kind) {
  case GRID:
    if (run_grid(&operation->grid) || device_damaged(operation->grid.kernel->name)) failed = 1;
    break;
  case COPY: memmove(operation->to, operation->from, operation->size); break;
  case SET:
    for (size_t i = 0; i < operation->size; i++)
      memcpy((char *)operation->to + i * operation->width, &operation->value, operation->width);
    break;
  case RECORD:
    clock_gettime(CLOCK_MONOTONIC, &now);
    operation->event->ms = now.tv_sec * 1e3 + now.tv_nsec * 1e-6;
    operation->event->pending--;
    if (operation->event->destroyed) event_destroy(operation->event);
    break;
  case WAIT: break;
  case CALL: operation->call(operation->to); break;
  }
}

int run_one(void) {
  struct stream *stream = chosen();
  if (!stream) return 0;
  struct operation *operation = stream->first;
  stream->first = operation->next;
  if (!stream->first) stream->end = &stream->first;
  if (!failed) perform(operation);
  stream->done = operation->number;
  free(operation->owned), free(operation);
  return 1;
}

static void run_until(const struct stream *stream, uint64_t number) {
  while (stream->done < number)
    if (!run_one()) {
      complain("streams wait for each other forever");
      abort();
    }
}

static void nothing(void *data) { (void)data; }

void run_stream(struct stream *stream) {
  submit_call(stream, nothing, NULL); /* on the legacy stream: after all blocking ones */
  run_until(stream, stream->last);
}

void run_event(const struct event *event) {
  if (event->stream) run_until(event->stream, event->number);
}

void run_everything(void) {
  while (run_one()) continue;
}

void event_destroy(struct event *event) {
  event->destroyed = 1;
  if (!event->pending) free(event);
}

int stream_done(const struct stream *stream) { return stream->done >= stream->last; }

int event_done(const struct event *event) {
  return !event->stream || event->stream->done >= event->number;
}
