/**
 * The drives that a job file uses, opened once, and for each clone a queue pair and data buffers of its own.
 * Not here: what runs on them (engine.ts), names of namespaces (targets.ts).
 */
import {
  type BlockDevice,
  ControllerError,
  cdevName,
  DEFAULT_NVME_OPTIONS,
  type DmaBuffer,
  NvmeDriver,
  type NvmeOptions,
  type QueuePair,
  SysError,
} from '../../drivers/nvme/index.ts';
import type { Topology } from '../../machine/pcie/enumerate.ts';
import { bdfText, CLASS } from '../../machine/pcie/spec.ts';
import type { Archive } from '../../support/archive.ts';
import { formatSize, PAGE_SIZE } from '../../support/numbers.ts';
import { UserError } from '../../support/user-error.ts';
import { POLLIN } from '../../vfio/uapi/mman.ts';
import type { AnyMachine } from '../pace.ts';
import type { Interrupt } from './clone-parts.ts';
import { TRIM_BYTES, TrimRanges } from './commands.ts';
import { type Job, sentenceAbout } from './job-file.ts';
import { bufferBytes, type Room } from './region.ts';
import { fileOf, type Target, type Targets } from './targets.ts';
import { ZoneMap } from './zone-map.ts';

/** What one clone works with. */
export interface Workplace {
  readonly queue: QueuePair;
  /** A buffer for each I/O. */
  readonly buffer: DmaBuffer;
  readonly buffer_bytes: number;
  readonly ranges: TrimRanges;
  readonly maxTransfer_bytes: number;
  readonly interrupt: Interrupt | null;
  /** Deletes the queue pair and frees the buffer, if the drive is not lost; nothing may be outstanding. */
  close(): Promise<void>;
}

/** What a run asks of the driver, named as there; a command may take `timeout_ns`, 30 s when absent. */
export type DriverOptions = Pick<NvmeOptions, 'hostMemory' | 'shadowDoorbells' | 'timeout_ns' | 'onWarning'>;

export class Drives {
  readonly #machine: AnyMachine;
  readonly #targets: Targets;
  readonly #options: DriverOptions;
  readonly #drivers = new Map<number, NvmeDriver>();
  readonly #warnings = new Map<number, string>();
  /** Why drives cannot be used any more. */
  readonly #losses = new Map<number, string>();

  private constructor(machine: AnyMachine, targets: Targets, options: DriverOptions) {
    this.#machine = machine;
    this.#targets = targets;
    this.#options = options;
  }

