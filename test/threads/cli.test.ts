/** `--pace threaded` on the command line: jobs verify their data, and the report says whose time it is. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { doorbell } from '../cli/doorbell.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-threads-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('fio writes and verifies, polling and by interrupt', async () => {
  const path = join(folder, 'job.fio');
  const shared = 'bs=4k\niodepth=8\nsize=256k\nverify=crc32c';
  writeFileSync(
    path,
    `[poll]\nrw=randwrite\n${shared}\n[wait]\nstonewall\nhipri=0\nrw=write\noffset=1m\n${shared}\n`,
  );
  const { status, out, err } = await doorbell('fio', path, '--pace', 'threaded');
  expect([status, err]).toEqual([0, '']);
  expect(out.match(/issued rwts: total=64,64,0,0/g)).toHaveLength(2);
  expect(out).toContain(
    'Time: threaded pace, the hardware has threads of its own; all figures are host time',
  );
});

test('an image that cannot be opened is one sentence', async () => {
  const path = join(folder, 'lost.json');
  const { pc } = await import('../../boards/index.ts');
  const [port] = pc.rootPorts;
  const device = { ...port!.device!, namespaces: [{ size: '1m', image: '/nowhere/at/all.img' }] };
  writeFileSync(path, JSON.stringify({ ...pc, name: 'lost', rootPorts: [{ ...port!, device }] }));
  const job = join(folder, 'read.fio');
  writeFileSync(job, '[a]\nrw=read\nsize=64k\n');
  const { status, err } = await doorbell('fio', job, '--pace', 'threaded', '--board', path);
  expect([status, err]).toEqual([
    1,
    "doorbell: the hardware thread died: cannot open image /nowhere/at/all.img: ENOENT: no such file or directory, open '/nowhere/at/all.img'",
  ]);
});
