/**
 * The path of one read in C (c/path.c), compiled and run beside our rows: how far from C the models are on this host.
 * Without a C compiler the rows are left out, with a sentence. Not here: the bare copy (io.ts).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Metric, metric, SAMPLES, type Time, WARM_UP_MS } from './measure.ts';

const SOURCE = fileURLToPath(new URL('c/path.c', import.meta.url));

/** Reads of `bytes` bytes at depth `depth` by c/path.c; no row where `cc` is missing. */
export function benchC(bytes: number, depth: number): Metric[] {
  const folder = mkdtempSync(join(tmpdir(), 'doorbell-c-'));
  try {
    const program = join(folder, 'path');
    const compiler = spawnSync('cc', ['-O2', '-o', program, SOURCE], { encoding: 'utf8' });
    if (compiler.error !== undefined) {
      console.error(`bench: no C compiler (${compiler.error.message}): the rows c.read… are left out`);
      return [];
    }
    if (compiler.status !== 0) throw new Error(`cc could not compile ${SOURCE}: ${compiler.stderr}`);
    const run = spawnSync(program, [bytes, depth, SAMPLES, WARM_UP_MS].map(String), { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(`${SOURCE} ended with status ${run.status}`);
    const time = JSON.parse(run.stdout) as Time;
    return [metric(`c.read.${bytes}.qd${depth}.ns`, time, 'ns', 'the path of a read in C, bench/c/path.c')];
  } finally {
    rmSync(folder, { recursive: true });
  }
}
