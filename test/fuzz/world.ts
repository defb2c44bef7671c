/**
 * The machine of the controller fuzzer: one controller that is followed and perhaps a peer, little RAM, and the IOMMU with its tables in that RAM. A list of
 * what every page allows tells the IOMMU's answers independently of it. Frames that are not mapped are full of a pattern:
 * none may change, and none may turn up where the device writes. Not here: queues and commands (ledger.ts), what is
 * tried (fuzzer.ts), the IOMMU's software (remapper.ts).
 */
import type { NamespaceBoard } from '../../boards/board.ts';
import { namespaceOptions } from '../../boards/namespaces.ts';
import { bytesOf } from '../../boards/shapes.ts';
import type { Permissions } from '../../iommu/page-table.ts';
import { Clock } from '../../machine/clock.ts';
import { Interrupts } from '../../machine/interrupts.ts';
import { Memory } from '../../machine/memory.ts';
import { DmaPort } from '../../machine/pcie/dma-port.ts';
import { RootComplex } from '../../machine/pcie/root-complex.ts';
import { COMMAND, CONFIG } from '../../machine/pcie/spec.ts';
import { BLOCKED, INTERRUPT_WINDOW } from '../../machine/pcie/translator.ts';
import { FREE_HOST } from '../../machine/timing/host.ts';
import { Link } from '../../machine/timing/link.ts';
import { type Rejection, Trace } from '../../machine/trace.ts';
import { NvmeController } from '../../nvme/controller.ts';
import { Namespace } from '../../nvme/namespace.ts';
import type { ControllerProfile } from '../../nvme/profile.ts';
import { SparseStore } from '../../nvme/sparse-store.ts';
import { Subsystem } from '../../nvme/subsystem.ts';
import { hex } from '../../support/numbers.ts';
import { random } from '../../support/random.ts';
import { LINK } from '../nvme/drive.ts';
import type { Dice } from './dice.ts';
import { Peer } from './peer.ts';
import { Remapper, TABLE_PAGES } from './remapper.ts';
import { Violation } from './violation.ts';

export const PAGE = 4096;
export const BAR = 0xfe80_0000;
/** Where the controller memory buffer is, if there is one. */
export const BUFFER = 0xe000_0000;
/** The data pages begin here. */
export const DATA = { BASE: 0x10_0000, PAGES: 256 } as const;
/** Memory of queues and shadow doorbells, in areas that are aligned to the largest host page. */
export const AREA = { BASE: 0x5_a5c0_0000, BYTES: 65_536, PAGES: 4, COUNT: 17 } as const;
/** What a page allows, in bits. */
export const READABLE = 1;
export const WRITABLE = 2;

const DEVFN = 0x20;
/** Device Control in the PCI Express capability; its top bit is Initiate Function Level Reset. */
const DEVICE_CONTROL = 0x88;
const INITIATE_FLR = 0x8000;
const PLAIN_BYTES = 4 * 1024 ** 2;
/** The tables of the IOMMU are behind what the host and its neighbours use. */
const RAM_BYTES = PLAIN_BYTES + TABLE_PAGES * PAGE;
const LOCAL_BYTES = 80 * 1024 ** 2;
const FRAME_WORDS = PAGE / 4;
const FRAMES = PLAIN_BYTES / PAGE;
const FIRST_AREA_FRAME = 16;
/** Data pages take every third frame from the end, so that each has neighbours that are nobody's. */
const frameOfData = (page: number): number => FRAMES - 2 - 3 * page;
const PATTERN = [0xd00d_0bad, 0xca11_ab1e] as const;
const ZONES = { zone: 32 * 1024, maxActive: 4, maxOpen: 2, extension_bytes: 64 };
const NAMESPACES: readonly (NamespaceBoard & { readonly nsid: number })[] = [
  { nsid: 1, size: '4m', block_bytes: 512 },
  { nsid: 2, size: '2m', block_bytes: 4096 },
  { nsid: 3, size: '1m', block_bytes: 512, metadata: { bytes: 8, protection: 1 } },
  { nsid: 4, size: '1m', block_bytes: 512, metadata: { bytes: 64, isExtended: true }, zones: ZONES },
];

/** READABLE, WRITABLE, both or none. */
export type Allowed = 0 | Permissions;

/** Told of every page that the device reaches outside of the data pages. */
export type AreaListener = (iova: number, isWrite: boolean) => void;

export class World {
  readonly clock = new Clock();
  readonly trace = new Trace(this.clock);
  readonly memory = new Memory(RAM_BYTES, LOCAL_BYTES);
  readonly interrupts = new Interrupts(this.clock, this.trace, 0);
  readonly controller: NvmeController;
  /** Another controller of the same drive, if it has one. */
  readonly peer: Peer | null;
  readonly remapper: Remapper;
  readonly rc: RootComplex;
  onArea: AreaListener = () => {};
  /** The controller is disabled: it may not reach memory at all. */
  isQuiet = true;
  /** Areas that the device cannot reach until they are cleared. */
  readonly #lost = new Set<number>();
  /** What the device may do with each data page. */
  readonly #allowed = new Uint8Array(DATA.PAGES).fill(READABLE | WRITABLE);

