/**
 * Listens to a machine and its jobs and fills a timeline: a process each for the driver, the kernel, the IOMMU, the CPU
 * and every controller. One flow leads from the driver's slot through the controller and back.
 * Not here: the picture's parts (timeline.ts), how it is written (perfetto.ts, chrome.ts).
 */
import type { Machine } from '../../boards/index.ts';
import { faultSentence } from '../../iommu/spec/faults.ts';
import { bdfText } from '../../machine/pcie/spec.ts';
import { T } from '../../machine/trace.ts';
import { opcodeName } from '../../nvme/spec/commands.ts';
import { statusName } from '../../nvme/spec/status.ts';
import { hex } from '../../support/numbers.ts';
import { straceLine } from '../../vfio/strace.ts';
import type { OnCompletion } from '../fio/clone-parts.ts';
import { LanePool, Timeline } from './timeline.ts';

/** A command inside a controller. Times in ns, NaN for not yet. */
interface Command {
  readonly flow: number;
  readonly opcode: number;
  readonly fetched: number;
  executed: number;
  media: number;
  transferred: number;
}

/** The tracks of one controller. */
interface ControllerTracks {
  readonly process: number;
  readonly events: number;
  readonly depth: number;
  /** By SQID: tracks for commands that overlap. */
  readonly queues: Map<number, LanePool>;
  /** By channel of the medium. */
  readonly channels: Map<number, LanePool>;
  /** By SQID and CID. */
  readonly running: Map<number, Command>;
  /** Flows of commands that completed and that the driver has not taken yet, by SQID. */
  readonly completed: Map<number, number[]>;
}

const key = (sqid: number, cid: number): number => sqid * 0x1_0000 + cid;

/** `map`'s value for `key`, made when there is none. */
function obtain<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

export class Recorder {
  readonly timeline = new Timeline();
  readonly #machine: Machine;
  readonly #driver: number;
  readonly #outstanding: number;
  readonly #calls: number;
  readonly #iommu: number;
  readonly #hitRate: number;
  readonly #interrupts: number;
  readonly #links: number;
  readonly #controllers = new Map<number, ControllerTracks>();
  readonly #linkTracks = new Map<string, number>();
  /** The driver's tracks by clone and slot. */
  readonly #slots = new Map<string, number>();
  #flows = 0;
  #translations = 0;
  #walks = 0;

