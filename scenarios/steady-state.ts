/** A flash drive before and after it has run out of erased blocks. */
import { boardWith, defineScenario, device, fio, oneOf } from './kit/index.ts';

export default defineScenario({
  name: 'steady-state',
  teaches: [
    'A fresh flash drive writes into erased blocks; once they are used up, each new one must be collected first.',
    'Random writes then share the flash with the data that collection moves: write amplification.',
    'Benchmarks of the first minutes say little about the rest; more over-provisioning moves less.',
  ],
  settings: { device: 'kioxia-cm7', size: '32m' },
  takes: { device: oneOf('970pro', '990pro', 'kioxia-cm7'), size: oneOf('32m') },
  board: (settings) => boardWith(device(settings.device), settings.size),
  async program(context) {
    const write = 'rw=randwrite\nbs=4k\niodepth=128\nnorandommap';
    const text = `[fresh]\n${write}\nio_size=24m\n[fill]\nstonewall\n${write}\nio_size=128m\n[steady]\nstonewall\n${write}\nio_size=32m`;
    const { fresh, steady } = await fio(context, text);
    return {
      fresh_kiops: fresh!.kiops,
      steady_kiops: steady!.kiops,
      fresh_p99_us: fresh!.p99_us,
      steady_p99_us: steady!.p99_us,
    };
  },
  expect: {
    'the steady state writes less than half of the fresh one': ({ fresh_kiops, steady_kiops }) =>
      steady_kiops < fresh_kiops / 2,
    'and its slow writes are slower': ({ fresh_p99_us, steady_p99_us }) => steady_p99_us > fresh_p99_us,
  },
});
