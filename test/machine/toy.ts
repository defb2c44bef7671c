/**
 * A chassis and toy functions for the tests of this room: a function whose BARs are plain words that remember writes,
 * and a translator whose answers a test sets.
 */
import { Clock } from '../../machine/clock.ts';
import { Interrupts } from '../../machine/interrupts.ts';
import { Memory } from '../../machine/memory.ts';
import { type CapabilityDescription, configSpace } from '../../machine/pcie/capabilities.ts';
import type { BarDescription, HeaderDescription } from '../../machine/pcie/config-space.ts';
import { DmaPort } from '../../machine/pcie/dma-port.ts';
import { PcieFunction } from '../../machine/pcie/function.ts';
import { RootComplex } from '../../machine/pcie/root-complex.ts';
import { BLOCKED, INTERRUPT_WINDOW, type Translator } from '../../machine/pcie/translator.ts';
import { FREE_HOST, type HostProfile } from '../../machine/timing/host.ts';
import { Link, type LinkProfile } from '../../machine/timing/link.ts';
import { Trace } from '../../machine/trace.ts';
import { u64 } from '../../support/numbers.ts';

export const GEN4_X4: LinkProfile = {
  generation: 4,
  lanes: 4,
  maxPayload_bytes: 256,
  readRequest_bytes: 512,
  propagation_ns: 100,
};

/** Adds `offset` to every address, except to pages that are blocked. */
export class ToyTranslator implements Translator {
  offset = 0;
  cost = 0;
  /** Lets messages through. */
  isRemapping = true;
  readonly blockedPages = new Set<number>();
  /** Pages that go to other frames than `offset` says. */
  readonly frames = new Map<number, number>();
  /** Translations asked for. */
  asked = 0;
  readonly #interrupts: Interrupts;

  constructor(interrupts: Interrupts) {
    this.#interrupts = interrupts;
  }

  frame(_requester: number, low: number, high: number): number {
    const iova = u64(low, high);
    if (iova >= 0xfee0_0000 && iova <= 0xfeef_ffff) return INTERRUPT_WINDOW;
    this.asked++;
    const page = Math.floor(iova / 4096);
    if (this.blockedPages.has(page)) return BLOCKED;
    return this.frames.get(page) ?? Math.floor((iova + this.offset) / 4096);
  }

  known(): number {
    return 0;
  }

  cost_ns(): number {
    return this.cost;
  }

  interrupt(_requester: number, address: number, data: number): boolean {
    if (this.isRemapping) this.#interrupts.deliver(address, data);
    return this.isRemapping;
  }
}

export interface Chassis {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly memory: Memory;
  readonly interrupts: Interrupts;
  readonly translator: ToyTranslator;
  readonly rc: RootComplex;
}

/** One MiB of RAM, as much device memory, no interrupt delay, and a host that costs what `host` says. */
export function chassis(host: HostProfile = FREE_HOST): Chassis {
  const clock = new Clock();
  const trace = new Trace(clock);
  const memory = new Memory(1 << 20, 1 << 20);
  const interrupts = new Interrupts(clock, trace, host.interrupt_ns);
  const translator = new ToyTranslator(interrupts);
  const rc = new RootComplex({ clock, memory, trace, translator, host });
  return { clock, trace, memory, interrupts, translator, rc };
}

export interface ToyOptions {
  readonly bars?: readonly BarDescription[];
  readonly capabilities?: readonly CapabilityDescription[];
  readonly header?: Partial<HeaderDescription>;
  readonly link?: LinkProfile | null;
}

/** A 32-bit, not prefetchable BAR. */
export const bar = (index: number, bytes: number): BarDescription => ({
  index,
  bytes,
  is64: false,
  prefetchable: false,
});

/** A function whose BARs hold words and note every write as [bar, offset, value]. */
export class Toy extends PcieFunction {
  readonly writes: [bar: number, offset: number, value: number][] = [];
  readonly port: DmaPort;
  resets = 0;
  readonly #words = new Map<number, number>();

  constructor(name: string, { clock, rc }: Chassis, options: ToyOptions = {}) {
    const { bars = [bar(0, 4096)], capabilities = [], header = {}, link = null } = options;
    const identity = { vendor: 0x1234, device: 0x5678, revision: 1, class: 0x058000 };
    const port = new DmaPort(rc, new Link(clock, link));
    super(name, configSpace({ ...identity, ...header, bars, capabilities }), port);
    this.port = port;
  }

  override barRead32(index: number, offset: number): number {
    return this.#words.get(index * 2 ** 40 + offset) ?? 0;
  }

  override barWrite32(index: number, offset: number, value: number): void {
    this.writes.push([index, offset, value]);
    this.#words.set(index * 2 ** 40 + offset, value);
  }

  override reset(): void {
    super.reset();
    this.resets++;
    this.#words.clear();
  }
}
