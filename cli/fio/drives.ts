/**
 * The drives that a job file uses, opened once, and for each clone a queue pair and data buffers of its own.
 * Not here: what runs on them (engine.ts), names of namespaces (targets.ts).
 */
import type { Machine } from '../../boards/index.ts';
import { type DmaBuffer, findNvme, NvmeDriver, type QueuePair } from '../../drivers/nvme/index.ts';
import { POLLIN } from '../../vfio/uapi/mman.ts';
import { UserError } from '../user-error.ts';
import type { Interrupt } from './clone.ts';
import type { Job } from './job-file.ts';
import type { Room } from './region.ts';
import type { Target, Targets } from './targets.ts';

/** What one clone works with. */
export interface Workplace {
  readonly queue: QueuePair;
  readonly buffer: DmaBuffer;
  readonly interrupt: Interrupt | null;
  /** Deletes the queue pair and frees the buffer; nothing may be outstanding. */
  close(): Promise<void>;
}

export class Drives {
  readonly #machine: Machine;
  readonly #targets: Targets;
  readonly #drivers = new Map<number, NvmeDriver>();

  private constructor(machine: Machine, targets: Targets) {
    this.#machine = machine;
    this.#targets = targets;
  }

  /** Opens the drive of every job with as many queue pairs as `jobs` can need at once. */
  static async open(machine: Machine, targets: Targets, jobs: readonly Job[]): Promise<Drives> {
    const drives = new Drives(machine, targets);
    try {
      for (const drive of new Set(jobs.map((job) => drives.targetOf(job).drive))) {
        await drives.#open(
          drive,
          jobs.filter((job) => drives.targetOf(job).drive === drive),
        );
      }
      return drives;
    } catch (error) {
      await drives.close();
      throw error;
    }
  }

  async #open(drive: number, jobs: readonly Job[]): Promise<void> {
    const { kernel } = this.#machine;
    const bdf = findNvme(kernel)[drive]!;
    const queuePairs = jobs.reduce((sum, job) => sum + job.numjobs, 0);
    const interrupts = jobs.some((job) => !job.hipri);
    this.#drivers.set(drive, await NvmeDriver.open(kernel, { bdf, queuePairs, interrupts }));
  }

  targetOf(job: Job): Target {
    return this.#targets.byFile.get(job.filename)!;
  }

  /** Sizes of a job's namespace. */
  roomOf(job: Job): Room {
    const { drive, nsid } = this.targetOf(job);
    const driver = this.#drivers.get(drive)!;
    const { bytes, blockSize } = driver.namespace(nsid);
    return { bytes, block_bytes: blockSize, maxTransfer_bytes: driver.maxTransfer_bytes };
  }

  /** A queue pair for one clone of a job. Throws UserError when the controller has none left or a shallower one. */
  async workplace(job: Job, buffer_bytes: number): Promise<Workplace> {
    const driver = this.#drivers.get(this.targetOf(job).drive)!;
    const interrupts = !job.hipri;
    const queue = await driver.createQueuePair({ depth: job.iodepth, interrupts }).catch((error: unknown) => {
      if (!(error instanceof RangeError)) throw error;
      throw new UserError(`${job.where}: job "${job.name}": ${error.message}`);
    });
    const buffer = driver.allocate(buffer_bytes * job.iodepth);
    const close = async (): Promise<void> => {
      await driver.deleteQueuePair(queue);
      buffer.free();
    };
    return { queue, buffer, interrupt: interrupts ? this.#interruptOf(driver, queue) : null, close };
  }

  #interruptOf(driver: NvmeDriver, queue: QueuePair): Interrupt {
    const { kernel } = this.#machine;
    const fd = driver.interruptFd(queue);
    const counter = new Uint8Array(8);
    const eventfd = kernel.files.get(fd)!;
    return {
      isRaised: () => (eventfd.poll() & POLLIN) !== 0,
      clear: () => void kernel.read(fd, counter),
    };
  }

  async close(): Promise<void> {
    for (const driver of this.#drivers.values()) await driver.close();
  }
}
