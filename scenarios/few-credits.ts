/** A fast link behind a port with few buffers. */
import { boardWith, defineScenario, device, fio, linkOf, whole } from './kit/index.ts';

export default defineScenario({
  name: 'few-credits',
  teaches: [
    'A PCIe packet may leave only when the other end has room for it: each needs a credit, which comes back later.',
    'With few credits the wire stands idle while they are on their way, however fast it is.',
    'Rate is then credits times payload over the time of a credit: more lanes do not help, larger payloads do.',
  ],
  settings: { credits: 4 },
  takes: { credits: whole(1, 65_536) },
  board: ({ credits }) => boardWith({ ...device('null'), link: { ...linkOf(5, 4), writeCredits: credits } }),
  async program(context) {
    const { read } = await fio(context, '[read]\nrw=read\nbs=128k\niodepth=16\nio_size=16m');
    return { MBps: read!.MBps };
  },
  expect: {
    'the rate is what the credits let through, within 3 %': ({ MBps }, { credits }) => {
      const { maxPayload_bytes, propagation_ns, creditReturn_ns } = linkOf(5, 4);
      const through = (credits * maxPayload_bytes * 1000) / (2 * propagation_ns + creditReturn_ns);
      const wire = (32 * (128 / 130) * 4 * 0.97 * (256 / 280) * 1000) / 8;
      return Math.abs(MBps / Math.min(through, wire) - 1) < 0.03;
    },
  },
});
