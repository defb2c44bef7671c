/**
 * `zonemode=zbd`: on a namespace without zones the same zones in the same order, and as many resets, as fio 3.33 has on a
 * file (recorded); on a zoned namespace what the drive then reports; and the sentences for what cannot be.
 */
import { describe, expect, test } from 'vitest';
import { boot, zns } from '../../boards/index.ts';
import { runJobs } from '../../cli/fio/engine.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { READ, TRIM, WRITE } from '../../cli/fio/stats.ts';
import { findTargets } from '../../cli/fio/targets.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { linesOf } from './log-lines.ts';

async function run(text: string, pace: 'timed' | 'functional' = 'functional') {
  const { jobs } = parseJobFile(text, 'zbd.fio');
  const machine = boot(zns, { pace });
  const targets = findTargets(zns, jobs);
  const { clones, logs } = await runJobs({ machine, jobs, targets, seed: 1, hostNow: () => 0 });
  return {
    machine,
    clones,
    stats: clones[0]!,
    log: linesOf(logs, '_lat'),
  };
}

const ZONE = 256 * 1024;
/** Runs of I/Os in one zone, as `COUNT*ZONE` with `r` for reads. */
function visits(log: readonly string[]): string {
  const places = log.map((line) => {
    const [, , direction, , offset] = line.split(', ');
    return `${Math.floor(Number(offset) / ZONE)}${direction === '0' ? 'r' : ''}`;
  });
  const runs: [zone: string, count: number][] = [];
  for (const place of places) {
    if (runs.at(-1)?.[0] === place) runs.at(-1)![1]++;
    else runs.push([place, 1]);
  }
  return runs.map(([zone, count]) => `${count}*${zone}`).join(' ');
}
const each = (count: number, zones: readonly (number | string)[]): string =>
  zones.map((zone) => `${count}*${zone}`).join(' ');
const upTo = (zones: number, from = 0): number[] =>
  Array.from({ length: zones - from }, (_, index) => from + index);

const MADE_UP =
  '[a]\nfilename=nvme0n2\nioengine=psync\nzonemode=zbd\nzonesize=256k\nbs=4k\nwrite_lat_log=x\nlog_offset=1\n';

describe('as fio on a file', () => {
  test.each([
    ['rw=write\nsize=4m\nio_size=6m', 8, each(64, [...upTo(16), ...upTo(8)])],
    ['rw=write\nsize=4m\nzonecapacity=192k', 0, each(48, upTo(16))],
    ['rw=write\nsize=4m\nzonecapacity=192k\nio_size=6m', 16, each(48, [...upTo(16), ...upTo(16)])],
    ['rw=write\nsize=4m\nzoneskip=512k', 10, each(64, [0, 3, 6, 9, 12, 15, 0, 3, 6, 9, 12, 15, 0, 3, 6, 9])],
    [
      'rw=write\nsize=4m\nzone_reset_threshold=0.5\nzone_reset_frequency=0.1',
      51,
      `${each(64, upTo(8))} 512*8`,
    ],
    ['rw=write\noffset=64k\nsize=3968k', 0, each(64, upTo(15, 1))],
    ['rw=write\noffset=2z\nsize=3z', 0, each(64, [2, 3, 4])],
    ['rw=write\nsize=4m\nverify=crc32c', 0, each(64, [...upTo(16), ...upTo(16).map((zone) => `${zone}r`)])],
    ['rw=trim\nbs=256k\nsize=4m', 0, each(1, upTo(16))],
    ['rw=randread\nsize=4m', 0, ''],
  ])('%j', async (lines, resets, zones) => {
    const { stats, log } = await run(MADE_UP + lines);
    expect(stats.failure).toBe('');
    expect([stats.zoneResets, visits(log)]).toEqual([resets, zones]);
  });

  test('random writes fill each zone once, and no more zones are open than may be', async () => {
    const { stats, log } = await run(`${MADE_UP}rw=randwrite\nsize=4m`);
    expect([stats.zoneResets, stats.directions[WRITE].ios]).toEqual([0, 1024]);
    expect(new Set(log.map((line) => line.split(', ')[4])).size).toBe(1024);
    const two = visits((await run(`${MADE_UP}rw=randwrite\nsize=4m\nmax_open_zones=2`)).log);
    expect(
      new Set(
        two
          .split(' ')
          .slice(0, 20)
          .map((visit) => visit.split('*')[1]),
      ).size,
    ).toBe(2);
  });

  test('reads of a mixture go to what was written, and the first I/O is a write', async () => {
    const { stats, log } = await run(`${MADE_UP}rw=randrw\nsize=4m`);
    const { [READ]: reads, [WRITE]: writes } = stats.directions;
    expect(log[0]!.split(', ')[2]).toBe('1');
    expect(reads.bytes + writes.bytes).toBe(4 << 20);
    expect(Math.abs(reads.bytes / writes.bytes - 1)).toBeLessThan(0.2);
  });
});

