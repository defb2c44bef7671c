/**
 * `npm run bench [-- --quick] [--json FILE] [NAME…]`: every variant in a process of its own, so that no variant's type
 * feedback slows another, then one table, a JSON file and a chart.
 * A NAME selects its variant, also by the name of a row, or, when there is none, all whose name begins so.
 * `--variant NAME` is what the processes are started with; `--profile FILE` leaves a CPU profile of it (profile.ts).
 */
import '../bridge/host.ts';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { Session } from 'node:inspector/promises';
import { findSourceMap } from 'node:module';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { nearest } from '../support/nearest.ts';
import { chartOf } from './chart.ts';
import type { Metric } from './measure.ts';
import { variantsOf } from './names.ts';
import { VARIANTS } from './variants.ts';

const REPORT = new URL('report/', import.meta.url);

/** Runs one variant in a child process and returns its metrics. */
function runChild(variant: string, isQuick: boolean): Metric[] {
  const script = fileURLToPath(import.meta.url);
  const flags = isQuick ? ['--quick'] : [];
  const child = spawnSync(
    process.execPath,
    ['--expose-gc', ...process.execArgv, script, '--variant', variant, ...flags],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (child.status !== 0) throw new Error(`variant ${variant} ended with status ${child.status}`);
  return JSON.parse(child.stdout) as Metric[];
}

const USAGE = `npm run bench [-- OPTIONS NAME…]: every variant, or those named or beginning so
  --quick         shorter, and without the long rows
  --json FILE     the figures as {metrics: [{name, value, unit, detail}]}
Names: ${Object.keys(VARIANTS).join(' ')}`;

/** The options of the command line; null, and a sentence, for one that does not exist. */
function readOptions() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', default: false },
        json: { type: 'string' },
        quick: { type: 'boolean', default: false },
        variant: { type: 'string' },
        profile: { type: 'string' },
      },
    });
  } catch (error) {
    console.error(`bench: ${(error as Error).message}; npm run bench -- --help lists the options`);
    return null;
  }
}

async function runHere(name: string, profile: string | undefined): Promise<number> {
  const chosen = variantsOf(name, Object.keys(VARIANTS));
  if (chosen.length > 1) {
    console.error(`bench: ${chosen.length} variants begin with '${name}'; one is ${chosen[0]}`);
    return 2;
  }
  const variant = VARIANTS[chosen[0] ?? ''];
  if (variant === undefined) return unknownName(name);
  const session = new Session();
  if (profile !== undefined) {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: 200 });
    await session.post('Profiler.start');
  }
  const metrics = await variant.run();
  if (profile !== undefined) {
    const stopped = await session.post('Profiler.stop');
    writeFileSync(profile, JSON.stringify(inSource(stopped.profile)));
  }
  process.stdout.write(JSON.stringify(metrics));
  return 0;
}

/** The same profile with places as they are in the sources, where tsx left a map; it runs each file as one line. */
function inSource(profile: Profiler.Profile): Profiler.Profile {
  for (const node of profile.nodes) {
    const { callFrame } = node;
    const entry = findSourceMap(callFrame.url)?.findEntry(callFrame.lineNumber, callFrame.columnNumber);
    if (entry === undefined || !('originalLine' in entry)) continue;
    callFrame.lineNumber = entry.originalLine;
    callFrame.columnNumber = entry.originalColumn;
    delete node.positionTicks; // lines of what ran
  }
  return profile;
}

function unknownName(name: string): number {
  const close = nearest(name, Object.keys(VARIANTS));
  const hint = close === undefined ? `one is ${Object.keys(VARIANTS)[0]}` : `did you mean ${close}?`;
  console.error(`bench: no variant begins with '${name}'; ${hint}`);
  return 2;
}

/** Adds to each read and write how many times as long as the bare copy it took in this run, and to reads as the path in C. */
function withRatios(metrics: readonly Metric[]): Metric[] {
  return metrics.map((metric) => {
    const match = /^functional\.(?:read|write)\.(\d+)\.qd(\d+)(?:\.\w+)*?(\.cold)?\.ns$/.exec(metric.name);
    if (match === null) return metric;
    const [, bytes, depth, cold = ''] = match;
    const copies = [`copy.${bytes}.qd${depth}${cold}.ns`, `copy.${bytes}${cold}.ns`];
    const details = [metric.detail];
    for (const names of [copies, [metric.name.replace('functional', 'c')]]) {
      const other = metrics.find(({ name }) => names.includes(name));
      if (other === undefined) continue;
      details.push(`${(metric.value / other.value).toFixed(2)} times ${other.name.replace(/\.ns$/, '')}`);
    }
    return { ...metric, detail: details.join(', ') };
  });
}

const number = (value: number): string =>
  value >= 10_000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1);

function print(rows: readonly Metric[]): void {
  const width = Math.max(...rows.map(({ name }) => name.length));
  console.log(`${''.padEnd(width)} ${'best'.padStart(12)} ${'median'.padStart(12)}`);
  for (const { name, value, unit, detail, median } of rows) {
    const middle = median === undefined ? '' : number(median);
    console.log(
      `${name.padEnd(width)} ${number(value).padStart(12)} ${middle.padStart(12)} ${unit}  (${detail})`,
    );
  }
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) return 2;
  const { values, positionals } = options;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.variant !== undefined) return runHere(values.variant, values.profile);
  const names = Object.keys(VARIANTS);
  const unknown = positionals.find((word) => variantsOf(word, names).length === 0);
  if (unknown !== undefined) return unknownName(unknown);
  const selected =
    positionals.length > 0
      ? names.filter((name) => positionals.some((word) => variantsOf(word, names).includes(name)))
      : names.filter((name) => !values.quick || VARIANTS[name]!.isQuick);
  const pace = values.quick ? ', quick: warmed up for a fifth of a second, 60 samples' : '';
  const load = loadavg()[0]!.toFixed(1);
  console.log(
    `${cpus()[0]?.model.trim()}, ${cpus().length} cores, load ${load}, Node ${process.version}${pace}`,
  );
  const metrics: Metric[] = [];
  for (const name of selected) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${name} …`);
    metrics.push(...runChild(name, values.quick));
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const rows = withRatios(metrics);
  print(rows);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ metrics: rows }, null, 2)}\n`);
  if (positionals.length > 0) return 0;
  mkdirSync(REPORT, { recursive: true });
  writeFileSync(new URL('bench.svg', REPORT), chartOf(rows));
  console.log(`chart: ${fileURLToPath(new URL('bench.svg', REPORT))}`);
  return 0;
}

process.exitCode = await main();
