/** The pace of a machine by name, and the machine that runs at it. Not here: what a pace is (boards/). */
import { type Board, type BootOptions, boot as bootHere, type Machine } from '../boards/index.ts';
import type { ThreadedMachine } from '../boards/threaded.ts';
import { bootThreaded } from '../bridge/threads.ts';
import { suggestion } from '../support/nearest.ts';
import { UserError } from '../support/user-error.ts';

const PACES = ['timed', 'functional', 'threaded'] as const;
export type AnyPace = (typeof PACES)[number];
export type AnyMachine = Machine | ThreadedMachine;

/** Throws UserError for a pace that does not exist. */
export function parsePace(text = 'timed'): AnyPace {
  const pace = PACES.find((name) => name === text);
  if (pace !== undefined) return pace;
  throw new UserError(`--pace ${text}: it is timed, functional or threaded${suggestion(text, PACES)}`);
}

const WORKERS = ['shared', 'each'] as const;
export type Workers = (typeof WORKERS)[number];

/** Throws UserError for one that does not exist, and at another pace than `threaded`. */
export function parseWorkers(text: string | undefined, pace: AnyPace): Workers | undefined {
  if (text === undefined) return undefined;
  const workers = WORKERS.find((name) => name === text);
  if (workers === undefined)
    throw new UserError(`--workers ${text}: it is shared or each${suggestion(text, WORKERS)}`);
  if (pace !== 'threaded')
    throw new UserError(`--workers ${text}: only --pace threaded has hardware threads`);
  return workers;
}

export interface AnyBootOptions {
  readonly pace: AnyPace;
  /** Of the threaded pace: one hardware thread, when absent, or one for each drive. */
  readonly workers?: Workers | undefined;
  readonly seed: number;
  /** Opens images at the paces of one thread; the hardware's own thread always opens files of the host. */
  readonly openStore: NonNullable<BootOptions['openStore']>;
}

/** `boot` of boards/ at any pace. Throws as it and `bootThreaded` do. */
export const boot = (board: Board, { pace, workers, seed, openStore }: AnyBootOptions): AnyMachine =>
  pace === 'threaded'
    ? bootThreaded(board, { seed, workers: workers ?? 'shared' })
    : bootHere(board, { pace, seed, openStore });

/** Ends what a machine keeps running. */
export async function switchOff(machine: AnyMachine): Promise<void> {
  if (machine.pace === 'threaded') await machine.close();
}
