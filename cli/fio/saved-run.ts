/**
 * A run in a file, to go on with later and elsewhere: what it is made of (board, jobs, seed), and its state, compressed.
 * It is state and no recording: what loads it boots the same machine, opens the same drives, and goes on from there.
 * Not here: what the state is (saved-state.ts and the `archive` methods), when it is taken (engine.ts).
 */
import { readFileSync, statSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { drivesOf } from '../../boards/index.ts';
import { Archive, ArchiveError } from '../../support/archive.ts';
import { formatSize, GIB } from '../../support/numbers.ts';
import { UserError } from '../../support/user-error.ts';
import { probeReplace, replaceFile } from '../replace-file.ts';
import { doorbellVersion } from '../version.ts';
import type { RestoreOptions, SaveOptions } from './engine.ts';
import type { JobFile } from './job-file.ts';
import type { RunInput, TraceRecorder } from './recording.ts';
import type { Targets } from './targets.ts';

/** What a run is made of. */
export interface RunParts {
  readonly input: RunInput;
  readonly file: JobFile;
  readonly targets: Targets;
}

interface Saved extends RunParts {
  /** The simulated time at which it was to be saved. */
  readonly at_ns: number;
  /** The hash of its trace goes on. */
  readonly isRecorded: boolean;
}

/** What reads a larger image says so first: it takes most of a second for each GiB, and Node cannot tell where holes are. */
const LARGE_IMAGE = 4 * GIB;
/** Flag beside `--restore`: image files that hold other data by now are overwritten. */
export const OVERWRITE_IMAGES = '--overwrite-images';
const NO_STATE = 'it is no saved run; doorbell fio JOB --save FILE --save-at TIME makes one';

/** A run that has been read, and not begun. */
export interface SavedRun extends Saved {
  readonly archive: Archive;
}

/** A run that is to go on. */
interface Restored extends SavedRun {
  /** Image files that hold other data by now get back what they held. */
  readonly overwritesImages: boolean;
}

/** Reads a saved run. Throws UserError. */
export function readSavedRun(path: string): SavedRun {
  return said(`--restore ${path}`, () => {
    const bytes = readFileSync(path);
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) throw new ArchiveError(NO_STATE);
    const archive = Archive.load(gunzipSync(bytes));
    const [by, here] = [archive.value(''), doorbellVersion()];
    if (by !== here) throw new ArchiveError(`Doorbell ${by} saved it, and this is ${here}`);
    return { ...archive.value({} as Saved), archive };
  });
}

export interface SaveRequest {
  readonly path: string;
  /** How long the jobs run before. */
  readonly at_ns: number;
  /** The jobs end when they have been saved. */
  readonly isLast: boolean;
}

/** What the engine is told about saving and going on, and whether the run has been saved. */
export interface StateDoors {
  readonly doors: { readonly save?: SaveOptions; readonly restore?: RestoreOptions };
  isSaved: boolean;
}

/**
 * Throws UserError where the file of `request` cannot be written, or the run not be saved; a file there stays until it is.
 * `note` is told which image files are so large that it takes time, and which going on with `saved` overwrites, before it
 * does. The machine has been booted.
 */
export function stateDoors(
  request: SaveRequest | null,
  saved: Restored | null,
  parts: RunParts,
  recorder: TraceRecorder | null,
  note: (sentence: string) => void,
): StateDoors {
  const state: StateDoors = { doors: {}, isSaved: false };
  if (request !== null || saved !== null) noteLargeImages(parts.targets, note);
  const restore = saved && restoreDoor(saved, recorder, note);
  if (request === null) return restore === null ? state : Object.assign(state, { doors: { restore } });
  const { path, at_ns, isLast } = request;
  said(`--save ${path}`, () => probeReplace(path));
  const archive = Archive.save();
  const head: Saved = { ...partsOnly(parts), at_ns, isRecorded: recorder !== null };
  archive.value(doorbellVersion());
  archive.value(head);
  const onSaved = (): boolean => {
    recorder?.archive(archive);
    const bytes = gzipSync(archive.finish(), { level: 1 });
    said(`--save ${path}`, () => replaceFile(path, bytes));
    state.isSaved = true;
    return !isLast;
  };
  const save = { at_ns, archive, onSaved };
  return Object.assign(state, { doors: restore === null ? { save } : { save, restore } });
}

function restoreDoor(
  { archive, overwritesImages }: Restored,
  recorder: TraceRecorder | null,
  note: (sentence: string) => void,
): RestoreOptions {
  const onLoaded = (): void => {
    recorder?.archive(archive);
    const { losses } = archive;
    const files = losses.join(', ');
    if (losses.length > 0 && !overwritesImages) {
      const [holds, its, it] =
        losses.length === 1 ? ['holds', 'its', 'it holds'] : ['hold', 'their', 'they hold'];
      throw new ArchiveError(
        `${files} ${holds} other data than when the run was saved; ${OVERWRITE_IMAGES} puts ${its} content back, and ` +
          `what ${it} now is lost`,
      );
    }
    if (losses.length > 0)
      note(`--restore overwrites image files with what they held when the run was saved: ${files}`);
    archive.complete();
  };
  return { archive, onLoaded };
}

function noteLargeImages({ board }: Targets, note: (sentence: string) => void): void {
  const namespaces = drivesOf(board.rootPorts).flatMap((drive) => drive.namespaces);
  for (const image of new Set(namespaces.flatMap(({ image }) => image ?? []))) {
    const bytes = statSync(image).size;
    if (bytes > LARGE_IMAGE)
      note(
        `${image} is read whole, ${formatSize(bytes)} with its holes: a run with it takes long to save and restore`,
      );
  }
}

const partsOnly = ({ input, file, targets }: RunParts): RunParts => ({ input, file, targets });

/** Runs `body`; what is wrong with state that it saves or loads is said of the file that it is in. Rejects as it does. */
export async function saidOf<Result>(
  { save, restore }: { readonly save?: string; readonly restore?: string },
  body: Promise<Result>,
): Promise<Result> {
  return body.catch((error: unknown) => {
    if (!(error instanceof ArchiveError)) throw error;
    throw new UserError(
      `${restore === undefined ? `--save ${save}` : `--restore ${restore}`}: ${error.message}`,
    );
  });
}

function said<Result>(what: string, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    const isZlib = String((error as NodeJS.ErrnoException).code).startsWith('Z_');
    throw new UserError(`${what}: ${isZlib ? 'it is cut off or damaged' : (error as Error).message}`);
  }
}