describe('on zones of a drive', () => {
  const zoned = (lines: string) => `[a]\nfilename=nvme0n1\nzonemode=zbd\nsize=16z\nbs=64k\n${lines}`;
  const report = async ({ machine }: Awaited<ReturnType<typeof run>>) => {
    const driver = await NvmeDriver.open(machine.kernel);
    return (await driver.namespace(1).zones!.report()).map(({ state }) => state);
  };

  test('four jobs with deep queues write at the write pointers, and reset what is full', async () => {
    const ran = await run(zoned('rw=randwrite\niodepth=16\nnumjobs=4\nio_size=32m'), 'timed');
    expect(ran.clones.map(({ failure }) => failure)).toEqual(['', '', '', '']);
    expect(ran.clones.reduce((sum, { zoneResets }) => sum + zoneResets, 0)).toBeGreaterThan(20);
    const open = (await report(ran)).filter((state) => state.endsWith('open') || state === 'closed');
    expect(open.length).toBeLessThanOrEqual(12);
  });

  test('a job that waits for its rate keeps no zone from others', async () => {
    const job = 'rw=randwrite\nmax_open_zones=1\nrate=10m\nnumjobs=8\ntime_based\nruntime=50ms';
    const { clones } = await run(zoned(job), 'timed');
    const written = clones.map(({ directions }) => directions[WRITE].bytes >> 16);
    expect(written).toEqual(Array(8).fill(8));
  });

  test('what is verified starts in empty zones, and is what was written', async () => {
    const ran = await run(zoned('rw=randwrite\niodepth=8\nverify=crc32c\nloops=2'));
    expect([ran.stats.failure, ran.stats.zoneResets]).toEqual(['', 16]);
    expect(ran.stats.directions[READ].bytes).toBe(2 * 16 * (3 << 20));
  });

  test('a trim resets a zone', async () => {
    const ran = await run(
      `${zoned('rw=write')}\n[b]\nstonewall\nfilename=nvme0n1\nzonemode=zbd\nrw=trim\nbs=4m\nsize=4z`,
    );
    expect(ran.clones[1]!.directions[TRIM].ios).toBe(4);
    expect((await report(ran)).slice(0, 17)).toEqual([
      ...Array<string>(4).fill('empty'),
      ...Array<string>(12).fill('full'),
      'empty',
    ]);
  });

  test.each([
    [
      'zonemode=zbd\nrw=write\nfilename=nvme0n2',
      'zonemode=zbd needs a zonesize, because nvme0n2 has no zones',
    ],
    ['zonemode=zbd\nrw=write\nzonesize=2m', 'zonesize=2097152, and the zones of nvme0n1 have 4194304 bytes'],
    [
      'zonemode=zbd\nrw=write\nmax_open_zones=9',
      'max_open_zones=9, and nvme0n1 allows 8; ignore_zone_limits=1',
    ],
    ['zonemode=zbd\nrw=write\nbs=1m', 'a write of 1048576 bytes is several commands'],
    ['zonemode=zbd\nrw=trim\nbs=64k', 'zonemode=zbd trims whole zones: bs=4194304 would'],
    ['zonemode=zbd\nrw=trimwrite', 'zonemode=zbd takes no trimwrite'],
    ['zonemode=zbd\nrw=write:8k', 'zonemode=zbd takes no rw=write with a colon'],
    ['rw=write', 'nvme0n1 has zones, which are written with zonemode=zbd'],
    ['rw=read\nsize=4z', 'a size in zones needs zonemode=zbd'],
    ['filename=nvme0n2\nzonemode=zbd\nzonesize=4m\nrw=write\njob_max_open_zones=2', 'needs max_open_zones'],
    ['zonemode=zbd\nzone_reset_threshold=2', 'zone_reset_threshold takes a share from 0 to 1, such as 0.1'],
  ])('%j', async (lines, sentence) => {
    await expect(run(`[a]\nfilename=nvme0n1\n${lines}`)).rejects.toThrow(sentence);
  });
});
