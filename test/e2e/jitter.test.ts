/** Chance outside the media: each knob spreads its own time, from a stream of its own, and a seed decides it all. */
import { expect, test } from 'vitest';
import { type Board, boot, pc } from '../../boards/index.ts';
import { runJobs } from '../../cli/fio/engine.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { READ } from '../../cli/fio/stats.ts';
import { findTargets } from '../../cli/fio/targets.ts';

interface Knobs {
  readonly firmwareJitter_ns?: number;
  readonly jitter_ns?: number;
  readonly interruptJitter_ns?: number;
}

/** `pc` without chance in its medium, and with the knobs set. */
function board({ firmwareJitter_ns = 0, jitter_ns = 0, interruptJitter_ns = 0 }: Knobs): Board {
  const [port] = pc.rootPorts;
  const { device } = port!;
  if (device?.kind !== 'nvme' || device.profile.timing?.media?.kind !== 'uniform')
    throw new Error('pc has another drive');
  const { timing } = device.profile;
  const media = { ...device.profile.timing.media, jitter_ns: 0 };
  const profile = { ...device.profile, timing: { ...timing, firmwareJitter_ns, media } };
  const link = { ...port!.link, jitter_ns };
  const host = { ...pc.host, interruptJitter_ns };
  return { ...pc, host, rootPorts: [{ ...port!, link, device: { ...device, profile } }] };
}

/** Latencies of reads one after the other, which wait for interrupts. */
async function latencies(knobs: Knobs, seed = 1) {
  const { jobs } = parseJobFile('[a]\nrw=randread\nnumber_ios=400\nhipri=0', 'jitter.fio');
  const machine = boot(board(knobs), { seed });
  const targets = findTargets(machine.board, jobs);
  const { clones } = await runJobs({ machine, jobs, targets, seed, hostNow: () => 0 });
  const { min, max, mean, deviation } = clones[0]!.directions[READ].lat;
  return { min, max, mean, deviation };
}

const still = await latencies({});

test('without any, only what the IOMMU has cached makes a difference', async () => {
  expect(still.deviation).toBeLessThan(100);
  expect(await latencies({}, 2)).toMatchObject({ max: expect.closeTo(still.max, -2) });
});

test.each([
  ['firmware', { firmwareJitter_ns: 300 }, 300, 0],
  ['an interrupt', { interruptJitter_ns: 1000 }, 1000, 0],
  // Doorbell, command, data, completion and message each wait up to so much, half of it on average.
  ['the link', { jitter_ns: 200 }, 200, 3 * 100],
] as const)('%s: spread and mean follow the knob, a seed decides', async (_, knobs, spread, later) => {
  const found = await latencies(knobs);
  expect(found).toEqual(await latencies(knobs));
  expect(found).not.toEqual(await latencies(knobs, 2));
  expect(found.deviation).toBeGreaterThan(spread / 3);
  expect(found.max - found.min).toBeGreaterThan(1.2 * spread);
  expect(Math.abs(found.mean - still.mean - later)).toBeLessThan(later + spread / 4);
});

test('one source of chance leaves the draws of another alone', async () => {
  const both = await latencies({ firmwareJitter_ns: 300, interruptJitter_ns: 1e-6 });
  const alone = await latencies({ firmwareJitter_ns: 300 });
  expect(both.mean).toBeCloseTo(alone.mean, 3);
  expect(both.max).toBeCloseTo(alone.max, 3);
});
