/** Long options of a verb: `--key value` and `--key=value`. Everything else, also `-x`, is left for the verb. */
import { suggestion } from '../support/nearest.ts';
import { UserError } from '../support/user-error.ts';

export interface Arguments<Key extends string> {
  readonly options: Readonly<Partial<Record<Key, string>>>;
  readonly rest: readonly string[];
}

/**
 * Throws UserError for an option that is not in `known`, or that lacks its value. `flags`, which the verb has taken out
 * itself, are told with what it takes.
 */
export function parseArguments<const Key extends string>(
  verb: string,
  argv: readonly string[],
  known: readonly Key[],
  flags: readonly string[] = [],
): Arguments<Key> {
  const options: Partial<Record<string, string>> = {};
  const rest: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (!argument.startsWith('--')) {
      rest.push(argument);
      continue;
    }
    const [key, ...value] = argument.slice(2).split('=');
    if (!known.some((name) => name === key)) {
      const takes = [...known.map((name) => `--${name}`), ...flags];
      const advice = suggestion(`--${key}`, takes) || `; it takes ${takes.join(' ') || 'none'}`;
      throw new UserError(`${verb}: unknown option "--${key}"${advice}`);
    }
    const text = value.length > 0 ? value.join('=') : argv[++index];
    if (text === undefined || text === '') throw new UserError(`${verb}: --${key} needs a value`);
    options[key!] = text;
  }
  return { options: options as Partial<Record<Key, string>>, rest };
}

/** A seed: a whole number of up to 53 bits. Throws UserError. */
export function parseSeed(text: string | undefined): number {
  if (text === undefined) return 1;
  const seed = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(seed)) throw new UserError(`--seed ${text}: a seed is a whole number below 2^53`);
  return seed;
}
