/**
 * A recorded run: what it was made of (board, jobs, seed) and a hash of its trace at regular places, so that a replay on
 * any machine says whether it is the same run, and if not, about where it went another way.
 * Not in it: contents of image files, which the replay must find as they were.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { type Board, boot } from '../../boards/index.ts';
import { openStore } from '../../bridge/host.ts';
import { type Trace, traceHash } from '../../machine/trace.ts';
import type { Archive } from '../../support/archive.ts';
import { UserError } from '../../support/user-error.ts';
import type { Output } from '../output.ts';
import type { RunDriver } from './driver-options.ts';
import { runJobs } from './engine.ts';
import { parseJobFile } from './job-file.ts';
import { findTargets } from './targets.ts';

const FORMAT = 'doorbell-recording-2';
/** Trace records between two hashes. */
const STRIDE = 16_384;

/** The hash of all records up to one of them, and the simulated time of that one. */
interface Place {
  readonly records: number;
  readonly time_ns: number;
  readonly hash: string;
}

/** Everything that decides a run. */
export interface RunInput {
  readonly board: Board;
  readonly file: string;
  readonly job: string;
  readonly section: readonly string[] | null;
  readonly seed: number;
  readonly stopAfter_ns: number | null;
  readonly driver: RunDriver;
}

interface Recording extends RunInput {
  readonly format: typeof FORMAT;
  /** The last one is the end of the run. */
  readonly places: readonly Place[];
}

/** Hashes a trace from now on. */
export class TraceRecorder {
  readonly #places: Place[] = [];
  #records = 0;
  #time = 0;
  readonly #hash = traceHash();

  constructor(trace: Trace) {
    const { listener } = this.#hash;
    trace.listen((...record) => {
      listener(...record);
      this.#time = record[0];
      if (++this.#records % STRIDE === 0) this.#places.push(this.#place());
    });
  }

  /** Every place so far and the present one. */
  end(): Place[] {
    return [...this.#places, this.#place()];
  }

  #place(): Place {
    return { records: this.#records, time_ns: this.#time, hash: this.#hash.text() };
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#places);
    this.#records = a.value(this.#records);
    this.#time = a.value(this.#time);
    this.#hash.archive(a);
  }
}

/** Writes what a replay needs. Throws UserError. */
export function writeRecording(path: string, input: RunInput, places: readonly Place[]): void {
  const recording: Recording = { format: FORMAT, ...input, places };
  try {
    writeFileSync(path, `${JSON.stringify(recording)}\n`);
  } catch (error) {
    throw new UserError(`--record ${path}: ${(error as Error).message}`);
  }
}

function readRecording(path: string): Recording {
  let value: Recording | null;
  try {
    value = JSON.parse(readFileSync(path, 'utf8')) as Recording | null;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw new UserError(`--replay ${path}: ${(error as Error).message}`);
    value = null;
  }
  if (value?.format === FORMAT) return value;
  throw new UserError(
    `--replay ${path}: it is no recording (${FORMAT}); "doorbell fio JOB.fio --record FILE" writes one`,
  );
}

/** Does a recorded run again. Returns exit status 1 when it went another way. Throws UserError. */
export async function replay(path: string, output: Output): Promise<number> {
  const { board, file, job, section, seed, stopAfter_ns, driver, places } = readRecording(path);
  const { jobs } = parseJobFile(job, file, process.env, section ?? undefined);
  const targets = findTargets(board, jobs);
  const machine = boot(targets.board, { seed, openStore });
  const recorder = new TraceRecorder(machine.trace);
  await runJobs({
    machine,
    jobs,
    targets,
    seed,
    hostNow: () => 0,
    driver,
    stopAfter_ns: stopAfter_ns ?? Number.POSITIVE_INFINITY,
  });
  const again = recorder.end();
  const wrong = places.findIndex(({ hash, records }, index) => {
    const other = again[index];
    return other === undefined || other.hash !== hash || other.records !== records;
  });
  const last = places.at(-1)!;
  if (wrong === -1 && again.length === places.length) {
    output.lines([`the same run: ${last.records} trace records, hash ${last.hash}`]);
    return 0;
  }
  const before = places[wrong - 1] ?? { records: 0, time_ns: 0 };
  const after = places[wrong] ?? last;
  output.lines([
    `another run: it is the same up to record ${before.records} (${before.time_ns.toFixed(0)} ns of simulated time) ` +
      `and differs before record ${after.records} (${after.time_ns.toFixed(0)} ns)`,
  ]);
  return 1;
}
