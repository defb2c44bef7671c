/**
 * One controller on bus 0 of a root complex without an IOMMU, driven as a driver would: configuration writes, BAR0,
 * queues and buffers in RAM. Nothing takes time unless a test asks for it. Pages can be made unreachable for DMA.
 * Whatever a test has refused must say its field, rule and section.
 */
import { Clock } from '../../machine/clock.ts';
import { Interrupts, type MsiMessage } from '../../machine/interrupts.ts';
import { Memory } from '../../machine/memory.ts';
import { Pages } from '../../machine/pages.ts';
import { DmaPort } from '../../machine/pcie/dma-port.ts';
import { RootComplex } from '../../machine/pcie/root-complex.ts';
import {
  CAPABILITY,
  COMMAND,
  CONFIG,
  DEVICE_CONTROL,
  MSIX_CONTROL,
  MSIX_ENTRY,
  PCIE,
} from '../../machine/pcie/spec.ts';
import { BLOCKED, INTERRUPT_WINDOW, type Translator } from '../../machine/pcie/translator.ts';
import { FREE_HOST } from '../../machine/timing/host.ts';
import { Link } from '../../machine/timing/link.ts';
import { Trace } from '../../machine/trace.ts';
import { NvmeController } from '../../nvme/controller.ts';
import { type ControllerProfile, GENERIC } from '../../nvme/profile.ts';
import { ADMIN, CQE, SQE } from '../../nvme/spec/commands.ts';
import { AQA, CC, cqHeadDoorbell, REG, sqTailDoorbell } from '../../nvme/spec/registers.ts';
import { assert } from '../../support/assert.ts';
import { highWord, lowWord, u64 } from '../../support/numbers.ts';
import { random } from '../../support/random.ts';
import { createDrive, type DriveOptions, LINK } from './drive.ts';
import { type Completion, type Entry, readCompletion, writeEntry } from './entry.ts';

export const PAGE = 4096;
export const SERIAL = 'HARNESS0';
/** Nothing takes time. */
export const FUNCTIONAL: ControllerProfile = { ...GENERIC, timing: null };
/** A BAR0 with room for doorbells of any stride. */
export const ROOMY = { msixTable: 0x8000, msixPba: 0x9000, bar_bytes: 0x1_0000 } as const;
/** CC of a driver with 4 KiB pages: entry sizes 6 and 4. */
export const CC_NORMAL = CC.encode({ EN: 1, IOSQES: 6, IOCQES: 4 });

const LARGEST_PAGE = 65_536;
const DEVFN = 0x20;
/** Where BAR0 is. */
export const BAR = 0xfe80_0000;
/** Where the controller memory buffer is, if there is one. */
const BUFFER = 0xe000_0000;
const MSIX_CAPABILITY = 0x40;
const RAM_BYTES = 64 * 1024 ** 2;
const LOCAL_BYTES = 64 * 1024 ** 2;

export interface HarnessOptions extends DriveOptions {
  readonly profile?: ControllerProfile;
  /** The controller whose drive this one belongs to, with its namespaces. Its memory stays its own. */
  readonly joins?: Harness;
  /** The link and the controller take time. */
  readonly timed?: boolean;
}

export interface EnableOptions {
  readonly cc?: number;
  readonly asqs?: number;
  readonly acqs?: number;
}

/** The host's side of a queue. */
interface Ring {
  base: number;
  entries: number;
  index: number;
  phase: number;
}

export class Harness {
  readonly clock = new Clock();
  readonly trace = new Trace(this.clock);
  readonly memory = new Memory(RAM_BYTES, LOCAL_BYTES);
  readonly pages = new Pages(this.memory);
  readonly interrupts = new Interrupts(this.clock, this.trace, 0);
  readonly rc: RootComplex;
  readonly controller: NvmeController;
  /** Page numbers that DMA cannot reach. */
  readonly blocked = new Set<number>();
  /** DMA requests that were translated. */
  requests = 0;
  /** Interrupts that arrived, by vector. */
  readonly arrived: number[] = [];
  readonly #sqs = new Map<number, Ring>();
  readonly #cqs = new Map<number, Ring>();
  #cid = 0;

  constructor(options: HarnessOptions = {}) {
    const { clock, memory, trace, interrupts } = this;
    trace.listenToRejections((_, __, { what, field, rule, section }) => {
      assert(field !== '' && rule !== '' && section.includes('§'), `${what} is refused without a reason`);
    });
    const translator: Translator = {
      frame: (_, low, high) => {
        const iova = u64(low, high);
        this.requests++;
        if (iova >= 0xfee0_0000 && iova < 0xfef0_0000) return INTERRUPT_WINDOW;
        const frame = Math.floor(iova / PAGE);
        return this.blocked.has(frame) ? BLOCKED : frame;
      },
      known: () => 0,
      cost_ns: () => 0,
      interrupt: (_, address, data) => {
        interrupts.deliver(address, data);
        return true;
      },
    };
    this.rc = new RootComplex({ clock, memory, trace, translator, host: FREE_HOST });
    const profile = options.profile ?? (options.timed === true ? GENERIC : FUNCTIONAL);
    this.controller = new NvmeController({
      name: 'nvme0',
      profile,
      serial: SERIAL,
      clock,
      memory,
      trace,
      dma: new DmaPort(this.rc, new Link(clock, options.timed === true ? LINK : null)),
      link: LINK,
      random: random(1, 'harness'),
      subsystem: options.joins?.controller.subsystem ?? createDrive(options, memory),
    });
    this.rc.plug(DEVFN, this.controller);
    this.configure();
  }