  /** Opens the drive of every job with as many queue pairs as `jobs` can need at once. */
  static async open(
    machine: AnyMachine,
    targets: Targets,
    jobs: readonly Job[],
    options: DriverOptions,
  ): Promise<Drives> {
    const drives = new Drives(machine, targets, options);
    try {
      const used = jobs.map(
        (job) => new Set(clonesOf(job).map((clone) => drives.targetOf(job, clone).drive)),
      );
      for (const drive of new Set(used.flatMap((set) => [...set]))) {
        await drives.#open(
          drive,
          jobs.filter((_, index) => used[index]!.has(drive)),
        );
      }
      return drives;
    } catch (error) {
      await drives.close();
      throw error;
    }
  }

  async #open(drive: number, jobs: readonly Job[]): Promise<void> {
    const { kernel, topology } = this.#machine;
    const bdf = addressesOf(topology)[drive]!;
    if (cdevName(kernel, bdf) === undefined) this.#refuseGone(drive, bdf, jobs[0]!);
    const clones = jobs.reduce((sum, job) => sum + job.numjobs, 0);
    // A report of zones goes over a queue pair of the driver's own.
    const reports = jobs.some(({ zonemode }) => zonemode === 'zbd') ? 1 : 0;
    const queuePairs = Math.max(clones + reports, ...jobs.flatMap((job) => job.cpus_allowed.map(queueOfCpu)));
    const interrupts = jobs.some((job) => !job.hipri);
    const onWarning = (sentence: string): void => this.#warn(drive, sentence);
    const options = { ...this.#options, bdf, queuePairs, interrupts, onWarning };
    this.#drivers.set(drive, await NvmeDriver.open(kernel, options));
  }

  #refuseGone(drive: number, bdf: string, job: Job): never {
    const clone = clonesOf(job).find((each) => this.targetOf(job, each).drive === drive)!;
    const name = `nvme${drive}n${this.targetOf(job, clone).nsid}`;
    const sentence = `${name} (${bdf}) is gone: the kernel has no VFIO device at that address any more`;
    throw new UserError(sentenceAbout(job, sentence, ['filename', 'directory']), 1);
  }

  driver(drive: number): NvmeDriver {
    return this.#drivers.get(drive)!;
  }

  /** How long a command may take. */
  get timeout_ns(): number {
    return this.#options.timeout_ns ?? DEFAULT_NVME_OPTIONS.timeout_ns;
  }

  #warn(drive: number, sentence: string): void {
    this.#warnings.set(drive, sentence);
    this.#options.onWarning?.(sentence);
  }

  /** Why a drive cannot be used any more; empty while it can, as far as `workplace`, `zonesOf` and `close` have met it. */
  lossOf(drive: number): string {
    return this.#losses.get(drive) ?? '';
  }

  /** Resolves with null where `work` finds that the drive is lost, which is noted. */
  async #unlessLost<T>(drive: number, work: Promise<T>): Promise<T | null> {
    return work.catch((error: unknown) => {
      if (!(error instanceof ControllerError)) throw error;
      const { message } = error;
      this.#losses.set(drive, message);
      if (this.lastWarning(drive) !== message) this.#warn(drive, message);
      return null;
    });
  }

  /** What the driver of a drive said last; empty when it said nothing. */
  lastWarning(drive: number): string {
    return this.#warnings.get(drive) ?? '';
  }

  /** What the machine says of the command that a drive refused last; empty when it refused none. */
  lastRefusal(drive: number): string {
    return this.#machine.explain().findLast((line) => line.startsWith(`nvme${drive}: `)) ?? '';
  }

  targetOf(job: Job, clone: number): Target {
    return this.#targets.byFile.get(fileOf(job, clone))!;
  }

  #namespaceOf(job: Job, clone: number): BlockDevice {
    const { drive, nsid } = this.targetOf(job, clone);
    return this.#drivers.get(drive)!.namespace(nsid);
  }

  /** Sizes of the namespace of a clone. */
  roomOf(job: Job, clone: number): Room {
    const { bytes, blockSize, zones } = this.#namespaceOf(job, clone);
    const { maxTransfer_bytes } = this.#drivers.get(this.targetOf(job, clone).drive)!;
    const zone_bytes = zones === null ? 0 : zones.info.blocks * blockSize;
    const maxOpenZones = zones?.info.maxOpen ?? 0;
    return { bytes, block_bytes: blockSize, zone_bytes, maxOpenZones, maxTransfer_bytes };
  }

  /** The zones that `zonemode=zbd` works on, as they are now: the namespace's own, or such as the job says; null: `lossOf`. */
  zonesOf(job: Job, clone: number): Promise<ZoneMap | null> {
    const namespace = this.#namespaceOf(job, clone);
    if (namespace.zones !== null)
      return this.#unlessLost(this.targetOf(job, clone).drive, ZoneMap.of(namespace));
    const { zonesize, zonecapacity } = job;
    return Promise.resolve(ZoneMap.madeUp(namespace.bytes, zonesize, zonecapacity || zonesize));
  }

  /**
   * A queue pair for one clone of a job; null: `lossOf`. Throws UserError when the controller has none left or a shallower
   * one.
   */
  workplace(job: Job, clone: number): Promise<Workplace | null> {
    return this.#unlessLost(this.targetOf(job, clone).drive, this.#workplace(job, clone));
  }

  async #workplace(job: Job, clone: number): Promise<Workplace> {
    const { drive } = this.targetOf(job, clone);
    const driver = this.#drivers.get(drive)!;
    const interrupts = !job.hipri;
    const { maxTransfer_bytes } = driver;
    const depth = job.iodepth * Math.ceil(Math.max(...job.bs.slice(0, 2)) / maxTransfer_bytes);
    const options = { depth, interrupts, preferred: cpusOf(job, clone).map(queueOfCpu) };
    const queue = await driver.createQueuePair(options).catch((error: unknown) => {
      if (!(error instanceof RangeError)) throw this.#explained(error, job, clone);
      const keys = / in use$/.test(error.message) ? ['numjobs'] : ['iodepth', 'bs'];
      throw new UserError(sentenceAbout(job, error.message, keys));
    });
    const buffer_bytes = bufferBytes(job, PAGE_SIZE);
    const allocate = (bytes: number): DmaBuffer => {
      try {
        return driver.allocate(bytes);
      } catch (error) {
        throw this.#explained(error, job, clone);
      }
    };
    const buffer = allocate(buffer_bytes * job.iodepth);
    const ranges = allocate(TRIM_BYTES * job.iodepth);
    const close = async (): Promise<void> => {
      await this.#unlessLost(drive, driver.deleteQueuePair(queue));
      // A drive that may still write to it is silenced first, when its driver is closed.
      if (this.lossOf(drive) !== '') return;
      buffer.free();
      ranges.free();
    };
    const interrupt = interrupts ? this.#interruptOf(driver, queue) : null;
    return {
      queue,
      buffer,
      buffer_bytes,
      ranges: new TrimRanges(ranges),
      maxTransfer_bytes,
      interrupt,
      close,
    };
  }

  /** Memory that ran out as a sentence about the job that asked for too much; any other error as it is. */
  #explained(error: unknown, job: Job, clone: number): unknown {
    if (!(error instanceof SysError) || error.code !== 'ENOMEM') return error;
    const { name, ram } = this.#machine.board;
    const buffers = `${formatSize(bufferBytes(job, PAGE_SIZE))} for each of its ${job.iodepth} I/Os at a time`;
    const sentence = `no memory is left for clone ${clone + 1} of ${job.numjobs}, which takes ${buffers}; board ${name} has ram ${ram}`;
    return new UserError(sentenceAbout(job, sentence, ['bs', 'iodepth', 'numjobs']));
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

  /** Closes every drive; one that is lost, or that does not answer any more, leaves a warning with the cause. */
  async close(): Promise<void> {
    for (const [drive, driver] of this.#drivers) await this.#unlessLost(drive, driver.close());
  }

  /** Saves or loads the queues of every drive (support/archive.ts). */
  archive(a: Archive): void {
    a.same([...this.#drivers.keys()].join(), 'the list of drives');
    a.same([...this.#losses.keys()].join(), 'the list of drives that were lost in earlier stages');
    for (const driver of this.#drivers.values()) driver.archive(a);
    a.contents(this.#warnings);
  }
}

/**
 * Addresses (`0000:01:00.0`) of the drives of a board by number, as firmware found them: a drive that has gone since does
 * not make others move up.
 */
const addressesOf = (functions: Topology): string[] =>
  functions.flatMap(({ bdf, class: code, bridge }) =>
    bridge === null && code === CLASS.NVME ? [`0000:${bdfText(bdf)}`] : addressesOf(bridge?.children ?? []),
  );

/** As Linux has it, each processor has a queue pair of its own, numbered from 1. */
const queueOfCpu = (cpu: number): number => cpu + 1;

/** The processors that a clone may run on: all of its job's, or one of them in turn. */
function cpusOf({ cpus_allowed, cpus_allowed_policy }: Job, clone: number): readonly number[] {
  if (cpus_allowed_policy === 'shared' || cpus_allowed.length === 0) return cpus_allowed;
  return [cpus_allowed[clone % cpus_allowed.length]!];
}

/** Numbers of a job's clones, from 0. */
export const clonesOf = ({ numjobs }: Job): number[] => Array.from({ length: numjobs }, (_, clone) => clone);
