/**
 * The log files of a job (`write_bw_log`, `write_iops_log`, `write_lat_log`): an entry for every I/O, or one for every
 * `log_avg_msec` and direction. Lines are fio's: milliseconds, value, direction, block size, offset (with log_offset),
 * priority. Latencies are in ns, bandwidth in KiB/s. The entry of an I/O is kept once for all files, as numbers; lines are
 * made while they are written. Not here: writing the files (command.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { Job } from './job-file.ts';
import { FIELDS, LogEntries } from './log-entries.ts';
import { DIRECTIONS, type Direction } from './stats.ts';

const KIB = 1024;
/** Block size and direction of an entry are one number. */
const DIRECTION_VALUES = 4;
const LATENCIES = ['slat', 'clat', 'lat'] as const;

type Kind = 'bw' | 'iops' | (typeof LATENCIES)[number];
type ValueOf = (bytes: number, created: number, issued: number, now: number) => number;

/** What a file says of one I/O. */
const VALUES: Readonly<Record<Kind, ValueOf>> = {
  bw: (bytes, _, issued, now) => (now > issued ? (bytes * 1e9) / KIB / (now - issued) : 0),
  iops: () => 1,
  slat: (_, created, issued) => issued - created,
  clat: (_, _created, issued, now) => now - issued,
  lat: (_, created, _issued, now) => now - created,
};

/** Entries of one file with `log_avg_msec`: time, value and direction of each window. */
class WindowLog {
  readonly kind: Kind;
  readonly entries = new LogEntries();
  /** By direction, in the current window. */
  readonly #sum = new Float64Array(DIRECTIONS.length);
  readonly #max = new Float64Array(DIRECTIONS.length);
  readonly #count = new Float64Array(DIRECTIONS.length);

  constructor(kind: Kind) {
    this.kind = kind;
  }

