/**
 * What publishes completions to a driver in another thread: one store for a burst, of its first entry and last of all,
 * and loads of the driver in order. Seen from one thread, where it can be watched store by store.
 */
import { expect, test, vi } from 'vitest';
import { boot, pc } from '../../boards/index.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { CQE, NVM } from '../../nvme/spec/commands.ts';

const DEPTH = 8;
const WORDS = CQE.SIZE / 4;
const PHASE = 1 << 16;

test('the first entry of a burst is published when all others are there, and tags are loaded in order up to the first old one', async () => {
  const machine = boot(pc, { pace: 'functional' });
  const { kernel, memory } = machine;
  // A driver that knows nothing of its device but that it may be in another thread.
  Object.assign(kernel, { ordersLoads: false });
  const driver = await NvmeDriver.open(kernel, {});
  const queue = await driver.createQueuePair({ depth: DEPTH });
  const buffer = driver.allocate(DEPTH * 512);
  for (let slot = 0; slot < DEPTH; slot++) queue.prepare(slot, buffer.iova + slot * 512, 512);
  let first = -1;
  const tags = () =>
    Array.from({ length: DEPTH }, (_, index) => memory.i32[first + index * WORDS]! & PHASE).map(Boolean);
  const published: boolean[][] = [];
  memory.publish = (word, value) => {
    first = word;
    published.push(tags());
    memory.i32[word] = value;
  };
  for (let slot = 0; slot < DEPTH; slot++) queue.post(NVM.READ, 1, slot, 1);
  queue.ring();
  expect(published).toEqual([[false, ...Array(DEPTH - 1).fill(true)]]);
  expect(tags()).toEqual(Array(DEPTH).fill(true));

  const load = vi.spyOn(Atomics, 'load');
  // The third is there for a plain look only.
  const early = (words: Int32Array, word: number) =>
    words[word]! ^ (load.mock.calls.length === 3 ? PHASE : 0);
  load.mockImplementation(early as typeof Atomics.load);
  expect([queue.reap(), load.mock.calls.length]).toEqual([2, 3]);
  load.mockReset();
  expect(queue.reap()).toBe(DEPTH - 2);
  const steps = load.mock.calls.map(([, index]) => index - load.mock.calls[0]![1]);
  load.mockRestore();
  expect(steps).toEqual(Array.from({ length: DEPTH - 2 }, (_, index) => index * WORDS));
  await driver.close();
});
