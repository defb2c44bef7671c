/**
 * Features whose value is a data buffer: Timestamp, Host Behavior Support, Host Identifier (Base 2.1 §5.1.25.1).
 * None can be saved; a controller level reset brings the default back.
 * Not here: the commands and their checks (features.ts).
 */

import type { Clock } from '../machine/clock.ts';
import type { Archive } from '../support/archive.ts';
import {
  FEATURE_SELECT,
  FEATURES,
  FID,
  HOST_BEHAVIOR,
  HOST_IDENTIFIER,
  TIMESTAMP,
  TIMESTAMP_ATTRIBUTES,
} from './spec/features.ts';

export interface FeatureData {
  /** Length of the buffer, by CDW11. */
  bytes(cdw11: number): number;
  /** Writes the value that `select` names; `into` is zeroed. */
  get(into: DataView, select: number): void;
  /** Takes the host's value. Returns null, or the sentence that refuses it. */
  set(from: DataView): string | null;
  reset(): void;
  archive(a: Archive): void;
}

const NS_PER_MS = 1_000_000;
const TWO_32 = 0x1_0000_0000;

/** Milliseconds since 1970 as the host gave them, going on with simulated time; since the reset until it did. */
export class Timestamp implements FeatureData {
  readonly #clock: Clock;
  #milliseconds = 0;
  #setAt_ns = 0;
  #origin: number = ORIGIN.RESET;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  bytes(): number {
    return TIMESTAMP.SIZE;
  }

  get(into: DataView, select: number): void {
    if (select !== FEATURE_SELECT.CURRENT) return;
    const now = this.#milliseconds + Math.floor((this.#clock.now - this.#setAt_ns) / NS_PER_MS);
    into.setUint32(TIMESTAMP.MILLISECONDS, now >>> 0, true);
    into.setUint16(TIMESTAMP.MILLISECONDS + 4, Math.floor(now / TWO_32), true);
    TIMESTAMP.set(into, 0, 'ATTRIBUTES', TIMESTAMP_ATTRIBUTES.encode({ ORIGIN: this.#origin }));
  }

  /** The structure as it is now. */
  now(): Uint8Array {
    const view = new DataView(new ArrayBuffer(TIMESTAMP.SIZE));
    this.get(view, FEATURE_SELECT.CURRENT);
    return new Uint8Array(view.buffer);
  }

  set(from: DataView): null {
    const high = from.getUint16(TIMESTAMP.MILLISECONDS + 4, true);
    this.#start(high * TWO_32 + from.getUint32(TIMESTAMP.MILLISECONDS, true), ORIGIN.HOST);
    return null;
  }

  reset(): void {
    this.#start(0, ORIGIN.RESET);
  }

  #start(milliseconds: number, origin: number): void {
    this.#milliseconds = milliseconds;
    this.#setAt_ns = this.#clock.now;
    this.#origin = origin;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#milliseconds = a.value(this.#milliseconds);
    this.#setAt_ns = a.value(this.#setAt_ns);
    this.#origin = a.value(this.#origin);
  }
}

/** TIMESTAMP_ATTRIBUTES.ORIGIN: where the time counts from. Base 2.1 §5.1.25.1.7 */
const ORIGIN = { RESET: 0, HOST: 1 } as const;

/**
 * What the host can cope with, and so may turn on: advanced command retry, and formats with a wider guard. `isRaw`, the
 * quirk `rawHostBehavior`: any bytes are taken and kept.
 */
export class HostBehavior implements FeatureData {
  readonly #bytes = new Uint8Array(HOST_BEHAVIOR.SIZE);
  readonly #hasExtendedFormats: boolean;
  readonly #isRaw: boolean;

  constructor(hasExtendedFormats: boolean, isRaw: boolean) {
    this.#hasExtendedFormats = hasExtendedFormats;
    this.#isRaw = isRaw;
  }

  get takesExtendedFormats(): boolean {
    return this.#bytes[HOST_BEHAVIOR.LBAFEE] === 1;
  }

  bytes(): number {
    return this.#bytes.length;
  }

  get(into: DataView, select: number): void {
    if (select !== FEATURE_SELECT.CURRENT) return;
    for (let i = 0; i < this.#bytes.length; i++) into.setUint8(i, this.#bytes[i]!);
  }

  set(from: DataView): string | null {
    const problem = this.#isRaw ? null : this.#problem(from);
    if (problem !== null) return problem;
    const known = this.#isRaw ? this.#bytes.length : HOST_BEHAVIOR.RSV6;
    for (let i = 0; i < known; i++) this.#bytes[i] = from.getUint8(i);
    return null;
  }

  #problem(from: DataView): string | null {
    const { ACRE, ETDAS, LBAFEE, HDISNS, CDFE } = HOST_BEHAVIOR.decode(from, 0);
    if (ACRE > 1) return `ACRE is ${ACRE}, it is 0 or 1`;
    const mostExtended = this.#hasExtendedFormats ? 1 : 0;
    const isOffered = (ETDAS | HDISNS | CDFE) === 0 && LBAFEE <= mostExtended;
    return isOffered ? null : 'the host enables what Identify does not offer';
  }

  reset(): void {
    if (!this.#isRaw) this.#bytes.fill(0);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#bytes);
  }
}

/** Who the host is, 64 or 128 bits: reservations ask. */
export class HostIdentifier implements FeatureData {
  /** The host gave 128 bits. */
  isExtended = false;
  readonly #identifier = new Uint8Array(FEATURES[FID.HOST_IDENTIFIER]!.set_bytes);

  /** All 16 bytes; a 64-bit identifier fills the first 8. */
  get identifier(): Uint8Array {
    return this.#identifier;
  }

  bytes(cdw11: number): number {
    return HOST_IDENTIFIER.EXHID.get(cdw11) === 1 ? this.#identifier.length : this.#identifier.length / 2;
  }

  get(into: DataView, select: number): void {
    if (select !== FEATURE_SELECT.CURRENT) return;
    for (let i = 0; i < into.byteLength; i++) into.setUint8(i, this.#identifier[i]!);
  }

  set(from: DataView): null {
    this.reset();
    this.isExtended = from.byteLength === this.#identifier.length;
    for (let i = 0; i < from.byteLength; i++) this.#identifier[i] = from.getUint8(i);
    return null;
  }

  reset(): void {
    this.isExtended = false;
    this.#identifier.fill(0);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.isExtended = a.value(this.isExtended);
    a.contents(this.#identifier);
  }
}
