import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isBuilt } from '../built.ts';

const ROOMS = 'support machine iommu nvme vfio drivers boards bridge cli scenarios'.split(' ');
const [BEFORE, BUILT, AFTER] = [1000, 2000, 3000];
let root = '';
const at = (path: string, time: number): void => utimesSync(join(root, path), time, time);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'doorbell-entry-'));
  for (const room of ROOMS) mkdirSync(join(root, room, 'inner'), { recursive: true });
  mkdirSync(join(root, 'dist'));
  writeFileSync(join(root, 'nvme/inner/engine.ts'), '');
  at('nvme/inner/engine.ts', BEFORE);
  for (const room of ROOMS) for (const path of [`${room}/inner`, room]) at(path, BEFORE);
  at('dist', BUILT);
});
afterEach(() => rmSync(root, { recursive: true }));

const isFresh = (): boolean => isBuilt(pathToFileURL(`${root}/`));

test('dist/ runs while nothing is newer', () => expect(isFresh()).toBe(true));

test.each(['nvme/inner/engine.ts', 'nvme/inner', 'cli'])('the sources run when %s is newer', (path) => {
  at(path, AFTER);
  expect(isFresh()).toBe(false);
});

test('the sources run when nothing was built', () => {
  rmSync(join(root, 'dist'), { recursive: true });
  expect(isFresh()).toBe(false);
});
