/**
 * `npm run bench [-- --json FILE] [NAME…]`: every variant in a process of its own, so that no variant's type feedback
 * slows another, then one table. A NAME selects the variants whose name begins with it.
 */
import '../bridge/host.ts';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchMap } from './map.ts';
import type { Metric } from './measure.ts';
import { benchDoorbell, benchEvents, benchIommu } from './micro.ts';
import { benchCopy, benchRead } from './read.ts';
import { benchPingPong, benchThreadedRead } from './threaded.ts';
import { benchTimed } from './timed.ts';

const SIZES = [512, 4096, 131_072];
const VARIANTS: Record<string, () => Metric[] | Promise<Metric[]>> = {
  ...Object.fromEntries(SIZES.map((bytes) => [`copy.${bytes}`, () => benchCopy(bytes)])),
  ...Object.fromEntries(
    SIZES.flatMap((bytes) =>
      [1, 32].map((depth) => [`functional.read.${bytes}.qd${depth}`, () => benchRead(bytes, depth)]),
    ),
  ),
  pingpong: benchPingPong,
  ...Object.fromEntries(
    SIZES.flatMap((bytes) =>
      [1, 32].map((depth) => [`threaded.read.${bytes}.qd${depth}`, () => benchThreadedRead(bytes, depth)]),
    ),
  ),
  iommu: benchIommu,
  doorbell: benchDoorbell,
  'map.4096': () => benchMap(4096),
  'map.1073741824': () => benchMap(2 ** 30),
  'events.16': () => benchEvents(16),
  'events.1000': () => benchEvents(1000),
  'events.100000': () => benchEvents(100_000),
  'timed.read.4096.qd32': benchTimed,
};

/** Runs one variant in a child process and returns its metrics. */
function runChild(variant: string): Metric[] {
  const script = fileURLToPath(import.meta.url);
  const child = spawnSync(process.execPath, [...process.execArgv, script, '--variant', variant], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.status !== 0) throw new Error(`variant ${variant} ended with status ${child.status}`);
  return JSON.parse(child.stdout) as Metric[];
}

/** Adds to each read how many times as long as the bare copy it took in this run. */
function withRatios(metrics: readonly Metric[]): Metric[] {
  return metrics.map((metric) => {
    const bytes = /^functional\.read\.(\d+)\./.exec(metric.name)?.[1];
    const copy = metrics.find(({ name }) => name === `copy.${bytes}.ns`);
    if (copy === undefined) return metric;
    return {
      ...metric,
      detail: `${metric.detail}, ${(metric.value / copy.value).toFixed(2)} times memory.copy`,
    };
  });
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'string' }, variant: { type: 'string' } },
  });
  if (values.variant !== undefined) {
    process.stdout.write(JSON.stringify(await VARIANTS[values.variant]!()));
    return 0;
  }
  const names = Object.keys(VARIANTS);
  const unknown = positionals.find((prefix) => !names.some((name) => name.startsWith(prefix)));
  if (unknown !== undefined) {
    console.error(`bench: no variant begins with '${unknown}'; there are ${names.join(', ')}`);
    return 2;
  }
  const selected = names.filter(
    (name) => positionals.length === 0 || positionals.some((prefix) => name.startsWith(prefix)),
  );
  console.log(`${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`);
  const metrics: Metric[] = [];
  for (const name of selected) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${name} …`);
    metrics.push(...runChild(name));
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const rows = withRatios(metrics);
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, value, unit, detail } of rows) {
    const number = value >= 10_000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1);
    console.log(`${name.padEnd(width)} ${number.padStart(12)} ${unit}  (${detail})`);
  }
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ metrics: rows }, null, 2)}\n`);
  return 0;
}

process.exitCode = await main();
