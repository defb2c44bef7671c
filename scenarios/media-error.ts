/** A block that the medium cannot give back. */
import { defineScenario, mediaError, NvmeDriver, pc, whole } from './kit/index.ts';

export default defineScenario({
  name: 'media-error',
  teaches: [
    'A medium error is the answer to one command, not the end of the drive: the blocks beside it are fine.',
    'It stays until the block is written again; a retry only repeats the answer.',
    'The SMART log counts it, which is often the first that anybody hears of a dying medium.',
  ],
  settings: { lba: 42 },
  takes: { lba: whole(1, 524_286) },
  board: () => pc,
  events: ({ lba }) => [mediaError(100, lba)],
  async program({ machine, begin, settings: { lba } }) {
    const driver = await NvmeDriver.open(machine.kernel, { retries: 0 });
    const disk = driver.namespace(1);
    await disk.write(lba - 1, new Uint8Array(3 * disk.blockSize).fill(7));
    begin();
    machine.clock.advance(200_000);
    const failed = await disk.read(lba, 1).then(
      () => '',
      (error: Error) => error.message,
    );
    const neighbours = (await disk.read(lba - 1, 1))[0] === 7 && (await disk.read(lba + 1, 1))[0] === 7;
    const counted = machine.controllers[0]!.health.mediaErrors;
    await disk.write(lba, new Uint8Array(disk.blockSize).fill(8));
    const healed = (await disk.read(lba, 1))[0] === 8;
    await driver.close();
    return { failed, neighbours, counted, healed };
  },
  expect: {
    'the read fails with an unrecovered read error, and names the block': ({ failed }, { lba }) =>
      failed.includes('UNRECOVERED_READ_ERROR') && failed.includes(`block ${lba}`),
    'its neighbours can be read': ({ neighbours }) => neighbours,
    'the health log has counted it': ({ counted }) => counted === 1,
    'writing the block heals it': ({ healed }) => healed,
  },
});
