/**
 * The boundary between a driver and a kernel, as system calls: numbers and bytes as Linux x86-64 has them.
 * Two implementations: the emulated kernel (vfio/kernel.ts) and real Linux (bridge/linux.ts, optional). A driver cannot
 * tell which. Every call returns what the raw system call returns: zero or more, or a negative errno; nothing throws
 * but `load`/`store` of a Mapping that hits a hole, which is a SIGBUS or SIGSEGV on a real machine too.
 */

export type Fd = number;
/** A virtual address in the calling process; 0 is NULL. Numbers below 2^47. */
export type Address = number;

/**
 * A piece of address space that `mmap` returned. Anonymous memory has a `bytes` view; device registers have none and
 * are reached by the accessors, which trap in the emulator and are plain loads and stores on a real machine.
 */
export interface Mapping {
  readonly address: Address;
  readonly length: number;
  /** The memory itself, shared with the device; null for device registers. */
  readonly bytes: Uint8Array | null;
  /** Aligned accesses at a byte offset into the mapping. Values are unsigned. */
  read8(offset: number): number;
  read16(offset: number): number;
  read32(offset: number): number;
  write8(offset: number, value: number): void;
  write16(offset: number, value: number): void;
  write32(offset: number, value: number): void;
  /** Two 32-bit accesses, low word first, as drivers do where 64-bit accesses are not certain. */
  read64(offset: number): bigint;
  write64(offset: number, value: bigint): void;
}

export interface Kernel {
  /**
   * Plain loads see what devices write in the order they wrote it, because devices work in the caller's own thread. Else,
   * and when absent, only atomic loads do, as on real processors only loads behind dma_rmb() do.
   */
  readonly ordersLoads?: boolean;
  /** `flags` are O_* of mman.ts. */
  open(path: string, flags: number): Fd;
  close(fd: Fd): number;
  dup(fd: Fd): Fd;
  /** `argument` is the address of the struct in the caller's memory, or the integer itself where the request takes one. */
  ioctl(fd: Fd, request: number, argument: Address | number): number;
  /** `offset` is a number below 2^53 (VFIO regions are at index << 40). */
  pread(fd: Fd, target: Uint8Array, offset: number): number;
  pwrite(fd: Fd, source: Uint8Array, offset: number): number;
  read(fd: Fd, target: Uint8Array): number;
  write(fd: Fd, source: Uint8Array): number;
  /** Returns the address. `protection` and `flags` are PROT_* and MAP_*; anonymous memory has fd -1. */
  mmap(length: number, protection: number, flags: number, fd: Fd, offset: number): Address;
  munmap(address: Address, length: number): number;
  /** The mapping that begins at an address `mmap` returned, or null. */
  mapping(address: Address): Mapping | null;
  eventfd(initial: number, flags: number): Fd;
  /** An empty file that is memory, which other processes and iommufd (MAP_FILE) can share. `flags` are MFD_* of mman.ts. */
  memfdCreate(name: string, flags: number): Fd;
  /** Makes a file `length` bytes long. */
  ftruncate(fd: Fd, length: number): number;
  /** POLLIN and the like that hold now; never waits. */
  poll(fd: Fd, events: number): number;
  /** Names in a directory, sorted, or a negative errno. For the few parts of sysfs that drivers read. */
  readdir(path: string): string[] | number;
  /** Target of a symbolic link, or a negative errno. */
  readlink(path: string): string | number;

  // ---- time, as a program sees it -------------------------------------------------------------------------------

  /** CLOCK_MONOTONIC in nanoseconds; simulated in the emulator. */
  now(): number;
  /**
   * Gives the processor away until `deadline` (in nanoseconds of `now`) or until something happened, whichever is first;
   * the emulator lets the machine run. When `deadline` is not ahead, one nanosecond passes unless something happens now:
   * a loop that polls until `now` is past it ends in simulated time too. Returns false when nothing can happen before
   * `deadline` any more and the deadline is infinite: the caller would wait forever. Real Linux: a pause instruction.
   */
  relax(deadline: number): boolean;
  /** Resolves with the events once `fd` has some, or with 0 at `deadline`, or rejects when that can never be. */
  wait(fd: Fd, events: number, deadline: number): Promise<number>;
}
