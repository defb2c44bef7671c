/**
 * One PCIe link as time: what a TLP costs on the wire in each direction, and when the wire is free again.
 * Overheads and rates: PCI Express Base 5.0 §2.2 and §4.2.2 (128b/130b; framing, headers and LCRC are 24 bytes around MWr and
 * MRd, 20 around CplD), as in the model of pcie-bench (Neugebauer and others, SIGCOMM 2018).
 * Not here: what the root complex, the IOMMU and memory add (root-complex.ts).
 */

import type { Archive } from '../../support/archive.ts';
import { T, type Trace } from '../trace.ts';
import type { Jitter } from './jitter.ts';

/** A link as a board describes it. `null` in a board stands for a link that costs nothing (functional pace). */
export interface LinkProfile {
  readonly generation: 1 | 2 | 3 | 4 | 5;
  readonly lanes: 1 | 2 | 4 | 8 | 16;
  readonly maxPayload_bytes: number;
  readonly readRequest_bytes: number;
  /** One way, including the port's own latency. */
  readonly propagation_ns: number;
  /**
   * Largest data of one completion: the root complex cuts at its multiples, which are multiples of the Read Completion
   * Boundary. `maxPayload_bytes` when absent; 64 is a root complex that answers cache line by cache line.
   */
  readonly completion_bytes?: number;
  /** Writes that the upper port can hold, and reads it answers at one time: header credits. */
  readonly writeCredits?: number;
  readonly readCredits?: number;
  /** From a packet's arrival at the upper port until the UpdateFC that gives its credit back leaves. */
  readonly creditReturn_ns?: number;
  /**
   * How long a transfer waits for the wire besides, at most, evenly from zero: SKP ordered sets, DLLPs, a port that is
   * busy; none when absent.
   */
  readonly jitter_ns?: number;
  /** Through the switch above this link, once a packet is in it; 0 below a root port. */
  readonly hop_ns?: number;
}

/** What a profile has that says nothing. */
export const USUAL_LINK = {
  writeCredits: 128,
  readCredits: 128,
  creditReturn_ns: 100,
  hop_ns: 0,
  jitter_ns: 0,
} as const;

/** Gigatransfers per second and lane, and the share of them that carries bytes. */
const RATES = {
  1: [2.5, 0.8],
  2: [5, 0.8],
  3: [8, 128 / 130],
  4: [16, 128 / 130],
  5: [32, 128 / 130],
} as const;
const REQUEST_BYTES = 24;
const COMPLETION_BYTES = 20;
/** Share of the wire that acknowledgements and flow-control updates take. */
const DLLP_SHARE = 0.03;

export class Link {
  /** True when nothing on this link takes time. */
  readonly free: boolean;
  readonly profile: LinkProfile | null;
  private readonly clock: { readonly now: number };
  /** The next link towards the root complex: behind a switch, the one of its upstream port. */
  private readonly parent: Link | null;
  private readonly jitter: Jitter | null;
  /** The links from the root complex down to this one. */
  private readonly path: readonly Link[];
  private readonly propagation_ns: number;
  private readonly hop_ns: number;
  private readonly payload_bytes: number;
  private readonly request_bytes: number;
  private readonly completion_bytes: number;
  /** Exact, because the sizes are powers of two; a multiplication is cheaper than a division. */
  private readonly payloadsPerByte: number;
  private readonly requestsPerByte: number;
  private readonly completionsPerByte: number;
  /** How long a credit is away, and how often one comes back when all are: `Credits` in time. */
  private readonly creditLoop_ns: number;
  private readonly writeCredit_ns: number;
  private readonly perReadCredit: number;
  private ns_per_byte: number;
  /** The largest packet on the wire. */
  private packet_ns: number;
  /** Where the wire's busy times are told, and the port above it. */
  private trace: Trace | null = null;
  private port: { readonly bdf: number } | null = null;
  private upFreeAt = 0;
  private downFreeAt = 0;
  /** When the credits of all writes and reads so far would be back if each had waited for the one before. */
  private writeCreditsAt = 0;
  private readCreditsAt = 0;
  /** The wire is down until then. */
  private retrainedAt = 0;

