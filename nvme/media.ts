/**
 * When data are ready: what every model of a medium answers, and which model a profile asks for. Offsets are bytes of
 * the whole drive: a namespace's `mediaBase` and what lies in it. Bytes are not here (the BlockStore moves them).
 */
import type { Clock } from '../machine/clock.ts';
import type { DmaPort } from '../machine/pcie/dma-port.ts';
import type { Trace } from '../machine/trace.ts';
import type { Random } from '../support/random.ts';
import { NandMedia } from './media/nand.ts';
import type { MediaProfile } from './media/profile.ts';
import { UniformMedia } from './media/uniform.ts';

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
}

export interface MediaParts {
  readonly clock: Clock;
  readonly random: Random;
  /** NVM capacity of the drive. */
  readonly capacity_bytes: number;
  /** Where busy units are told (`media.busy`), and whose they are. */
  readonly busy: { readonly trace: Trace; readonly dma: Pick<DmaPort, 'requester'> };
}

const IMMEDIATE: Media = {
  free: true,
  read: () => 0,
  write: () => 0,
  update: () => 0,
  flush: () => 0,
  discard: () => {},
};

/** The model for `profile`; null: everything is ready at once. */
export function createMedia(profile: MediaProfile, parts: MediaParts): Media {
  if (profile === null) return IMMEDIATE;
  return profile.kind === 'uniform' ? new UniformMedia(profile, parts) : new NandMedia(profile, parts);
}
