/** `npm run bench:profile NAME`: runs one variant, leaves its CPU profile in bench/report/ and prints the top functions. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { fileURLToPath } from 'node:url';

const TOP = 25;

function print(file: string): void {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as Profiler.Profile;
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const self = new Map<string, number>();
  let total = 0;
  profile.samples!.forEach((id, index) => {
    const { functionName, url, lineNumber } = frames.get(id)!;
    const where = url === '' ? '' : ` ${url.replace(/^.*\/(\w+\/[^/]+)$/, '$1')}:${lineNumber + 1}`;
    const key = `${functionName || '(anonymous)'}${where}`;
    const time = profile.timeDeltas![index]!;
    self.set(key, (self.get(key) ?? 0) + time);
    total += time;
  });
  const rows = [...self].sort(([, a], [, b]) => b - a).slice(0, TOP);
  for (const [key, time] of rows) console.log(`${((100 * time) / total).toFixed(1).padStart(5)} %  ${key}`);
}

function main(name: string | undefined): number {
  if (name === undefined) {
    console.error('bench:profile: name a variant, such as functional.read.512.qd32');
    return 2;
  }
  const report = fileURLToPath(new URL('report/', import.meta.url));
  mkdirSync(report, { recursive: true });
  const file = `${report}${name}.cpuprofile`;
  const script = fileURLToPath(new URL('main.ts', import.meta.url));
  const args = ['--expose-gc', ...process.execArgv, script, '--variant', name, '--profile', file];
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.status !== 0) return child.status ?? 1;
  print(file);
  console.log(`profile: ${file}`);
  return 0;
}

process.exitCode = main(process.argv[2]);
