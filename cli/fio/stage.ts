/**
 * The stages of a run: jobs side by side from one stonewall to the next, each of their clones with a queue, buffers, a
 * workload and counts of its own. Not here: running them (engine.ts), drives (drives.ts), what a clone does (clone.ts).
 */
import { type Random, random } from '../../support/random.ts';
import { allOf } from '../../support/user-error.ts';
import type { AnyMachine } from '../pace.ts';
import type { RunClock } from './clock.ts';
import { Clone, EIO } from './clone.ts';
import type { OnCompletion } from './clone-parts.ts';
import { WRITE_MODES } from './commands.ts';
import { clonesOf, type Drives, type Workplace } from './drives.ts';
import type { Job } from './job-file.ts';
import { targetOf } from './latency-target.ts';
import { logsOf } from './logs.ts';
import { Flow, floorOf, pacerOf } from './pace.ts';
import { Recorder } from './recorder.ts';
import { type Claim, refuseOverlaps, regionOf } from './region.ts';
import { JobStats, READ, WRITE } from './stats.ts';
import { SteadyState } from './steady-state.ts';
import { fileOf } from './targets.ts';
import { type BlockVerifier, headerVerifier, patternVerifier } from './verify.ts';
import { Workload } from './workload.ts';
import type { ZoneMap } from './zone-map.ts';

export interface Stage {
  readonly members: readonly Job[];
  /** Reporting group of each member. */
  readonly groups: readonly number[];
}

/** Where each clone of a stage works. */
export interface Plan extends Stage {
  readonly claims: readonly Claim[];
}

/** Finds the place of every clone of all stages. Throws UserError for all jobs that have none, a line for each. */
export function plansOf(jobs: readonly Job[], drives: Drives): Plan[] {
  const claims = allOf(jobs.map((job) => () => claimsOf(job, drives)));
  const plans = stagesOf(jobs).map((stage): Plan => {
    return { ...stage, claims: stage.members.flatMap((job) => claims[jobs.indexOf(job)]!) };
  });
  allOf(plans.map((plan) => () => refuseOverlaps(plan.claims)));
  return plans;
}

const claimsOf = (job: Job, drives: Drives): Claim[] =>
  clonesOf(job).map((clone) => {
    const file = fileOf(job, clone);
    return { job, clone, file, region: regionOf(job, clone, drives.roomOf(job, clone), file) };
  });

/** Jobs that run side by side; one with stonewall begins the next stage, it or new_group the next reporting group. */
export function stagesOf(jobs: readonly Job[]): Stage[] {
  const stages: { members: Job[]; groups: number[] }[] = [];
  let group = 0;
  for (const [index, job] of jobs.entries()) {
    if (index > 0 && (job.stonewall || job.new_group)) group++;
    if (index === 0 || job.stonewall) stages.push({ members: [], groups: [] });
    stages.at(-1)!.members.push(job);
    stages.at(-1)!.groups.push(group);
  }
  return stages;
}

/** The reporting group of each job. */
export const groupsOf = (jobs: readonly Job[]): number[] => stagesOf(jobs).flatMap(({ groups }) => groups);

/** A stage that can begin. */
export interface Prepared {
  readonly clones: readonly Clone[];
  readonly workplaces: readonly Workplace[];
  readonly recorders: readonly Recorder[];
}

/** What the clones of all stages have in common. */
export interface StageParts {
  readonly machine: AnyMachine;
  readonly drives: Drives;
  readonly clock: RunClock;
  readonly seed: number;
  /** Of every clone so far; those of the stage are added. */
  readonly stats: JobStats[];
  readonly onCompletion: OnCompletion | null;
}

/**
 * Makes the queues, buffers and clones of a stage. A clone whose drive was lost before is none: its counts have failed.
 * Throws UserError for jobs that cannot be.
 */
