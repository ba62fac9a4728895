/* The parts of the emulated device, see the comment at the head of each file. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"

/* settings.c */
enum run { RUN_KERNELS, RUN_NOTHING };
enum threads { THREADS_MIXED, THREADS_ORDERED, THREADS_INTERLEAVED };
enum streams { STREAMS_RANDOM, STREAMS_LATEST, STREAMS_ORDERED };
extern struct settings {
  enum run run;
  enum threads threads;
  enum streams streams;
  uint64_t seed;
  int multiprocessors;
  size_t memory;
} settings;
void read_settings(void);
void complain(const char *format, ...); /* to stderr, named as the emulator's */
uint64_t draw(void);                    /* a random number */

extern struct counters {
  long launches, allocations, frees, synchronisations, copies, sets, records, waits, modules;
} counters;

/* threads.c */
struct grid {
  const struct kernel *kernel;
  uint32_t blocks[3], threads[3], dynamic_shared;
  int cooperative; /* blocks wait for each other, so all are alive at once */
  char *parameters;
};
int run_grid(const struct grid *grid); /* 0, or -1 when its threads wait forever */
int can_cooperate(const struct grid *grid);

/* memory.c */
void *device_alloc(size_t size); /* NULL: out of memory */
int device_free(void *start);
void *device_find(const void *address, size_t *size); /* start of the allocation, or NULL */
size_t device_used(void), device_available(void);
int device_damaged(const char *kernel); /* whether something was written beside an allocation */
void *host_alloc(size_t size);
void host_free(void *start);
int host_pinned(const void *address);

/* modules.c */
extern const char emulator_mark[32]; /* what a linked module starts with, before its PTX */
struct function { const struct kernel *kernel; char *name; };
struct module;
struct module *module_load(const void *image); /* NULL: not PTX, or it cannot be translated */
struct function *module_function(struct module *module, const char *name);
const struct variable *module_variable(struct module *module, const char *name);

/* queue.c */
struct stream;
struct event { struct stream *stream; uint64_t number; double ms; int pending, destroyed; };
struct stream *stream_create(int blocking);
struct stream *stream_find(const void *handle); /* NULL: destroyed, or never one */
int stream_is_blocking(const struct stream *stream);
void stream_destroy(struct stream *stream);
void submit_grid(struct stream *stream, const struct grid *grid);
void submit_copy(struct stream *stream, void *to, const void *from, size_t size);
void submit_host_copy(struct stream *stream, void *to, const void *from, size_t size);
void submit_set(struct stream *stream, void *to, unsigned value, int width, size_t count);
void submit_record(struct stream *stream, struct event *event);
void submit_wait(struct stream *stream, const struct event *event);
void submit_call(struct stream *stream, void (*call)(void *), void *data);
int run_one(void);                      /* 0 where nothing can be run */
void run_stream(struct stream *stream); /* until all that it was given is done */
void run_event(const struct event *event);
void event_destroy(struct event *event);
void run_everything(void);
int stream_done(const struct stream *stream), event_done(const struct event *event);
extern int failed; /* a kernel has damaged memory or hangs: from then on every call fails */
