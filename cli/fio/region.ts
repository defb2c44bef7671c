/**
 * Where each clone of a job works on its namespace, and whether that can be: sizes, alignment, and jobs that would
 * overwrite what another one verifies. Every impossibility is one sentence. Not here: what happens there (workload.ts).
 */
import { alignDown, alignUp } from '../../support/numbers.ts';
import { UserError } from '../../support/user-error.ts';
import { type Job, sentenceAbout } from './job-file.ts';
import type { Amount } from './options.ts';

/** Where a clone works, in bytes of the namespace. */
export interface Region {
  readonly start: number;
  readonly bytes: number;
  /** Bytes that the clone moves in all. */
  readonly amount: number;
}

/** What a region has to fit. */
export interface Room {
  readonly bytes: number;
  readonly block_bytes: number;
  /** Bytes of a zone, and most open ones; 0: the namespace has no zones. */
  readonly zone_bytes: number;
  readonly maxOpenZones: number;
  /** Longest transfer of one command. */
  readonly maxTransfer_bytes: number;
}

const sizesOf = ({ sizes }: Job): number[] =>
  sizes.flatMap(({ min, max, split }) => [min, max, ...(split ?? []).map(({ bytes }) => bytes)]);

/** The region of clone `clone` (from 0) of `job` in the namespace that stands for `file`. Throws UserError. */
export function regionOf(job: Job, clone: number, room: Room, file: string): Region {
  const refuse: Refuse = (sentence, keys) => {
    throw new UserError(sentenceAbout(job, sentence, keys));
  };
  const unit =
    job.zonemode === 'zbd' ? zoneUnit(job, room, file, refuse) : refuseZones(job, room, file, refuse);
  const resolve = (amount: Amount): number => {
    if ('bytes' in amount) return amount.bytes;
    if ('zones' in amount) return amount.zones * unit;
    return Math.floor((room.bytes * amount.percent) / 100 / room.block_bytes) * room.block_bytes;
  };
  const first = resolve(job.offset) + clone * resolve(job.offset_increment);
  const start = unit === 0 ? first : alignUp(first, unit);
  // As in fio, a share of a file ends with the file, wherever it begins.
  const sizeFrom = (amount: Amount): number =>
    'percent' in amount ? Math.min(resolve(amount), room.bytes - start) : resolve(amount);
  const size = job.size === null ? null : sizeFrom(job.size);
  const wanted = job.filesize === null ? (size ?? room.bytes - start) : sizeFrom(job.filesize);
  // As fio has it, zones are whole: an offset is rounded up, and the end down.
  const bytes = unit === 0 ? wanted : alignDown(first + wanted, unit) - start;
  const largest = activeSizes(job);
  const who = nameOf(job, clone);
  // Keys to blame. The first clone fits where a later one is asked for.
  const begin = clone > 0 ? ['offset_increment', 'offset'] : ['offset'];
  const end = clone > 0 ? ['offset_increment', 'numjobs'] : ['filesize', 'size', 'offset'];
  if (sizesOf(job).some((each) => !Number.isInteger(each / room.block_bytes))) {
    refuse(`bs=${job.bs.join(',')} is no multiple of the ${room.block_bytes}-byte blocks of ${file}`);
  }
  if (!Number.isInteger(start / room.block_bytes)) {
    refuse(`offset ${start} is no multiple of the ${room.block_bytes}-byte blocks of ${file}`, begin);
  }
  if (start >= room.bytes)
    refuse(`${who} would begin at byte ${start}, and ${file} ends at ${room.bytes}`, begin);
  if (start + bytes > room.bytes) {
    refuse(`${who} would reach byte ${start + bytes}, and ${file} ends at ${room.bytes}`, end);
  }
  if (bytes < largest)
    refuse(`there is no room for one block of ${largest} bytes in ${Math.max(0, bytes)}`, end);
  return { start, bytes, amount: amountOf(job, size, bytes, resolve) };
}

/** A clone as sentences name it; a job with one alone has none in its user's eyes. */
const nameOf = ({ numjobs }: Job, clone: number): string =>
  numjobs === 1 ? 'the job' : `clone ${clone + 1}`;

type Refuse = (sentence: string, keys?: readonly string[]) => never;

/** Bytes of a zone for `zonemode=zbd`. */
function zoneUnit(job: Job, room: Room, file: string, refuse: Refuse): number {
  const { zonesize, zonecapacity, max_open_zones, job_max_open_zones, ignore_zone_limits } = job;
  const { sizes, trims, writes } = job;
  const unit = room.zone_bytes || zonesize;
  if (unit === 0) refuse(`zonemode=zbd needs a zonesize, because ${file} has no zones`);
  if (zonesize !== 0 && zonesize !== unit)
    refuse(`zonesize=${zonesize}, and the zones of ${file} have ${unit} bytes`);
  const capacity = room.zone_bytes > 0 || zonecapacity === 0 ? unit : zonecapacity;
  if (!Number.isInteger(unit / room.block_bytes) || capacity > unit)
    refuse(`zones of ${unit} bytes and a capacity of ${capacity} cannot be`, ['zonecapacity', 'zonesize']);
  if (writes && sizes[1].max > capacity)
    refuse(`a write of ${sizes[1].max} bytes does not fit into a zone of ${file}`, ['bs']);
  if (writes && room.zone_bytes > 0 && sizes[1].max > room.maxTransfer_bytes)
    refuse(
      `a write of ${sizes[1].max} bytes is several commands, which a drive may take in another order than a zone needs`,
      ['bs'],
    );
  if (trims && sizes[2].max !== unit) refuse(`zonemode=zbd trims whole zones: bs=${unit} would`);
  if (room.zone_bytes > 0 && max_open_zones > room.maxOpenZones && !ignore_zone_limits)
    refuse(
      `max_open_zones=${max_open_zones}, and ${file} allows ${room.maxOpenZones}; ignore_zone_limits=1 tries it`,
    );
  const isLimited = max_open_zones > 0 || (room.maxOpenZones > 0 && Number.isFinite(room.maxOpenZones));
  if (job_max_open_zones > 0 && !isLimited) refuse('job_max_open_zones needs max_open_zones');
  return unit;
}

/** What is written anywhere in zones fails, so that a job does not begin with it. Returns 0: zones are no unit here. */
function refuseZones(
  { writes, size, offset, io_size, offset_increment }: Job,
  room: Room,
  file: string,
  refuse: Refuse,
): 0 {
  if ([size, offset, io_size, offset_increment].some((amount) => amount !== null && 'zones' in amount))
    refuse('a size in zones needs zonemode=zbd');
  if (writes && room.zone_bytes > 0) refuse(`${file} has zones, which are written with zonemode=zbd`, ['rw']);
  return 0;
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
    return 'percent' in io_size ? Math.floor((bytes * io_size.percent) / 100) : resolve(io_size);
  if (zonemode !== 'strided') return zonemode === 'zbd' ? bytes : (size ?? bytes);
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
      const rivalName = `${rival.job.numjobs === 1 ? '' : `clone ${rival.clone + 1} of `}"${rival.job.name}"`;
      const sentence =
        `${nameOf(job, clone)} verifies blocks that ${rivalName} overwrites at the same ` +
        'time; give each its own region with offset, size and offset_increment, or let one wait with stonewall';
      throw new UserError(sentenceAbout(job, sentence, ['verify']));
    }
  }
}
