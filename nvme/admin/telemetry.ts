/**
 * Telemetry: a picture of the controller's inside as a text, taken when the host asks (log 07h) or when the controller
 * fails (log 08h) and kept until the next one (Base 2.1 §5.1.12.1.8, §8.1.26). All of it is in data area 1.
 * Not here: reading parts of the pages (logs.ts).
 */

import type { Archive } from '../../support/archive.ts';
import { writeAscii } from '../ascii.ts';
import type { Events } from '../events.ts';
import type { Health } from '../health.ts';
import type { ControllerProfile } from '../profile.ts';
import { ASYNC_EVENT, LID, TELEMETRY_HEADER } from '../spec/logs.ts';
import { PERSISTENT_EVENT_TYPE } from '../spec/persistent-events.ts';
import type { PersistentEvents } from './persistent-events.ts';

/** Unit of data areas, and of reading the pages. */
export const TELEMETRY_BLOCK = 512;
const MOST_BLOCKS = 63;
const REASON_BYTES = 128;
const NO_REASON = '';

export interface TelemetryParts {
  readonly profile: ControllerProfile;
  readonly health: Health;
  readonly events: Events;
  readonly history: PersistentEvents;
}

/** One log page: what was captured, how often, and why. */
interface Capture {
  text: string;
  reason: string;
  generation: number;
}

export class Telemetry {
  readonly #parts: TelemetryParts;
  readonly #host: Capture = { text: '', reason: NO_REASON, generation: 0 };
  readonly #controller: Capture = { text: '', reason: NO_REASON, generation: 0 };
  /** The host has not yet read what the controller captured. */
  #isAvailable = false;

  constructor(parts: TelemetryParts) {
    this.#parts = parts;
  }

  /** The largest page. */
  static readonly largest_bytes = TELEMETRY_BLOCK * (1 + MOST_BLOCKS);

  /** The host asks for a new picture. */
  captureForHost(): void {
    this.#capture(this.#host, NO_REASON);
    const header = new DataView(new ArrayBuffer(TELEMETRY_HEADER.SIZE));
    this.#writeHeader(header, 0, LID.TELEMETRY_HOST);
    this.#parts.history.addBytes(PERSISTENT_EVENT_TYPE.TELEMETRY_CREATED, new Uint8Array(header.buffer));
  }

  /** The controller fails, for `reason`. A picture that the host has not read yet is not replaced. */
  captureFailure(reason: string): void {
    if (!this.#parts.profile.admin.telemetry || this.#isAvailable) return;
    this.#capture(this.#controller, reason);
    this.#isAvailable = true;
    this.#parts.events.raise(ASYNC_EVENT.TELEMETRY_CHANGED);
  }

  /** The host has read log page 08h and does not want it kept. */
  release(): void {
    this.#isAvailable = false;
  }

  #capture(capture: Capture, reason: string): void {
    const { health } = this.#parts;
    const { lookups } = health;
    const numbers = [
      ['read commands', health.readCommands],
      ['write commands', health.writeCommands],
      ['media errors', health.mediaErrors],
      ['error log entries', health.errors.count],
      ['temperature in K', health.condition.temperature_K],
      ['power cycles', health.powerCycles],
      ['map lookups in the controller', lookups.controller],
      ['map lookups in host memory', lookups.host],
      ['map lookups on the medium', lookups.medium],
    ];
    const lines = [...numbers.map(([name, value]) => `${name}: ${value}`), ...health.rejections];
    capture.text = asciiOf(lines.join('\n')).slice(-MOST_BLOCKS * TELEMETRY_BLOCK);
    capture.reason = asciiOf(reason);
    capture.generation = (capture.generation + 1) & 0xff;
  }

  /** Bytes of a page as it is now. */
  bytes(lid: number): number {
    return TELEMETRY_BLOCK * (1 + blocksOf(this.#captureOf(lid)));
  }

  /** Writes page `lid` at byte `at` of `view`, which is zeroed. */
  writeLog(view: DataView, at: number, lid: number): void {
    this.#writeHeader(view, at, lid);
    const { text } = this.#captureOf(lid);
    for (let i = 0; i < text.length; i++) view.setUint8(at + TELEMETRY_HEADER.SIZE + i, text.charCodeAt(i));
  }

  #writeHeader(view: DataView, at: number, lid: number): void {
    const capture = this.#captureOf(lid);
    const last = blocksOf(capture);
    const set = (name: Parameters<typeof TELEMETRY_HEADER.set>[2], value: number) =>
      TELEMETRY_HEADER.set(view, at, name, value);
    set('LID', lid);
    for (let i = 0; i < 3; i++)
      view.setUint8(at + TELEMETRY_HEADER.IEEE + i, this.#parts.profile.oui >>> (8 * i));
    set('AREA1_LAST', last);
    set('AREA2_LAST', last);
    set('AREA3_LAST', last);
    if (lid === LID.TELEMETRY_HOST) set('HOST_GENERATION_OR_SCOPE', this.#host.generation);
    set('CONTROLLER_AVAILABLE', this.#isAvailable ? 1 : 0);
    set('CONTROLLER_GENERATION', this.#controller.generation);
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at + TELEMETRY_HEADER.REASON, REASON_BYTES);
    if (capture.reason !== NO_REASON)
      writeAscii(bytes, 0, REASON_BYTES, capture.reason.slice(0, REASON_BYTES));
  }

  #captureOf(lid: number): Capture {
    return lid === LID.TELEMETRY_HOST ? this.#host : this.#controller;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    Object.assign(this.#host, a.value(this.#host));
    Object.assign(this.#controller, a.value(this.#controller));
    this.#isAvailable = a.value(this.#isAvailable);
  }
}

const asciiOf = (text: string): string => text.replaceAll(/[^\n -~]/g, '?');
const blocksOf = ({ text }: Capture): number => Math.ceil(text.length / TELEMETRY_BLOCK);
