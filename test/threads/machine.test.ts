/**
 * The threaded pace through public doors: the same drives, the same driver, hardware in a thread of its own; and what a
 * program is told when that thread fails. Not here: DMA against unmapping (unmap.test.ts).
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { pc, workstation } from '../../boards/index.ts';
import { type HardwareStart, ThreadedMachine } from '../../boards/threaded.ts';
import { bootThreaded, hostNow } from '../../bridge/threads.ts';
import { findNvme, NvmeDriver } from '../../drivers/nvme/index.ts';
import { CONFIG } from '../../machine/pcie/spec.ts';
import { INBOX, STATE, WORD } from '../../machine/threads/window.ts';
import { KIB } from '../../support/numbers.ts';
import { POLLIN } from '../../vfio/uapi/mman.ts';
import { isSame } from '../compare.ts';
import { pattern, sentence } from '../e2e/rig.ts';
import { hostOfBody, thrown } from './rig.ts';

describe('a machine with its hardware in a thread', () => {
  let machine: ThreadedMachine;
  beforeAll(() => {
    machine = bootThreaded(workstation);
  });
  afterAll(() => machine.close());

  test.each([false, true])('keeps what drives are given, interrupts: %s', async (interrupts) => {
    const { kernel } = machine;
    const bdfs = findNvme(kernel);
    expect(bdfs).toHaveLength(4);
    const drivers = await Promise.all(bdfs.map((bdf) => NvmeDriver.open(kernel, { bdf, interrupts })));
    const data = drivers.map((_, drive) => pattern(300 * KIB, drive + (interrupts ? 10 : 1)));
    await Promise.all(drivers.map((driver, drive) => driver.namespace(1).write(40 + drive, data[drive]!)));
    const read = await Promise.all(drivers.map((driver, drive) => driver.namespace(1).read(40 + drive, 600)));
    expect(read.map((bytes, drive) => isSame(bytes, data[drive]!))).toEqual([true, true, true, true]);
    for (const driver of drivers) await driver.close();
    expect(machine.explain()).toEqual([]);
  });

  test('an unmapped buffer ends in a status, a line of dmesg and a sentence', async () => {
    const driver = await NvmeDriver.open(machine.kernel, {});
    const queue = await driver.createQueuePair({ depth: 4 });
    const buffer = driver.allocate(8 * KIB);
    const { iova } = buffer;
    buffer.free();
    const failures: string[] = [];
    queue.onComplete = (slot) => failures.push(queue.error(slot).message);
    queue.postAt(2, 1, 0, 16, iova, 8 * KIB);
    queue.ring();
    while (queue.reap() === 0);
    expect(failures).toEqual([expect.stringContaining('failed with DATA_TRANSFER_ERROR')]);
    const text = machine.explain().join('\n');
    expect(text).toContain('[DMA Write NO_PASID] Request device [01:00.0]');
    expect(text).toContain(`nvme0: `);
    await driver.close();
  });

  test('a wait that nothing can end is given up, one with a deadline ends then', async () => {
    const { kernel } = machine;
    const fd = kernel.eventfd(0, 0);
    const never = kernel.wait(fd, POLLIN, Number.POSITIVE_INFINITY);
    expect(await sentence(never)).toBe(`Error: waiting for descriptor ${fd} forever: nothing is under way`);
    const until = kernel.now() + 3e6;
    expect(await kernel.wait(fd, POLLIN, until)).toBe(0);
    expect(kernel.now()).toBeGreaterThanOrEqual(until);
    kernel.close(fd);
  });

  test('waits of resets are skipped by both clocks', async () => {
    const before = machine.clock.now;
    const startedAt = performance.now();
    for (let i = 0; i < 5; i++) await (await NvmeDriver.open(machine.kernel, {})).close();
    const simulated_ms = (machine.clock.now - before) / 1e6;
    expect(simulated_ms, 'two function level resets each time').toBeGreaterThan(5 * 2 * 100);
    expect(performance.now() - startedAt).toBeLessThan(simulated_ms);
  });

  test('more posted stores than the ring holds arrive, in order', async () => {
    const { kernel, rootComplex } = machine;
    const driver = await NvmeDriver.open(kernel, {});
    const bar = rootComplex.configRead(1, 0, CONFIG.BAR0, 4) & ~0xf;
    const intms = bar + 0xc;
    const intmc = bar + 0x10;
    for (let bit = 0; bit < 5000; bit++)
      rootComplex.write32(bit & 1 ? intmc : intms, 1 << ((bit >>> 1) % 32));
    rootComplex.write32(intms, 0x8000_0001);
    expect(rootComplex.read32(intms)).toBe(0x8000_0001);
    await driver.close();
  });
});

describe('a hardware thread that fails', () => {
  const RUN = 'Atomics.store(window, STATE, 1); Atomics.notify(window, STATE);';

  test('dies while it works: the reason reaches the CPU', () => {
    const died = `const text = 'out of luck'; for (let i = 0; i < text.length; i++)
      window[${WORD.TEXT} + i] = text.charCodeAt(i);
      window[${WORD.TEXT_LENGTH}] = text.length; Atomics.store(window, STATE, ${STATE.DIED});`;
    expect(
      thrown(() => new ThreadedMachine(pc, hostOfBody(`${RUN} setTimeout(() => { ${died} }, 50);`))),
    ).toBe('HardwareThreadError: the hardware thread died: out of luck');
  });

  test('is named by its root ports where there are several', () => {
    const host = hostOfBody(`${RUN} setInterval(() => {}, 1000);`);
    expect(thrown(() => new ThreadedMachine(workstation, host, { timeout_ms: 100, workers: 'each' }))).toBe(
      'HardwareThreadError: the hardware thread of root port 04.0 has not answered a configuration cycle for 100 ms: it hangs or was ended',
    );
  });

  test('says nothing: the wait has a bound', () => {
    const host = hostOfBody(`${RUN} setInterval(() => {}, 1000);`);
    expect(thrown(() => new ThreadedMachine(pc, host, { timeout_ms: 100 }))).toBe(
      'HardwareThreadError: the hardware thread has not answered a configuration cycle for 100 ms: it hangs or was ended',
    );
  });

  test('hangs while others send interrupts: the wait has the same bound', () => {
    const flag = `inbox, ${INBOX.CPU_SLEEP}`;
    const interrupts = `setInterval(() => { if (Atomics.exchange(${flag}, 0) !== 0) Atomics.notify(${flag}); }, 10);`;
    const host = hostOfBody(
      `${RUN} const sends = ${interrupts} setTimeout(() => clearInterval(sends), 6000);`,
    );
    const begunAt = performance.now();
    expect(
      thrown(() => new ThreadedMachine(workstation, host, { timeout_ms: 100, workers: 'each' })),
    ).toMatch(/has not answered a configuration cycle for 100 ms/);
    expect(performance.now() - begunAt).toBeLessThan(5000);
  });

  test.each([
    ['dies', `Atomics.store(window, STATE, ${STATE.DIED}); Atomics.notify(window, STATE);`],
    ['cannot be made', null],
  ])('%s at the start: the others are ended', async (_, body) => {
    let running = 0;
    let spawned = 0;
    const spawn = (start: HardwareStart) => {
      const isLast = ++spawned === 2;
      if (isLast && body === null) throw new Error('no thread is left');
      const thread = hostOfBody(isLast ? body! : `${RUN} setInterval(() => {}, 1000);`).spawn(start);
      running++;
      return { end: () => thread.end().then(() => void running--) };
    };
    const options = { timeout_ms: 100, workers: 'each' } as const;
    expect(thrown(() => new ThreadedMachine(workstation, { hostNow, spawn }, options))).toMatch(
      body === null ? 'no thread is left' : /^HardwareThreadError: the hardware thread of root port .* died/,
    );
    expect(spawned).toBe(2);
    await vi.waitFor(() => expect(running).toBe(0));
  });

  test('is switched off: every later access says so', async () => {
    const machine = bootThreaded(pc);
    const driver = await NvmeDriver.open(machine.kernel, {});
    await machine.close();
    expect(machine.explain()).toEqual(['the machine was switched off']);
    expect(await sentence(driver.namespace(1).read(0, 1))).toBe(
      'HardwareThreadError: the machine was switched off',
    );
  });
});