  constructor(profile: ControllerProfile, seed: number, dice: Dice, hasPeer: boolean) {
    const { clock, memory, trace, interrupts } = this;
    const remapper = new Remapper({
      memory,
      trace,
      interrupts,
      dice,
      requester: DEVFN,
      tables: PLAIN_BYTES,
      expected: (iova, isWrite) => this.#expected(iova, isWrite),
    });
    this.remapper = remapper;
    this.rc = new RootComplex({ clock, memory, trace, translator: remapper, host: FREE_HOST });
    const subsystem = createSubsystem(memory);
    const create = (name: string): NvmeController =>
      new NvmeController({
        name,
        profile,
        serial: 'FUZZ0',
        clock,
        memory,
        trace,
        dma: new DmaPort(this.rc, new Link(clock, profile.timing === null ? null : LINK)),
        link: LINK,
        random: random(seed, 'media'),
        subsystem,
      });
    this.controller = create('nvme0');
    this.rc.plug(DEVFN, this.controller);
    this.peer = hasPeer ? new Peer(this.rc, create('nvme1')) : null;
    trace.listenToRejections((_, __, rejection) => expectWords(rejection));
    this.configure();
    for (let frame = 0; frame < FRAMES; frame++) this.#paint(frame);
    for (let page = 0; page < DATA.PAGES; page++) {
      this.memory.fill(frameOfData(page) * PAGE, 0, PAGE);
      remapper.map(iovaOfData(page), frameOfData(page) * PAGE, 1, 3);
    }
    for (let area = 0; area < AREA.COUNT; area++) this.#lost.add(area);
    this.clearAreas();
  }

  // ---- the bus ------------------------------------------------------------------------------------------------------

  /** What firmware does: places BAR0, decodes, allows the function to be a bus master. */
  configure(): void {
    this.config(CONFIG.BAR0, BAR);
    this.config(CONFIG.BAR0 + 4, 0);
    this.config(CONFIG.BAR0 + 8, BUFFER);
    this.config(CONFIG.BAR0 + 12, 0);
    this.master(true);
  }

  /** Whether the function may be a bus master. */
  master(isMaster: boolean): void {
    this.config(CONFIG.COMMAND, COMMAND.encode({ MEMORY: 1, BUS_MASTER: isMaster ? 1 : 0 }));
  }

  config(offset: number, value: number): void {
    this.rc.configWrite(0, DEVFN, offset, 4, value);
  }

  functionLevelReset(): void {
    this.rc.configWrite(0, DEVFN, DEVICE_CONTROL, 2, INITIATE_FLR);
  }

  read32(offset: number): number {
    return this.rc.read32(BAR + offset);
  }

  write32(offset: number, value: number): void {
    this.rc.write32(BAR + offset, value >>> 0);
  }

  // ---- the IOMMU ----------------------------------------------------------------------------------------------------

  /** The frame that a request may have, from the list alone. */
  #expected(iova: number, isWrite: boolean): number {
    if (this.isQuiet) throw new Violation('quiet', `DMA at ${iova.toString(16)} while disabled`);
    const need = isWrite ? WRITABLE : READABLE;
    const page = Math.floor((iova - DATA.BASE) / PAGE);
    if (page >= 0 && page < DATA.PAGES)
      return (this.#allowed[page]! & need) === 0 ? BLOCKED : frameOfData(page);
    const area = areaOf(iova);
    if (area >= 0) {
      const frame = this.#lost.has(area) ? BLOCKED : frameOfArea(area, iova);
      if (frame !== BLOCKED) this.onArea(iova, isWrite);
      return frame;
    }
    return iova >= 0xfee0_0000 && iova < 0xfef0_0000 ? INTERRUPT_WINDOW : BLOCKED;
  }

