/**
 * The emulated kernel: the system calls of uapi/kernel.ts over open files, one process and the machine's clock. Every
 * call costs `host.syscall_ns` of simulated time and checks what Linux checks before it asks the file.
 * Not here: what files do (cdev.ts, iommufd/, legacy/, eventfd.ts, file-tree.ts), booting (boot.ts).
 */

import type { Iommu } from '../iommu/driver.ts';
import type { Clock } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import type { PciHost } from '../machine/pcie/pci-host.ts';
import { devfn } from '../machine/pcie/spec.ts';
import type { HostProfile } from '../machine/timing/host.ts';
import type { Archive } from '../support/archive.ts';
import { alignUp, PAGE_MASK, PAGE_SIZE } from '../support/numbers.ts';
import { type Inventory, MachineInventory } from './boot.ts';
import { Dmesg } from './dmesg.ts';
import { EventFd } from './eventfd.ts';
import type { OpenFile } from './file.ts';
import { FileTable } from './file-table.ts';
import { IommufdContext } from './iommufd/context.ts';
import type { AbiLevel } from './iommufd/state.ts';
import { ContainerFile } from './legacy/container.ts';
import { MemoryFile } from './memory-file.ts';
import { NullFile } from './null-file.ts';
import { Process } from './process.ts';
import { Removals } from './removal.ts';
import { bytesText, ioctlArgs, mapFlagsText, openFlagsText, pointer, protectionText } from './strace.ts';
import { EACCES, EBADF, EINVAL, ESPIPE } from './uapi/errno.ts';
import type { Address, Fd, Kernel, Mapping } from './uapi/kernel.ts';
import {
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EFD_SEMAPHORE,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_TYPE,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  O_ACCMODE,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  POLLERR,
  POLLHUP,
  POLLNVAL,
  PROT_WRITE,
} from './uapi/mman.ts';

export interface KernelParts {
  readonly clock: Clock;
  readonly memory: Memory;
  readonly pages: Pages;
  readonly rootComplex: PciHost;
  readonly iommu: Iommu;
  readonly host: HostProfile;
  /** The number of a function's iommu group; absent or undefined lets the kernel number it. */
  readonly groupOf?: (bdf: number) => number | undefined;
  /** Number of the I/O APIC that the wires of a function on bus 0 reach; 0 when absent. */
  readonly ioApicOf?: (devfn: number) => number;
  /** False for hardware in another thread; true when absent. */
  readonly ordersLoads?: boolean;
  /** The driver of a function that is not a bridge; `vfio-pci` for all of them when absent. */
  readonly driverOf?: (bdf: number) => string;
  /** The log, when others have written to it before the kernel boots. */
  readonly dmesg?: Dmesg;
  /** The release of Linux whose answers are given where releases differ; 6.12 when absent. */
  readonly abi?: AbiLevel;
}

/** Reported whether asked for or not. */
const ALWAYS = POLLERR | POLLHUP | POLLNVAL;
const EVENTFD_FLAGS = EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC;
const MEMFD_FLAGS = MFD_CLOEXEC | MFD_ALLOW_SEALING;
/** Turns of the microtask queue after which a wait that nothing can end is given up. */
const IDLE_TURNS = 1000;
/** What passes while a program looks again, at every pace: simulated time does not go on by itself. */
const LOOK_NS = 1;

export class EmulatedKernel implements Kernel {
  readonly ordersLoads: boolean;
  readonly dmesg: Dmesg;
  readonly process: Process;
  readonly files = new FileTable();
  /** Called after every system call with its name, its arguments as text and its result: `straceLine` joins them. */
  onCall: ((name: string, args: string, ret: number) => void) | null = null;
  readonly #clock: Clock;
  readonly #host: HostProfile;
  readonly #pages: Pages;
  readonly #removals: Removals;
  readonly #inventory: MachineInventory;
  /** Functions that still have users, by name. */
  readonly #leaving = new Map<string, Promise<void>>();

