/**
 * Where the time of one command goes: its latency cut at the tracepoints it passes, each piece booked to who spent it.
 * Works for one command in flight at a time, where everything the trace says between two completions is that command's.
 * Not here: latency under load, where commands overlap and wait for one another.
 */
import type { HostProfile } from '../machine/timing/host.ts';
import { T, type TraceListener } from '../machine/trace.ts';

/** Nanoseconds of one command by who spent them. They add up to `latency`. */
export interface Breakdown {
  readonly latency: number;
  /** Driver and, with interrupts, system calls: from the decision to submit to the store, and taking the completion. */
  readonly software: number;
  /** Wire, switches and root complex in both directions, memory behind them included. */
  readonly link: number;
  readonly iommu: number;
  readonly controller: number;
  readonly media: number;
  /** From the completion entry to the woken thread; 0 when polling. */
  readonly interrupt: number;
}

export const PARTS = ['software', 'link', 'iommu', 'controller', 'media', 'interrupt'] as const;

/** What the trace has shown since the last completion. Times in ns; -1 for not yet. */
interface Marks {
  doorbell: number;
  fetched: number;
  executed: number;
  media: number;
  transferred: number;
  completed: number;
  /** Translations of the fetch, of PRP lists, and of the data. */
  fetchIommu: number;
  listIommu: number;
  dataIommu: number;
}

const NONE = -1;
const blank = (): Marks => ({
  doorbell: NONE,
  fetched: NONE,
  executed: NONE,
  media: NONE,
  transferred: NONE,
  completed: NONE,
  fetchIommu: 0,
  listIommu: 0,
  dataIommu: 0,
});

/** What a command spends where the trace has no point of its own. */
export interface FixedCosts {
  readonly host: HostProfile;
  /** From the doorbell's arrival to the fetch request, and from the end of the transfer to the entry's departure. */
  readonly fetch_ns: number;
  readonly complete_ns: number;
}

export class BreakdownRecorder {
  readonly #costs: FixedCosts;
  readonly #all: Breakdown[] = [];
  #marks = blank();

  constructor(costs: FixedCosts) {
    this.#costs = costs;
  }

  /** To be given to `trace.listen` while the job runs. */
  readonly listener: TraceListener = (time, point, _bdf, qid, isCompletion, ns) => {
    const marks = this.#marks;
    if (point === T.NVME_DOORBELL && qid > 0 && isCompletion === 0) marks.doorbell = time;
    else if (point === T.NVME_FETCH) marks.fetched = time;
    else if (point === T.NVME_EXECUTE) marks.executed = time;
    else if (point === T.NVME_MEDIA) marks.media = time;
    else if (point === T.NVME_TRANSFER) marks.transferred = time;
    else if (point === T.NVME_COMPLETE) marks.completed = time;
    else if (point === T.DMA_LATENCY) this.#translation(ns);
  };

  #translation(ns: number): void {
    const marks = this.#marks;
    if (marks.fetched === NONE) marks.fetchIommu += ns;
    else if (marks.executed === NONE) marks.listIommu += ns;
    else marks.dataIommu += ns;
  }

  /** To be called for each completion, with the times of its command. */
  completed(created: number, issued: number, taken: number): void {
    const { doorbell, fetched, executed, media, transferred, completed, ...iommu } = this.#marks;
    this.#marks = blank();
    const { host, fetch_ns, complete_ns } = this.#costs;
    const waited = taken - completed - host.complete_ns;
    const transfer = transferred - media - iommu.dataIommu;
    this.#all.push({
      latency: taken - created,
      software: issued - created + host.store_ns + host.complete_ns,
      link:
        doorbell -
        issued -
        host.store_ns +
        (fetched - doorbell - fetch_ns - iommu.fetchIommu) +
        transfer +
        (completed - transferred - complete_ns),
      iommu: iommu.fetchIommu + iommu.listIommu + iommu.dataIommu,
      controller: fetch_ns + (executed - fetched - iommu.listIommu) + complete_ns,
      media: media - executed,
      interrupt: waited,
    });
  }

  /** The command whose latency is the median; null when there was none. */
  median(): Breakdown | null {
    const sorted = this.#all.toSorted((one, other) => one.latency - other.latency);
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
  }
}
