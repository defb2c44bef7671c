/**
 * Where each clone of a job works on its namespace, and whether that can be: sizes, alignment, and jobs that would
 * overwrite what another one verifies. Every impossibility is one sentence. Not here: what happens there (workload.ts).
 */
import { formatSize } from '../../support/numbers.ts';
import { UserError } from '../user-error.ts';
import type { Job } from './job-file.ts';
import type { Amount } from './options.ts';
import type { Region } from './workload.ts';

/** What a region has to fit. */
export interface Room {
  readonly bytes: number;
  readonly block_bytes: number;
  /** Longest transfer of one command. */
  readonly maxTransfer_bytes: number;
}

/** The region of clone `clone` (from 0) of `job`. Throws UserError. */
export function regionOf(job: Job, clone: number, room: Room): Region {
  const refuse = (sentence: string): never => {
    throw new UserError(`${job.where}: job "${job.name}": ${sentence}`);
  };
  const resolve = (amount: Amount): number =>
    'bytes' in amount
      ? amount.bytes
      : Math.floor((room.bytes * amount.percent) / 100 / room.block_bytes) * room.block_bytes;
  const start = resolve(job.offset) + clone * resolve(job.offset_increment);
  const bytes = job.size === null ? room.bytes - start : resolve(job.size);
  const largest = Math.max(...job.bs);
  if (job.bs.some((size) => !Number.isInteger(size / room.block_bytes))) {
    refuse(`bs=${job.bs.join(',')} is no multiple of the ${room.block_bytes}-byte blocks of ${job.filename}`);
  }
  if (!Number.isInteger(start / room.block_bytes)) {
    refuse(`offset ${start} is no multiple of the ${room.block_bytes}-byte blocks of ${job.filename}`);
  }
  if (largest > room.maxTransfer_bytes) {
    refuse(`bs=${largest} is more than one command moves here, ${formatSize(room.maxTransfer_bytes)} (MDTS)`);
  }
  if (start + bytes > room.bytes) {
    refuse(`clone ${clone + 1} would reach byte ${start + bytes}, and ${job.filename} ends at ${room.bytes}`);
  }
  if (bytes < largest) refuse(`there is no room for one block of ${largest} bytes in ${Math.max(0, bytes)}`);
  return { start, bytes };
}

/** A region with the job that works on it. */
export interface Claim {
  readonly job: Job;
  readonly clone: number;
  readonly region: Region;
}

/** Throws UserError when, among jobs that run at one time, one writes where another one verifies. */
export function refuseOverlaps(claims: readonly Claim[]): void {
  for (const [index, { job, clone, region }] of claims.entries()) {
    if (job.verify === 'none') continue;
    for (const [other, rival] of claims.entries()) {
      const meets =
        other !== index &&
        rival.job.writes &&
        rival.job.filename === job.filename &&
        rival.region.start < region.start + region.bytes &&
        region.start < rival.region.start + rival.region.bytes;
      if (!meets) continue;
      throw new UserError(
        `${job.where}: job "${job.name}" (clone ${clone + 1}) verifies blocks that "${rival.job.name}" (clone ` +
          `${rival.clone + 1}) overwrites at the same time; give each its own region with offset, size and ` +
          'offset_increment, or let one wait with stonewall',
      );
    }
  }
}
