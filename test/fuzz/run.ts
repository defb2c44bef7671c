/**
 * Many episodes of the controller fuzzer, one after the other. Episode k of a run with seed S has the seed S + k and a
 * fixed length, so that what one finds replays alone. Not here: options and printing (main.ts).
 */
import { Episode } from './fuzzer.ts';
import { Violation } from './violation.ts';

/** Commands of an episode. */
export const EPISODE = 2000;

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
  /** Completions by status. */
  readonly statuses: ReadonlyMap<number, number>;
  readonly failure: Failure | null;
}

/** Does something to an episode before it runs: for tests of the fuzzer itself. */
export type Sabotage = (episode: Episode) => void;

/** Runs episodes until `commands` are submitted or an invariant breaks. `onEpisode` is told how many there were. */
export function fuzz(
  seed: number,
  commands: number,
  { sabotage, onEpisode }: { sabotage?: Sabotage; onEpisode?: (submitted: number) => void } = {},
): Summary {
  const statuses = new Map<number, number>();
  let submitted = 0;
  let completed = 0;
  let failure: Failure | null = null;
  for (let index = 0; submitted < commands && failure === null; index++) {
    const episode = new Episode(seed + index);
    sabotage?.(episode);
    try {
      episode.run(Math.min(EPISODE, commands - submitted));
    } catch (error) {
      failure = { seed: seed + index, commands: EPISODE, ...describe(error) };
    }
    submitted += episode.ledger.submitted;
    completed += episode.ledger.completed;
    for (const [status, count] of episode.ledger.statuses)
      statuses.set(status, (statuses.get(status) ?? 0) + count);
    onEpisode?.(submitted);
  }
  return { submitted, completed, statuses, failure };
}

function describe(error: unknown): Pick<Failure, 'invariant' | 'message' | 'stack'> {
  if (error instanceof Violation) return { invariant: error.invariant, message: error.message, stack: '' };
  return {
    invariant: 'threw',
    message: String(error),
    stack: error instanceof Error ? (error.stack ?? '') : '',
  };
}
