/**
 * The door of the kernel's user interface: calls, numbers, structures and errors, as Linux x86-64 has them. For programs
 * that talk to the kernel themselves; the driver inside this package imports the single files.
 */
export * from './errno.ts';
export * from './ioctl.ts';
export * from './iommufd.ts';
export type * from './kernel.ts';
export * from './mman.ts';
export * from './vfio.ts';