  /** Forgets all. */
  clear(): void {
    this.entries.clear();
    for (const values of [this.#sum, this.#max, this.#count]) values.fill(0);
  }

  collect(value: number, direction: Direction): void {
    this.#sum[direction] = this.#sum[direction]! + value;
    this.#count[direction] = this.#count[direction]! + 1;
    if (value > this.#max[direction]!) this.#max[direction] = value;
  }

  /** Ends a window of `window_ns`: rates are sums over it, latencies their mean or maximum. */
  close(time_ns: number, window_ns: number, takesMax: boolean): void {
    for (const direction of DIRECTIONS) {
      const count = this.#count[direction]!;
      if (count === 0) continue;
      const sum = this.#sum[direction]!;
      const isRate = this.kind === 'bw' || this.kind === 'iops';
      const value = isRate ? (sum * 1e9) / window_ns : takesMax ? this.#max[direction]! : sum / count;
      this.entries.add(time_ns, value, direction, 0, 0);
    }
    for (const values of [this.#sum, this.#max, this.#count]) values.fill(0);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.entries.archive(a);
    a.contents(this.#sum, this.#max, this.#count);
  }
}

/** One log file as it is to be written. */
export interface LogText {
  readonly path: string;
  /** Number of its lines. */
  readonly length: number;
  /** Its text, piece by piece. */
  pieces(): Iterable<string>;
}

export class JobLogs {
  readonly #job: Job;
  /** Number of the clone among all, from 1. */
  readonly #id: number;
  readonly #kinds: readonly Kind[];
  /** Without `log_avg_msec`: completion, block size and direction, offset, creation and submission of each I/O. */
  readonly #entries = new LogEntries();
  readonly #bw = new WindowLog('bw');
  readonly #iops = new WindowLog('iops');
  readonly #slat = new WindowLog('slat');
  readonly #clat = new WindowLog('clat');
  readonly #lat = new WindowLog('lat');
  #beganAt = 0;
  #windowAt = 0;

  constructor(job: Job, id: number) {
    this.#job = job;
    this.#id = id;
    this.#kinds = [
      ...(job.write_bw_log === null ? [] : (['bw'] as const)),
      ...(job.write_iops_log === null ? [] : (['iops'] as const)),
      ...(job.write_lat_log === null ? [] : LATENCIES),
    ];
  }

  /** Times count from now, and what was logged before, in a ramp, is forgotten. */
  begin(now: number): void {
    this.#beganAt = now;
    this.#windowAt = now;
    for (const log of [this.#entries, ...this.#windows()]) log.clear();
  }

  completed(
    direction: Direction,
    bytes: number,
    offset: number,
    created: number,
    issued: number,
    now: number,
  ): void {
    if (this.#job.log_avg_ns === 0) {
      this.#entries.add(now, bytes * DIRECTION_VALUES + direction, offset, created, issued);
      return;
    }
    while (now - this.#windowAt >= this.#job.log_avg_ns) this.#closeWindow(this.#job.log_avg_ns);
    this.#bw.collect(bytes / KIB, direction);
    this.#iops.collect(1, direction);
    this.#slat.collect(issued - created, direction);
    this.#clat.collect(now - issued, direction);
    this.#lat.collect(now - created, direction);
  }

  #closeWindow(window_ns: number): void {
    this.#windowAt += window_ns;
    for (const log of this.#windows())
      log.close(this.#windowAt - this.#beganAt, window_ns, this.#job.log_max_value);
  }

  #windows(): WindowLog[] {
    return [this.#bw, this.#iops, this.#slat, this.#clat, this.#lat];
  }

  /** Ends the last window, which may be a short one. */
  end(now: number): void {
    if (this.#job.log_avg_ns > 0 && now > this.#windowAt) this.#closeWindow(now - this.#windowAt);
  }

  texts(): LogText[] {
    const { name, write_bw_log, write_iops_log, write_lat_log, per_job_logs, log_avg_ns } = this.#job;
    const number = per_job_logs ? `.${this.#id}` : '';
    return this.#kinds.map((kind) => {
      const given = kind === 'bw' ? write_bw_log : kind === 'iops' ? write_iops_log : write_lat_log;
      const path = `${given || name}_${kind}${number}.log`;
      const windows = this.#windows().find((log) => log.kind === kind)!.entries;
      return log_avg_ns > 0
        ? { path, length: windows.count, pieces: () => this.#windowText(windows) }
        : { path, length: this.#entries.count, pieces: () => this.#text(VALUES[kind]) };
    });
  }

  *#text(inFile: ValueOf): Generator<string> {
    for (const part of this.#entries.parts()) {
      let text = '';
      for (let at = 0; at < part.length; at += FIELDS) {
        const now = part[at]!;
        const direction = part[at + 1]! % DIRECTION_VALUES;
        const bytes = (part[at + 1]! - direction) / DIRECTION_VALUES;
        const value = inFile(bytes, part[at + 3]!, part[at + 4]!, now);
        text += this.#line(now - this.#beganAt, value, direction, bytes, part[at + 2]!);
      }
      yield text;
    }
  }

  *#windowText(entries: LogEntries): Generator<string> {
    for (const part of entries.parts()) {
      let text = '';
      for (let at = 0; at < part.length; at += FIELDS)
        text += this.#line(part[at]!, part[at + 1]!, part[at + 2]!, 0, 0);
      yield text;
    }
  }

  #line(time_ns: number, value: number, direction: number, bytes: number, offset: number): string {
    const { log_offset, log_prio } = this.#job;
    const place = log_offset ? `${offset}, ` : '';
    const priority = log_prio ? '0x0000' : '0';
    return `${Math.floor(time_ns / 1e6)}, ${Math.round(value)}, ${direction}, ${bytes}, ${place}${priority}\n`;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#entries.archive(a);
    for (const log of [this.#bw, this.#iops, this.#slat, this.#clat, this.#lat]) log.archive(a);
    this.#beganAt = a.value(this.#beganAt);
    this.#windowAt = a.value(this.#windowAt);
  }
}

/** The logs that a job asks for; null when it asks for none. */
export const logsOf = (job: Job, id: number): JobLogs | null =>
  job.write_bw_log === null && job.write_iops_log === null && job.write_lat_log === null
    ? null
    : new JobLogs(job, id);