  /** `jitter` is that of `profile.jitter_ns`. */
  constructor(
    clock: { readonly now: number },
    profile: LinkProfile | null,
    parent: Link | null = null,
    jitter: Jitter | null = null,
  ) {
    const whole = { ...USUAL_LINK, ...profile };
    this.clock = clock;
    this.parent = parent;
    this.jitter = jitter;
    this.path = parent === null ? [this] : [...parent.path, this];
    this.profile = profile;
    this.free = profile === null;
    this.propagation_ns = profile?.propagation_ns ?? 0;
    this.hop_ns = whole.hop_ns;
    this.payload_bytes = profile?.maxPayload_bytes ?? 1;
    this.request_bytes = profile?.readRequest_bytes ?? 1;
    this.completion_bytes = profile?.completion_bytes ?? this.payload_bytes;
    this.payloadsPerByte = 1 / this.payload_bytes;
    this.requestsPerByte = 1 / this.request_bytes;
    this.completionsPerByte = 1 / this.completion_bytes;
    this.creditLoop_ns = 2 * this.propagation_ns + whole.creditReturn_ns;
    this.writeCredit_ns = this.creditLoop_ns / whole.writeCredits;
    this.perReadCredit = 1 / whole.readCredits;
    this.ns_per_byte = 0;
    this.packet_ns = 0;
    if (profile !== null) this.#setRate(profile.generation, profile.lanes);
  }

