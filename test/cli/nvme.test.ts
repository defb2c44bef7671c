/**
 * `doorbell nvme` against what nvme-cli 2.3 printed of the same bytes (test/cli/nvme-cli: a structure in hex and the text),
 * and on a machine of ours.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { getFeature } from '../../cli/nvme/features.ts';
import { idCtrl, idNs } from '../../cli/nvme/identify.ts';
import { decimalSize, errorLog, smartLog } from '../../cli/nvme/logs.ts';
import { showRegs } from '../../cli/nvme/registers.ts';
import { specifiedTitle } from '../../cli/nvme/status-title.ts';
import { ERROR_LOG_ENTRY } from '../../nvme/spec/logs.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { hex } from '../../support/numbers.ts';
import { doorbell } from './doorbell.ts';

const golden = (name: string): { view: DataView; text: string } => {
  const path = join(import.meta.dirname, 'nvme-cli', name);
  const bytes = Uint8Array.from(Buffer.from(readFileSync(`${path}.hex`, 'utf8').trim(), 'hex'));
  return { view: new DataView(bytes.buffer), text: readFileSync(`${path}.txt`, 'utf8') };
};

describe('the same bytes give the same text as nvme-cli', () => {
  test.each([
    ['id-ctrl', idCtrl],
    ['id-ns', (view: DataView) => idNs(view, 1)],
    ['id-ns-optimal', (view: DataView) => idNs(view, 1)],
    ['smart-log', (view: DataView) => smartLog(view, 'nvme0')],
  ] as const)('%s', (name, print) => {
    const { view, text } = golden(name);
    expect(`${print(view).join('\n')}\n`).toBe(text);
  });
});

const text = (name: string): string => readFileSync(join(import.meta.dirname, 'nvme-cli', name), 'utf8');

test.each(['show-regs-0', 'show-regs-1', 'show-regs-2'])('%s: registers and their fields', (name) => {
  const { view, text: printed } = golden(name);
  const lines = showRegs((offset) => (offset < view.byteLength ? view.getUint32(offset, true) : 0), true);
  const ofTheRest = lines.findIndex((line) => line.startsWith('pmrcap'));
  // nvme-cli prints 0 for CRIMT.
  const comparable = (of: readonly string[]) => of.map((line) => line.replace(/(?<=CRIMT .*: ).*/, '0 secs'));
  expect(comparable(lines.slice(0, ofTheRest))).toEqual(printed.split('\n').slice(0, ofTheRest));
});

