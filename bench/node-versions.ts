/**
 * `npm run check:node-versions [VERSION…]`: runs three jobs with several versions of Node, whose binaries come from the
 * npm registry (package `node`), and says in a line for each whether trace and report are the same, byte for byte.
 * Exit status 1: they are not. Not part of npm test: it downloads.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashesOf, REPEATABLE_JOBS, type RepeatableJob, repeatableOptions } from './repeatable.ts';

const VERSIONS = ['20', '22', '24'];
const DOORBELL = join(import.meta.dirname, '../cli/doorbell.js');

function run(node: string, folder: string, { board, text, long }: RepeatableJob): string {
  const [job, record, report] = ['job.fio', 'record', 'report'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(job, `[job]\n${text}\n${long}\n`);
  execFileSync(node, [DOORBELL, 'fio', job, ...repeatableOptions(board, record, report)], { stdio: 'pipe' });
  return hashesOf(record, report);
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
    const line = REPEATABLE_JOBS.map((job) => run(node, home, job)).join('  ');
    first ||= line;
    if (line !== first) process.exitCode = 1;
    console.log(`${name.padEnd(9)} ${line === first ? 'same' : 'OTHER'}  ${line}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
