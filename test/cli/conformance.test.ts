/** `doorbell conformance`: what it prints and when it fails; the cases themselves are in test/vfio/conformance.test.ts. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { doorbell } from './doorbell.ts';

const CASES = new URL('../vfio/conformance/cases/', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'doorbell-conformance-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A folder with one file of cases. */
function folderWith(name: string, content: unknown): string {
  const path = mkdtempSync(join(folder, 'case-'));
  writeFileSync(join(path, name), typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const legacy = () => JSON.parse(readFileSync(join(CASES, 'legacy.json'), 'utf8'));

test('a case by its name', async () => {
  expect(await doorbell('conformance', CASES, '--case', 'ioeventfd', '-v')).toEqual({
    status: 0,
    out: 'ok   vfio-iommufd-corners: ioeventfd\n1 passed, 0 failed',
    err: '',
  });
});

test('a flipped answer fails with its step, call, expectation and answer', async () => {
  const cases = legacy();
  cases[0].steps[2].ret = -9;
  const { status, out } = await doorbell('conformance', folderWith('flipped.json', cases));
  expect(status).toBe(1);
  expect(out).toBe(
    'FAIL flipped: legacy-set-iommu: step 2 ioctl grp VFIO_GROUP_SET_CONTAINER: ret expected -9 (EBADF), got 0\n' +
      '5 passed, 1 failed',
  );
});

test('with -v a failing case shows its system calls', async () => {
  const cases = legacy().slice(0, 1);
  cases[0].steps[5].ret = 7;
  const { out } = await doorbell('conformance', folderWith('flipped.json', cases), '-v');
  expect(out).toContain('     ioctl(4, VFIO_GROUP_SET_CONTAINER, ');
});

describe('mistakes', () => {
  test.each([
    [['--case', 'ioeventf'], 'there is no case "ioeventf"; did you mean "ioeventfd"?'],
    [['-x'], 'unknown option "-x"'],
    [['other'], 'one folder at a time, "other" is the second'],
  ])('%j', async (argv, sentence) => {
    const { status, err } = await doorbell('conformance', CASES, ...argv);
    expect(status).toBe(2);
    expect(err).toContain(sentence);
  });

  test.each([
    ['a folder that is not there', '/nowhere/at/all', 'no such file or directory'],
    ['no cases', folder, 'there is no .json file'],
    ['a file that is no JSON', folderWith('bad.json', '['), 'bad.json: '],
    ['a file of something else', folderWith('other.json', { cases: [] }), 'not an array of cases'],
    ['a case without steps', folderWith('other.json', [{ name: 'x' }]), 'not an array of cases'],
  ])('%s', async (_, path, sentence) => {
    const { status, err } = await doorbell('conformance', path);
    expect(status).toBe(2);
    expect(err).toContain(sentence);
  });
});
