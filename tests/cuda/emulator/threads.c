/* Runs the threads of a grid, in an order drawn at random.

   Ordered: one thread after the other, each to its end, blocks and threads shuffled together. Where
   threads wait for each other (barriers, shuffles) or are to be interleaved, each has a stack of its
   own and the next is drawn wherever one hands over: at barriers, and when interleaved at every
   fourth access to memory, so that a read and a write that should be one atomic come apart. As
   on a GPU, as many blocks as fit are alive at once, and the next starts when one has ended. */
#include <setjmp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#include "machine.h"

#define FIBERS 4096
#define STACK (64 << 10)
#define MOST_SECONDS 300 /* of one grid whose threads have stacks of their own */
#define MOST_INTERLEAVED (1 << 13) /* threads of a grid; larger ones take turns thread by thread */

enum state { READY, AT_BLOCK, AT_WARP };
struct warp { uint32_t alive, waiting, values[32], needs[32]; };
struct block {
  uint32_t alive, arrived, votes, count, came;
  char *shared;
  struct warp warps[32];
};
struct fiber {
  struct thread t; /* first, so that it is found from the thread */
  jmp_buf here;
  ucontext_t start;
  int started, done;
  enum state state;
  struct block *block;
};

static struct fiber *fibers;
static jmp_buf scheduler;
static const struct kernel *running;

static void place_thread(struct thread *t, const struct grid *grid, uint64_t block, uint64_t k) {
  const uint32_t *b = grid->blocks, *n = grid->threads;
  t->ctaid[0] = block % b[0], t->ctaid[1] = block / b[0] % b[1], t->ctaid[2] = block / b[0] / b[1];
  t->tid[0] = k % n[0], t->tid[1] = k / n[0] % n[1], t->tid[2] = k / n[0] / n[1];
  t->lane = k % 32;
  t->ntid = n, t->nctaid = b;
  t->parameters = grid->parameters;
}

static uint64_t *shuffled(uint64_t count) {
  uint64_t *order = malloc(count * sizeof *order);
  for (uint64_t i = 0; i < count; i++) {
    uint64_t j = draw() % (i + 1);
    order[i] = order[j];
    order[j] = i;
  }
  return order;
}

/* The lanes that run together: each alone, which a GPU may do too. */
static uint32_t active_mask(const struct thread *t) { return UINT32_C(1) << t->lane; }

static void run_ordered(const struct grid *grid, uint64_t blocks, uint64_t threads) {
  struct thread t = {0};
  char shared[16];
  t.shared = shared, t.active_mask = active_mask;
  uint64_t *order = shuffled(blocks * threads);
  for (uint64_t i = 0; i < blocks * threads; i++) {
    place_thread(&t, grid, order[i] / threads, order[i] % threads);
    grid->kernel->run(&t);
  }
  free(order);
}

/* -- threads with stacks of their own */

static void hand_over(struct fiber *fiber) {
  if (!_setjmp(fiber->here)) _longjmp(scheduler, 1);
}

static void live(unsigned low, unsigned high) {
  struct fiber *fiber = (struct fiber *)((uint64_t)high << 32 | low);
  for (;;) { /* one thread after the other on the same stack */
    running->run(&fiber->t);
    fiber->done = 1;
    hand_over(fiber);
  }
}

static void resume(struct fiber *fiber) {
  if (_setjmp(scheduler)) return;
  if (fiber->started) _longjmp(fiber->here, 1);
  fiber->started = 1;
  setcontext(&fiber->start);
}