  /** What firmware and driver do first: place BAR0, decode, bus master. */
  configure(): void {
    this.configWrite(CONFIG.BAR0, 4, BAR);
    this.configWrite(CONFIG.BAR0 + 4, 4, 0);
    this.configWrite(CONFIG.BAR0 + 8, 4, BUFFER);
    this.configWrite(CONFIG.BAR0 + 12, 4, 0);
    this.configWrite(CONFIG.COMMAND, 2, COMMAND.encode({ MEMORY: 1, BUS_MASTER: 1 }));
  }

  configRead(offset: number, size: 1 | 2 | 4): number {
    return this.rc.configRead(0, DEVFN, offset, size);
  }

  configWrite(offset: number, size: 1 | 2 | 4, value: number): void {
    this.rc.configWrite(0, DEVFN, offset, size, value);
  }

  read32(offset: number): number {
    return this.rc.read32(BAR + offset);
  }

  write32(offset: number, value: number): void {
    this.rc.write32(BAR + offset, value >>> 0);
  }

  /** A dword of the controller memory buffer, by BAR2. */
  readBuffer(offset: number): number {
    return this.rc.read32(BUFFER + offset);
  }

  writeBuffer(offset: number, value: number): void {
    this.rc.write32(BUFFER + offset, value >>> 0);
  }

  /** Zeroed pages of RAM. */
  allocate(pages = 1): number {
    return this.pages.allocate(pages);
  }

  /** A view of RAM. */
  bytes(address: number, length: number): Uint8Array {
    return this.memory.u8.subarray(address, address + length);
  }

  view(address: number): DataView {
    return new DataView(this.memory.buffer, address);
  }

  text(address: number, length: number): string {
    return String.fromCharCode(...this.bytes(address, length));
  }

  /** Lets everything that is under way happen. */
  settle(): void {
    while (this.clock.step());
  }

  /** Routes the first `count` MSI-X vectors to `arrived`. */
  enableMsix(count: number): void {
    const handler = this.clock.register((vector) => this.arrived.push(vector));
    for (let vector = 0; vector < count; vector++) {
      const message = this.interrupts.allocate(handler, vector) as MsiMessage;
      const entry = this.controller.profile.msixTable + vector * MSIX_ENTRY.SIZE;
      this.write32(entry + MSIX_ENTRY.ADDRESS, message.address);
      this.write32(entry + MSIX_ENTRY.ADDRESS_HI, 0);
      this.write32(entry + MSIX_ENTRY.DATA, message.data);
      this.write32(entry + MSIX_ENTRY.CONTROL, 0);
    }
    this.configWrite(MSIX_CAPABILITY + 2, 2, MSIX_CONTROL.encode({ ENABLE: 1 }));
  }

  // ---- controller -------------------------------------------------------------------------------------------------

  /** Programs the admin queue and sets CC.EN. Returns CSTS. */
  enable({ cc = CC_NORMAL, asqs = 64, acqs = 64 }: EnableOptions = {}): number {
    const asq = this.#admin(this.#sqs, asqs, SQE.SIZE);
    const acq = this.#admin(this.#cqs, acqs, CQE.SIZE);
    this.write32(REG.AQA, AQA.encode({ ASQS: asqs - 1, ACQS: acqs - 1 }));
    this.write32(REG.ASQ, lowWord(asq));
    this.write32(REG.ASQ_HI, highWord(asq));
    this.write32(REG.ACQ, lowWord(acq));
    this.write32(REG.ACQ_HI, highWord(acq));
    this.write32(REG.CC, cc);
    this.settle();
    return this.read32(REG.CSTS);
  }

