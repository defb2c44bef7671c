/** An interrupt that never comes. */
import { defineScenario, lostInterrupts, NvmeDriver, pc, whole } from './kit/index.ts';

export default defineScenario({
  name: 'lost-msi',
  teaches: [
    'The completion is in memory, but the message that should tell of it is lost: the thread sleeps on.',
    'A driver that looks at its queue once more when the time is up finds the command done, only late.',
    'One that aborts or resets without looking turns a lost interrupt into lost work.',
  ],
  settings: { timeout_us: 5000 },
  takes: { timeout_us: whole(100, 1_000_000) },
  board: () => pc,
  events: () => [lostInterrupts(0)],
  async program({ machine, begin, elapsed_ns, settings }) {
    const timeout_ns = settings.timeout_us * 1000;
    const driver = await NvmeDriver.open(machine.kernel, { interrupts: true, timeout_ns });
    const disk = driver.namespace(1);
    await disk.read(0, 8);
    begin();
    machine.clock.advance(1);
    const read = async (): Promise<number> => {
      const start_ns = elapsed_ns();
      await disk.read(8, 8);
      return (elapsed_ns() - start_ns) / 1000;
    };
    const first_us = await read();
    const second_us = await read();
    await driver.close();
    return { first_us, second_us };
  },
  expect: {
    'the read comes back when the time is up': ({ first_us }, { timeout_us }) =>
      first_us >= timeout_us && first_us < timeout_us + 100,
    'the next one is as fast as ever': ({ second_us }) => second_us < 50,
  },
});
