/* Device memory, which is the host's. Around each allocation lie bytes that no kernel may change;
   new and freed memory is filled with ones: NaN, or -1, for whoever reads it too early or too late. */
#include <stdio.h>
#include <sys/mman.h>

#include "machine.h"

#define MARGIN 512
#define MOST_FILLED ((size_t)64 << 20) /* larger ones stay untouched, and so take no memory */

struct allocation { char *start; size_t size; };
static struct allocation *allocations, *pinned;
static size_t count, room, pinned_count, pinned_room, used;

static void add(struct allocation **list, size_t *length, size_t *limit, char *start, size_t size) {
  if (*length == *limit) *list = realloc(*list, (*limit = 2 * *limit + 64) * sizeof **list);
  (*list)[(*length)++] = (struct allocation){start, size};
}

static struct allocation *find(struct allocation *list, size_t length, const char *address) {
  for (size_t i = 0; i < length; i++)
    if (address >= list[i].start && address < list[i].start + list[i].size) return &list[i];
  return NULL;
}

static size_t free_on_host(void) {
  char line[256];
  size_t kilobytes = 0;
  FILE *file = fopen("/proc/meminfo", "r");
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "MemAvailable: %zu", &kilobytes) == 1) break;
  if (file) fclose(file);
  return kilobytes << 10;
}

size_t device_used(void) { return used; }

size_t device_available(void) {
  size_t host = free_on_host();
  if (!settings.memory) return host;
  size_t left = settings.memory > used ? settings.memory - used : 0;
  return left < host ? left : host;
}

void *device_alloc(size_t size) {
  if (size > device_available()) return NULL;
  size_t whole = size + 2 * MARGIN;
  char *start = mmap(NULL, whole, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) return NULL;
  if (size <= MOST_FILLED) memset(start, 0xFF, whole);
  memset(start, 0xFF, MARGIN);
  memset(start + MARGIN + size, 0xFF, MARGIN);
  used += size;
  add(&allocations, &count, &room, start + MARGIN, size);
  return start + MARGIN;
}

int device_free(void *start) {
  struct allocation *found = find(allocations, count, start);
  if (!found || found->start != start) return -1;
  used -= found->size;
  munmap(found->start - MARGIN, found->size + 2 * MARGIN);
  *found = allocations[--count];
  return 0;
}

void *device_find(const void *address, size_t *size) {
  struct allocation *found = find(allocations, count, address);
  if (!found) return NULL;
  if (size) *size = found->size;
  return found->start;
}

static int changed(const char *margin) {
  for (size_t i = 0; i < MARGIN; i++)
    if (margin[i] != (char)0xFF) return 1;
  return 0;
}

int device_damaged(const char *kernel) {
  for (size_t i = 0; i < count; i++) {
    struct allocation *here = &allocations[i];
    int before = changed(here->start - MARGIN);
    if (!before && !changed(here->start + here->size)) continue;
    complain("%s wrote %s an allocation of %zu bytes", kernel, before ? "in front of" : "behind",
             here->size);
    return 1;
  }
  return 0;
}

void *host_alloc(size_t size) {
  void *start = malloc(size);
  if (start) add(&pinned, &pinned_count, &pinned_room, start, size);
  return start;
}

void host_free(void *start) {
  struct allocation *found = find(pinned, pinned_count, start);
  if (found) *found = pinned[--pinned_count];
  free(start);
}

int host_pinned(const void *address) { return find(pinned, pinned_count, address) != NULL; }
