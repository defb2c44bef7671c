/** Two drives behind one switch. */
import { defineScenario, fio, whole, workstation } from './kit/index.ts';

export default defineScenario({
  name: 'shared-uplink',
  teaches: [
    'Behind a switch every drive has its own link, but all of them share the one link from the switch upwards.',
    'One drive alone is as fast as beside the CPU, but for the time through the switch.',
    'Together they get what the uplink carries, in equal parts.',
  ],
  settings: { depth: 16 },
  takes: { depth: whole(4, 256) },
  board: () => workstation,
  async program(context) {
    const text = `[global]\nrw=read\nbs=128k\niodepth=${context.settings.depth}\nruntime=4ms\ntime_based
      [alone]\nfilename=nvme1n1\n[left]\nstonewall\nfilename=nvme1n1\n[right]\nfilename=nvme2n1\n[third]\nfilename=nvme3n1`;
    const { alone, left, right, third } = await fio(context, text);
    return {
      alone_MBps: alone!.MBps,
      left_MBps: left!.MBps,
      right_MBps: right!.MBps,
      third_MBps: third!.MBps,
    };
  },
  expect: {
    'alone, the drive gives what its medium can (2.4 GB/s)': ({ alone_MBps }) => alone_MBps > 2300,
    'three together fill the uplink (gen 3 x4, 3.5 GB/s) and no more': ({
      left_MBps,
      right_MBps,
      third_MBps,
    }) => Math.abs((left_MBps + right_MBps + third_MBps) / 3492 - 1) < 0.05,
    'each of them gets a third, within 10 %': ({ left_MBps, right_MBps, third_MBps }) =>
      [left_MBps, right_MBps, third_MBps].every((rate) => Math.abs(rate / 1164 - 1) < 0.1),
  },
});
