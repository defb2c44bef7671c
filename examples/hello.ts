/** Reads the first block of the first disk and prints it. Run it with `npx tsx examples/hello.ts`. */
import { boot, pc } from '../boards/index.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';

const machine = boot(pc);
const nvme = await NvmeDriver.open(machine.kernel);
const disk = nvme.namespace(1);
const block = await disk.read(0, 1);
await nvme.close();

console.log(`${nvme.bdf}, ${nvme.info.model}: ${disk.blocks} blocks of ${disk.blockSize} bytes`);
for (let at = 0; at < block.length; at += 16) {
  const bytes = [...block.subarray(at, at + 16)].map((byte) => byte.toString(16).padStart(2, '0'));
  console.log(`${at.toString(16).padStart(4, '0')}  ${bytes.join(' ')}`);
}
