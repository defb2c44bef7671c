/** A harness with an I/O queue pair and commands on blocks: what the I/O tests share. */
import { ADMIN, DSM_RANGE, NVM, SGL_DESCRIPTOR, SGL_TYPE } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { ERROR_LOG_ENTRY, LID } from '../../nvme/spec/logs.ts';
import { CC, CSS } from '../../nvme/spec/registers.ts';
import { statusName } from '../../nvme/spec/status.ts';
import type { Completion, Entry } from './entry.ts';
import { CC_NORMAL, FUNCTIONAL, Harness, type HarnessOptions, PAGE } from './harness.ts';

export const FUA = 1 << 30;
export const BROADCAST = 0xffff_ffff;
const MIB = 1024 ** 2;

export interface SglEntry {
  readonly type: number;
  readonly address?: number;
  readonly length: number;
  readonly subtype?: number;
}

export class IoRig extends Harness {
  readonly block: number;

  constructor(options: HarnessOptions = {}) {
    super(options);
    this.block = options.namespaces?.[0]?.block_bytes ?? 512;
    this.start();
  }

  /** Enables the controller, with all command sets where it has several, and creates queue pair 1. */
  start(): void {
    this.enable(this.controller.namespaces.hasZones ? { cc: CC.CSS.set(CC_NORMAL, CSS.ALL) } : {});
    this.createCq(1, 64);
    this.createSq(1, 64, 1);
  }

  io(entry: Entry): Completion {
    return this.submit(1, 1, { nsid: 1, ...entry });
  }

  /** The status of an I/O command, by name. */
  status(entry: Entry): string {
    return statusName(this.io(entry).status);
  }

  /** CDW10 to CDW12 of `count` blocks from `first`. */
  at(first: number, count = 1, control = 0): Pick<Entry, 'cdw10' | 'cdw11' | 'cdw12'> {
    return { cdw10: first, cdw11: Math.floor(first / 2 ** 32), cdw12: ((count - 1) | control) >>> 0 };
  }

  /** PRP1 and PRP2 for `bytes` of contiguous memory at `address`. */
  prps(address: number, bytes: number): { readonly prp1: number; readonly prp2: number } {
    const inFirst = PAGE - (address % PAGE);
    const pages = Math.ceil(Math.max(0, bytes - inFirst) / PAGE);
    const second = address + inFirst;
    if (pages <= 1) return { prp1: address, prp2: pages === 0 ? 0 : second };
    const list = this.allocate(Math.ceil((pages * 8) / PAGE));
    for (let page = 0; page < pages; page++)
      this.view(list).setBigUint64(8 * page, BigInt(second + page * PAGE), true);
    return { prp1: address, prp2: list };
  }

  /** A buffer of `bytes` filled with `byte`. */
  filled(bytes: number, byte: number): number {
    const address = this.allocate(Math.ceil(bytes / PAGE));
    this.memory.fill(address, byte, bytes);
    return address;
  }

  /** Writes `count` blocks from `first` full of `byte`. Returns the status by name. */
  write(first: number, count: number, byte: number, entry: Partial<Entry> = {}): string {
    const bytes = count * this.block;
    const data = this.prps(this.filled(bytes, byte), bytes);
    return this.status({ opcode: NVM.WRITE, ...this.at(first, count), ...data, ...entry });
  }

  /** Reads `count` blocks from `first`. The status by name when it fails, else the bytes that are there, each once. */
  read(first: number, count = 1, entry: Partial<Entry> = {}): string | number[] {
    const bytes = count * this.block;
    const buffer = this.filled(bytes, 0xee);
    const status = this.status({
      opcode: NVM.READ,
      ...this.at(first, count),
      ...this.prps(buffer, bytes),
      ...entry,
    });
    return status === 'SUCCESS' ? [...new Set(this.bytes(buffer, bytes))] : status;
  }

  compare(first: number, count: number, byte: number, entry: Partial<Entry> = {}): string {
    const bytes = count * this.block;
    const data = this.prps(this.filled(bytes, byte), bytes);
    return this.status({ opcode: NVM.COMPARE, ...this.at(first, count), ...data, ...entry });
  }

