/**
 * `npm run fuzz:controller -- --seed S --commands N`: fuzzes the NVMe controller. Prints what was submitted and how it
 * completed, or the invariant that broke with the command that replays it. Exit status 1 for a broken invariant.
 */
import { parseArguments, parseSeed } from '../../cli/arguments.ts';
import { statusName } from '../../nvme/spec/status.ts';
import { UserError } from '../../support/user-error.ts';
import { fuzz, type Summary } from './run.ts';

const COMMANDS = 100_000;
const SHOWN = 12;

function parseCount(text: string | undefined): number {
  const count = text === undefined ? COMMANDS : Number(text);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new UserError(`--commands ${text}: a whole number from 1 on`);
  return count;
}

function report({ submitted, completed, ended, unchecked, statuses, failure }: Summary): string[] {
  const byCount = [...statuses].sort(([, a], [, b]) => b - a);
  const lines = byCount
    .slice(0, SHOWN)
    .map(([status, count]) => `${String(count).padStart(9)}  ${statusName(status)}`);
  const others = byCount.length - lines.length;
  const kinds = others > 0 ? [`${String(others).padStart(9)}  other statuses`] : [];
  const fates = `${completed} completed, ${ended} ended by a reset, ${unchecked} not followed`;
  const total = `${submitted} commands submitted, ${fates}`;
  if (failure === null) return [`${total}; no invariant broke`, ...lines, ...kinds];
  const { seed, commands, invariant, message, stack } = failure;
  return [
    `${total}; broken: ${invariant}: ${message}`,
    ...(stack === '' ? [] : [stack]),
    `replay: npm run fuzz:controller -- --seed ${seed} --commands ${commands}`,
  ];
}

try {
  const { options } = parseArguments('fuzz:controller', process.argv.slice(2), ['seed', 'commands']);
  const summary = fuzz(parseSeed(options.seed), parseCount(options.commands));
  console.log(report(summary).join('\n'));
  process.exitCode = summary.failure === null ? 0 : 1;
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(`fuzz:controller: ${error.message}`);
  process.exitCode = 2;
}
