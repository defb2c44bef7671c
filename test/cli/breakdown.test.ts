/** The breakdown of one read: its parts are what the board says they cost, and nothing of its latency is left over. */
import { expect, test } from 'vitest';
import { boot, pc } from '../../boards/index.ts';
import { type Breakdown, BreakdownRecorder, PARTS } from '../../cli/breakdown.ts';
import { runJobs } from '../../cli/fio/engine.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { findTargets } from '../../cli/fio/targets.ts';
import { OPTANE_P4800X } from '../../nvme/profile.ts';

async function medianOf(lines: string): Promise<{ median: Breakdown; p50: number }> {
  const { jobs } = parseJobFile(`[a]\nrw=randread\nio_size=1m\n${lines}`, 'x.fio');
  const machine = boot(pc);
  const { fetch_ns, complete_ns } = OPTANE_P4800X;
  const recorder = new BreakdownRecorder({ host: machine.host, fetch_ns, complete_ns });
  machine.trace.listen(recorder.listener);
  const onCompletion = recorder.completed.bind(recorder);
  const options = { machine, jobs, targets: findTargets(pc, jobs), seed: 1, hostNow: () => 0, onCompletion };
  const { clones } = await runJobs(options);
  return { median: recorder.median()!, p50: clones[0]!.directions[0].lat.percentile(50) };
}

test.each(['hipri=1', 'hipri=0', 'bs=128k'])(
  'with %s the parts add up to the median latency',
  async (lines) => {
    const { median, p50 } = await medianOf(lines);
    const sum = PARTS.reduce((total, part) => total + median[part], 0);
    expect(sum).toBeCloseTo(median.latency, 3);
    expect(median.latency / p50).toBeCloseTo(1, 1);
    for (const part of PARTS) expect(median[part]).toBeGreaterThanOrEqual(-1e-6);
  },
);

test('parts that the board fixes are what it says', async () => {
  const polled = (await medianOf('hipri=1')).median;
  const { submit_ns, store_ns, complete_ns, interrupt_ns, wakeup_ns, syscall_ns } = pc.host;
  const { fetch_ns, decode_ns, complete_ns: controller_ns, media } = OPTANE_P4800X;
  expect(polled.software).toBeCloseTo(submit_ns + store_ns + complete_ns, 3);
  expect(polled.controller).toBeCloseTo(fetch_ns + decode_ns + controller_ns, 3);
  expect(polled.media).toBeGreaterThan(media.read_ns - media.jitter_ns);
  expect(polled.interrupt).toBeCloseTo(0, 3);
  const woken = (await medianOf('hipri=0')).median;
  expect(woken.interrupt).toBeGreaterThan(interrupt_ns + wakeup_ns + syscall_ns);
});

test('without a command there is no median', () => {
  const recorder = new BreakdownRecorder({ host: pc.host, fetch_ns: 0, complete_ns: 0 });
  expect(recorder.median()).toBeNull();
});
