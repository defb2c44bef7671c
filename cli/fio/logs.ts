/**
 * The log files of a job (`write_bw_log`, `write_iops_log`, `write_lat_log`): an entry for every I/O, or one for every
 * `log_avg_msec` and direction. Lines are fio's: milliseconds, value, direction, block size, offset (with log_offset),
 * priority. Latencies are in ns, bandwidth in KiB/s. Not here: writing the files (command.ts).
 */
import type { Archive } from '../../support/archive.ts';
import type { Job } from './job-file.ts';
import { DIRECTIONS, type Direction } from './stats.ts';

const KIB = 1024;
const FIELDS = 5;
const FIRST_ENTRIES = 256;

/** Entries of one file, in a typed array that doubles. */
class LogFile {
  readonly kind: string;
  #entries = new Float64Array(FIRST_ENTRIES * FIELDS);
  #end = 0;
  /** By direction, in the current window. */
  readonly #sum = new Float64Array(DIRECTIONS.length);
  readonly #max = new Float64Array(DIRECTIONS.length);
  readonly #count = new Float64Array(DIRECTIONS.length);

  constructor(kind: string) {
    this.kind = kind;
  }

  add(time_ns: number, value: number, direction: Direction, bytes: number, offset: number): void {
    if (this.#end === this.#entries.length) {
      const longer = new Float64Array(2 * this.#entries.length);
      longer.set(this.#entries);
      this.#entries = longer;
    }
    const entries = this.#entries;
    entries[this.#end++] = time_ns;
    entries[this.#end++] = value;
    entries[this.#end++] = direction;
    entries[this.#end++] = bytes;
    entries[this.#end++] = offset;
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
      this.add(time_ns, value, direction, 0, 0);
    }
    for (const values of [this.#sum, this.#max, this.#count]) values.fill(0);
  }

  lines(withOffset: boolean, withPriority: boolean): string[] {
    const lines: string[] = [];
    const priority = withPriority ? '0x0000' : '0';
    for (let at = 0; at < this.#end; at += FIELDS) {
      const [time, value, direction, bytes, offset] = this.#entries.subarray(at, at + FIELDS);
      const place = withOffset ? `${offset}, ` : '';
      lines.push(
        `${Math.floor(time! / 1e6)}, ${Math.round(value!)}, ${direction}, ${bytes}, ${place}${priority}`,
      );
    }
    return lines;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#entries = a.value(this.#entries);
    this.#end = a.value(this.#end);
    a.contents(this.#sum, this.#max, this.#count);
  }
}

/** One log file as it is to be written. */
export interface LogText {
  readonly path: string;
  readonly lines: readonly string[];
}

export class JobLogs {
  readonly #job: Job;
  /** Number of the clone among all, from 1. */
  readonly #id: number;
  readonly #bw: LogFile | null;
  readonly #iops: LogFile | null;
  readonly #lat: LogFile | null;
  readonly #clat = new LogFile('clat');
  readonly #slat = new LogFile('slat');
  #beganAt = 0;
  #windowAt = 0;

  constructor(job: Job, id: number) {
    this.#job = job;
    this.#id = id;
    this.#bw = job.write_bw_log === null ? null : new LogFile('bw');
    this.#iops = job.write_iops_log === null ? null : new LogFile('iops');
    this.#lat = job.write_lat_log === null ? null : new LogFile('lat');
  }

  begin(now: number): void {
    this.#beganAt = now;
    this.#windowAt = now;
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
      const time = now - this.#beganAt;
      const rate = now > issued ? (bytes * 1e9) / KIB / (now - issued) : 0;
      this.#bw?.add(time, rate, direction, bytes, offset);
      this.#iops?.add(time, 1, direction, bytes, offset);
      if (this.#lat === null) return;
      this.#slat.add(time, issued - created, direction, bytes, offset);
      this.#clat.add(time, now - issued, direction, bytes, offset);
      this.#lat.add(time, now - created, direction, bytes, offset);
      return;
    }
    while (now - this.#windowAt >= this.#job.log_avg_ns) this.#closeWindow(this.#job.log_avg_ns);
    this.#bw?.collect(bytes / KIB, direction);
    this.#iops?.collect(1, direction);
    if (this.#lat === null) return;
    this.#slat.collect(issued - created, direction);
    this.#clat.collect(now - issued, direction);
    this.#lat.collect(now - created, direction);
  }

  #closeWindow(window_ns: number): void {
    this.#windowAt += window_ns;
    for (const file of this.#files())
      file.close(this.#windowAt - this.#beganAt, window_ns, this.#job.log_max_value);
  }

  /** Ends the last window, which may be a short one. */
  end(now: number): void {
    if (this.#job.log_avg_ns > 0 && now > this.#windowAt) this.#closeWindow(now - this.#windowAt);
  }

  #files(): LogFile[] {
    const latencies = this.#lat === null ? [] : [this.#slat, this.#clat, this.#lat];
    return [this.#bw, this.#iops, ...latencies].filter((file) => file !== null);
  }

  texts(): LogText[] {
    const { name, write_bw_log, write_iops_log, write_lat_log, per_job_logs, log_offset, log_prio } =
      this.#job;
    const number = per_job_logs ? `.${this.#id}` : '';
    return this.#files().map((file) => {
      const given = file.kind === 'bw' ? write_bw_log : file.kind === 'iops' ? write_iops_log : write_lat_log;
      return {
        path: `${given || name}_${file.kind}${number}.log`,
        lines: file.lines(log_offset, log_prio),
      };
    });
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    for (const file of [this.#bw, this.#iops, this.#lat, this.#clat, this.#slat]) file?.archive(a);
    this.#beganAt = a.value(this.#beganAt);
    this.#windowAt = a.value(this.#windowAt);
  }
}

/** The logs that a job asks for; null when it asks for none. */
export const logsOf = (job: Job, id: number): JobLogs | null =>
  job.write_bw_log === null && job.write_iops_log === null && job.write_lat_log === null
    ? null
    : new JobLogs(job, id);
