/**
 * The same seed gives the same bytes on every machine: hashes of trace and JSON report of small jobs are those that
 * golden.txt has. A change of the model changes them: `npm run renew:golden` writes them again.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hashesOf, REPEATABLE_JOBS, repeatableOptions } from '../../bench/repeatable.ts';
import { doorbell } from './doorbell.ts';

test('traces and reports are those that other machines have made', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'doorbell-golden-'));
  const [job, record, report] = [join(folder, 'job.fio'), join(folder, 'record'), join(folder, 'report')];
  const lines = ['board    trace            report'];
  try {
    for (const { board, text, short } of REPEATABLE_JOBS) {
      writeFileSync(job, `[job]\n${text}\n${short}\n`);
      expect(await doorbell('fio', job, ...repeatableOptions(board, record, report))).toMatchObject({
        status: 0,
      });
      lines.push(`${board.padEnd(8)} ${hashesOf(record, report)}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('golden.txt');
});
