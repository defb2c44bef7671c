/** What the header of each packet costs. */
import { boardWith, boot, defineScenario, device, fio, linkOf, oneOf } from './kit/index.ts';

export default defineScenario({
  name: 'small-payloads',
  teaches: [
    'Every PCIe packet carries 24 bytes of framing, header and checksum besides its data.',
    'With payloads of 128 bytes they take a sixth of the wire, with 512 bytes a twentieth.',
    'The smallest Max Payload Size on the way counts, so one old port slows down a whole path.',
  ],
  settings: { payload: 128, larger: 512 },
  takes: { payload: oneOf(128, 256), larger: oneOf(512, 1024, 2048, 4096) },
  board: ({ payload }) =>
    boardWith({ ...device('null'), link: { ...linkOf(4, 4), maxPayload_bytes: payload } }),
  async program({ seed, machine, settings }) {
    const text = '[read]\nrw=read\nbs=128k\niodepth=16\nio_size=16m';
    const link = { ...linkOf(4, 4), maxPayload_bytes: settings.larger };
    const other = boot(boardWith({ ...device('null'), link }), { seed });
    const small = await fio({ machine, seed }, text);
    const large = await fio({ machine: other, seed }, text);
    return { small_MBps: small.read!.MBps, large_MBps: large.read!.MBps };
  },
  expect: {
    'the rates are as the shares of data on the wire, within 2 %': ({ small_MBps, large_MBps }, settings) => {
      const share = (bytes: number): number => bytes / (bytes + 24);
      return (
        Math.abs(small_MBps / large_MBps / (share(settings.payload) / share(settings.larger)) - 1) < 0.02
      );
    },
  },
});
