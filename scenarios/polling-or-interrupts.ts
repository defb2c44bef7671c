/** The same reads by polling memory and by sleeping until MSI-X. */
import { defineScenario, fio, pc, whole } from './kit/index.ts';

export default defineScenario({
  name: 'polling-or-interrupts',
  teaches: [
    'A completion is in memory long before an interrupt has woken the thread that waits for it.',
    'Message, handler, eventfd and wake-up cost some microseconds: as much as a third of a read of fast media.',
    'Polling saves them and pays with a CPU that does nothing else.',
  ],
  settings: { depth: 1 },
  takes: { depth: whole(1, 4) },
  board: () => pc,
  async program(context) {
    const text = `[global]\nrw=randread\nbs=4k\niodepth=${context.settings.depth}\nio_size=2m\n[polling]\nhipri=1\n[sleeping]\nstonewall\nhipri=0`;
    const { polling, sleeping } = await fio(context, text);
    return { polling_us: polling!.mean_us, sleeping_us: sleeping!.mean_us };
  },
  expect: {
    'sleeping costs at least handler and wake-up': ({ polling_us, sleeping_us }) =>
      sleeping_us - polling_us > (pc.host.interrupt_ns + pc.host.wakeup_ns) / 1000,
    'and at most two microseconds more': ({ polling_us, sleeping_us }) =>
      sleeping_us - polling_us < (pc.host.interrupt_ns + pc.host.wakeup_ns) / 1000 + 2,
  },
});
