/**
 * Writes a sentence to the first block of a disk, reads the block back and prints it: `npx tsx
 * examples/hello.ts`.
 */
import { boot, pc } from '../boards/index.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';

const machine = boot(pc);
const nvme = await NvmeDriver.open(machine.kernel);
const disk = nvme.namespace(1);

const block = new Uint8Array(disk.blockSize);
new TextEncoder().encodeInto('Hello from the other side of a PCIe link.', block);
await disk.write(0, block);

const [text] = new TextDecoder().decode(await disk.read(0, 1)).split('\0', 1);
console.log(`${nvme.bdf} ${nvme.info.model}, ${disk.blocks} blocks of ${disk.blockSize} bytes: ${text}`);
await nvme.close();
