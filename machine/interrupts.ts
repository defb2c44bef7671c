/**
 * Local APICs as far as message-signalled interrupts need them: a write to 0xFEEx_xxxx names a CPU and a vector, and
 * the handler that software installed for that pair runs. Not here: remapping (iommu/), INTx, priorities.
 */
import type { Archive } from '../support/archive.ts';
import type { Clock, HandlerId } from './clock.ts';
import type { Jitter } from './timing/jitter.ts';
import { T, type Trace } from './trace.ts';

/** What software writes into an MSI or MSI-X table entry. */
export interface MsiMessage {
  readonly address: number;
  readonly data: number;
}

/** Where messages of devices end: the CPUs, or what carries them there. */
export interface MessageTarget {
  /** A message in compatibility format arrives. */
  deliver(address: number, data: number): void;
}

/** Who gives software the messages that it may program into a function. */
export interface MessageSource {
  /** A message that runs `handler`, registered with the clock, with `argument`; null when there is none left. */
  allocate(handler: HandlerId, argument: number): MsiMessage | null;
  free(message: MsiMessage): void;
}

export const MSI_BASE = 0xfee0_0000;
export const MSI_END = 0xfeef_ffff;
/** Vectors below 32 belong to the CPU's exceptions, those above 0xef to the system. */
const FIRST_VECTOR = 0x20;
const LAST_VECTOR = 0xef;
const CPUS = 64;

/** The CPU's handler: runs `delay_ns` after the message arrived, with the argument given at `allocate`. */
export class Interrupts implements MessageTarget, MessageSource {
  private readonly clock: Clock;
  private readonly trace: Trace;
  private readonly delay_ns: number;
  private readonly jitter: Jitter | null;
  /** By cpu << 8 | vector: clock handler and argument; -1 where nobody listens. */
  readonly #handler = new Int32Array(CPUS << 8).fill(-1);
  readonly #argument = new Int32Array(CPUS << 8);
  /** Messages that met no handler, as a CPU counts them. */
  spurious = 0;
  #toLose = 0;

  /** `delay_ns`, with `jitter` in it, is the time from the message's arrival to the first instruction of the handler. */
  constructor(clock: Clock, trace: Trace, delay_ns: number, jitter: Jitter | null = null) {
    this.clock = clock;
    this.trace = trace;
    this.delay_ns = delay_ns;
    this.jitter = jitter;
  }

  /** Finds a free vector for a handler registered with the clock. Returns null when all are taken. */
  allocate(handler: HandlerId, argument: number): MsiMessage | null {
    for (let cpu = 0; cpu < CPUS; cpu++) {
      for (let vector = FIRST_VECTOR; vector <= LAST_VECTOR; vector++) {
        const index = (cpu << 8) | vector;
        if (this.#handler[index] !== -1) continue;
        this.#handler[index] = handler;
        this.#argument[index] = argument;
        return { address: (MSI_BASE | (cpu << 12)) >>> 0, data: vector };
      }
    }
    return null;
  }

  /** Gives the vector of a message back. */
  free(message: MsiMessage): void {
    this.#handler[this.#index(message.address, message.data)] = -1;
  }

  /** A fault to look for: the next `count` messages never reach a CPU. */
  lose(count: number): void {
    this.#toLose = count;
  }

  /** A message in compatibility format arrives (Intel SDM vol. 3, 11.11): destination in bits 19:12, vector in 7:0. */
  deliver(address: number, data: number): void {
    if (this.#toLose > 0) {
      this.#toLose--;
      return;
    }
    const index = this.#index(address, data);
    const handler = this.#handler[index]!;
    if (this.trace.on) this.trace.emit(T.INTERRUPT, index & 0xff, data);
    if (handler === -1) this.spurious++;
    else {
      const { delay_ns, jitter } = this;
      const delay = jitter === null ? delay_ns : jitter.around(delay_ns);
      this.clock.run(delay, handler, this.#argument[index]!);
    }
  }

  #index(address: number, data: number): number {
    return (((address >>> 12) & (CPUS - 1)) << 8) | (data & 0xff);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#handler, this.#argument);
    this.spurious = a.value(this.spurious);
    this.#toLose = a.value(this.#toLose);
    this.jitter?.archive(a);
  }
}
