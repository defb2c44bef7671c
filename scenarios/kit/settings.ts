/** What the settings of a scenario may be. Not here: reading them from a command line (cli/scenario.ts). */

import { atLeast, text } from '../../support/shape.ts';
import { UserError } from '../../support/user-error.ts';
import type { Scenario, Settings } from './scenario.ts';

const NUMBER = atLeast(0, 'a number of zero or more');

/** Throws UserError, one sentence with scenario, key, value and what it takes, for the first setting that is not fit. */
export function checkSettings(
  { name, settings: defaults, takes }: Pick<Scenario, 'name' | 'settings' | 'takes'>,
  settings: Settings,
): void {
  for (const [key, value] of Object.entries(defaults)) {
    const shape = takes?.[key] ?? (typeof value === 'number' ? NUMBER : text);
    const [wrong] = shape(settings[key], key);
    if (wrong !== undefined) throw new UserError(`scenario ${name}: ${key} ${wrong.problem}`);
  }
}