  /** Boots: scans PCI, which firmware has set up, and opens descriptors 0, 1 and 2. */
  constructor(parts: KernelParts) {
    const { clock, iommu, abi = '6.12' } = parts;
    this.ordersLoads = parts.ordersLoads ?? true;
    this.#clock = clock;
    this.#host = parts.host;
    this.#pages = parts.pages;
    this.dmesg = parts.dmesg ?? new Dmesg(() => clock.now);
    this.process = new Process(parts.memory, parts.pages);
    const { process, files, dmesg } = this;
    const groupOf = parts.groupOf ?? (() => undefined);
    const ioApicOf = parts.ioApicOf ?? (() => 0);
    const driverOf = parts.driverOf ?? (() => 'vfio-pci');
    this.#inventory = new MachineInventory({
      ...parts,
      process,
      files,
      dmesg,
      abi,
      groupOf,
      ioApicOf,
      driverOf,
    });
    const { tree } = this.#inventory;
    this.#removals = new Removals(clock, tree, (pci) => this.#inventory.forget(pci));
    tree.device('/dev/vfio/vfio', () => new ContainerFile({ process, iommu, abi }));
    tree.device('/dev/iommu', () => new IommufdContext({ process, files }, iommu, abi));
    tree.device('/dev/null', () => new NullFile());
    for (let standard = 0; standard < 3; standard++) files.install(new NullFile());
  }

  /** What there is: functions, devices, and the tree of paths. */
  get inventory(): Inventory {
    return this.#inventory;
  }

  // ---- files ------------------------------------------------------------------------------------------------------

  open(path: string, flags: number): Fd {
    this.#enter();
    const file = this.inventory.tree.open(path);
    if (typeof file !== 'number') file.flags = flags;
    const ret = typeof file === 'number' ? file : this.#install(file);
    return this.onCall === null ? ret : this.#report('open', `"${path}", ${openFlagsText(flags)}`, ret);
  }

  close(fd: Fd): number {
    this.#enter();
    const ret = this.files.close(fd);
    return this.onCall === null ? ret : this.#report('close', `${fd}`, ret);
  }

  dup(fd: Fd): Fd {
    this.#enter();
    const ret = this.files.duplicate(fd);
    return this.onCall === null ? ret : this.#report('dup', `${fd}`, ret);
  }

  ioctl(fd: Fd, request: number, argument: Address | number): number {
    this.#enter();
    const file = this.files.get(fd);
    const ret = file === null ? -EBADF : file.ioctl(request >>> 0, argument);
    if (this.onCall === null) return ret;
    return this.#report('ioctl', ioctlArgs(this.process, fd, file?.kind ?? null, request, argument), ret);
  }

  pread(fd: Fd, target: Uint8Array, offset: number): number {
    this.#enter();
    const file = this.#readable(fd);
    const ret = typeof file === 'number' ? file : at(file, offset) || file.pread(target, offset);
    if (this.onCall === null) return ret;
    const bytes = ret < 0 ? '...' : bytesText(target.subarray(0, ret));
    return this.#report('pread64', `${fd}, ${bytes}, ${target.length}, ${pointer(offset)}`, ret);
  }

  pwrite(fd: Fd, source: Uint8Array, offset: number): number {
    this.#enter();
    const file = this.#writable(fd);
    const ret = typeof file === 'number' ? file : at(file, offset) || file.pwrite(source, offset);
    if (this.onCall === null) return ret;
    return this.#report('pwrite64', `${fd}, ${bytesText(source)}, ${source.length}, ${pointer(offset)}`, ret);
  }

  read(fd: Fd, target: Uint8Array): number {
    this.#enter();
    const file = this.#readable(fd);
    const ret = typeof file === 'number' ? file : file.read(target);
    if (this.onCall === null) return ret;
    const bytes = ret < 0 ? '...' : bytesText(target.subarray(0, ret));
    return this.#report('read', `${fd}, ${bytes}, ${target.length}`, ret);
  }

  write(fd: Fd, source: Uint8Array): number {
    this.#enter();
    const file = this.#writable(fd);
    const ret = typeof file === 'number' ? file : file.write(source);
    if (this.onCall === null) return ret;
    return this.#report('write', `${fd}, ${bytesText(source)}, ${source.length}`, ret);
  }

  eventfd(initial: number, flags: number): Fd {
    this.#enter();
    const isKnown = (flags & ~EVENTFD_FLAGS) === 0;
    const ret = isKnown ? this.#install(new EventFd(this.#clock, initial >>> 0, flags)) : -EINVAL;
    return this.onCall === null ? ret : this.#report('eventfd2', `${initial}, ${flags}`, ret);
  }

  memfdCreate(name: string, flags: number): Fd {
    this.#enter();
    const isKnown = (flags & ~MEMFD_FLAGS) === 0;
    const ret = isKnown ? this.#install(new MemoryFile(this.process, this.#pages)) : -EINVAL;
    return this.onCall === null ? ret : this.#report('memfd_create', `"${name}", ${flags}`, ret);
  }

  ftruncate(fd: Fd, length: number): number {
    this.#enter();
    const file = this.#writable(fd);
    const ret = typeof file === 'number' ? file : length < 0 ? -EINVAL : file.truncate(length);
    return this.onCall === null ? ret : this.#report('ftruncate', `${fd}, ${length}`, ret);
  }

  poll(fd: Fd, events: number): number {
    this.#enter();
    const file = this.files.get(fd);
    return file === null ? POLLNVAL : file.poll() & (events | ALWAYS);
  }

  readdir(path: string): string[] | number {
    this.#enter();
    return this.inventory.tree.readdir(path);
  }

  readlink(path: string): string | number {
    this.#enter();
    return this.inventory.tree.readlink(path);
  }

  // ---- memory -----------------------------------------------------------------------------------------------------

  mmap(length: number, protection: number, flags: number, fd: Fd, offset: number): Address {
    this.#enter();
    const ret = this.#mmap(length, protection, flags, fd, offset);
    if (this.onCall === null) return ret;
    const what = `${protectionText(protection)}, ${mapFlagsText(flags)}`;
    return this.#report('mmap', `NULL, ${length}, ${what}, ${fd}, ${pointer(offset)}`, ret);
  }

  munmap(address: Address, length: number): number {
    this.#enter();
    const ret = this.process.unmap(address, length);
    return this.onCall === null ? ret : this.#report('munmap', `${pointer(address)}, ${length}`, ret);
  }

  mapping(address: Address): Mapping | null {
    const vma = this.process.find(address);
    return vma?.address === address ? vma : null;
  }

  // ---- time -------------------------------------------------------------------------------------------------------

  now(): number {
    return this.#clock.observe();
  }

  relax(deadline: number): boolean {
    const { now } = this.#clock;
    return this.#clock.idle(deadline > now ? deadline : now + LOOK_NS);
  }

  /** A thread that had to sleep runs again `host.wakeup_ns` after its file became ready. */
  async wait(fd: Fd, events: number, deadline: number): Promise<number> {
    const file = this.files.get(fd);
    if (file === null) return POLLNVAL;
    file.hold();
    try {
      for (let slept = false, idle = 0; ; ) {
        const ready = file.poll() & (events | ALWAYS);
        if (ready !== 0) {
          if (slept) this.#clock.runUntil(file.readyAt + this.#host.wakeup_ns);
          return ready;
        }
        if (this.#clock.observe() >= deadline) return 0;
        await null;
        if ((file.poll() & (events | ALWAYS)) !== 0) continue;
        slept = true;
        if (this.#clock.idle(deadline)) idle = 0;
        else if (++idle > IDLE_TURNS)
          throw new Error(`waiting for descriptor ${fd} forever: nothing is under way`);
      }
    } finally {
      file.drop();
    }
  }

  /** The end of the process: descriptors are closed, then the address space goes, and with it what it kept alive. */
  exit(): void {
    this.files.closeAll();
    this.process.unmapAll();
    for (let standard = 0; standard < 3; standard++) this.files.install(new NullFile());
  }

  // ---- the machine changes ------------------------------------------------------------------------------------------

  /**
   * Takes a function from its driver and out of the kernel, as a write to its sysfs `remove` or a pulled card does.
   * From here on nobody can open it; its users are asked to leave through their REQ eventfds, every ten seconds.
   * Resolves when the last one has. `name` is written as in sysfs, `0000:01:00.0`.
   */
  removeDevice(name: string): Promise<void> {
    const device = this.inventory.vfio.find(({ pci }) => pci.name === name);
    if (device === undefined) throw new Error(`${name} is not a function that vfio-pci has`);
    const left = this.#removals.remove(device).then(() => void this.#leaving.delete(name));
    this.#leaving.set(name, left);
    return left;
  }

  /**
   * Looks for a function that has come to a slot, as hot-plug and a write to `rescan` of its bus do; what was there before
   * leaves first. Resolves with whether vfio-pci has a new one. `name` is written as in sysfs, `0000:01:00.0`.
   */
  async addDevice(name: string): Promise<boolean> {
    const [, bus, device, fn] = /^0000:(..):(..)\.(.)$/.exec(name) ?? [];
    if (fn === undefined) throw new Error(`${name} is not the name of a PCI function, such as 0000:01:00.0`);
    await this.#leaving.get(name);
    const [busNumber, slot] = [bus!, device!].map((digits) => Number.parseInt(digits, 16));
    return this.#inventory.arrive(busNumber!, devfn(slot!, Number(fn))) !== null;
  }

  // ---- what the calls share -----------------------------------------------------------------------------------------

  #enter(): void {
    this.#clock.advance(this.#host.syscall_ns);
  }

  #report(name: string, args: string, ret: number): number {
    this.onCall!(name, args, ret);
    return ret;
  }

  #install(file: OpenFile): Fd {
    const fd = this.files.install(file);
    if (fd < 0) file.drop();
    return fd;
  }

  #readable(fd: Fd): OpenFile | number {
    const file = this.files.get(fd);
    return file === null || (file.flags & O_ACCMODE) === O_WRONLY ? -EBADF : file;
  }

  #writable(fd: Fd): OpenFile | number {
    const file = this.files.get(fd);
    return file === null || (file.flags & O_ACCMODE) === O_RDONLY ? -EBADF : file;
  }

  #mmap(length: number, protection: number, flags: number, fd: Fd, offset: number): Address {
    if ((offset & PAGE_MASK) !== 0) return -EINVAL;
    const isAnonymous = (flags & MAP_ANONYMOUS) !== 0;
    const file = isAnonymous ? null : this.files.get(fd);
    if (file === null && !isAnonymous) return -EBADF;
    const type = flags & MAP_TYPE;
    const isShared = type === MAP_SHARED || (type === MAP_SHARED_VALIDATE && !isAnonymous);
    if (length <= 0 || (!isShared && type !== MAP_PRIVATE)) return -EINVAL;
    const bytes = alignUp(length, PAGE_SIZE);
    if (file === null) return this.process.mapAnonymous(bytes, protection);
    const mode = file.flags & O_ACCMODE;
    if (mode === O_WRONLY || (isShared && (protection & PROT_WRITE) !== 0 && mode !== O_RDWR)) return -EACCES;
    return file.mmap({ length: bytes, protection, flags, offset });
  }

  // ---- state ------------------------------------------------------------------------------------------------------

  /**
   * Saves or loads what changes while a program makes no system call but read(2): open files, the log. What the program
   * has set up (descriptors, mappings, address spaces, interrupts) has to have been set up by the same calls.
   */
  archive(a: Archive): void {
    this.#removals.archive(a);
    a.same(this.inventory.vfio.map(({ pci }) => pci.name).join(), 'the list of functions that vfio-pci has');
    this.dmesg.archive(a);
    this.files.archive(a);
  }
}

/** 0, or why a file cannot be accessed at this position. */
const at = (file: OpenFile, offset: number): number => (offset < 0 ? -EINVAL : file.positional ? 0 : -ESPIPE);
