/** Every link carries what the arithmetic of machine/timing/link.ts says, from fio's end to the wire and back. */
import { describe, expect, test } from 'vitest';
import { type Board, boardWith, boot, deviceNamed, linkOf, pc } from '../../boards/index.ts';
import { runJobs } from '../../cli/fio/engine.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { findTargets } from '../../cli/fio/targets.ts';

const GIGATRANSFERS = { 3: 8, 4: 16, 5: 32 } as const;
const DLLPS = 0.97;

/** Bytes per nanosecond of 128 KiB at depth 32 on a drive without a medium. */
async function rateOf(board: Board, rw: 'read' | 'write', bytes: number): Promise<number> {
  const { jobs } = parseJobFile(`[a]\nrw=${rw}\nbs=128k\niodepth=32\nio_size=${bytes}`, 'link.fio');
  const options = { machine: boot(board), jobs, targets: findTargets(board, jobs), seed: 1 };
  const { clones } = await runJobs({ ...options, hostNow: () => 0 });
  const { bytes: moved, elapsed_ns } = clones[0]!.directions[rw === 'read' ? 0 : 1]!;
  return moved / elapsed_ns;
}

const CASES = ([3, 4, 5] as const).flatMap((generation) =>
  ([1, 2, 4, 8, 16] as const).map((lanes) => [generation, lanes] as const),
);

describe.each(CASES)('gen %d x%d', (generation, lanes) => {
  const board = boardWith({ ...deviceNamed('null'), link: linkOf(generation, lanes) });
  const wire = (GIGATRANSFERS[generation] * (128 / 130) * lanes * DLLPS) / 8;

  test.each([
    ['read', 256 / 280],
    ['write', 256 / 276],
  ] as const)('%ss saturate within 3 %%', async (rw, share) => {
    const rate = await rateOf(board, rw, lanes > 4 ? 32 * 2 ** 20 : 16 * 2 ** 20);
    expect(Math.abs(rate / (wire * share) - 1)).toBeLessThan(0.03);
  });
});

test('a 64-byte DMA read takes what pcie-bench measured: 547 ns', () => {
  const machine = boot({ ...pc, rootPorts: [{ ...pc.rootPorts[0]!, link: linkOf(3, 8) }] });
  const [controller] = machine.controllers;
  const warm_ns = machine.host.rootComplex_ns + machine.host.memory_ns + machine.host.iotlbHit_ns;
  expect(Math.abs(controller!.dma!.link.read(0, 64, warm_ns) / 547 - 1)).toBeLessThan(0.1);
});
