/** What the end-to-end tests share: every way to run a machine, data that tells blocks apart, and failures as text. */

import type { NvmeBoard } from '../../boards/index.ts';
import { type Board, boot, type Machine, type Pace, pc } from '../../boards/index.ts';
import { NvmeDriver, type NvmeOptions } from '../../drivers/nvme/index.ts';

export interface Way {
  readonly pace: Pace;
  readonly interrupts: boolean;
}

/** Both paces, each with a driver that polls and with one that waits for interrupts. */
export const WAYS: readonly Way[] = (['timed', 'functional'] as const).flatMap((pace) => [
  { pace, interrupts: false },
  { pace, interrupts: true },
]);

/** `pc` with something changed about its only drive. */
export function pcWith(change: Partial<NvmeBoard>): Board {
  const [port] = pc.rootPorts;
  return { ...pc, rootPorts: [{ ...port!, device: { ...(port!.device as NvmeBoard), ...change } }] };
}

/** A booted machine and the driver of its first drive. */
export async function start(
  { pace, interrupts }: Way,
  board: Board = pc,
  options: NvmeOptions = {},
): Promise<{ machine: Machine; driver: NvmeDriver }> {
  const machine = boot(board, { pace });
  return { machine, driver: await NvmeDriver.open(machine.kernel, { interrupts, ...options }) };
}

/** Bytes in which no two blocks, and hardly two positions, are alike. */
export function pattern(bytes: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let index = 0; index < words.length; index++)
    words[index] = Math.imul(index + seed * 0x9e37, 0x9e37_79b1) ^ index;
  return new Uint8Array(words.buffer, 0, bytes);
}

/** The error of a promise that is expected to be rejected, as `Name: sentence`. */
export const sentence = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'it did not fail',
    (reason: Error) => `${reason.name}: ${reason.message}`,
  );
