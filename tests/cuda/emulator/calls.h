/* What the files share that hold the CUDA driver's functions, by the interface of NVIDIA's cuda.h. A
   function that is missing there is reported as absent, as an old driver's. */
#pragma once
#include <cuda.h>
#include <pthread.h>
#include <stdio.h>

#include "machine.h"

#define DONE return failed ? CUDA_ERROR_ILLEGAL_ADDRESS : CUDA_SUCCESS
#define REFUSE(WHEN, ERROR) do { if (WHEN) return CUDA_ERROR_##ERROR; } while (0)
/* Calls come from any thread of the process, one after the other. */
#define LOCKED __attribute__((cleanup(unlock))) const int locked = lock(); (void)locked
extern pthread_mutex_t mutex;
static inline int lock(void) { return pthread_mutex_lock(&mutex); }
static inline void unlock(const int *unused) { (void)unused, pthread_mutex_unlock(&mutex); }

static inline struct stream *stream_of(CUstream handle) { return stream_find(handle); }
static inline void *at(CUdeviceptr address) { return (void *)(uintptr_t)address; }
extern char the_context;