  #setRate(generation: LinkProfile['generation'], lanes: LinkProfile['lanes']): void {
    const [rate, coding] = RATES[generation];
    this.ns_per_byte = 8 / (rate * coding * lanes * (1 - DLLP_SHARE));
    this.packet_ns = (this.payload_bytes + REQUEST_BYTES) * this.ns_per_byte;
  }

  /**
   * The link goes down for `down_ns` and comes back with another speed and width. Transfers that have begun end as they
   * would have, later ones wait; nothing is lost (the data link layer repeats it). Changes nothing on a free link.
   */
  retrain(generation: LinkProfile['generation'], lanes: LinkProfile['lanes'], down_ns: number): void {
    if (this.free) return;
    this.#setRate(generation, lanes);
    const back = this.clock.now + down_ns;
    this.upFreeAt = Math.max(this.upFreeAt, back);
    this.downFreeAt = Math.max(this.downFreeAt, back);
    this.retrainedAt = back;
  }

  /** Tells `trace` from now on when the wire is busy, under the number of the port above it. */
  tell(trace: Trace, port: { readonly bdf: number }): void {
    this.trace = trace;
    this.port = port;
  }

  /** Nanoseconds until a posted write of `length` bytes to `address`, sent upstream now, reaches the root complex. */
  write(address: number, length: number): number {
    const { now } = this.clock;
    const packets = piecesOf(address, length, this.payload_bytes, this.payloadsPerByte);
    return this.#up(now, length + packets * REQUEST_BYTES, packets) - now;
  }

  /** The same for a small write right behind one that reaches the root complex now: only its wire time. */
  follow(length: number): number {
    const ns = (length + REQUEST_BYTES) * this.ns_per_byte;
    this.upFreeAt += ns;
    if (this.trace?.on === true) this.#busy(1, this.upFreeAt - ns, this.upFreeAt);
    return ns;
  }

  /**
   * Nanoseconds until a read of `length` bytes at `address` is back: requests up, `answer_ns` at the far end,
   * completions down.
   */
  read(address: number, length: number, answer_ns: number): number {
    const { now } = this.clock;
    const requests = piecesOf(address, length, this.request_bytes, this.requestsPerByte);
    const completions = piecesOf(address, length, this.completion_bytes, this.completionsPerByte);
    const round_ns = 2 * this.propagation_ns + answer_ns;
    // Each request holds a credit until it is answered.
    this.readCreditsAt = Math.max(this.readCreditsAt, now) + requests * round_ns * this.perReadCredit;
    const wait_ns = Math.max(0, this.readCreditsAt - now - round_ns);
    const answered = this.#slipUp(now, requests * REQUEST_BYTES) + wait_ns + answer_ns;
    return this.#down(answered, length + completions * COMPLETION_BYTES) - now;
  }

  /** Nanoseconds until a 4-byte write by the CPU reaches the function. */
  store(): number {
    const { now } = this.clock;
    return this.#slipDown(now, REQUEST_BYTES + 4) - now;
  }

  /**
   * Requests without data and register stores go between the packets of a long transfer: they wait for the packet on
   * the wire, half of one on average, and what they take is missing to the transfers behind.
   */
  #slipUp(sent: number, bytes: number): number {
    let time = sent;
    for (let link: Link = this; ; link = link.parent) {
      const wire_ns = bytes * link.ns_per_byte;
      const wait_ns = link.#wait(link.upFreeAt, time);
      link.upFreeAt = Math.max(link.upFreeAt, time) + wire_ns;
      if (link.trace?.on === true) link.#busy(1, link.upFreeAt - wire_ns, link.upFreeAt);
      time = time + wait_ns + wire_ns + link.propagation_ns;
      if (link.parent === null) return time;
      time += link.hop_ns;
    }
  }

  #slipDown(sent: number, bytes: number): number {
    let time = sent;
    const { path } = this;
    for (let index = 0; index < path.length; index++) {
      const link = path[index]!;
      if (link.parent !== null) time += link.hop_ns;
      const wire_ns = bytes * link.ns_per_byte;
      const wait_ns = link.#wait(link.downFreeAt, time);
      link.downFreeAt = Math.max(link.downFreeAt, time) + wire_ns;
      if (link.trace?.on === true) link.#busy(0, link.downFreeAt - wire_ns, link.downFreeAt);
      time = time + wait_ns + wire_ns + link.propagation_ns;
    }
    return time;
  }

  /** How long something small waits at `time` for a wire that is taken until `freeAt`. */
  #wait(freeAt: number, time: number): number {
    const wait_ns = this.#chance();
    if (freeAt <= time) return wait_ns;
    return Math.max(Math.min(freeAt - time, this.packet_ns * 0.5), this.retrainedAt - time) + wait_ns;
  }

  #chance(): number {
    return this.jitter === null ? 0 : this.jitter.wait();
  }

  /** When `bytes` in `packets` that stand at this link's lower end at `time` are at the root complex. */
  #up(sent: number, bytes: number, packets: number): number {
    let time = sent;
    let through = 0;
    for (let link: Link = this; ; link = link.parent) {
      link.writeCreditsAt = Math.max(link.writeCreditsAt, time) + packets * link.writeCredit_ns;
      const start = Math.max(link.upFreeAt, time) + link.#chance();
      const end = Math.max(start + bytes * link.ns_per_byte, link.writeCreditsAt - link.creditLoop_ns);
      link.upFreeAt = end;
      if (link.trace?.on === true) link.#busy(1, start, end);
      const arrival = end + link.propagation_ns;
      if (link.parent === null) return Math.max(through, arrival);
      // A switch forwards each packet when it has it, so the last one is the wire time of a packet behind.
      const first = start + Math.min(bytes * link.ns_per_byte, link.packet_ns) + link.propagation_ns;
      through = Math.max(through, arrival + link.hop_ns + link.parent.#last(bytes));
      time = first + link.hop_ns;
    }
  }

  /** When `bytes` that stand at the root complex at `time` are at this link's lower end. */
  #down(sent: number, bytes: number): number {
    let ready = sent;
    let end = 0;
    const { path } = this;
    for (let index = 0; index < path.length; index++) {
      const link = path[index]!;
      const packet_ns = Math.min(bytes * link.ns_per_byte, link.packet_ns);
      if (link.parent !== null) {
        end = end + link.hop_ns + packet_ns;
        ready += link.hop_ns;
      }
      const start = Math.max(link.downFreeAt, ready) + link.#chance();
      link.downFreeAt = Math.max(start + bytes * link.ns_per_byte, end);
      if (link.trace?.on === true) link.#busy(0, start, link.downFreeAt);
      ready = start + packet_ns + link.propagation_ns;
      end = link.downFreeAt + link.propagation_ns;
    }
    return end;
  }

  /** From the arrival of the last packet of `bytes` at this link until it is at its upper end. */
  #last(bytes: number): number {
    return Math.min(bytes * this.ns_per_byte, this.packet_ns) + this.propagation_ns;
  }

  #busy(isUp: number, start: number, end: number): void {
    this.trace!.emit(T.LINK_BUSY, this.port!.bdf, isUp, start, end);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.ns_per_byte = a.value(this.ns_per_byte);
    this.packet_ns = a.value(this.packet_ns);
    this.upFreeAt = a.value(this.upFreeAt);
    this.downFreeAt = a.value(this.downFreeAt);
    this.writeCreditsAt = a.value(this.writeCreditsAt);
    this.readCreditsAt = a.value(this.readCreditsAt);
    this.retrainedAt = a.value(this.retrainedAt);
    this.jitter?.archive(a);
  }
}

/** Packets for `length` bytes at `address` when none crosses a multiple of `size`, a power of two. */
const piecesOf = (address: number, length: number, size: number, sizesPerByte: number): number =>
  Math.ceil(((address & (size - 1)) + length) * sizesPerByte);