export async function prepare({ members, groups, claims }: Plan, parts: StageParts): Promise<Prepared> {
  const { drives, stats } = parts;
  const maps = new Map<string, ZoneMap | null>();
  for (const { job, clone, file } of claims) {
    if (job.zonemode === 'zbd' && !maps.has(file)) maps.set(file, await drives.zonesOf(job, clone));
  }
  const places: (Workplace | null)[] = [];
  for (const { job, clone } of claims) places.push(await drives.workplace(job, clone));
  const flows = new Map<number, Flow>();
  const steadies = new Map<number, SteadyState>();
  const recorders: Recorder[] = [];
  const clones = claims.flatMap((claim, index) => {
    const { job, clone } = claim;
    const workplace = places[index]!;
    const id = stats.length + 1;
    const counts = new JobStats(job, groups[members.indexOf(job)]!, id);
    stats.push(counts);
    const loss = drives.lossOf(drives.targetOf(job, clone).drive);
    if (workplace === null || loss !== '') {
      counts.errno = EIO;
      counts.failure = loss;
      return [];
    }
    const recorder = new Recorder(counts, logsOf(job, id));
    recorders.push(recorder);
    joinSteadyState(counts, steadies);
    if (job.flow > 0 && !flows.has(job.flow_id)) flows.set(job.flow_id, new Flow());
    const flow = job.flow > 0 ? flows.get(job.flow_id)! : null;
    const map = job.zonemode === 'zbd' ? maps.get(claim.file)! : null;
    return [makeClone(claim, recorder, { flow, map }, workplace, parts)];
  });
  for (const clone of clones) {
    if (clone.job.wait_for !== '')
      clone.after.push(...clones.filter(({ job }) => job.name === clone.job.wait_for));
  }
  return { clones, workplaces: places.filter((place) => place !== null), recorders };
}

/** Gives a clone what ends it once it is steady: that of its group with group_reporting, else its own. */
function joinSteadyState(stats: JobStats, ofGroups: Map<number, SteadyState>): void {
  const { job, group } = stats;
  if (job.steady === null) return;
  const state = (job.group_reporting ? ofGroups.get(group) : undefined) ?? new SteadyState(job);
  if (job.group_reporting) ofGroups.set(group, state);
  state.join(stats);
  stats.steady = state;
}

function makeClone(
  { job, clone, region }: Claim,
  recorder: Recorder,
  { flow, map }: { readonly flow: Flow | null; readonly map: ZoneMap | null },
  { queue, buffer, buffer_bytes, ranges, maxTransfer_bytes, interrupt }: Workplace,
  { machine, drives, clock, seed, onCompletion }: StageParts,
): Clone {
  const stream = random(seed, `fio.${recorder.stats.id}.${job.name}.${job.randseed}`);
  fillBuffer(job, buffer.bytes, stream);
  if (WRITE_MODES[job.sg_write_mode]!.repeatsBlock)
    repeatBlock(buffer.bytes, drives.roomOf(job, clone).block_bytes);
  const verifier = verifierOf(job, buffer.bytes, stream.next());
  const [low, high] = job.startdelay_ns;
  const pacer = pacerOf(job, stream);
  return new Clone({
    workload: new Workload(job, region, stream, pacer?.dueAt ?? null, map),
    recorder,
    queue,
    ...drives.targetOf(job, clone),
    lastWarning: () => drives.lastWarning(drives.targetOf(job, clone).drive),
    lastRefusal: () => drives.lastRefusal(drives.targetOf(job, clone).drive),
    block_bytes: drives.roomOf(job, clone).block_bytes,
    maxTransfer_bytes,
    iova: buffer.iova,
    buffer_bytes,
    ranges,
    writeMode: WRITE_MODES[job.sg_write_mode]!,
    isZoned: map?.isDevice ?? false,
    verifier,
    clock,
    host: machine.host,
    interrupt,
    pacer,
    floor: floorOf(job),
    target: targetOf(job),
    flow,
    startDelay_ns: low === high ? low : low + stream.below(high - low),
    onCompletion,
  });
}

/** What a job writes that does not verify. */
function fillBuffer(job: Job, bytes: Uint8Array, stream: Random): void {
  if (job.zero_buffers) return;
  if (job.buffer_pattern !== null) {
    patternVerifier(bytes, job.buffer_pattern).fill(0, 0, bytes.length, 0);
    return;
  }
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let at = 0; at < words.length; at++) words[at] = stream.next();
}

/** Every block of the buffer becomes the first one. */
function repeatBlock(bytes: Uint8Array, block_bytes: number): void {
  for (let at = block_bytes; at < bytes.length; at += block_bytes) bytes.copyWithin(at, 0, block_bytes);
}

/** Blocks of several sizes are read back by the smallest, so each part of that size has a header; else the whole block. */
function headerInterval({ sizes, blockalign, writes }: Job): number {
  const direction = writes ? WRITE : READ;
  const { min, max } = sizes[direction];
  const unit = Math.min(min, blockalign?.[direction] ?? min);
  return unit === max ? 0 : unit;
}

function verifierOf(job: Job, buffer: Uint8Array, seed: number): BlockVerifier | null {
  const { verify, verify_pattern, verify_interval, verify_offset } = job;
  if (verify === 'none' || verify === 'null') return null;
  if (verify === 'pattern') return patternVerifier(buffer, verify_pattern!);
  return headerVerifier(buffer, {
    method: verify,
    interval: verify_interval === 0 ? headerInterval(job) : verify_interval,
    headerOffset: verify_offset,
    pattern: verify_pattern,
    seed,
  });
}
