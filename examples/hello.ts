import { boot, NvmeDriver, pc } from 'doorbell';

const machine = boot(pc); //                                 firmware, IOMMU, kernel: about 30 ms
const nvme = await NvmeDriver.open(machine.kernel); //       open, BIND, ATTACH, MAP, mmap, queues
const disk = nvme.namespace(1);

await disk.write(7, new TextEncoder().encode('hello, block 7'.padEnd(disk.blockSize)));
await disk.flush();
const start = machine.kernel.now();
const block = await disk.read(7, 1); //                      doorbell, DMA through the IOMMU, MSI-X or polling
const took_ns = machine.kernel.now() - start;
await nvme.close();

console.log(new TextDecoder().decode(block).trim());
console.log(`${took_ns.toFixed(0)} ns of simulated time`);