  /** Maps a data page anew: what the device lost stays behind as pattern, what it gains is zeroed. */
  allow(page: number, allowed: Allowed): void {
    const frame = frameOfData(page);
    if (this.#allowed[page] === 0) this.#expectPattern(frame);
    if (allowed === 0) this.#paint(frame);
    else if (this.#allowed[page] === 0) this.memory.fill(frame * PAGE, 0, PAGE);
    this.#allowed[page] = allowed;
    this.remapper.unmap(iovaOfData(page), 1);
    if (allowed !== 0) this.remapper.map(iovaOfData(page), frame * PAGE, 1, allowed);
  }

  // ---- the host's view of memory --------------------------------------------------------------------------------------

  /** Where host memory at `iova` lies in `memory`, mapped or not. */
  at(iova: number): number {
    const area = areaOf(iova);
    const frame = area >= 0 ? frameOfArea(area, iova) : frameOfData(Math.floor((iova - DATA.BASE) / PAGE));
    return frame * PAGE + (iova & (PAGE - 1));
  }

  /** Writes a dword to a data page that is mapped. */
  poke(iova: number, value: number): void {
    const page = Math.floor((iova - DATA.BASE) / PAGE);
    if (page >= 0 && page < DATA.PAGES && this.#allowed[page] !== 0)
      this.memory.u32[this.at(iova) >>> 2] = value;
  }

  /** Unmaps the memory of a queue. */
  lose(area: number): void {
    this.#lost.add(area);
    this.remapper.unmap(iovaOfArea(area), AREA.PAGES);
  }

  /** Maps all memory of queues, with zeroes. */
  clearAreas(): void {
    for (const area of this.#lost)
      this.remapper.map(iovaOfArea(area), frameOfArea(area, iovaOfArea(area)) * PAGE, AREA.PAGES, 3);
    this.#lost.clear();
    const bytes = AREA.COUNT * AREA.PAGES * PAGE;
    this.memory.fill(FIRST_AREA_FRAME * PAGE, 0, bytes);
  }

  // ---- invariants ---------------------------------------------------------------------------------------------------

  /** No frame that is not mapped was written, and nothing of one was copied to where the device writes. */
  checkMemory(): void {
    const owned = new Set<number>();
    for (let area = 0; area < AREA.COUNT * AREA.PAGES; area++) owned.add(FIRST_AREA_FRAME + area);
    for (let page = 0; page < DATA.PAGES; page++) {
      if (this.#allowed[page] === 0) continue;
      owned.add(frameOfData(page));
      this.#expectNoPattern(frameOfData(page));
    }
    for (let frame = 0; frame < FRAMES; frame++) if (!owned.has(frame)) this.#expectPattern(frame);
    this.#checkTables();
  }

  /** The tables in RAM still say what the host wrote there. */
  #checkTables(): void {
    for (let page = 0; page < DATA.PAGES; page++)
      this.#expectMapped(iovaOfData(page), this.#allowed[page] === 0 ? -1 : frameOfData(page) * PAGE);
    for (let area = 0; area < AREA.COUNT; area++) {
      const iova = iovaOfArea(area);
      this.#expectMapped(iova, this.#lost.has(area) ? -1 : frameOfArea(area, iova) * PAGE);
    }
  }

  #expectMapped(iova: number, physical: number): void {
    if (this.remapper.lookup(iova) !== physical)
      throw new Violation('unmapped', `the tables of the IOMMU no longer say where ${hex(iova)} is`);
  }

  #paint(frame: number): void {
    const { u32 } = this.memory;
    for (let word = 0; word < FRAME_WORDS; word++) u32[frame * FRAME_WORDS + word] = PATTERN[word & 1]!;
  }

  #expectPattern(frame: number): void {
    const { u32 } = this.memory;
    for (let word = 0; word < FRAME_WORDS; word++) {
      if (u32[frame * FRAME_WORDS + word] !== PATTERN[word & 1])
        throw new Violation('unmapped', `frame ${frame} is not mapped and was written at byte ${word * 4}`);
    }
  }

  #expectNoPattern(frame: number): void {
    const { u32 } = this.memory;
    for (let word = 1; word < FRAME_WORDS; word++) {
      const at = frame * FRAME_WORDS + word;
      if (u32[at] === PATTERN[1] && u32[at - 1] === PATTERN[0])
        throw new Violation('unmapped', `bytes of a frame that is not mapped came to frame ${frame}`);
    }
  }
}

/** The drive and its namespaces. */
const createSubsystem = (memory: Memory): Subsystem =>
  new Subsystem({
    namespaces: NAMESPACES.map(
      ({ nsid, ...board }) =>
        new Namespace({
          ...namespaceOptions(board, memory),
          nsid,
          store: new SparseStore(memory, bytesOf(board.size)),
        }),
    ),
    capacity_bytes: 16 * 1024 ** 2,
  });

/** A refusal says what was wrong, with the field, the rule and its section. */
function expectWords({ what, status, field, rule, section }: Rejection): void {
  if (field === '' || rule === '' || !section.includes('§'))
    throw new Violation(
      'words',
      `${what}: ${status}: field '${field}', rule '${rule}', section '${section}'`,
    );
}

const iovaOfData = (page: number): number => DATA.BASE + page * PAGE;
const iovaOfArea = (area: number): number => AREA.BASE + area * AREA.BYTES;

/** The area of an I/O virtual address, or -1. */
export function areaOf(iova: number): number {
  const area = Math.floor((iova - AREA.BASE) / AREA.BYTES);
  return area >= 0 && area < AREA.COUNT ? area : -1;
}

function frameOfArea(area: number, iova: number): number {
  const page = Math.floor((iova - AREA.BASE - area * AREA.BYTES) / PAGE);
  return page < AREA.PAGES ? FIRST_AREA_FRAME + area * AREA.PAGES + page : BLOCKED;
}