  /** The host forgets what it did with the admin queues, whose memory and registers stay. */
  restart(): void {
    for (const rings of [this.#sqs, this.#cqs]) Object.assign(rings.get(0)!, { index: 0, phase: 1 });
    const { base, entries } = this.#cqs.get(0)!;
    this.memory.fill(base, 0, entries * CQE.SIZE);
  }

  disable(): number {
    this.write32(REG.CC, this.read32(REG.CC) & ~CC.EN.mask);
    this.settle();
    return this.read32(REG.CSTS);
  }

  #admin(rings: Map<number, Ring>, entries: number, entry_bytes: number): number {
    const bytes = Math.max(entries, 1) * entry_bytes;
    const old = rings.get(0);
    // A queue of the same size takes the memory of the last one. Aligned to the largest page that CC.MPS may ask for.
    const base =
      old?.entries === entries ? old.base : this.pages.allocate(Math.ceil(bytes / PAGE), LARGEST_PAGE / PAGE);
    this.memory.fill(base, 0, bytes);
    rings.clear();
    rings.set(0, { base, entries, index: 0, phase: 1 });
    return base;
  }

  /** Function level reset: configuration space too. */
  functionReset(): void {
    const at = this.controller.config.findCapability(CAPABILITY.PCIE) + PCIE.DEVICE_CONTROL;
    this.configWrite(at, 2, DEVICE_CONTROL.encode({ INITIATE_FLR: 1 }));
  }

  // ---- queues -----------------------------------------------------------------------------------------------------

  /** Writes an entry into a submission queue without ringing. Returns its command identifier. */
  post(sqid: number, entry: Entry): number {
    const ring = this.#sqs.get(sqid)!;
    const cid = entry.cid ?? this.#cid++ & 0x7fff;
    const at = ring.base + ring.index * SQE.SIZE;
    this.memory.fill(at, 0, SQE.SIZE);
    writeEntry(this.view(at), cid, entry);
    ring.index = ring.index + 1 === ring.entries ? 0 : ring.index + 1;
    return cid;
  }

  /** Rings the tail doorbell with everything that was posted, and lets it happen. */
  ring(sqid: number): void {
    this.kick(sqid);
    this.settle();
  }

  /** Rings the tail doorbell with everything that was posted, and leaves the clock alone. */
  kick(sqid: number): void {
    this.ringTail(sqid, this.#sqs.get(sqid)!.index);
  }

  /** The tail that all posted entries make, and the pages of queues. */
  tail(sqid: number): number {
    return this.#sqs.get(sqid)!.index;
  }

  sqPage(sqid: number): number {
    return this.#sqs.get(sqid)!.base / PAGE;
  }

  cqPage(cqid: number): number {
    return this.#cqs.get(cqid)!.base / PAGE;
  }

  /** Any tail, right or wrong. */
  ringTail(sqid: number, tail: number): void {
    this.write32(sqTailDoorbell(sqid, this.controller.profile.doorbellStride), tail);
  }

  ringHead(cqid: number, head: number): void {
    this.write32(cqHeadDoorbell(cqid, this.controller.profile.doorbellStride), head);
  }

  /** Takes the next completion, if there is one, and rings the head doorbell unless told not to. */
  reap(cqid: number, isReleased = true): Completion | null {
    const ring = this.#cqs.get(cqid)!;
    const completion = readCompletion(this.view(ring.base + ring.index * CQE.SIZE), ring.phase);
    if (completion === null) return null;
    ring.index++;
    if (ring.index === ring.entries) {
      ring.index = 0;
      ring.phase ^= 1;
    }
    if (isReleased) this.release(cqid);
    return completion;
  }

  /** Rings the head doorbell with everything that was reaped. */
  release(cqid: number): void {
    this.ringHead(cqid, this.#cqs.get(cqid)!.index);
    this.settle();
  }

  /** Every completion there is. */
  reapAll(cqid: number): Completion[] {
    const all: Completion[] = [];
    for (let next = this.reap(cqid); next !== null; next = this.reap(cqid)) all.push(next);
    return all;
  }

  /** One command and its completion, which must be the next one in its queue. */
  submit(sqid: number, cqid: number, entry: Entry): Completion {
    const cid = this.post(sqid, entry);
    this.ring(sqid);
    const completion = this.reap(cqid);
    if (completion === null) throw new Error(`no completion in queue ${cqid}`);
    if (completion.cid !== cid) throw new Error(`completion of CID ${completion.cid}, not of ${cid}`);
    return completion;
  }

  submitAdmin(entry: Entry): Completion {
    return this.submit(0, 0, entry);
  }

  /** Create I/O Completion Queue. `base` is allocated when absent. */
  createCq(qid: number, entries: number, { base = 0, ien = 0, vector = 0 } = {}): Completion {
    const memory = base === 0 ? this.allocate(Math.ceil((entries * CQE.SIZE) / PAGE)) : base;
    this.#cqs.set(qid, { base: memory, entries, index: 0, phase: 1 });
    return this.submitAdmin({
      opcode: ADMIN.CREATE_CQ,
      prp1: memory,
      cdw10: qid | ((entries - 1) << 16),
      cdw11: 1 | (ien << 1) | (vector << 16),
    });
  }

  /** Create I/O Submission Queue that completes to `cqid`. */
  createSq(qid: number, entries: number, cqid: number, base = 0, priority = 0): Completion {
    const memory = base === 0 ? this.allocate(Math.ceil((entries * SQE.SIZE) / PAGE)) : base;
    this.#sqs.set(qid, { base: memory, entries, index: 0, phase: 1 });
    return this.submitAdmin({
      opcode: ADMIN.CREATE_SQ,
      prp1: memory,
      cdw10: qid | ((entries - 1) << 16),
      cdw11: 1 | (priority << 1) | (cqid << 16),
    });
  }
}

/** An enabled controller. */
export function ready(options: HarnessOptions = {}): Harness {
  const harness = new Harness(options);
  harness.enable();
  return harness;
}
