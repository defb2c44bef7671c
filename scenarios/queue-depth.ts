/** Little's law on a drive: what depth buys, and what it costs. */
import { boardWith, DEVICE, defineScenario, device, fio, whole } from './kit/index.ts';

export default defineScenario({
  name: 'queue-depth',
  teaches: [
    'A drive works on several commands at a time, so more in flight are more per second, up to what its medium can do.',
    'Beyond that they only wait: latency grows with depth, throughput does not.',
    "Little's law holds at every depth: commands in flight are throughput times latency.",
  ],
  settings: { device: 'optane-p4800x', deep: 32 },
  takes: { device: DEVICE, deep: whole(24, 256) },
  board: (settings) => boardWith(device(settings.device)),
  async program(context) {
    const jobs = [1, 8, context.settings.deep].map((depth) => `[qd${depth}]\nstonewall\niodepth=${depth}`);
    const text = `[global]\nrw=randread\nbs=4k\nruntime=5ms\ntime_based\n${jobs.join('\n')}`;
    const figures = Object.values(await fio(context, text));
    const [one, eight, deep] = figures.map(({ kiops }) => kiops) as [number, number, number];
    const [one_us, eight_us, deep_us] = figures.map(({ mean_us }) => mean_us) as [number, number, number];
    return { one, eight, deep, one_us, eight_us, deep_us };
  },
  expect: {
    'depth 8 brings at least four times the throughput of depth 1': ({ one, eight }) => eight > 4 * one,
    'the deepest queue brings hardly more than depth 8': ({ eight, deep }) => deep < 1.2 * eight,
    'and its latency is more than twice that of depth 8': ({ eight_us, deep_us }) => deep_us > 2 * eight_us,
    "Little's law holds within 2 %": ({ deep, deep_us }, settings) =>
      Math.abs((deep * deep_us) / 1000 / settings.deep - 1) < 0.02,
  },
});
