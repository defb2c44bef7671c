/** The tools in bench/: which rows a name means, and what is said of files that are none of theirs. Not here: measuring. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { variantsOf } from '../bench/names.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));
const root = join(import.meta.dirname, '..');

const NAMES = [
  'doorbell',
  'copy.512',
  'copy.512.qd1',
  'copy.512.qd16',
  'growth.mappings.1',
  'heap.growth',
  'pingpong',
];

test.each([
  ['doorbell', ['doorbell']],
  ['doorbell.ns', ['doorbell']],
  ['copy.512.qd1', ['copy.512.qd1']],
  ['copy.512.qd1.ns', ['copy.512.qd1']],
  ['copy.512.q', ['copy.512.qd1', 'copy.512.qd16']],
  ['growth.mappings.1.read.ns', ['growth.mappings.1']],
  ['heap.growth.bytes', ['heap.growth']],
  ['threaded.pingpong.ns', ['pingpong']],
  ['doorbel.ns', []],
])('bench %s', (word, variants) => {
  expect(variantsOf(word, NAMES)).toEqual(variants);
});

test.each([
  ['nope.json', undefined, /^bench:compare: .*nope\.json is no result of .*: ENOENT[^\n]*\n$/],
  ['other.json', '{"a": 1}', /^bench:compare: .*other\.json is no result of .*: it has no list "metrics"\n$/],
  ['odd.json', '{"metrics": [1]}', /^bench:compare: .*: metrics\[0\] is not \{name, value, unit\}\n$/],
])('bench:compare of %s ends in one sentence', (name, text, sentence) => {
  const path = join(folder, name);
  if (text !== undefined) writeFileSync(path, text);
  const args = ['--import', 'tsx', join(root, 'bench/compare.ts'), path, path];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  expect([status, stderr]).toEqual([2, expect.stringMatching(sentence)]);
});
