/** A buffer is unmapped while the drive still writes to it. */
import { at, defineScenario, NvmeDriver, pc, whole } from './kit/index.ts';

export default defineScenario({
  name: 'unmap-in-flight',
  teaches: [
    'A buffer belongs to the drive from the doorbell until the completion; to unmap it earlier is a use after free.',
    'With an IOMMU the access faults and the command fails; without one the drive would write into memory of others.',
    'The fault log names device and address, the completion says Data Transfer Error: together they tell the bug.',
  ],
  settings: { after_us: 3 },
  takes: { after_us: whole(0, 8) },
  board: () => pc,
  async program({ machine, begin, settings }) {
    const driver = await NvmeDriver.open(machine.kernel);
    const disk = driver.namespace(1);
    const buffer = driver.allocate(4096);
    await disk.readInto(0, 8, buffer);
    const { iova } = buffer;
    begin(at(settings.after_us, 'the program unmaps the buffer', () => buffer.free()));
    const failed = await disk.readInto(0, 8, buffer).then(
      () => '',
      (error: Error) => error.message,
    );
    const explained = machine.explain();
    const works = (await disk.read(0, 1)).length > 0;
    await driver.close();
    return { iova: `0x${iova.toString(16)}`, failed, explained, works };
  },
  expect: {
    'the command fails with a data transfer error': ({ failed }) => failed.includes('DATA_TRANSFER_ERROR'),
    'the IOMMU names the device and the address': ({ iova, explained }) =>
      explained.some((line) => line.includes('DMAR: [DMA Write') && line.includes(`fault addr ${iova}`)),
    'the drive works on': ({ works }) => works,
  },
});