static void make_fibers(void) {
  if (fibers) return;
  fibers = calloc(FIBERS, sizeof *fibers);
  char *stacks = mmap(NULL, (size_t)FIBERS * STACK, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  for (size_t i = 0; i < FIBERS; i++) {
    uint64_t address = (uint64_t)&fibers[i];
    getcontext(&fibers[i].start);
    fibers[i].start.uc_stack.ss_sp = stacks + i * STACK;
    fibers[i].start.uc_stack.ss_size = STACK;
    makecontext(&fibers[i].start, (void (*)(void))live, 2, (unsigned)address,
                (unsigned)(address >> 32));
  }
}

static struct warp *warp_of(const struct thread *t) {
  const uint32_t *n = t->ntid;
  uint32_t k = t->tid[0] + n[0] * (t->tid[1] + n[1] * t->tid[2]);
  return &((const struct fiber *)t)->block->warps[k / 32];
}

static void pause_sometimes(struct thread *t) {
  if ((draw() & 3) == 0) hand_over((struct fiber *)t);
}

static void block_barrier(struct thread *t, uint32_t value) {
  struct fiber *fiber = (struct fiber *)t;
  fiber->state = AT_BLOCK;
  fiber->block->arrived++;
  fiber->block->votes += value != 0;
  hand_over(fiber);
}

static void warp_barrier(struct thread *t, uint32_t mask, uint32_t value) {
  struct fiber *fiber = (struct fiber *)t;
  struct warp *warp = warp_of(t);
  fiber->state = AT_WARP;
  warp->waiting |= UINT32_C(1) << t->lane;
  warp->values[t->lane] = value;
  warp->needs[t->lane] = mask;
  hand_over(fiber);
}

static uint32_t block_count(const struct thread *t) { return ((struct fiber *)t)->block->count; }
static uint32_t block_size(const struct thread *t) { return ((struct fiber *)t)->block->came; }
static uint32_t warp_value(const struct thread *t, uint32_t lane) { return warp_of(t)->values[lane]; }

/* Lets those go on for whom all have come: the fibers of one block, from `first`. */
static void release(struct block *block, struct fiber *first, uint64_t threads) {
  if (block->alive && block->arrived == block->alive) {
    block->count = block->votes, block->came = block->arrived;
    block->arrived = block->votes = 0;
    for (uint64_t k = 0; k < threads; k++)
      if (first[k].state == AT_BLOCK) first[k].state = READY;
  }
  for (uint64_t w = 0; w * 32 < threads; w++) {
    struct warp *warp = &block->warps[w];
    for (uint32_t lane = 0; lane < 32; lane++) {
      uint32_t needs = warp->needs[lane] & warp->alive;
      if (!(warp->waiting >> lane & 1) || (warp->waiting & needs) != needs) continue;
      for (uint32_t other = 0; other < 32; other++)
        if (needs >> other & 1) first[32 * w + other].state = READY;
      warp->waiting &= ~needs;
    }
  }
}

static void start_block(const struct grid *grid, struct block *block, struct fiber *first,
                        uint64_t number, uint64_t threads, size_t shared, int interleaved) {
  memset(block->warps, 0, sizeof block->warps);
  block->alive = threads;
  block->arrived = block->votes = 0;
  memset(block->shared, 0xFF, shared); /* not zeros: nothing is there before it is written */
  for (uint64_t k = 0; k < threads; k++) {
    struct thread *t = &first[k].t;
    place_thread(t, grid, number, k);
    t->shared = block->shared;
    t->pause = interleaved ? pause_sometimes : NULL;
    t->block_barrier = block_barrier, t->warp_barrier = warp_barrier;
    t->block_count = block_count, t->block_size = block_size;
    t->warp_value = warp_value, t->active_mask = active_mask;
    first[k].block = block, first[k].state = READY, first[k].done = 0;
    block->warps[k / 32].alive |= UINT32_C(1) << (k % 32);
  }
}

/* All where the launch promises it; else a number that no kernel should rely on. */
static uint64_t blocks_at_once(const struct grid *grid, uint64_t blocks, uint64_t threads) {
  uint64_t most = FIBERS / threads < blocks ? FIBERS / threads : blocks;
  return grid->cooperative ? most : 1 + draw() % most;
}

int can_cooperate(const struct grid *grid) {
  const uint32_t *b = grid->blocks, *n = grid->threads;
  uint64_t all = (uint64_t)b[0] * b[1] * b[2] * n[0] * n[1] * n[2];
  return all <= FIBERS && all <= (uint64_t)settings.multiprocessors * 2048;
}

static int run_fibers(const struct grid *grid, uint64_t blocks, uint64_t threads, int interleaved) {
  make_fibers();
  running = grid->kernel;
  size_t shared = grid->kernel->shared_bytes + grid->dynamic_shared + 16;
  uint64_t resident = blocks_at_once(grid, blocks, threads), started = 0, ended = 0, turns = 0;
  struct block *alive = calloc(resident, sizeof *alive);
  uint64_t *order = shuffled(blocks), *live_ones = malloc(resident * threads * sizeof *live_ones);
  uint64_t count = 0; /* of threads that have not ended */
  for (uint64_t i = 0; i < resident; i++) {
    alive[i].shared = malloc(shared);
    start_block(grid, &alive[i], fibers + i * threads, order[started++], threads, shared, interleaved);
    for (uint64_t k = 0; k < threads; k++) live_ones[count++] = i * threads + k;
  }
  time_t latest = time(NULL) + MOST_SECONDS;
  while (ended < blocks) {
    if ((++turns & 0xFFFFF) == 0 && time(NULL) > latest) break;
    uint64_t at = draw() % count, tried = 0;
    while (fibers[live_ones[at]].state != READY && tried++ < count) at = (at + 1) % count;
    if (tried > count) break;
    struct fiber *fiber = &fibers[live_ones[at]];
    struct block *block = fiber->block;
    uint64_t i = block - alive;
    resume(fiber);
    if (fiber->done) {
      live_ones[at] = live_ones[--count];
      warp_of(&fiber->t)->alive &= ~(UINT32_C(1) << fiber->t.lane);
      block->alive--;
    }
    if (block->alive == 0) {
      ended++;
      if (started < blocks) {
        start_block(grid, block, fibers + i * threads, order[started++], threads, shared, interleaved);
        for (uint64_t k = 0; k < threads; k++) live_ones[count++] = i * threads + k;
      }
    } else if (fiber->done || fiber->state != READY) {
      release(block, fibers + i * threads, threads);
    }
  }
  for (uint64_t i = 0; i < resident; i++) free(alive[i].shared);
  free(alive), free(order), free(live_ones);
  if (ended == blocks) return 0;
  complain("the threads of %s wait for each other forever", grid->kernel->name);
  return -1;
}

int run_grid(const struct grid *grid) {
  const uint32_t *b = grid->blocks, *n = grid->threads;
  uint64_t blocks = (uint64_t)b[0] * b[1] * b[2], threads = (uint64_t)n[0] * n[1] * n[2];
  int interleaved = settings.threads == THREADS_INTERLEAVED ||
                    (settings.threads == THREADS_MIXED && draw() & 1);
  interleaved &= blocks * threads <= MOST_INTERLEAVED;
  interleaved |= grid->cooperative; /* whoever looks again and again lets the others go on */
  if (interleaved || grid->kernel->together) return run_fibers(grid, blocks, threads, interleaved);
  run_ordered(grid, blocks, threads);
  return 0;
}
