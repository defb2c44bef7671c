/** What a program can ask of the driver when it opens a controller or creates a queue pair, the defaults, and the checks. */
import { MIB, PAGE_SIZE } from '../../support/numbers.ts';
import { atLeast, fields, flag, list, must, optional, type Shape, text, whole } from '../../support/shape.ts';
import { DmaSpace } from '../vfio/dma.ts';
import type { AsyncEventReport } from './events.ts';
import { MAX_DEPTH } from './queue-pair.ts';

export interface NvmeOptions {
  /** Address of the function, such as `0000:01:00.0`; the first NVMe controller on vfio-pci when absent. */
  readonly bdf?: string;
  /**
   * An address space to share with other devices. The driver makes one of its own when absent, and closes it.
   */
  readonly space?: DmaSpace;
  /**
   * Most I/O queue pairs; the controller may grant fewer. The namespaces use one of them from their first
   * command on.
   */
  readonly queuePairs?: number;
  /** Most commands outstanding on a queue pair, up to MAX_DEPTH; the controller may allow fewer (CAP.MQES). */
  readonly depth?: number;
  /** Wait for interrupts instead of polling. */
  readonly interrupts?: boolean;
  /**
   * Doorbells of I/O queues in memory (Doorbell Buffer Config), which the controller must offer: registers are written
   * only when it asks for it.
   */
  readonly shadowDoorbells?: boolean;
  /**
   * Lends memory to a controller that asks for it in Identify (HMPRE), such as a drive without DRAM: at most 128 MiB, until
   * the driver is closed.
   */
  readonly hostMemory?: boolean;
  /** Longest transfer of one command, 4 KiB to 256 MiB, if the controller allows it (MDTS). */
  readonly maxTransfer_bytes?: number;
  /** How long a command may take before it is aborted; as long again, and the controller is reset (recovery.ts). */
  readonly timeout_ns?: number;
  /**
   * How often a command of a namespace is sent again, after a failure that may pass (DNR 0) or a reset; after a delay
   * where the controller asks for one (CRD). 0 reports every failure.
   */
  readonly retries?: number;
  /** Called for every event that the controller reports. */
  readonly onEvent?: (event: AsyncEventReport) => void;
  /** Called with a sentence when the controller does something odd, and for every step of a recovery. */
  readonly onWarning?: (sentence: string) => void;
}

/** What an option is when it is not given. */
export const DEFAULT_NVME_OPTIONS = {
  queuePairs: 8,
  depth: 32,
  interrupts: false,
  shadowDoorbells: false,
  hostMemory: false,
  maxTransfer_bytes: MIB,
  timeout_ns: 30e9,
  retries: 5,
} as const;

export interface IoQueueOptions {
  readonly depth?: number;
  readonly interrupts?: boolean;
  /** Numbers of the queue pair to take if one of them is free; else, and without them, the first free one. */
  readonly preferred?: readonly number[];
}

/** Options with every default filled in. */
export type NvmeSettings = NvmeOptions & Required<Pick<NvmeOptions, keyof typeof DEFAULT_NVME_OPTIONS>>;

const callback = must('a function', (value) => typeof value === 'function');

/** A space can hold a whole machine, which no message should print. */
const space: Shape = (value, path) =>
  value instanceof DmaSpace ? [] : [{ path, problem: 'must be a DmaSpace' }];

/** NCQR is 16 bits and 0's based, and FFFFh is not allowed in it. Base 2.1 §5.1.25.2.1. */
const MAX_QUEUE_PAIRS = 0xffff;
/** MAX_BLOCKS blocks of 4 KiB. */
const MAX_TRANSFER_BYTES = 256 * MIB;
const MAX_RETRIES = 0xffff;

const OPEN = fields<NvmeOptions>({
  bdf: optional(text),
  space: optional(space),
  queuePairs: optional(whole(1, MAX_QUEUE_PAIRS)),
  depth: optional(whole(1, MAX_DEPTH)),
  interrupts: optional(flag),
  shadowDoorbells: optional(flag),
  hostMemory: optional(flag),
  maxTransfer_bytes: optional(whole(PAGE_SIZE, MAX_TRANSFER_BYTES)),
  timeout_ns: optional(atLeast(1, 'a finite number of nanoseconds from 1 on')),
  retries: optional(whole(0, MAX_RETRIES)),
  onEvent: optional(callback),
  onWarning: optional(callback),
});

/** The range of `depth` depends on the controller (io-queues.ts). */
const QUEUE = fields<IoQueueOptions>({
  depth: optional(must('a whole number', Number.isInteger)),
  interrupts: optional(flag),
  preferred: optional(list(whole(1, MAX_QUEUE_PAIRS))),
});

function check(shape: Shape, options: unknown, call: string): void {
  const [found] = shape(options, '');
  if (found === undefined) return;
  const what = found.path === '' ? 'the options' : `option ${found.path}`;
  throw new RangeError(`${call}: ${what} ${found.problem}`);
}

/** Options of NvmeDriver.open with every default filled in. Throws RangeError for the first one that cannot be. */
export function settingsOf(options: NvmeOptions): NvmeSettings {
  check(OPEN, options, 'NvmeDriver.open');
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_NVME_OPTIONS, ...Object.fromEntries(given) };
}

/** Throws RangeError for the first option of createQueuePair that cannot be. */
export const checkQueueOptions = (options: IoQueueOptions): void => check(QUEUE, options, 'createQueuePair');
