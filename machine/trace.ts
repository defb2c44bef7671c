/**
 * Tracepoints: names in one table, emitted with the simulated time and four numbers. Off costs one boolean test:
 * `if (trace.on) trace.emit(T.NVME_FETCH, ...)`. Everything that explains itself listens here.
 * Not here: what a listener makes of it (cli/, bridge/), the strace of the kernel boundary (vfio/kernel.ts).
 */
import type { Archive } from '../support/archive.ts';
import type { Clock } from './clock.ts';

/** Every tracepoint: its name and the names of its arguments. The index is its number. */
export const TRACEPOINTS = [
  ['mmio.read', 'bdf', 'bar', 'offset', 'value'],
  ['mmio.write', 'bdf', 'bar', 'offset', 'value'],
  ['mmio.refused', 'address', 'size', 'isWrite'],
  ['config.write', 'bdf', 'offset', 'value', 'size'],
  ['dma.read', 'bdf', 'iova', 'bytes', 'fault'],
  ['dma.write', 'bdf', 'iova', 'bytes', 'fault'],
  ['msi', 'bdf', 'address', 'data'],
  ['iommu.walk', 'sid', 'iova', 'frame', 'reads'],
  ['iommu.fault', 'sid', 'iova', 'reason', 'isWrite'],
  ['iommu.invalidate', 'type', 'did', 'address', 'mask'],
  ['nvme.doorbell', 'bdf', 'qid', 'isCompletion', 'value'],
  ['nvme.fetch', 'bdf', 'sqid', 'cid', 'opcode'],
  ['nvme.execute', 'bdf', 'sqid', 'cid', 'ns'],
  ['nvme.media', 'bdf', 'sqid', 'cid', 'ns'],
  ['nvme.transfer', 'bdf', 'sqid', 'cid', 'bytes'],
  ['nvme.complete', 'bdf', 'sqid', 'cid', 'status'],
  ['nvme.interrupt', 'bdf', 'cqid', 'vector'],
  ['nvme.reject', 'bdf', 'sqid', 'cid', 'status'],
  ['nvme.state', 'bdf', 'cc', 'csts'],
  ['interrupt', 'vector', 'data'],
  ['link.busy', 'bdf', 'isUp', 'start', 'end'],
  ['media.busy', 'bdf', 'channel', 'start', 'end'],
  ['dma.latency', 'bdf', 'iova', 'bytes', 'iommu_ns'],
] as const;

type Point = (typeof TRACEPOINTS)[number][0];
/** The number of a tracepoint by its name in capitals: `nvme.fetch` is `T.NVME_FETCH`. */
type Constant<Name extends string> = Name extends `${infer Room}.${infer Rest}`
  ? `${Uppercase<Room>}_${Uppercase<Rest>}`
  : Uppercase<Name>;
export const T = Object.fromEntries(
  TRACEPOINTS.map(([name], number) => [name.toUpperCase().replace('.', '_'), number]),
) as { readonly [Name in Point as Constant<Name>]: number };

/** What `nvme.reject` also says, in words and whether the trace is on or not: refusals are rare. */
export interface Rejection {
  /** Such as `Identify (SQ 0, CID 5)` or `doorbell of queue 3`; empty for the controller itself. */
  readonly what: string;
  /** The status as people write it, or what becomes of what was refused: `ignored`, `fatal`. */
  readonly status: string;
  /** The field of the entry or register at fault, such as `CDW10.CNS`; of a command as a whole, its opcode. */
  readonly field: string;
  readonly value: number;
  /** One sentence without its end. */
  readonly rule: string;
  /** Document, revision and section. */
  readonly section: string;
}
/** Called for every refusal by the function `bdf`. */
export type RejectionListener = (time: number, bdf: number, rejection: Rejection) => void;

/** Called for every record while the trace is on. `point` indexes TRACEPOINTS. */
export type TraceListener = (time: number, point: number, a: number, b: number, c: number, d: number) => void;

export class Trace {
  /** Tested before every emit; true while somebody listens. */
  on = false;
  private readonly clock: Clock;
  #listeners: TraceListener[] = [];
  readonly #rejectionListeners: RejectionListener[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  emit(point: number, a: number, b = 0, c = 0, d = 0): void {
    const time = this.clock.now;
    for (const listener of this.#listeners) listener(time, point, a, b, c, d);
  }

  /** Emits `nvme.reject`: its numbers while the trace is on, its words always. */
  reject(bdf: number, sqid: number, cid: number, status: number, rejection: Rejection): void {
    if (this.on) this.emit(T.NVME_REJECT, bdf, sqid, cid, status);
    for (const listener of this.#rejectionListeners) listener(this.clock.now, bdf, rejection);
  }

  /** Adds a listener of refusals. The trace stays off: it costs nothing until something is refused. */
  listenToRejections(listener: RejectionListener): void {
    this.#rejectionListeners.push(listener);
  }

  /** Adds a listener and turns the trace on; the returned function removes it. */
  listen(listener: TraceListener): () => void {
    this.#listeners = [...this.#listeners, listener];
    this.on = true;
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
      this.on = this.#listeners.length > 0;
    };
  }
}

export interface TraceHash {
  readonly listener: TraceListener;
  readonly text: () => string;
  /** Saves or loads the hash so far. */
  readonly archive: (a: Archive) => void;
}

/** A listener that folds every record into one 64-bit FNV-like hash, and that hash as text. */
export function traceHash(): TraceHash {
  const record = new Float64Array(6);
  const words = new Uint32Array(record.buffer);
  let low = 0x811c_9dc5;
  let high = 0xcbf2_9ce4;
  const listener: TraceListener = (time, point, a, b, c, d) => {
    record[0] = time;
    record[1] = point;
    record[2] = a;
    record[3] = b;
    record[4] = c;
    record[5] = d;
    for (let i = 0; i < 12; i++) {
      low = Math.imul(low ^ words[i]!, 0x0100_0193);
      high = Math.imul(high ^ words[i]! ^ (low >>> 15), 0x85eb_ca6b);
    }
  };
  const text = () => (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
  const archive = (a: Archive): void => {
    low = a.value(low);
    high = a.value(high);
  };
  return { listener, text, archive };
}
