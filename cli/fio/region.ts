/**
 * Where each clone of a job works on its namespace, and whether that can be: sizes, alignment, and jobs that would
 * overwrite what another one verifies. Every impossibility is one sentence. Not here: what happens there (workload.ts).
 */
import { alignUp } from '../../support/numbers.ts';
import { UserError } from '../user-error.ts';
import type { Job } from './job-file.ts';
import type { Amount } from './options.ts';
import { isUnnamed } from './targets.ts';
import type { Region } from './workload.ts';

/** What a region has to fit. */
export interface Room {
  readonly bytes: number;
  readonly block_bytes: number;
}

const sizesOf = ({ sizes }: Job): number[] =>
  sizes.flatMap(({ min, max, split }) => [min, max, ...(split ?? []).map(({ bytes }) => bytes)]);

/** The region of clone `clone` (from 0) of `job` in the namespace that stands for `file`. Throws UserError. */
export function regionOf(job: Job, clone: number, room: Room, file: string): Region {
  const refuse = (sentence: string): never => {
    throw new UserError(`${job.where}: job "${job.name}": ${sentence}`);
  };
  const resolve = (amount: Amount): number =>
    'bytes' in amount
      ? amount.bytes
      : Math.floor((room.bytes * amount.percent) / 100 / room.block_bytes) * room.block_bytes;
  const start = resolve(job.offset) + clone * resolve(job.offset_increment);
  const size = job.size === null ? null : resolve(job.size);
  const asked = job.filesize === null ? (size ?? room.bytes - start) : resolve(job.filesize);
  const bytes = isUnnamed(job) ? Math.min(asked, room.bytes - start) : asked;
  const largest = activeSizes(job);
  if (sizesOf(job).some((each) => !Number.isInteger(each / room.block_bytes))) {
    refuse(`bs=${job.bs.join(',')} is no multiple of the ${room.block_bytes}-byte blocks of ${file}`);
  }
  if (!Number.isInteger(start / room.block_bytes)) {
    refuse(`offset ${start} is no multiple of the ${room.block_bytes}-byte blocks of ${file}`);
  }
  if (start >= room.bytes)
    refuse(`clone ${clone + 1} would begin at byte ${start}, and ${file} ends at ${room.bytes}`);
  if (start + bytes > room.bytes) {
    refuse(`clone ${clone + 1} would reach byte ${start + bytes}, and ${file} ends at ${room.bytes}`);
  }
  if (bytes < largest) refuse(`there is no room for one block of ${largest} bytes in ${Math.max(0, bytes)}`);
  return { start, bytes, amount: amountOf(job, size, bytes, resolve) };
}

/** Largest I/O of the directions that the job has. */
function activeSizes({ bs, reads, writes, trims }: Job): number {
  const [read, write, trim] = bs;
  return Math.max(reads ? read : 0, writes ? write : 0, trims ? trim : 0);
}

/** Bytes that one clone moves. A share is one of its region. */
function amountOf(job: Job, size: number | null, bytes: number, resolve: (amount: Amount) => number): number {
  const { io_size, zonemode, zonesize, zonerange, zoneskip } = job;
  if (io_size !== null)
    return 'bytes' in io_size ? resolve(io_size) : Math.floor((bytes * io_size.percent) / 100);
  if (zonemode !== 'strided') return size ?? bytes;
  const zones = Math.max(1, Math.floor(bytes / ((zonerange || zonesize) + zoneskip)));
  return Math.min(bytes, zones * zonesize);
}

/** Room for one I/O of a job, so that each begins at a page. */
export const bufferBytes = (job: Job, page_bytes: number): number => alignUp(Math.max(...job.bs), page_bytes);

/** A region with the job that works on it. */
export interface Claim {
  readonly job: Job;
  readonly clone: number;
  readonly file: string;
  readonly region: Region;
}

/** The end of what a clone can touch: a plain sequence stops where its amount does. */
function endOf({ job, region }: Claim): number {
  const isPlain = !job.random && job.rw_skip_bytes === 0 && job.zonemode === 'none' && !job.time_based;
  return region.start + (isPlain ? Math.min(region.bytes, region.amount) : region.bytes);
}

/** Throws UserError when, among jobs that run at one time, one writes where another one verifies. */
export function refuseOverlaps(claims: readonly Claim[]): void {
  for (const [index, claim] of claims.entries()) {
    const { job, clone, file, region } = claim;
    if (job.verify === 'none' || job.verify === 'null' || job.rw_skip_bytes !== 0) continue;
    for (const [other, rival] of claims.entries()) {
      const meets =
        other !== index &&
        (rival.job.writes || rival.job.trims) &&
        !rival.job.verify_only &&
        rival.file === file &&
        rival.job.wait_for === '' &&
        job.wait_for === '' &&
        rival.region.start < endOf(claim) &&
        region.start < endOf(rival);
      if (!meets) continue;
      throw new UserError(
        `${job.where}: job "${job.name}" (clone ${clone + 1}) verifies blocks that "${rival.job.name}" (clone ` +
          `${rival.clone + 1}) overwrites at the same time; give each its own region with offset, size and ` +
          'offset_increment, or let one wait with stonewall',
      );
    }
  }
}
