/**
 * `doorbell nvme` of the personality `qemu` against what nvme-cli 2.3 printed of QEMU's own drive (nvme-cli/README.md).
 * What the host decides is told apart by name: where the admin queues are, what it has read, what it set.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { boot } from '../../boards/index.ts';
import { findBoard } from '../../cli/board-option.ts';
import { getFeature } from '../../cli/nvme/features.ts';
import { findNvme, NvmeDriver, NvmeError } from '../../drivers/nvme/index.ts';
import { FID } from '../../nvme/spec/features.ts';
import { hex } from '../../support/numbers.ts';
import { doorbell } from './doorbell.ts';

const FOLDER = join(import.meta.dirname, 'nvme-cli', 'qemu');
const BOARD = join(FOLDER, 'board.json');
const recorded = (name: string): string[] =>
  readFileSync(join(FOLDER, `${name}.txt`), 'utf8')
    .replace(/\n$/, '')
    .split('\n');

/** Lines of which only the label is compared. */
const OF_THE_HOST: Readonly<Record<string, RegExp>> = {
  'show-regs': /^(asq|acq) /,
  'show-regs-H': /^(asq|acq) |Queue Base/,
  'smart-log': /^(Data Units Read|host_read_commands)/,
  'error-log': /^status_field/,
};

/** Without the fields of a memory region that this model does not have. */
function comparable(name: string, lines: readonly string[]): string[] {
  const memoryRegion = lines.findIndex((line) => line.startsWith('pmrcap'));
  const isField = (line: string, index: number) => index > memoryRegion && /^$|^\t/.test(line);
  const hidden = OF_THE_HOST[name] ?? /^$./;
  return lines
    .filter((line, index) => memoryRegion === -1 || !isField(line, index))
    .map((line) => (hidden.test(line) ? line.replace(/(?<=: ).*/, '(of the host)') : line));
}

test.each(['list', 'id-ctrl', 'id-ns', 'smart-log', 'error-log', 'show-regs', 'show-regs-H'])(
  '%s',
  async (name) => {
    const argv = name.endsWith('-H') ? [name.slice(0, -2), '-H'] : [name];
    const { status, out, err } = await doorbell('nvme', ...argv, '--board', BOARD);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(comparable(name, out.split('\n'))).toEqual(comparable(name, recorded(name)));
  },
);

/** What Linux sets, our driver sets otherwise, or the clock decides; their lines are compared elsewhere. */
const SET_BY_HOST: readonly number[] = [FID.ASYNC_EVENT, FID.TIMESTAMP, FID.HOST_BEHAVIOR];

test('get-feature: every feature that QEMU has, each selection, and the status of each that it has not', async () => {
  const machine = boot(await findBoard(BOARD));
  const driver = await NvmeDriver.open(machine.kernel, { bdf: findNvme(machine.kernel)[0]! });
  const entries = recorded('get-feature').join('\n').split(/^\$ /m).slice(1);
  expect(entries.length).toBeGreaterThan(50);
  for (const entry of entries) {
    const [command, ...lines] = entry.trimEnd().split('\n');
    const flag = (name: string) => Number(new RegExp(`${name} (\\S+)`).exec(command!)?.[1] ?? 0);
    const [fid, select, withFields] = [flag('-f'), flag('-s'), command!.endsWith('-H')];
    if (select === 0 && SET_BY_HOST.includes(fid)) continue;
    const ours = await driver.getFeature(fid, flag('-n'), select).then(
      (known) => getFeature(fid, select, known, withFields),
      (error: unknown) => {
        if (!(error instanceof NvmeError)) throw error;
        return [`refused ${hex((Number(error.dnr) << 14) | error.status, 4)}`];
      },
    );
    expect([command, ...ours]).toEqual([command, ...lines]);
  }
});
