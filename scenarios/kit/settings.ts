/** What the settings of a scenario may be. Not here: reading them from a command line (cli/scenario.ts). */

import { atLeast, text } from '../../support/shape.ts';
import { UserError } from '../../support/user-error.ts';
import type { Scenario, Settings } from './scenario.ts';

const NUMBER = atLeast(0, 'a number of zero or more');

/** Throws UserError, a line with scenario, key, value and what it takes for every setting that is not fit. */
export function checkSettings(
  { name, settings: defaults, takes }: Pick<Scenario, 'name' | 'settings' | 'takes'>,
  settings: Settings,
): void {
  const wrong = Object.entries(defaults).flatMap(([key, value]) => {
    const shape = takes?.[key] ?? (typeof value === 'number' ? NUMBER : text);
    return shape(settings[key], key).map(({ problem }) => `scenario ${name}: ${key} ${problem}`);
  });
  if (wrong.length > 0) throw new UserError(wrong.join('\n'));
}
