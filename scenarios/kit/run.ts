/** Runs a scenario: boots its board, lets events happen at their times, and judges what the program observed. */
import { type BootOptions, boot } from '../../boards/index.ts';
import { UserError } from '../../support/user-error.ts';
import { Agenda } from './agenda.ts';
import type { Context, Observed, Scenario, Settings } from './scenario.ts';
import { checkSettings } from './settings.ts';

export interface ScenarioResult {
  readonly scenario: string;
  readonly seed: number;
  readonly settings: Settings;
  /** What happened, and when: nanoseconds since the machine was booted. */
  readonly events: readonly { readonly at_ns: number; readonly what: string }[];
  /** Which events never happened, and why: a sentence, empty when all did. */
  readonly missed: string;
  readonly observed: Observed;
  readonly expectations: readonly { readonly sentence: string; readonly holds: boolean }[];
  readonly holds: boolean;
  readonly simulated_ns: number;
}

/** Whether something can be observed: printed and compared. */
const isPlain = (value: unknown): boolean =>
  ['number', 'string', 'boolean'].includes(typeof value) ||
  (Array.isArray(value) && value.every((each) => typeof each === 'string'));

/**
 * The same scenario, settings and seed give the same result. Rejects with what the program throws, and with UserError
 * for settings that the scenario does not take and events that cannot happen to its machine.
 */
export async function runScenario(
  scenario: Scenario,
  settings: Settings = scenario.settings,
  { seed = 1, ...options }: BootOptions = {},
): Promise<ScenarioResult> {
  checkSettings(scenario, settings);
  const machine = boot(scenario.board(settings), { ...options, seed });
  const agenda = new Agenda(machine);
  const events = () => scenario.events?.(settings) ?? [];
  const context: Context<Settings> = {
    machine,
    settings,
    seed,
    elapsed_ns: () => agenda.elapsed_ns,
    begin: (...more) => agenda.begin(() => [...events(), ...more]),
  };
  const observed = await observe(scenario, context, agenda);
  if (typeof observed !== 'object' || observed === null) {
    const got = observed === null ? 'null' : typeof observed;
    throw new UserError(
      `scenario ${scenario.name}: the program must return an object with what it observed, not ${got}`,
    );
  }
  const strange = Object.entries(observed).find(([, value]) => !isPlain(value));
  if (strange !== undefined)
    throw new UserError(
      `scenario ${scenario.name}: the program observed ${strange[0]}, which must be a number, a text, true, false or a list of texts`,
    );
  const expectations = Object.entries(scenario.expect).map(([sentence, holds]) => ({
    sentence,
    holds: holds(observed, settings),
  }));
  return {
    scenario: scenario.name,
    seed,
    settings,
    events: agenda.happened,
    missed: agenda.missed(events),
    observed,
    expectations,
    holds: expectations.every(({ holds }) => holds),
    simulated_ns: machine.clock.now,
  };
}

/** Runs the program. A mistake of an event counts before anything that the program returns or throws: it follows from it. */
async function observe(scenario: Scenario, context: Context<Settings>, agenda: Agenda): Promise<Observed> {
  try {
    const observed = await scenario.program(context);
    if (agenda.mistakes.length === 0) return observed;
  } catch (error) {
    if (agenda.mistakes.length === 0) throw error;
  }
  throw agenda.mistakes[0];
}
