/** `doorbell inspect` and `doorbell dmesg`: the tree, its paths, the moment, and walks that agree with the IOTLB. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { interrupts as interruptsOf } from '../../cli/inspect/drive.ts';
import { plain } from '../../cli/inspect/tree.ts';
import { MSIX_ENTRY } from '../../machine/pcie/spec.ts';
import { ready } from '../nvme/harness.ts';
import { doorbell } from './doorbell.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-inspect-'));
afterAll(() => rmSync(folder, { recursive: true }));
const job = join(folder, 'job.fio');
writeFileSync(job, '[a]\nrw=randread\nbs=16k\niodepth=8\nio_size=1m\nfilename=nvme0n1\n');

async function inspect(...argv: string[]): Promise<string> {
  const { status, out, err } = await doorbell('inspect', ...argv);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  return out;
}
const tree = async <Tree>(...argv: string[]): Promise<Tree> =>
  JSON.parse(await inspect(...argv, '--json')) as Tree;

test('the whole tree has every room', async () => {
  const whole = await tree<Record<string, unknown>>();
  expect(Object.keys(whole)).toEqual(['clock', 'board', 'pci', 'iommu', 'nvme0', 'kernel']);
  expect(whole).toMatchObject({
    board: 'pc',
    pci: { '01:00.0': { id: '0x1b36:0x0010', command: '0x0107' } },
    nvme0: { registers: { CC: '0x00460061', CSTS: '0x00000001' }, CSTS: { RDY: '1' } },
    kernel: { fds: { '3': 'iommufd', '4': 'device' } },
  });
});

test('a path leads to a part of it', async () => {
  expect((await inspect('nvme0/registers/CC')).trim()).toBe('0x00460061');
  expect(await inspect('nvme0/sq/0')).toContain('completes  on CQ 0');
});

test('every walk ends at the frame that the IOTLB keeps', async () => {
  const iommu = await tree<{
    iotlb: Record<string, string>;
    walk: Record<string, Record<string, Record<string, string>>>;
  }>('iommu', '--after', job, '--at', '50us');
  const cached = Object.entries(iommu.iotlb);
  expect(cached.length).toBeGreaterThan(8);
  for (const [key, text] of cached) {
    const iova = key.split(':')[1]!;
    const frame = /0x[0-9a-f]+/.exec(text)![0];
    expect(iommu.walk['01:00.0']![iova]!.result).toContain(`${iova} is physical ${frame},`);
  }
});

test('a walk stops where nothing is mapped', async () => {
  const walk = await tree<Record<string, string>>('iommu/walk/01:00.0/0xDEAD0000');
  expect(walk.result).toBeUndefined();
  expect(Object.values(walk).at(-1)).toContain('not present');
});

test('the moment is a simulated time after the first I/O', async () => {
  const at = async (time: string) =>
    Number.parseInt(await inspect('clock', '--after', job, '--at', time), 10);
  expect((await at('20us')) - (await at('5us'))).toBe(15_000);
});

test('temperature and power state, host memory, and the vectors of MSI-X', async () => {
  const { condition, hostMemory, interrupts } = await tree<Record<string, Record<string, unknown>>>('nvme0');
  expect(condition).toEqual({
    temperature: '310 K',
    'power state': '0',
    asleep: 'no',
    'medium takes': '1 times as long as at its fastest',
    spare: '100 %',
  });
  expect(hostMemory).toEqual({ enabled: 'no', map: 'all of it is in the controller' });
  expect(interrupts).toEqual({ by: 'the pin', INTMS: '0x00000000', 'all masked': 'no', vectors: {} });
  const harness = ready();
  harness.enableMsix(2);
  const masked = harness.controller.profile.msixTable + MSIX_ENTRY.SIZE + MSIX_ENTRY.CONTROL;
  harness.write32(masked, 1);
  const { by, vectors } = plain(interruptsOf(harness.controller)) as Record<string, unknown>;
  const message = '^0x[0-9a-f]{4} to 0xfee[0-9a-f]{5}';
  expect([by, vectors]).toEqual([
    'MSI-X',
    {
      0: expect.stringMatching(new RegExp(`${message}$`)),
      1: expect.stringMatching(new RegExp(`${message}, masked$`)),
    },
  ]);
});

test('zones that are not empty, with what is written in them', async () => {
  const path = join(folder, 'zones.fio');
  writeFileSync(path, '[a]\nzonemode=zbd\nrw=write\nbs=64k\nsize=2z\n');
  const zones = await tree('nvme0/zones', '--board', 'zns', '--after', path, '--at', '1ms');
  expect(zones).toEqual({
    '1': { '0': expect.stringMatching(/^implicitly open, \d+ of 768 blocks written$/) },
  });
});

describe('mistakes', () => {
  test.each([
    [['nvme0/sx'], 'inspect: nvme0 has no "sx"; did you mean "sq"?'],
    [['nvme0/sq/1'], 'inspect: nvme0/sq has no "1"; it has 0; I/O queues appear with --after JOB.fio'],
    [['nvme0/sq/99', '--after', job], 'inspect: nvme0/sq has no "99"; it has 0, 1'],
    [['clock/now'], /^inspect: clock has no parts, it is \d+ ns$/],
    [['clock', 'board'], 'inspect: give one path, such as nvme0/sq or iommu/iotlb'],
    [['--at', '5us'], 'inspect: --at counts from the first I/O of the jobs that --after names'],
    [['--after', job, '--at', '5'], '--at 5: a time has a unit: 500ns, 20us, 1.5ms or 1s'],
  ])('%j', async (argv, sentence) => {
    const { status, err } = await doorbell('inspect', ...argv);
    expect(status).toBe(2);
    const text = err.replace(/^doorbell: /, '');
    if (typeof sentence === 'string') expect(text).toBe(sentence);
    else expect(text).toMatch(sentence);
  });

  test('a moment after the end', async () => {
    expect(await doorbell('inspect', '--after', job, '--at', '5s')).toMatchObject({
      status: 1,
      err: 'doorbell: inspect: the jobs ended before that moment',
    });
  });
});

test('dmesg prints the log', async () => {
  const { status, out } = await doorbell('dmesg');
  expect(status).toBe(0);
  expect(out).toMatch(/^\[ {4}0\.000000\] DMAR: Host address width 48\n/);
});
