/**
 * One PCIe link as time: what a TLP costs on the wire in each direction, and when the wire is free again.
 * Overheads and rates: reference/numbers.md §3 (gen 3+, 128b/130b; MWr and MRd 24 bytes, CplD 20 bytes around the data).
 * Not here: what the root complex, the IOMMU and memory add (root-complex.ts).
 */

import { T, type Trace } from '../trace.ts';

/** A link as a board describes it. `null` in a board stands for a link that costs nothing (functional pace). */
export interface LinkProfile {
  readonly generation: 1 | 2 | 3 | 4 | 5;
  readonly lanes: 1 | 2 | 4 | 8 | 16;
  readonly maxPayload_bytes: number;
  readonly readRequest_bytes: number;
  /** One way, including the port's own latency. */
  readonly propagation_ns: number;
}

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
  private readonly propagation_ns: number;
  private readonly ns_per_byte: number;
  /** Half of the largest packet. */
  private readonly packet_ns: number;
  /** Payloads and read requests per byte. Their sizes are powers of two, so that these are exact. */
  private readonly payloadsPerByte: number;
  private readonly requestsPerByte: number;
  /** Where the wire's busy times are told, and the port above it. */
  private trace: Trace | null = null;
  private port: { readonly bdf: number } | null = null;
  #upFreeAt = 0;
  #downFreeAt = 0;

  constructor(clock: { readonly now: number }, profile: LinkProfile | null, parent: Link | null = null) {
    this.clock = clock;
    this.parent = parent;
    this.profile = profile;
    this.free = profile === null;
    const [rate, coding] = profile === null ? [1, 1] : RATES[profile.generation];
    this.ns_per_byte = profile === null ? 0 : 8 / (rate * coding * profile.lanes * (1 - DLLP_SHARE));
    this.propagation_ns = profile?.propagation_ns ?? 0;
    this.packet_ns = ((profile?.maxPayload_bytes ?? 0) + REQUEST_BYTES) * this.ns_per_byte * 0.5;
    this.payloadsPerByte = 1 / (profile?.maxPayload_bytes ?? 1);
    this.requestsPerByte = 1 / (profile?.readRequest_bytes ?? 1);
  }

  /** Tells `trace` from now on when the wire is busy, under the number of the port above it. */
  tell(trace: Trace, port: { readonly bdf: number }): void {
    this.trace = trace;
    this.port = port;
  }

  /** Nanoseconds until a posted write of `length` bytes, sent upstream now, reaches the root complex. */
  write(length: number): number {
    const { now } = this.clock;
    return this.#up(now, this.#wireBytes(length, REQUEST_BYTES)) - now;
  }

  /** The same for a write right behind one that reaches the root complex now: only its wire time. */
  follow(length: number): number {
    const ns = this.#wireBytes(length, REQUEST_BYTES) * this.ns_per_byte;
    this.#upFreeAt += ns;
    if (this.trace?.on === true) this.#busy(1, this.#upFreeAt - ns, this.#upFreeAt);
    return ns;
  }

  /**
   * Nanoseconds until a read of `length` bytes is back: requests up, `answer_ns` at the far end, completions down.
   */
  read(length: number, answer_ns: number): number {
    const { now } = this.clock;
    const requests = Math.ceil(length * this.requestsPerByte);
    const answered = this.#slipUp(now, requests * REQUEST_BYTES) + answer_ns;
    return this.#down(answered, this.#wireBytes(length, COMPLETION_BYTES)) - now;
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
  #slipUp(time: number, bytes: number): number {
    const wire_ns = bytes * this.ns_per_byte;
    const wait_ns = this.#upFreeAt > time ? Math.min(this.#upFreeAt - time, this.packet_ns) : 0;
    this.#upFreeAt = Math.max(this.#upFreeAt, time) + wire_ns;
    if (this.trace?.on === true) this.#busy(1, this.#upFreeAt - wire_ns, this.#upFreeAt);
    const arrival = time + wait_ns + wire_ns + this.propagation_ns;
    return this.parent === null ? arrival : this.parent.#slipUp(arrival, bytes);
  }

  #slipDown(time: number, bytes: number): number {
    const start = this.parent === null ? time : this.parent.#slipDown(time, bytes);
    const wire_ns = bytes * this.ns_per_byte;
    const wait_ns = this.#downFreeAt > start ? Math.min(this.#downFreeAt - start, this.packet_ns) : 0;
    this.#downFreeAt = Math.max(this.#downFreeAt, start) + wire_ns;
    if (this.trace?.on === true) this.#busy(0, this.#downFreeAt - wire_ns, this.#downFreeAt);
    return start + wait_ns + wire_ns + this.propagation_ns;
  }

  /** When `bytes` that stand at this link's lower end at `time` are at the root complex. */
  #up(time: number, bytes: number): number {
    const start = Math.max(this.#upFreeAt, time);
    this.#upFreeAt = start + bytes * this.ns_per_byte;
    if (this.trace?.on === true) this.#busy(1, start, this.#upFreeAt);
    const arrival = this.#upFreeAt + this.propagation_ns;
    return this.parent === null ? arrival : this.parent.#up(arrival, bytes);
  }

  /** When `bytes` that stand at the root complex at `time` are at this link's lower end. */
  #down(time: number, bytes: number): number {
    const arrival = this.parent === null ? time : this.parent.#down(time, bytes);
    const start = Math.max(this.#downFreeAt, arrival);
    this.#downFreeAt = start + bytes * this.ns_per_byte;
    if (this.trace?.on === true) this.#busy(0, start, this.#downFreeAt);
    return this.#downFreeAt + this.propagation_ns;
  }

  #busy(isUp: number, start: number, end: number): void {
    this.trace!.emit(T.LINK_BUSY, this.port!.bdf, isUp, start, end);
  }

  /** Bytes on the wire for `length` bytes of data in TLPs of the largest payload. */
  #wireBytes(length: number, overhead: number): number {
    return length + Math.ceil(length * this.payloadsPerByte) * overhead;
  }
}
