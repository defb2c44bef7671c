/** `npm run bench:compare A.json B.json`: the rows that two runs share, and how many times A's value B's is. */
import { readFileSync } from 'node:fs';
import { UserError } from '../support/user-error.ts';
import type { Metric } from './measure.ts';

/** The metrics of a file. Throws UserError. */
function read(file: string): readonly Metric[] {
  const refuse = (why: string) => new UserError(`${file} is no result of 'npm run bench -- --json': ${why}`);
  let metrics: unknown;
  try {
    metrics = (JSON.parse(readFileSync(file, 'utf8')) as { metrics?: unknown } | null)?.metrics;
  } catch (error) {
    throw refuse((error as Error).message);
  }
  if (!Array.isArray(metrics)) throw refuse('it has no list "metrics"');
  const isMetric = (each: Partial<Metric> | null): boolean =>
    typeof each?.name === 'string' && typeof each.value === 'number' && typeof each.unit === 'string';
  const wrong = metrics.findIndex((each) => !isMetric(each));
  if (wrong >= 0) throw refuse(`metrics[${wrong}] is not {name, value, unit}`);
  return metrics as Metric[];
}

function main(files: readonly string[]): number {
  if (files.length !== 2) {
    console.error('bench:compare: give two files that npm run bench -- --json wrote');
    return 2;
  }
  const [before, after] = files.map(read) as [readonly Metric[], readonly Metric[]];
  const pairs = before.flatMap((old) => {
    const now = after.find(({ name }) => name === old.name);
    return now === undefined ? [] : [{ old, now }];
  });
  const width = Math.max(4, ...pairs.map(({ old }) => old.name.length));
  console.log(`${'name'.padEnd(width)} ${'A'.padStart(14)} ${'B'.padStart(14)} ${'B / A'.padStart(7)}`);
  for (const { old, now } of pairs) {
    const ratio = old.value === now.value ? 1 : now.value / old.value;
    const values = [old.value, now.value].map((value) => value.toFixed(1).padStart(14)).join(' ');
    console.log(`${old.name.padEnd(width)} ${values} ${ratio.toFixed(2).padStart(7)} ${old.unit}`);
  }
  const alone = [...before, ...after].filter(({ name }) => !pairs.some(({ old }) => old.name === name));
  if (alone.length > 0) console.log(`only in one: ${alone.map(({ name }) => name).join(', ')}`);
  return 0;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(`bench:compare: ${error.message}`);
  process.exitCode = error.status;
}
