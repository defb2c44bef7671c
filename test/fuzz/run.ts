/**
 * Many episodes of the controller fuzzer, one after the other. Episode k of a run with seed S has the seed S + k and a
 * fixed length, so that what one finds replays alone. Not here: options and printing (main.ts).
 */
import { runInNewContext } from 'node:vm';
import { Episode } from './fuzzer.ts';
import { Violation } from './violation.ts';

/** Commands of an episode. */
export const EPISODE = 2000;

/** Milliseconds of the host that an episode may take: a thousand times what it takes. */
const EPISODE_MS = 60_000;

export interface Failure {
  /** The run that shows it again: its first episode. */
  readonly seed: number;
  readonly commands: number;
  readonly invariant: string;
  readonly message: string;
  /** Where an exception was thrown; empty for the other invariants. */
  readonly stack: string;
}

export interface Summary {
  readonly submitted: number;
  readonly completed: number;
  /** Commands that a reset ended, and those that nobody could follow to their end. */
  readonly ended: number;
  readonly unchecked: number;
  /** Completions by status. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly failure: Failure | null;
}

/** Does something to an episode before it runs: for tests of the fuzzer itself. */
export type Sabotage = (episode: Episode) => void;

export interface FuzzOptions {
  readonly sabotage?: Sabotage;
  readonly onEpisode?: (submitted: number) => void;
  readonly episode_ms?: number;
}

/** Runs episodes until `commands` are submitted or an invariant breaks. `onEpisode` is told how many there were. */
export function fuzz(
  seed: number,
  commands: number,
  { sabotage, onEpisode, episode_ms = EPISODE_MS }: FuzzOptions = {},
): Summary {
  const statuses = new Map<number, number>();
  let submitted = 0;
  let completed = 0;
  let ended = 0;
  let unchecked = 0;
  let failure: Failure | null = null;
  for (let index = 0; submitted < commands && failure === null; index++) {
    const episode = new Episode(seed + index);
    sabotage?.(episode);
    try {
      runBounded(episode, Math.min(EPISODE, commands - submitted), episode_ms);
    } catch (error) {
      failure = { seed: seed + index, commands: EPISODE, ...describe(error) };
    }
    submitted += episode.ledger.submitted;
    completed += episode.ledger.completed;
    ended += episode.ledger.ended;
    unchecked += episode.ledger.unchecked;
    for (const [status, count] of episode.ledger.statuses)
      statuses.set(status, (statuses.get(status) ?? 0) + count);
    onEpisode?.(submitted);
  }
  return { submitted, completed, ended, unchecked, statuses, failure };
}

/** Runs an episode on the host's clock too, which ends what neither asks for memory nor ever returns. */
function runBounded(episode: Episode, commands: number, timeout: number): void {
  try {
    runInNewContext('run()', { run: () => episode.run(commands) }, { timeout });
  } catch (error) {
    const isTimeout = (error as { code?: string }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    throw isTimeout ? new Violation('endless', `the episode takes more than ${timeout} ms`) : error;
  }
}

function describe(error: unknown): Pick<Failure, 'invariant' | 'message' | 'stack'> {
  if (error instanceof Violation) return { invariant: error.invariant, message: error.message, stack: '' };
  return {
    invariant: 'threw',
    message: String(error),
    stack: error instanceof Error ? (error.stack ?? '') : '',
  };
}
