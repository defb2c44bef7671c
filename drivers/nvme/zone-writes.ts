/**
 * Writes at the write pointer of a zone, through resets of the controller. A write that a reset cut off must not be sent
 * again blindly: if it was executed, the pointer has moved on, and the second one would be refused. So the zone is asked.
 * Not here: what may be sent again without a look (request-queue.ts), Zone Append, which nobody can ask about (zones.ts).
 */
import type { Command } from './commands.ts';
import type { RequestQueue } from './request-queue.ts';
import { ControllerError, CutOffError } from './status.ts';
import type { Zone, Zones } from './zones.ts';

interface ZoneWrite {
  readonly requests: RequestQueue;
  readonly command: Command;
  /** Its data; null for a command without any. */
  readonly data: { readonly iova: number; readonly bytes: number } | null;
  readonly slba: number;
  readonly blocks: number;
}

interface CutOff {
  readonly write: ZoneWrite;
  readonly error: CutOffError;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class ZoneWrites {
  readonly #zones: Zones;
  /** What resets cut off. One is settled before the next is looked at: it may be what the next has to wait for. */
  readonly #line: CutOff[] = [];
  /** Under way until the line is empty; later writes wait for it, or they would overtake. */
  #settling: Promise<void> | null = null;

  constructor(zones: Zones) {
    this.#zones = zones;
  }

  /** Resolves when the blocks are written. Rejects with NvmeError or ControllerError. */
  async run(write: ZoneWrite): Promise<void> {
    while (this.#settling !== null) await this.#settling;
    const error = await execute(write);
    if (error === null) return;
    await new Promise<void>((resolve, reject) => {
      this.#line.push({ write, error, resolve, reject });
      this.#settling ??= this.#settleAll();
    });
  }

  async #settleAll(): Promise<void> {
    await null; // everything that the same reset cut off is in line then
    for (;;) {
      this.#line.sort((a, b) => a.write.slba - b.write.slba);
      const next = this.#line.shift();
      if (next === undefined) break;
      await this.#settle(next.write, next.error).then(next.resolve, next.reject);
    }
    this.#settling = null;
  }

  /** Sends a write again where it was not done, and again after further resets, as often as commands are. */
  async #settle(write: ZoneWrite, first: CutOffError): Promise<void> {
    let error: CutOffError | null = first;
    for (let left = write.requests.retries; error !== null; left--) {
      const zone = await this.#zones.at(write.slba);
      if (isDone(zone, write)) return;
      if (zone.pointer !== write.slba || !isWritable(zone)) throw lost(error, zone);
      if (left === 0) throw error;
      error = await execute(write);
    }
  }
}

/** Resolves with null when the write is done, or with how a reset cut it off. */
async function execute({ requests, command, data }: ZoneWrite): Promise<CutOffError | null> {
  try {
    await requests.execute(command, { ...data, isOnce: true });
    return null;
  } catch (error) {
    if (error instanceof CutOffError) return error;
    throw error;
  }
}

const isWritable = ({ state }: Zone): boolean =>
  state !== 'full' && state !== 'read-only' && state !== 'offline';

const isDone = (zone: Zone, { slba, blocks }: ZoneWrite): boolean =>
  (isWritable(zone) || zone.state === 'full') && zone.pointer >= slba + blocks;

const lost = (error: CutOffError, { start, state, pointer }: Zone): ControllerError =>
  new ControllerError(
    `${error.message}; it was not done and cannot be sent again, because the zone at block ${start} is ${state} and its ` +
      `write pointer at block ${pointer}`,
  );
