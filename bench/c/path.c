/*
 * A yardstick: the path of one read in C, as short as C allows. A driver fills a submission entry in RAM and stores a
 * doorbell; a page map finds the device; it fetches the entry, checks it, translates through an IOTLB and page tables in
 * RAM, copies, writes the completion entry; the driver finds it by its phase and calls back.
 * Not here: everything else that Doorbell's models do on that way (faults, logs, statistics, interrupts, MMIO rules,
 * trace points). Doorbell does not use it; bench/yardstick.ts compiles and runs it.
 *
 * path BYTES DEPTH SAMPLES WARM_UP_MS prints the best and the median nanoseconds per read.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { PAGE = 4096, BLOCK = 512, HOT = 256 << 10, POSITIONS = 1 << 16, ARENA = 64 << 20, SAMPLE_NS = 2000000 };
enum { READ = 2, PRESENT = 3, IOTLB = 1024, BAR_PAGE = 0xfe0, ENTRIES = 1024 };

static uint8_t *ram;
static uint32_t ram_used = PAGE;
static uint32_t take(uint32_t bytes) {
  const uint32_t at = ram_used;
  ram_used += (bytes + PAGE - 1) & -PAGE;
  if (ram_used > ARENA) exit(1);
  return at;
}

/* IOMMU: four levels of 512 entries in RAM, a direct-mapped IOTLB before them. */
static uint32_t root;
static struct { uint64_t page, frame; } iotlb[IOTLB];
static void map(uint64_t iova, uint64_t physical) {
  uint64_t *entry = (uint64_t *)(ram + root) + (iova >> 39 & 511);
  for (int shift = 30; shift >= 12; shift -= 9) {
    if (*entry == 0) *entry = take(PAGE) | PRESENT;
    entry = (uint64_t *)(ram + (*entry & -PAGE)) + (iova >> shift & 511);
  }
  *entry = physical | PRESENT;
}
static uint64_t walk(uint64_t page) {
  uint64_t table = root;
  for (int shift = 27; shift >= 0; shift -= 9) {
    const uint64_t entry = ((uint64_t *)(ram + table))[page >> shift & 511];
    if ((entry & PRESENT) != PRESENT) return 0;
    table = entry & -PAGE;
  }
  iotlb[page & (IOTLB - 1)].page = page;
  iotlb[page & (IOTLB - 1)].frame = table;
  return table;
}
static inline uint64_t translate(uint64_t iova) {
  const uint64_t page = iova >> 12;
  const uint64_t frame = iotlb[page & (IOTLB - 1)].page == page ? iotlb[page & (IOTLB - 1)].frame : walk(page);
  return frame | (iova & (PAGE - 1));
}

/* Controller. */
static struct {
  uint64_t sq, cq;
  uint32_t sq_head, cq_tail, cq_head, phase, media, blocks, status;
} device;
static uint32_t transfer(const uint32_t *entry) {
  const uint32_t slba = entry[10], blocks = (entry[12] & 0xffff) + 1;
  if ((entry[0] & 0xff) != READ || entry[1] != 1) return 1;
  if (slba + blocks > device.blocks) return 0x80;
  uint32_t left = blocks * BLOCK, from = device.media + slba * BLOCK;
  uint64_t iova = entry[6] | (uint64_t)entry[7] << 32;
  const uint64_t second = entry[8] | (uint64_t)entry[9] << 32;
  const uint64_t *list = left > 2 * PAGE ? (uint64_t *)(ram + translate(second)) : &second;
  uint64_t run = translate(iova), end = run;
  while (left > 0) {
    const uint64_t frame = translate(iova);
    if (frame < PAGE) return 4;
    const uint32_t here = PAGE - (iova & (PAGE - 1)), bytes = here < left ? here : left;
    if (frame != end) {
      memcpy(ram + run, ram + from, end - run);
      from += end - run;
      run = end = frame;
    }
    end += bytes;
    left -= bytes;
    if (left > 0) iova = *list++;
  }
  memcpy(ram + run, ram + from, end - run);
  return 0;
}
static void complete(uint32_t cid, uint32_t status) {
  uint32_t *entry = (uint32_t *)(ram + translate(device.cq + device.cq_tail * 16));
  entry[0] = entry[1] = 0;
  entry[2] = device.sq_head | 1 << 16;
  *(volatile uint32_t *)(entry + 3) = cid | device.phase << 16 | status << 17;
  if (++device.cq_tail == ENTRIES) device.cq_tail = 0, device.phase ^= 1;
}
static void nvme_write32(uint32_t offset, uint32_t value) {
  if (offset == 0x100c) {
    device.cq_head = value;
    return;
  }
  while (device.sq_head != value) {
    uint32_t entry[16];
    memcpy(entry, ram + translate(device.sq + device.sq_head * 64), 64);
    device.sq_head = (device.sq_head + 1) & (ENTRIES - 1);
    complete(entry[0] >> 16, transfer(entry));
  }
}

