/** Power fails between a write and its flush. */
import { defineScenario, type NvmeBoard, NvmeDriver, pc, powerCut, whole } from './kit/index.ts';

const [port] = pc.rootPorts;
const drive = port!.device as NvmeBoard;

export default defineScenario({
  name: 'power-cut',
  teaches: [
    'With a volatile write cache a completed write is not a durable one: it may only be in the cache.',
    'Flush, or FUA on the write, is what makes it survive; the completion of a write alone promises nothing.',
    'What was flushed before the power cut is there afterwards, what came later is as if never written.',
  ],
  settings: { cache: 1_048_576 },
  takes: { cache: whole(4096, 2 ** 30) },
  board: ({ cache }) => ({
    ...pc,
    rootPorts: [{ ...port!, device: { ...drive, profile: { ...drive.profile, dirty_bytes: cache } } }],
  }),
  events: () => [powerCut(100)],
  async program({ machine, begin }) {
    const driver = await NvmeDriver.open(machine.kernel);
    const disk = driver.namespace(1);
    const block = (value: number): Uint8Array => new Uint8Array(disk.blockSize).fill(value);
    await disk.write(0, block(1));
    await disk.write(1, block(1));
    await disk.flush();
    await disk.write(0, block(2));
    await disk.write(2, block(2), { fua: true });
    begin();
    machine.clock.advance(200_000);
    await driver.close().catch(() => {});
    const again = await NvmeDriver.open(machine.kernel);
    const after = await again.namespace(1).read(0, 3);
    await again.close();
    const at = (lba: number): number => after[lba * disk.blockSize]!;
    return { overwritten: at(0), flushed: at(1), forced: at(2) };
  },
  expect: {
    'what was flushed is there': ({ flushed }) => flushed === 1,
    'what was only written is gone, and the flushed contents are back': ({ overwritten }) =>
      overwritten === 1,
    'a write with FUA is there': ({ forced }) => forced === 2,
  },
});