test('the fields of features, and their data', () => {
  const cases = text('get-feature.txt').split(/^# /m).slice(1);
  expect(cases.length).toBeGreaterThan(30);
  for (const entry of cases) {
    const [given, ...lines] = entry.trimEnd().split('\n');
    const flag = (name: string) => new RegExp(`${name} (\\S+)`).exec(given!)?.[1] ?? '';
    const known = Buffer.from(flag('data'), 'hex');
    const data = new Uint8Array(Number(flag('of') || known.length));
    data.set(known);
    const value = { value: Number(flag('value')), data };
    const ours = getFeature(Number(flag('fid')), Number(flag('select')), value, given!.endsWith('-H'));
    expect([given, ...ours]).toEqual([given, ...lines]);
  }
});

test('a status has the title that the specification gives it', () => {
  const titles = text('status-titles.txt').trimEnd().split('\n');
  expect(titles.map((line) => `${line.slice(0, 4)}${specifiedTitle(Number.parseInt(line, 16))}`)).toEqual(
    titles,
  );
  expect(specifiedTitle(0x1c3)).toBe('status 0x1c3');
});

describe('an error log entry', () => {
  test('names status and place', () => {
    const view = new DataView(new ArrayBuffer(2 * ERROR_LOG_ENTRY.SIZE));
    ERROR_LOG_ENTRY.set(view, 0, 'ERROR_COUNT', 3);
    ERROR_LOG_ENTRY.set(view, 0, 'SQID', 1);
    ERROR_LOG_ENTRY.set(view, 0, 'CID', 0xd00);
    ERROR_LOG_ENTRY.set(view, 0, 'STATUS', ((0x4000 | STATUS.LBA_OUT_OF_RANGE) << 1) | 1);
    ERROR_LOG_ENTRY.set(view, 0, 'PARAMETER_LOCATION', 0x28);
    ERROR_LOG_ENTRY.set(view, 0, 'LBA', 0x3b9a_ca00);
    ERROR_LOG_ENTRY.set(view, 0, 'NSID', 1);
    const lines = errorLog(view, 2, 'nvme0');
    expect(lines).toHaveLength(2 + 2 * 15);
    expect(lines.slice(0, 12)).toEqual([
      'Error Log Entries for device:nvme0 entries:2',
      '.................',
      ' Entry[ 0]   ',
      '.................',
      'error_count\t: 3',
      'sqid\t\t: 1',
      'cmdid\t\t: 0xd00',
      'status_field\t: 0x4080(LBA Out of Range: The command reaches past the last block of the namespace.)',
      'phase_tag\t: 1',
      'parm_err_loc\t: 0x28',
      'lba\t\t: 0x3b9aca00',
      'nsid\t\t: 0x1',
    ]);
  });
});

test.each([
  [0, '0.00 B'],
  [999, '999.00 B'],
  [512_000, '512.00 kB'],
  [12_288_000, '12.29 MB'],
])('%d bytes are %s', (bytes, text) => expect(decimalSize(bytes)).toBe(text));

describe('a drive', () => {
  const folder = mkdtempSync(join(tmpdir(), 'doorbell-nvme-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const job = join(folder, 'job.fio');
  writeFileSync(job, '[a]\nrw=read\nbs=4k\nsize=4m\n');
  const lines = async (...argv: string[]): Promise<string[]> => {
    const { status, out, err } = await doorbell('nvme', ...argv);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    return out.split('\n');
  };

  test('list has a line for each namespace of each drive', async () => {
    const [, , ...rows] = await lines('list', '--board', 'workstation');
    expect(rows.map((row) => row.slice(0, 12))).toEqual([0, 1, 2, 3].map((drive) => `/dev/nvme${drive}n1`));
    expect(rows[0]).toContain('268.44  MB / 268.44  MB    512   B +  0 B');
  });

  test('smart-log counts what the jobs of --after did', async () => {
    const before = await lines('smart-log');
    const after = await lines('smart-log', 'nvme0', '--after', job);
    expect(before).toContain('host_read_commands\t\t\t: 0');
    expect(after).toContain('host_read_commands\t\t\t: 1024');
    expect(after).toContain('Data Units Read\t\t\t\t: 9 (4.61 MB)');
  });

  test('smart-log -n asks for the log of one namespace, which this drive does not keep', async () => {
    const { status, err } = await doorbell('nvme', 'smart-log', '-n', '1');
    expect(status).toBe(1);
    expect(err).toContain('Get Log Page in namespace 1');
    expect(err).toContain('the page belongs to the controller, so NSID must be 0 or FFFFFFFFh');
  });

  test('get-feature of one that is not there: the controller says why, the driver guesses that', async () => {
    const { status, err } = await doorbell('nvme', 'get-feature', '-f', '0x99');
    expect(err).not.toContain('machine.explain()');
    expect(status).toBe(1);
    expect(err).toContain('feature 0x99 (reserved) is not supported');
    expect(err).toContain('Probable cause: the controller lacks this feature (FID)');
    expect(err).not.toContain('MDTS');
  });

  test('show-regs shows the controller as the driver set it up', async () => {
    const registers = await lines('show-regs', '/dev/nvme0', '-H');
    expect(registers).toContain('cc      : 460061');
    expect(registers).toContain('csts    : 1');
    expect(registers).toContain('\tI/O Submission Queue Entry Size (IOSQES): 64 bytes');
  });

  test('id-ns takes the namespace from the name or from -n', async () => {
    expect(await lines('id-ns', 'nvme0n2')).toEqual(await lines('id-ns', '-n', '2'));
    expect(await lines('id-ns', 'nvme0n2')).toContain('nsze    : 0x20000');
  });

  test('id-ns -n asks the drive, which returns zeroes of an inactive namespace', async () => {
    expect(await lines('id-ns', 'nvme0', '-n', '9')).toContain('nsze    : 0');
  });

  test('get-feature -H names the fields', async () => {
    expect(await lines('get-feature', '-f', '7', '-H')).toEqual([
      'get-feature:0x07 (Number of Queues), Current value:0x00070007',
      '\tNumber of IO Completion Queues Allocated (NCQA): 8',
      '\tNumber of IO Submission Queues Allocated (NSQA): 8',
    ]);
  });

  test('get-feature shows the data of features that have some, and what -s asks for', async () => {
    expect(await lines('get-feature', '-f', '0x16')).toEqual([
      'get-feature:0x16 (Host Behavior), Current value:00000000',
      '       0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f',
      '0000: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "................"',
      ...Array.from({ length: 31 }, (_, row) =>
        expect.stringMatching(`^${hex(0x10 * (row + 1), 4).slice(2)}: 00 `),
      ),
    ]);
    expect(await lines('get-feature', '-f', '0xe', '-H')).toContain('\tIt began at 0 with the last reset.');
    expect(await lines('get-feature', '-f', '6', '-s', '3')).toEqual([
      'get-feature:0x06 (Volatile Write Cache), Supported capabilities value:0x00000005',
      '  Feature is saveable',
      '  Feature is changeable',
    ]);
  });

  test.each([
    [['lst'], 'doorbell: nvme: unknown verb "lst"; did you mean "list"?'],
    [['id-ctrl', 'nvme4'], 'doorbell: nvme: the board has no nvme4; it has nvme0'],
    [['id-ctrl', 'sda'], 'doorbell: nvme: "sda" is no drive; nvme0 and nvme0n1 would be'],
    [['list', 'nvme5'], 'doorbell: nvme list: takes no "nvme5"; it lists every drive'],
    [['id-ns', 'nvme0n9'], 'doorbell: nvme: the board has no nvme0n9; nvme0 has nvme0n1, nvme0n2'],
    [['get-feature'], 'doorbell: nvme get-feature: say which one: -f FID, such as -f 7'],
    [['id-ns', '-n', 'one'], 'doorbell: nvme: -n one: it is a number of 32 bits'],
    [['id-ns', '-x'], 'doorbell: nvme: unknown flag "-x"; it takes -n -f -e -s -H'],
    [['get-feature', '-f', '0x100'], 'doorbell: nvme: -f 0x100: features have numbers up to 0xff'],
    [
      ['get-feature', '-f', '6', '-s', '4'],
      'doorbell: nvme: -s 4: 0 is the current value, 1 the default, 2 the saved one, 3 what can be done',
    ],
  ])('%j', async (argv, sentence) => {
    expect(await doorbell('nvme', ...argv)).toMatchObject({ status: 2, err: sentence });
  });
});
