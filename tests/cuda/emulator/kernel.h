/* What translated kernels are written with; beside them it is included by the launcher. */
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One thread of a grid. Threads of a grid never run at the same time: each runs until it hands
   over, so that what lies between two places where it may do so happens at once. */
struct thread {
  uint32_t tid[3], ctaid[3], lane;
  const uint32_t *ntid, *nctaid;
  char *shared;          /* the memory of its block; addresses of .shared are offsets into it */
  const char *parameters;
  void (*pause)(struct thread *); /* may hand over to another thread; NULL where none may */
  /* Hand over until all threads of the block (the warp) that take part have come, each with a
     value; then ask for the values of the others. */
  void (*block_barrier)(struct thread *, uint32_t value);
  void (*warp_barrier)(struct thread *, uint32_t mask, uint32_t value);
  uint32_t (*block_count)(const struct thread *);            /* how many came with another than 0 */
  uint32_t (*block_size)(const struct thread *);             /* how many came */
  uint32_t (*warp_value)(const struct thread *, uint32_t lane);
  uint32_t (*active_mask)(const struct thread *);
};

/* What the launcher must know of a kernel. */
struct kernel {
  const char *name;
  void (*run)(struct thread *);
  uint32_t parameters;   /* how many */
  const uint32_t *sizes, *offsets;
  uint32_t parameter_bytes, shared_bytes;
  int together;          /* the threads of a block must be alive at once: they wait for each other */
};

struct variable { const char *name; void *address; size_t bytes; };

/* A place between two instructions where another thread of the grid may go on. */
#define PAUSE() do { if (t->pause) t->pause(t); } while (0)

static inline float f32_of(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }
static inline double f64_of(uint64_t bits) { double x; memcpy(&x, &bits, 8); return x; }
static inline uint32_t bits_f32(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }
static inline uint64_t bits_f64(double x) { uint64_t bits; memcpy(&bits, &x, 8); return bits; }

/* The number where the other is NaN; of two zeros, -0 is the smaller. */
#define EXTREMES(NAME, TYPE) \
  static inline TYPE min_##NAME(TYPE a, TYPE b) { \
    return a == b ? (signbit(a) ? a : b) : a < b || b != b ? a : b; } \
  static inline TYPE max_##NAME(TYPE a, TYPE b) { \
    return a == b ? (signbit(a) ? b : a) : a > b || b != b ? a : b; }
EXTREMES(f32, float)
EXTREMES(f64, double)

/* Conversions to integers clamp, and take NaN for 0. */
#define TO_INTEGER(NAME, TYPE, LOW, HIGH) \
  static inline TYPE to_##NAME(double x) { \
    return x != x ? 0 : x <= (double)(LOW) ? (LOW) : x >= (double)(HIGH) ? (HIGH) : (TYPE)x; }
TO_INTEGER(u8, uint8_t, 0, UINT8_MAX)
TO_INTEGER(s8, int8_t, INT8_MIN, INT8_MAX)
TO_INTEGER(u16, uint16_t, 0, UINT16_MAX)
TO_INTEGER(s16, int16_t, INT16_MIN, INT16_MAX)
TO_INTEGER(u32, uint32_t, 0, UINT32_MAX)
TO_INTEGER(s32, int32_t, INT32_MIN, INT32_MAX)
TO_INTEGER(u64, uint64_t, 0, UINT64_MAX)
TO_INTEGER(s64, int64_t, INT64_MIN, INT64_MAX)

/* Division by zero gives all ones, the remainder what was divided; nothing traps. */
#define DIVISION(NAME, TYPE) \
  static inline TYPE div_##NAME(TYPE a, TYPE b) { \
    return b == 0 ? (TYPE)-1 : (TYPE)-1 < 0 && b == (TYPE)-1 ? (TYPE)(0 - (uint64_t)a) : a / b; } \
  static inline TYPE rem_##NAME(TYPE a, TYPE b) { \
    return b == 0 ? a : (TYPE)-1 < 0 && b == (TYPE)-1 ? 0 : a % b; }
DIVISION(u16, uint16_t)
DIVISION(s16, int16_t)
DIVISION(u32, uint32_t)
DIVISION(s32, int32_t)
DIVISION(u64, uint64_t)
DIVISION(s64, int64_t)

