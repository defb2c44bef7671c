/**
 * How often the driver gives entries of a completion queue back to the controller: seldom, and often enough. On the whole
 * machine, where a controller that finds the queue full would stop. Not here: every small size (test/drivers/queue-pair.test.ts).
 */
import { expect, test, vi } from 'vitest';
import type { Pace } from '../../boards/index.ts';
import { GENERIC } from '../../nvme/profile.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { pcWith, start } from './rig.ts';

const MQES_ENTRIES = 16;
const BOARD = pcWith({ profile: { ...GENERIC, maxQueueEntries: MQES_ENTRIES } });
const COMMANDS = 96;

/** Completes COMMANDS flushes, each posted as soon as a slot is free. Returns how often the head was rung. */
async function headDoorbells(pace: Pace, depth: number, interrupts: boolean, board = pcWith({})) {
  const { machine, driver } = await start({ pace, interrupts }, board);
  const queue = await driver.createQueuePair({ depth });
  const registers = vi.spyOn(driver.doorbells, 'write32');
  let left = COMMANDS;
  let done = 0;
  const post = () => {
    if (left > 0 && queue.post(NVM.FLUSH, 1, 0, 1) >= 0) left--;
  };
  queue.onComplete = (_slot, status) => {
    done += status === 0 ? 1 : 0;
    post();
    queue.ring();
  };
  for (let i = 0; i < depth; i++) post();
  queue.ring();
  while (done < COMMANDS && (queue.reap() > 0 || machine.kernel.relax(Number.POSITIVE_INFINITY)));
  const head = 4 * (2 * queue.qid + 1);
  const rung = registers.mock.calls.filter(([offset]) => offset === head).length;
  expect([done, queue.outstanding, queue.staleCount]).toEqual([COMMANDS, 0, 0]);
  await driver.close();
  return rung;
}

test.each(['timed', 'functional'] as const)(
  'a queue that is polled: one for 32 completions, at the %s pace',
  async (pace) => {
    expect(await headDoorbells(pace, 1, false)).toBe(3);
    expect(await headDoorbells(pace, 7, false)).toBeLessThanOrEqual(3);
  },
);

test('a queue with interrupts: one for each reap', async () => {
  expect(await headDoorbells('timed', 1, true)).toBe(COMMANDS);
});

test.each([1, 7, MQES_ENTRIES - 1])('a controller with queues of 16 entries, depth %i', async (depth) => {
  const slack = MQES_ENTRIES - depth;
  for (const pace of ['timed', 'functional'] as const) {
    const rung = await headDoorbells(pace, depth, false, BOARD);
    expect(rung).toBeGreaterThan(0);
    expect(rung).toBeLessThanOrEqual(COMMANDS / slack);
  }
});
