/**
 * `npm run check:node-versions [VERSION…]`: runs three jobs with several versions of Node, whose binaries come from the
 * npm registry (package `node`), and says in a line for each whether trace and report are the same, byte for byte.
 * Exit status 1: they are not. Not part of npm test: it downloads.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VERSIONS = ['20', '22', '24'];
const DOORBELL = join(import.meta.dirname, '../cli/doorbell.js');
/** Transcendental functions, sorting, hashing and floating point, and three kinds of media. */
const JOBS: readonly { readonly board: string; readonly text: string }[] = [
  {
    board: 'pc',
    text: 'rw=randrw\niodepth=16\nrandom_distribution=zipf:1.2\nrate_iops=200000\nrate_process=poisson\nio_size=16m',
  },
  { board: '970pro', text: 'rw=randwrite\nbs=4k-64k\niodepth=32\nverify=sha256\nsize=16m' },
  {
    board: 'zns',
    text: 'zonemode=zbd\nrw=randwrite\nbs=64k\nsize=8z\niodepth=4\nnumjobs=2\nrandom_distribution=normal:20',
  },
];

/** What a run came to: the hash of its trace, and of its report without dates and host times. */
interface Outcome {
  readonly trace: string;
  readonly report: string;
}

function run(node: string, folder: string, index: number): Outcome {
  const { board, text } = JOBS[index]!;
  const job = join(folder, `${index}.fio`);
  const [record, output] = [join(folder, 'record'), join(folder, 'report')];
  writeFileSync(job, `[job]\n${text}\n`);
  const options = ['--board', board, '--seed', '7', '--record', record, '--output', output];
  execFileSync(node, [DOORBELL, 'fio', job, ...options, '--output-format', 'json+'], { stdio: 'pipe' });
  const { places } = JSON.parse(readFileSync(record, 'utf8')) as { places: { hash: string }[] };
  const stable = readFileSync(output, 'utf8').replace(
    /"(timestamp|timestamp_ms|time|host_ns)"\s*:\s*[^\n]*/g,
    '',
  );
  return {
    trace: places.at(-1)!.hash,
    report: createHash('sha256').update(stable).digest('hex').slice(0, 12),
  };
}

const folder = mkdtempSync(join(tmpdir(), 'doorbell-node-'));
try {
  const wanted = process.argv.slice(2);
  let first = '';
  for (const version of wanted.length > 0 ? wanted : VERSIONS) {
    const home = join(folder, version);
    mkdirSync(home);
    writeFileSync(join(home, 'package.json'), '{ "private": true }');
    const quiet = ['--no-save', '--no-audit', '--no-fund', '--prefix', home];
    execFileSync('npm', ['install', ...quiet, `node@${version}`], { stdio: 'ignore' });
    const node = join(home, 'node_modules/node/bin/node');
    const name = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    const outcomes = JOBS.map((_, index) => run(node, home, index));
    const line = outcomes.map(({ trace, report }) => `${trace} ${report}`).join('  ');
    first ||= line;
    if (line !== first) process.exitCode = 1;
    console.log(`${name.padEnd(9)} ${line === first ? 'same' : 'OTHER'}  ${line}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