/* Root complex: a page map from address to device. */
static uint8_t page_map[4096];
static void (*volatile devices[2])(uint32_t, uint32_t) = {0, nvme_write32};
static inline void store32(uint32_t address, uint32_t value) {
  devices[page_map[address >> 20]](address & 0xfffff, value);
}

/* Driver. */
static struct { uint32_t sq, cq, tail, head, phase, outstanding, buffers, lists; } queue;
static uint64_t completed, failed;
static void count(uint32_t cid, uint32_t status) {
  (void)cid;
  completed++;
  if (status != 0) failed++;
}
static void (*volatile on_complete)(uint32_t, uint32_t) = count;
static const uint64_t IO = 0x100000000;
static void post(uint32_t cid, uint32_t slba, uint32_t bytes) {
  uint32_t *entry = (uint32_t *)(ram + queue.sq + queue.tail * 64);
  const uint64_t first = IO + queue.buffers + cid * bytes, list = IO + queue.lists + cid * PAGE;
  const uint64_t second = bytes <= PAGE ? 0 : list;
  memset(entry, 0, 64);
  entry[0] = READ | cid << 16;
  entry[1] = 1;
  entry[6] = first, entry[7] = first >> 32;
  entry[8] = second, entry[9] = second >> 32;
  entry[10] = slba;
  entry[12] = bytes / BLOCK - 1;
  queue.tail = (queue.tail + 1) & (ENTRIES - 1);
  queue.outstanding++;
}
static void reap(void) {
  const uint32_t before = queue.head;
  for (;;) {
    const volatile uint32_t *entry = (uint32_t *)(ram + queue.cq + queue.head * 16);
    const uint32_t last = entry[3];
    if ((last >> 16 & 1) != queue.phase) break;
    if (++queue.head == ENTRIES) queue.head = 0, queue.phase ^= 1;
    queue.outstanding--;
    on_complete(last & 0xffff, last >> 17);
  }
  if (queue.head != before) store32(BAR_PAGE << 20 | 0x100c, queue.head);
}
static uint32_t slbas[POSITIONS], position;
static void run(uint64_t reads, uint32_t bytes, uint32_t depth) {
  for (const uint64_t end = completed + reads; completed < end;) {
    for (uint32_t i = 0; i < depth; i++) {
      post(i, slbas[position], bytes);
      position = (position + 1) & (POSITIONS - 1);
    }
    store32(BAR_PAGE << 20 | 0x1008, queue.tail);
    while (queue.outstanding > 0) reap();
  }
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}
static int ascending(const void *a, const void *b) {
  return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}
static void boot(uint32_t bytes, uint32_t depth) {
  ram = mmap(0, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (ram == MAP_FAILED) exit(1);
  const uint32_t range = HOT > 2 * bytes ? HOT : 2 * bytes;
  queue.sq = take(ENTRIES * 64), queue.cq = take(ENTRIES * 16), queue.phase = 1;
  queue.buffers = take(depth * bytes), queue.lists = take(depth * PAGE);
  const uint32_t end = ram_used;
  device.media = take(range), device.blocks = range / BLOCK, device.phase = 1;
  memset(ram + device.media, 0xa5, range);
  device.sq = IO + queue.sq, device.cq = IO + queue.cq;
  root = take(PAGE);
  for (uint32_t at = queue.sq; at < end; at += PAGE) map(IO + at, at);
  for (uint32_t cid = 0; cid < depth; cid++) {
    uint64_t *list = (uint64_t *)(ram + queue.lists + cid * PAGE);
    for (uint32_t i = 1; i < bytes / PAGE; i++) *list++ = IO + queue.buffers + cid * bytes + i * PAGE;
  }
  page_map[BAR_PAGE] = 1;
  srand(1);
  for (int i = 0; i < POSITIONS; i++) slbas[i] = rand() % (range / bytes) * (bytes / BLOCK);
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  const uint32_t bytes = atoi(arguments[1]), depth = atoi(arguments[2]), samples = atoi(arguments[3]);
  const double warm = now() + atoi(arguments[4]) * 1e6;
  boot(bytes, depth);
  uint64_t reads = 64;
  while (now() < warm) {
    const double start = now();
    run(reads, bytes, depth);
    if (now() - start < SAMPLE_NS) reads *= 2;
  }
  double *times = malloc(samples * sizeof *times);
  for (uint32_t i = 0; i < samples; i++) {
    const double start = now();
    const uint64_t before = completed;
    run(reads, bytes, depth);
    times[i] = (now() - start) / (completed - before);
  }
  if (failed != 0) return 1;
  qsort(times, samples, sizeof *times, ascending);
  printf("{\"best\": %.3f, \"median\": %.3f}\n", times[0], times[samples / 2]);
  return 0;
}
