/** A process for persistence.test.ts: `writer.ts IMAGE LBA` writes, flushes, says so, and kills itself. */
import { writeSync } from 'node:fs';
import { boot } from '../../boards/index.ts';
import { openStore } from '../../bridge/host.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { MIB } from '../../support/numbers.ts';
import { pattern, pcWith } from './rig.ts';

const [image, lba] = process.argv.slice(2);
const board = pcWith({ namespaces: [{ size: 4 * MIB, image: image! }] });
const driver = await NvmeDriver.open(boot(board, { openStore }).kernel);
const disk = driver.namespace(1);
await disk.write(Number(lba), pattern(300 * 512));
await disk.flush();
writeSync(1, 'flushed\n');
process.kill(process.pid, 'SIGKILL');
