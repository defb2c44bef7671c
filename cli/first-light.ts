/**
 * `doorbell first-light`, also `npm start`: one walk through the whole machine. Boots a board with a real ext4 image,
 * shows what the driver asks the kernel, reads the image through every layer, runs jobs, and says where the time went.
 */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Board, drivesOf, pc } from '../boards/index.ts';
import { EXT4_BYTES, makeExt4Image } from '../bridge/ext4-image.ts';
import { openStore } from '../bridge/host.ts';
import { packageFile } from '../bridge/package-file.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';
import { MIB } from '../support/numbers.ts';
import { UserError } from '../support/user-error.ts';
import { straceLine } from '../vfio/strace.ts';
import { parseArguments, parseSeed } from './arguments.ts';
import { BreakdownRecorder } from './breakdown.ts';
import { readSuperblock, SUPERBLOCK_OFFSET } from './ext4.ts';
import { hostNow, readJobFile } from './fio/command.ts';
import { runJobs } from './fio/engine.ts';
import { findTargets } from './fio/targets.ts';
import { breakdownTable, type Measured, resultTable } from './first-light-tables.ts';
import { lspci } from './lspci.ts';
import type { Output } from './output.ts';
import { type AnyMachine, boot, parsePace, switchOff } from './pace.ts';

const JOBS = 'scenarios/first-light.fio';
const SCRATCH_BYTES = 64 * MIB;

/** Returns the exit status: 1 when the image reads back differently or a job fails. */
export async function firstLight(argv: readonly string[], output: Output): Promise<number> {
  const { options, rest } = parseArguments('first-light', argv, ['pace', 'seed']);
  if (rest.length > 0) throw new UserError(`first-light: unexpected "${rest[0]}"`);
  const pace = parsePace(options.pace);
  const seed = parseSeed(options.seed);
  const folder = mkdtempSync(join(tmpdir(), 'doorbell-'));
  try {
    const image = join(folder, 'first-light.ext4');
    const { origin } = makeExt4Image(image);
    const board = withImage(pc, image);
    const bootedAt = hostNow();
    const machine = boot(board, { pace, seed, openStore });
    const took = ((hostNow() - bootedAt) / 1e6).toFixed(0);
    output.lines([
      heading(`Board ${board.name}: ${board.description}; booted in ${took} ms`),
      ...lspci(machine, { hexBytes: 0, numeric: 0, tree: true, verbose: true, slot: null }),
    ]);
    const isSame = await readImage(machine, image, origin, output);
    const measured = await measure(machine, seed, output).finally(() => switchOff(machine));
    const isTimed = pace === 'timed';
    output.lines([heading(`${JOBS}, ${isTimed ? 'simulated' : 'host'} time`), ...resultTable(measured)]);
    if (isTimed) {
      output.lines([
        heading('Where the time of the median read went, in nanoseconds'),
        ...breakdownTable(measured),
      ]);
    }
    return isSame && measured.every(({ stats }) => stats.errno === 0) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const heading = (text: string): string => `\n== ${text}`;

/** The board with two namespaces on its first drive: the image, and an empty one in memory. */
function withImage(board: Board, image: string): Board {
  const [port, ...others] = board.rootPorts;
  const { drive } = drivesOf(board.rootPorts)[0]!;
  const namespaces = [{ size: EXT4_BYTES, image }, { size: SCRATCH_BYTES }];
  return { ...board, rootPorts: [{ ...port!, device: { ...drive, namespaces } }, ...others] };
}

/** Opens the drive with every system call shown, and reads the image through it. Returns whether it equals the file. */
async function readImage(
  machine: AnyMachine,
  image: string,
  origin: string,
  output: Output,
): Promise<boolean> {
  output.lines([heading('The driver takes the drive over: its system calls')]);
  machine.kernel.onCall = (name, args, ret) => output.lines([straceLine(name, args, ret)]);
  const driver = await NvmeDriver.open(machine.kernel, { depth: 64 });
  machine.kernel.onCall = null;
  const namespace = driver.namespace(1);
  const { model, serial } = driver.info;
  output.lines([
    heading(`${model}, serial ${serial}: ${driver.namespaces.length} namespaces`),
    ...driver.namespaces.map(
      ({ nsid, blocks, blockSize }) => `nvme0n${nsid}: ${blocks} blocks of ${blockSize} bytes`,
    ),
  ]);

  const start = await namespace.read(0, (2 * SUPERBLOCK_OFFSET) / namespace.blockSize);
  const superblock = readSuperblock(start);
  if (superblock === null) throw new UserError('nvme0n1 holds no ext4 file system', 1);
  const { label, uuid, blocks, blockSize, freeBlocks } = superblock;
  const simulatedStart = machine.kernel.now();
  const hostStart = hostNow();
  const through = createHash('sha256');
  await hashNamespace(driver, through);
  const simulated_s = (machine.kernel.now() - simulatedStart) / 1e9;
  const host_s = (hostNow() - hostStart) / 1e9;
  await driver.close();
  const [read, direct] = [through.digest('hex'), await hashFile(image)];
  const rate = (seconds: number) => `${(namespace.bytes / seconds / 1e9).toFixed(2)} GB/s`;
  const simulated =
    machine.pace === 'timed'
      ? `${(simulated_s * 1e3).toFixed(1)} ms of simulated time (${rate(simulated_s)}), `
      : '';
  output.lines([
    heading(`nvme0n1 through driver, IOMMU, link and controller: ext4 made by ${origin}`),
    `label ${label}, UUID ${uuid}, ${blocks} blocks of ${blockSize} bytes, ${freeBlocks} free`,
    `sha256 through the machine: ${read}`,
    `sha256 of the image file:   ${direct}  ${read === direct ? 'the same' : 'DIFFERENT'}`,
    `${namespace.bytes / MIB} MiB read in ${simulated}${(host_s * 1e3).toFixed(0)} ms of host time (${rate(host_s)})`,
  ]);
  return read === direct;
}

async function hashNamespace(driver: NvmeDriver, hash: Hash): Promise<void> {
  const namespace = driver.namespace(1);
  const step = (4 * MIB) / namespace.blockSize;
  for (let lba = 0; lba < namespace.blocks; lba += step) {
    hash.update(await namespace.read(lba, Math.min(step, namespace.blocks - lba)));
  }
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** Runs the jobs one by one; those of depth 1 are traced, so that their time can be broken down. */
async function measure(machine: AnyMachine, seed: number, output: Output): Promise<Measured[]> {
  const { jobs } = readJobFile(packageFile(JOBS));
  const timing = drivesOf(machine.board.rootPorts)[0]!.drive.profile.timing!;
  const { fetch_ns, complete_ns } = timing;
  const measured: Measured[] = [];
  for (const job of jobs) {
    output.status(`running ${job.name}`);
    const isBrokenDown = machine.pace === 'timed' && job.iodepth === 1 && !job.writes;
    const recorder = new BreakdownRecorder({ host: machine.host, fetch_ns, complete_ns });
    const stop = isBrokenDown ? machine.trace.listen(recorder.listener) : () => {};
    const result = await runJobs({
      machine,
      jobs: [job],
      targets: findTargets(machine.board, [job]),
      seed,
      hostNow,
      ...(isBrokenDown ? { onCompletion: recorder.completed.bind(recorder) } : {}),
    });
    stop();
    const breakdown = isBrokenDown ? recorder.median() : null;
    measured.push({ stats: result.clones[0]!, host_ns: result.host_ns, breakdown });
  }
  output.status('');
  return measured;
}
