/**
 * When data are ready: what every model of a medium answers. Offsets are bytes of
 * the whole drive: a namespace's `mediaBase` and what lies in it. Not here:
 * the models (media/), the bytes (the BlockStore moves them).
 */

import type { Clock } from '../machine/clock.ts';
import type { DmaPort } from '../machine/pcie/dma-port.ts';
import type { Trace } from '../machine/trace.ts';
import type { Archive } from '../support/archive.ts';
import type { Random } from '../support/random.ts';

export interface Media {
  /** True when nothing takes time: nobody needs to ask. */
  readonly free: boolean;
  /** Nanoseconds until `length` bytes at `offset`, asked for now, are in the controller. */
  read(offset: number, length: number): number;
  /** Nanoseconds until `length` bytes at `offset`, given now, are safe in the controller or on the medium. */
  write(offset: number, length: number): number;
  /** Nanoseconds of a change without data, such as a deallocation. */
  update(): number;
  /** Nanoseconds until everything written is durable. */
  flush(): number;
  /** `length` bytes at `offset` are deallocated. */
  discard(offset: number, length: number): void;
  /** Share of its life that is used up: 1 is all that it was made for. */
  wear(): number;
  /** Where 4 KiB unit `unit` of the drive is on the medium, or -1: what the mapping table says. */
  place(unit: number): number;
  /** Saves or loads who is busy until when, and where data are (support/archive.ts). */
  archive(a: Archive): void;
}

export interface MediaParts {
  readonly clock: Clock;
  readonly random: Random;
  /** NVM capacity of the drive. */
  readonly capacity_bytes: number;
  /** The medium has moved a unit by itself. */
  readonly moved?: (unit: number) => void;
  /** Where busy units are told (`media.busy`), and whose they are. */
  readonly busy: { readonly trace: Trace; readonly dma: Pick<DmaPort, 'requester'> };
}
