/** What a program can ask of the driver when it opens a controller or creates a queue pair, and the defaults. */
import { MIB } from '../../support/numbers.ts';
import type { DmaSpace } from '../vfio/dma.ts';
import type { AsyncEventReport } from './events.ts';

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
  /** Commands outstanding on a queue pair. */
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
  /** Longest transfer of one command, if the controller allows it (MDTS). */
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
