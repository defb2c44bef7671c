/** A process for boot-time.test.ts: `first-io.ts PACE` prints the process time from a board to its first block read. */
import { boot, type Pace, pc } from '../../boards/index.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';

const start = process.cpuUsage();
const driver = await NvmeDriver.open(boot(pc, { pace: process.argv[2] as Pace }).kernel);
await driver.namespace(1).read(0, 1);
const { user, system } = process.cpuUsage(start);
console.log(JSON.stringify({ cpu_ms: (user + system) / 1000 }));