  constructor(machine: Machine) {
    const { timeline } = this;
    this.#machine = machine;
    this.#driver = timeline.process('driver');
    this.#outstanding = timeline.sum(this.#driver, 'commands outstanding');
    this.#calls = timeline.thread(timeline.process('kernel'), 'system calls');
    const iommu = timeline.process('iommu');
    this.#iommu = timeline.thread(iommu, 'walks and faults');
    this.#hitRate = timeline.counter(iommu, 'IOTLB hits in percent');
    this.#links = timeline.process('pcie');
    this.#interrupts = timeline.thread(timeline.process('cpu'), 'interrupts');
    for (const { name, bdf } of machine.controllers) {
      const process = timeline.process(`${name} (${bdfText(bdf)})`);
      this.#controllers.set(bdf, {
        process,
        events: timeline.thread(process, 'controller'),
        depth: timeline.counter(process, 'commands in the controller'),
        queues: new Map(),
        channels: new Map(),
        running: new Map(),
        completed: new Map(),
      });
    }
  }

  /** Listens from now on. The returned function ends it. */
  start(): () => void {
    const { kernel, trace } = this.#machine;
    const stop = trace.listen((...record) => this.#record(...record));
    kernel.onCall = (name, args, ret) => {
      this.timeline.instant(this.#calls, kernel.now(), name, { call: straceLine(name, args, ret) });
    };
    return () => {
      stop();
      kernel.onCall = null;
    };
  }

  /** To be told of every completion that the driver takes. */
  readonly completed: OnCompletion = (created, issued, taken, clone, slot) => {
    const { timeline } = this;
    const { job, id } = clone.stats;
    const track = obtain(this.#slots, `${id}.${slot}`, () =>
      timeline.thread(this.#driver, `${job.name} ${id} slot ${slot}`),
    );
    const { bdf } = this.#machine.controllers[clone.drive]!;
    const flow = this.#controllers.get(bdf)!.completed.get(clone.qid)?.shift() ?? 0;
    timeline.slice(track, created, taken, 'command', { queue: clone.qid, latency_ns: taken - created }, flow);
    timeline.slice(track, created, issued, 'post and ring');
    timeline.value(this.#outstanding, issued, 1);
    timeline.value(this.#outstanding, taken, -1);
  };

  #record(time: number, point: number, a: number, b: number, c: number, d: number): void {
    const { timeline } = this;
    switch (point) {
      case T.NVME_FETCH:
        return this.#fetch(time, a, b, c, d);
      case T.NVME_EXECUTE:
      case T.NVME_MEDIA:
      case T.NVME_TRANSFER:
        return this.#advance(time, point, a, key(b, c));
      case T.NVME_COMPLETE:
        return this.#complete(time, a, b, c, d);
      case T.NVME_DOORBELL:
        return this.#controllerEvent(time, a, c === 0 ? `SQ${b} tail doorbell` : `CQ${b} head doorbell`, {
          value: d,
        });
      case T.NVME_INTERRUPT:
        return this.#controllerEvent(time, a, `interrupt of CQ${b}`, { vector: c });
      case T.NVME_REJECT:
        return this.#controllerEvent(time, a, 'rejected', { queue: b, cid: c, status: statusName(d) });
      case T.NVME_STATE:
        return this.#controllerEvent(time, a, 'state', { cc: hex(b), csts: hex(c) });
      case T.MEDIA_BUSY:
        return this.#channel(a, b, c, d);
      case T.LINK_BUSY:
        return this.#link(a, b, c, d);
      case T.DMA_LATENCY:
        this.#translations++;
        return timeline.value(this.#hitRate, time, this.#hits());
      case T.IOMMU_WALK:
        this.#walks++;
        return timeline.instant(this.#iommu, time, 'walk', { sid: bdfText(a), iova: hex(b), reads: d });
      case T.IOMMU_FAULT:
        return timeline.instant(this.#iommu, time, 'FAULT', {
          sid: bdfText(a),
          iova: hex(b),
          reason: faultSentence(c),
          access: d === 1 ? 'write' : 'read',
        });
      case T.IOMMU_INVALIDATE:
        return timeline.instant(this.#iommu, time, 'invalidate', { domain: b, address: hex(c) });
      case T.INTERRUPT:
        return timeline.instant(this.#interrupts, time, `vector ${a}`, { data: hex(b) });
      default:
    }
  }

  /** Share of translations that needed no walk so far; a walk for a fetch may come before its translation. */
  #hits(): number {
    return Math.max(0, 100 * (1 - this.#walks / this.#translations));
  }

  #fetch(time: number, bdf: number, sqid: number, cid: number, opcode: number): void {
    const tracks = this.#controllers.get(bdf);
    if (tracks === undefined) return;
    const command = {
      flow: ++this.#flows,
      opcode,
      fetched: time,
      executed: Number.NaN,
      media: Number.NaN,
      transferred: Number.NaN,
    };
    tracks.running.set(key(sqid, cid), command);
    this.timeline.value(tracks.depth, time, tracks.running.size);
  }

  #advance(time: number, point: number, bdf: number, command: number): void {
    const running = this.#controllers.get(bdf)?.running.get(command);
    if (running === undefined) return;
    if (point === T.NVME_EXECUTE) running.executed = time;
    else if (point === T.NVME_MEDIA) running.media = time;
    else running.transferred = time;
  }

  #complete(time: number, bdf: number, sqid: number, cid: number, status: number): void {
    const tracks = this.#controllers.get(bdf);
    const command = tracks?.running.get(key(sqid, cid));
    if (tracks === undefined || command === undefined) return;
    tracks.running.delete(key(sqid, cid));
    const { timeline } = this;
    timeline.value(tracks.depth, time, tracks.running.size);
    const { flow, opcode, fetched, executed, media, transferred } = command;
    const lanes = obtain(tracks.queues, sqid, () => new LanePool(timeline, tracks.process, `SQ${sqid}`));
    const track = lanes.take(fetched, time);
    const details = { cid: hex(cid), status: statusName(status) };
    timeline.slice(track, fetched, time, opcodeName(sqid === 0, opcode), details, flow);
    const marks: readonly (readonly [string, number, number])[] = [
      ['decode and PRPs', fetched, executed],
      ['media', executed, media],
      ['data transfer', media, transferred],
      ['completion entry', transferred, time],
    ];
    for (const [name, from, to] of marks) if (to > from) timeline.slice(track, from, to, name);
    if (sqid !== 0) obtain(tracks.completed, sqid, () => []).push(flow);
  }

  #controllerEvent(time: number, bdf: number, name: string, details: Record<string, number | string>): void {
    const tracks = this.#controllers.get(bdf);
    if (tracks !== undefined) this.timeline.instant(tracks.events, time, name, details);
  }

  #channel(bdf: number, channel: number, start: number, end: number): void {
    const tracks = this.#controllers.get(bdf);
    if (tracks === undefined) return;
    const { timeline } = this;
    const lanes = obtain(
      tracks.channels,
      channel,
      () => new LanePool(timeline, tracks.process, `channel ${channel}`),
    );
    timeline.slice(lanes.take(start, end), start, end, 'busy');
  }

  #link(bdf: number, isUp: number, start: number, end: number): void {
    const { timeline } = this;
    const name = `${bdfText(bdf)} ${isUp === 1 ? 'up' : 'down'}`;
    const track = obtain(this.#linkTracks, name, () => timeline.thread(this.#links, name));
    timeline.slice(track, start, end, 'TLPs');
  }
}
