/**
 * Flags of open, mmap, memfd_create, eventfd and poll as Linux has them on x86-64 (asm-generic/fcntl.h, mman.h, poll.h,
 * eventfd.h). Not here: what a descriptor does with them, and flags of calls that the boundary does not have
 * (mremap, madvise, fcntl).
 */

// mmap(2) protection.
export const PROT_NONE = 0x0;
export const PROT_READ = 0x1;
export const PROT_WRITE = 0x2;
export const PROT_EXEC = 0x4;

// mmap(2) flags. Exactly one of the types SHARED, PRIVATE and SHARED_VALIDATE; VFIO regions take SHARED only.
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_SHARED_VALIDATE = 0x03;
/** Mask of the mapping type. */
export const MAP_TYPE = 0x0f;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_32BIT = 0x40;
export const MAP_GROWSDOWN = 0x100;
export const MAP_DENYWRITE = 0x800;
export const MAP_EXECUTABLE = 0x1000;
export const MAP_LOCKED = 0x2000;
export const MAP_NORESERVE = 0x4000;
export const MAP_POPULATE = 0x8000;
export const MAP_NONBLOCK = 0x1_0000;
export const MAP_STACK = 0x2_0000;
export const MAP_HUGETLB = 0x4_0000;
export const MAP_SYNC = 0x8_0000;
export const MAP_FIXED_NOREPLACE = 0x10_0000;
/** Where the log2 of the huge page size sits when MAP_HUGETLB is set. */
export const MAP_HUGE_SHIFT = 26;
export const MAP_HUGE_MASK = 0x3f;
export const MAP_HUGE_2MB = 0x5400_0000;
export const MAP_HUGE_1GB = 0x7800_0000;

// memfd_create(2) flags.
export const MFD_CLOEXEC = 0x1;
export const MFD_ALLOW_SEALING = 0x2;

// open(2) flags, octal as every manual page prints them.
export const O_RDONLY = 0o0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
/** Mask of the access mode. */
export const O_ACCMODE = 0o3;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_DSYNC = 0o1_0000;
export const O_ASYNC = 0o2_0000;
export const O_DIRECT = 0o4_0000;
/** The kernel's value; glibc hides it as 0 on 64-bit machines because every open has it. */
export const O_LARGEFILE = 0o10_0000;
export const O_DIRECTORY = 0o20_0000;
export const O_NOFOLLOW = 0o40_0000;
export const O_NOATIME = 0o100_0000;
export const O_CLOEXEC = 0o200_0000;
export const O_SYNC = 0o401_0000;
export const O_PATH = 0o1000_0000;
export const O_TMPFILE = 0o2020_0000;

// eventfd(2) flags.
export const EFD_SEMAPHORE = 0o1;
export const EFD_NONBLOCK = O_NONBLOCK;
export const EFD_CLOEXEC = O_CLOEXEC;

// poll(2) events. ERR, HUP and NVAL are reported whether asked for or not.
export const POLLIN = 0x001;
export const POLLPRI = 0x002;
export const POLLOUT = 0x004;
export const POLLERR = 0x008;
export const POLLHUP = 0x010;
export const POLLNVAL = 0x020;
export const POLLRDNORM = 0x040;
export const POLLRDBAND = 0x080;
export const POLLWRNORM = 0x100;
export const POLLWRBAND = 0x200;
export const POLLMSG = 0x400;
export const POLLRDHUP = 0x2000;