/* Shifts by more than the width leave nothing, or the sign. */
#define SHIFTS(BITS) \
  static inline uint##BITS##_t shl_##BITS(uint##BITS##_t a, uint32_t by) { \
    return by >= BITS ? 0 : (uint##BITS##_t)((uint64_t)a << by); } \
  static inline uint##BITS##_t shr_u##BITS(uint##BITS##_t a, uint32_t by) { \
    return by >= BITS ? 0 : (uint##BITS##_t)(a >> by); } \
  static inline int##BITS##_t shr_s##BITS(int##BITS##_t a, uint32_t by) { \
    return (int##BITS##_t)(a >> (by >= BITS ? BITS - 1 : by)); }
SHIFTS(16)
SHIFTS(32)
SHIFTS(64)

static inline uint64_t mulhi_u64(uint64_t a, uint64_t b) {
  return (uint64_t)((unsigned __int128)a * b >> 64);
}
static inline int64_t mulhi_s64(int64_t a, int64_t b) { return (int64_t)((__int128)a * b >> 64); }
static inline uint32_t mulhi_u32(uint32_t a, uint32_t b) { return (uint64_t)a * b >> 32; }
static inline int32_t mulhi_s32(int32_t a, int32_t b) { return (int32_t)((int64_t)a * b >> 32); }

static inline uint32_t clz_32(uint32_t a) { return a ? __builtin_clz(a) : 32; }
static inline uint32_t clz_64(uint64_t a) { return a ? __builtin_clzll(a) : 64; }
static inline uint32_t brev_32(uint32_t a) {
  uint32_t b = 0;
  for (int i = 0; i < 32; i++) b |= (a >> i & 1) << (31 - i);
  return b;
}
static inline uint64_t brev_64(uint64_t a) {
  return (uint64_t)brev_32((uint32_t)a) << 32 | brev_32((uint32_t)(a >> 32));
}
/* The bits of position `at` and up, `length` of them. */
static inline uint64_t bfe_u(uint64_t a, uint32_t at, uint32_t length, uint32_t bits) {
  at &= 255, length &= 255;
  if (at >= bits || length == 0) return 0;
  a >>= at;
  return length >= bits ? a : a & ((UINT64_C(1) << length) - 1);
}
static inline uint64_t bfi(uint64_t a, uint64_t b, uint32_t at, uint32_t length, uint32_t bits) {
  at &= 255, length &= 255;
  if (at >= bits || length == 0) return b;
  uint64_t mask = (length >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << length) - 1) << at;
  return (b & ~mask) | ((a << at) & mask);
}
static inline uint32_t prmt(uint32_t a, uint32_t b, uint32_t how) {
  uint64_t bytes = (uint64_t)b << 32 | a;
  uint32_t answer = 0;
  for (int i = 0; i < 4; i++) {
    uint32_t control = how >> 4 * i & 15, byte = bytes >> 8 * (control & 7) & 255;
    answer |= (control & 8 ? (byte & 128 ? 255 : 0) : byte) << 8 * i;
  }
  return answer;
}
static inline uint32_t lop3(uint32_t a, uint32_t b, uint32_t c, uint32_t table) {
  uint32_t answer = 0;
  for (int i = 0; i < 32; i++)
    answer |= (table >> ((a >> i & 1) << 2 | (b >> i & 1) << 1 | (c >> i & 1)) & 1) << i;
  return answer;
}

static inline uint32_t ballot(struct thread *t, uint32_t mask, uint32_t value) {
  uint32_t answer = 0;
  t->warp_barrier(t, mask, value);
  for (int lane = 0; lane < 32; lane++)
    if (mask >> lane & 1 && t->warp_value(t, lane)) answer |= UINT32_C(1) << lane;
  t->warp_barrier(t, mask, value); /* nobody goes on before all have read */
  return answer;
}
static inline uint32_t match_any(struct thread *t, uint32_t mask, uint32_t value) {
  uint32_t answer = 0;
  t->warp_barrier(t, mask, value);
  for (int lane = 0; lane < 32; lane++)
    if (mask >> lane & 1 && t->warp_value(t, lane) == value) answer |= UINT32_C(1) << lane;
  t->warp_barrier(t, mask, value);
  return answer;
}
/* The lane that a shuffle reads, by the ISA's formulas; a lane outside of the segment: its own. */
static inline uint32_t shuffle(struct thread *t, uint32_t mask, uint32_t value, int mode, uint32_t b,
                               uint32_t c) {
  uint32_t lane = t->lane, segment = c >> 8 & 31, clamp = c & 31;
  uint32_t last = (lane & segment) | (clamp & ~segment), first = lane & segment;
  int32_t from = mode == 'u' ? (int32_t)(lane - (b & 31)) : mode == 'd' ? (int32_t)(lane + (b & 31))
               : mode == 'b' ? (int32_t)(lane ^ (b & 31))
                             : (int32_t)(first | (b & 31 & ~segment));
  int valid = mode == 'u' ? from >= (int32_t)last : from <= (int32_t)last;
  t->warp_barrier(t, mask, value);
  uint32_t answer = t->warp_value(t, valid ? (uint32_t)from : lane);
  t->warp_barrier(t, mask, value);
  return answer;
}
