/** A zone that is written in turn, and one that is appended to by many. */
import { defineScenario, NvmeDriver, whole, zns } from './kit/index.ts';

export default defineScenario({
  name: 'zone-append',
  teaches: [
    'A zone is written at its write pointer, so that a write cannot be sent before the one in front of it is done.',
    'Zone Append names only the zone: the drive chooses the block and tells it, and many can be under way.',
    'What is written stays until the whole zone is reset; a full zone takes nothing more.',
  ],
  settings: { depth: 8, blocks: 256 },
  takes: { depth: whole(2, 16), blocks: whole(32, 768) },
  board: () => zns,
  async program({ machine: { kernel }, settings: { depth, blocks } }) {
    const driver = await NvmeDriver.open(kernel);
    const namespace = driver.namespace(1);
    const zones = namespace.zones!;
    const block = new Uint8Array(namespace.blockSize).fill(0x5a);
    const [first, second] = [0, zones.info.blocks];
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const from = kernel.now();
      await work();
      return (kernel.now() - from) / 1000;
    };
    await zones.reset(first); // the first command makes the queue
    const write_us = await timed(async () => {
      for (let lba = 0; lba < blocks; lba++) await namespace.write(first + lba, block);
    });
    const landed: number[] = [];
    const append_us = await timed(async () => {
      let left = blocks;
      const writer = async (): Promise<void> => {
        while (left-- > 0) landed.push(await zones.append(second, block));
      };
      await Promise.all(Array.from({ length: depth }, writer));
    });
    await zones.finish(second);
    const refusal = await zones.append(second, block).then(
      () => 'none',
      (error: Error) => error.message,
    );
    const full = (await zones.report())[1]!.state;
    await zones.reset(second);
    const { pointer } = (await zones.report())[1]!;
    await driver.close();
    const places = new Set(landed);
    return {
      write_us,
      append_us,
      places: places.size,
      last: Math.max(...landed) - second,
      full,
      refusal,
      empty: pointer === second,
    };
  },
  expect: {
    'appends side by side take the time of writes, divided by nearly as many as are under way (up to four)': (
      { write_us, append_us },
      { depth },
    ) => append_us < (1.5 * write_us) / Math.min(depth, 4),
    'every block of the zone up to the last was given once': ({ places, last }, { blocks }) =>
      places === blocks && last === blocks - 1,
    'a full zone takes no append': ({ full, refusal }) => full === 'full' && refusal.includes('ZONE_IS_FULL'),
    'a reset gives it back': ({ empty }) => empty,
  },
});
