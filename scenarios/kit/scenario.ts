/**
 * What a scenario is: a board, a program on it, events at simulated times, and what is expected to have been observed.
 * A file exports one, made with `defineScenario`; `doorbell scenario FILE.ts` runs it. Not here: running (run.ts), the
 * events that come with Doorbell (events.ts), jobs inside programs (jobs.ts).
 */
import type { Board, Machine } from '../../boards/index.ts';
import type { Shape } from '../../support/shape.ts';

/** What `--set key=value` can change, with its default. */
export type Settings = Readonly<Record<string, number | string>>;
/** What a program found: plain values, printed and compared. */
export type Observed = Readonly<Record<string, number | string | boolean | readonly string[]>>;

/** Something that happens to the machine while the program runs. */
export interface ScenarioEvent {
  /** Simulated microseconds after the program calls `begin`. */
  readonly after_us: number;
  /** What happens, in a few words. */
  readonly what: string;
  readonly happen: (machine: Machine) => void;
  /** Throws UserError where it cannot happen, as far as that is known when the program calls `begin`. */
  readonly check?: (machine: Machine) => void;
}

/** What a program is given. */
export interface Context<S extends Settings> {
  readonly machine: Machine;
  readonly settings: S;
  readonly seed: number;
  /** The clock of the events starts; events of the program's own can join those of the scenario. */
  begin(...more: ScenarioEvent[]): void;
  /** Simulated nanoseconds since `begin`. */
  elapsed_ns(): number;
}

export interface Scenario<S extends Settings = Settings, O extends Observed = Observed> {
  readonly name: string;
  /** What it teaches, in three lines. */
  readonly teaches: readonly [string, string, string];
  readonly settings: S;
  /** What each setting may be, such as `whole(1, 64)`; any number of zero or more, or any text, when absent. */
  readonly takes?: Readonly<Record<keyof S, Shape>>;
  readonly board: (settings: S) => Board;
  readonly events?: (settings: S) => readonly ScenarioEvent[];
  readonly program: (context: Context<S>) => Promise<O>;
  /** Sentences that hold of what was observed. */
  readonly expect: Readonly<Record<string, (observed: O, settings: S) => boolean>>;
}

/** Gives a scenario its types: settings and observations are known in `board`, `program` and `expect`. */
export const defineScenario = <const S extends Settings, O extends Observed>(
  scenario: Omit<Scenario<Widened<S>, O>, 'settings'> & { readonly settings: S },
): Scenario => scenario as unknown as Scenario;

/** Defaults are values; settings are their types. */
type Widened<S extends Settings> = { readonly [Key in keyof S]: S[Key] extends number ? number : string };
