/** `doorbell lspci` against the real lspci, which reads our dumps, and against itself where there is none. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { doorbell } from './doorbell.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-lspci-'));
afterAll(() => rmSync(folder, { recursive: true }));
const hasLspci = spawnSync('lspci', ['--version']).status === 0;

/** What the real tool says about a board's dump, which is made once. */
async function real(board: string, ...options: string[]): Promise<string> {
  const path = join(folder, `${board}.dump`);
  if (!existsSync(path)) writeFileSync(path, `${(await doorbell('lspci', '-xxxx', '--board', board)).out}\n`);
  const { stdout, status } = spawnSync('lspci', ['-F', path, ...options], { encoding: 'utf8' });
  expect(status).toBe(0);
  return stdout.trimEnd();
}

describe.skipIf(!hasLspci).each(['pc', 'workstation'])(
  'board %s, as the real lspci reads it from our dump',
  (board) => {
    test.each([[[]], [['-n']], [['-nn']], [['-t']], [['-tv']], [['-s', ':00.0']], [['-s', '01:']], [['-x']]])(
      'lspci %j',
      async (options) => {
        const ours = await doorbell('lspci', ...options, '--board', board);
        expect(ours.out.trimEnd()).toBe(await real(board, ...options));
      },
    );

    test('every function decodes, down to its capabilities', async () => {
      const text = await real(board, '-vvv');
      expect(text.match(/prog-if 02 \[NVM Express\]/g)).toHaveLength(board === 'pc' ? 1 : 4);
      expect(text).toMatch(/MSI-X: Enable- Count=65/);
      expect(text).toMatch(/Express \(v2\) Endpoint/);
      expect(text).toMatch(/LnkSta:\s+Speed 8GT\/s, Width x4/);
      expect(text).not.toMatch(/invalid|unknown|broken/i);
    });
  },
);

test('the tree of a board with a switch', async () => {
  expect((await doorbell('lspci', '-tv', '--board', 'workstation')).out).toMatchInlineSnapshot(`
    "-[0000:00]-+-04.0-[01]----00.0  Red Hat, Inc. QEMU NVM Express Controller
               \\-05.0-[02-06]----00.0-[03-06]--+-00.0-[04]----00.0  Red Hat, Inc. QEMU NVM Express Controller
                                               +-01.0-[05]----00.0  Red Hat, Inc. QEMU NVM Express Controller
                                               \\-02.0-[06]----00.0  Red Hat, Inc. QEMU NVM Express Controller"
  `);
});

test('-v tells what a dump cannot: sizes and windows', async () => {
  const { out } = await doorbell('lspci', '-v');
  expect(out).toMatch(/Region 0: Memory at [0-9a-f]{8} \(64-bit, non-prefetchable\) \[size=16K\]/);
  expect(out).toMatch(/Bus: secondary=01, subordinate=01/);
  expect(out).toMatch(/Memory behind bridge: 0x[0-9a-f]{8}-0x[0-9a-f]{8}/);
});

test.each([
  ['-x', 64],
  ['-xxx', 256],
  ['-xxxx', 4096],
])('%s dumps %i bytes of each function', async (option, bytes) => {
  const { out } = await doorbell('lspci', option, '-s', '01:00.0');
  const rows = out.split('\n').filter((line) => /^[0-9a-f]{2,3}: (?:[0-9a-f]{2} ?){16}$/.test(line));
  expect(rows).toHaveLength(bytes / 16);
  expect(rows[0]).toMatch(/^00: 36 1b 10 00/);
});

test('a slot that matches nothing lists nothing', async () => {
  expect(await doorbell('lspci', '-s', '1f:')).toEqual({ status: 0, out: '', err: '' });
});