  flush(nsid = 1): string {
    return this.status({ opcode: NVM.FLUSH, nsid });
  }

  /** Dataset Management with AD over ranges of blocks. */
  deallocate(ranges: readonly (readonly [first: number, count: number])[], cdw11 = 4): string {
    const buffer = this.allocate();
    ranges.forEach(([first, count], index) => {
      DSM_RANGE.set(this.view(buffer), index * DSM_RANGE.SIZE, 'NLB', count);
      DSM_RANGE.set(this.view(buffer), index * DSM_RANGE.SIZE, 'SLBA', BigInt(first));
    });
    return this.status({ opcode: NVM.DATASET_MANAGEMENT, prp1: buffer, cdw10: ranges.length - 1, cdw11 });
  }

  setWriteCache(isOn: boolean): void {
    this.submitAdmin({ opcode: ADMIN.SET_FEATURES, cdw10: FID.VOLATILE_WRITE_CACHE, cdw11: isOn ? 1 : 0 });
  }

  /** Power is lost and comes back; the host configures and enables everything again. */
  powerCycle(): void {
    this.controller.powerCut();
    this.settle();
    this.configure();
    this.start();
  }

  /** What completed on queue 1, by name in order. */
  statuses(): string[] {
    return this.reapAll(1).map(({ status }) => statusName(status));
  }

  /** The newest `count` entries of the error log. */
  errors(count = 1): ReturnType<typeof ERROR_LOG_ENTRY.decode>[] {
    const page = this.allocate();
    const dwords = (count * ERROR_LOG_ENTRY.SIZE) / 4 - 1;
    this.submitAdmin({
      opcode: ADMIN.GET_LOG_PAGE,
      nsid: BROADCAST,
      prp1: page,
      cdw10: LID.ERROR | (dwords << 16),
    });
    return Array.from({ length: count }, (_, index) =>
      ERROR_LOG_ENTRY.decode(this.view(page), index * ERROR_LOG_ENTRY.SIZE),
    );
  }

  /** Writes descriptors to memory. Returns their address. */
  segment(entries: readonly SglEntry[]): number {
    const address = this.allocate(Math.ceil((entries.length * SGL_DESCRIPTOR.SIZE) / PAGE));
    entries.forEach((entry, index) => {
      this.writeDescriptor(address + index * SGL_DESCRIPTOR.SIZE, entry);
    });
    return address;
  }

  writeDescriptor(at: number, { type, address = 0, length, subtype = 0 }: SglEntry): void {
    const view = this.view(at);
    SGL_DESCRIPTOR.set(view, 0, 'ADDRESS', BigInt(address));
    SGL_DESCRIPTOR.set(view, 0, 'LENGTH', length);
    SGL_DESCRIPTOR.set(view, 0, 'ID', (type << 4) | subtype);
  }

  /** The entry's own descriptor, as PRP1 and PRP2 with PSDT 01b. */
  sgl({ type, address = 0, length, subtype = 0 }: SglEntry): Pick<Entry, 'prp1' | 'descriptor' | 'flags'> {
    return { prp1: address, descriptor: [length, ((type << 4) | subtype) << 24], flags: 0x40 };
  }

  /** A data block for each piece behind one last segment. */
  pieces(pieces: readonly (readonly [address: number, length: number])[]) {
    const list = this.segment(
      pieces.map(([address, length]) => ({ type: SGL_TYPE.DATA_BLOCK, address, length })),
    );
    return this.sgl({ type: SGL_TYPE.LAST_SEGMENT, address: list, length: pieces.length * 16 });
  }
}

/** A functional controller with one namespace of 16 MiB in 512-byte blocks, unless told otherwise. */
export const ioRig = (options: HarnessOptions = {}): IoRig => new IoRig(options);

/** A drive that loses up to 4 MiB of cached writes. */
export const lossyProfile = { ...FUNCTIONAL, dirty_bytes: 4 * MIB };
export const lossyRig = (): IoRig => ioRig({ profile: lossyProfile });
