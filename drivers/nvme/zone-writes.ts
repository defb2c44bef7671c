/**
 * Writes at the write pointer of a zone, one after the other: a controller may carry out commands in any order, and a write
 * that is not at the pointer is refused. One that was cut off, by a reset or an abort, must not be sent again blindly: if it
 * was executed, the pointer has moved on. So the zone is asked.
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

export class ZoneWrites {
  readonly #zones: Zones;
  /** The last write of each zone that has some under way; resolves when it has ended, however it did. */
  readonly #last = new Map<number, Promise<void>>();

  constructor(zones: Zones) {
    this.#zones = zones;
  }

  /** Resolves when the blocks are written, after those that were asked for before. Rejects with NvmeError or ControllerError. */
  run(write: ZoneWrite): Promise<void> {
    const zone = Math.floor(write.slba / this.#zones.info.blocks);
    const before = this.#last.get(zone);
    const done = before === undefined ? this.#write(write) : before.then(() => this.#write(write));
    const ended: Promise<void> = done
      .catch(() => {})
      .then(() => {
        if (this.#last.get(zone) === ended) this.#last.delete(zone);
      });
    this.#last.set(zone, ended);
    return done;
  }

  /** Sends a write again where it was cut off and not done, as often as commands are. */
  async #write(write: ZoneWrite): Promise<void> {
    let error = await execute(write, 0);
    for (let left = write.requests.retries; error !== null; left--) {
      const zone = await this.#zones.at(write.slba);
      if (isDone(zone, write)) return;
      if (zone.pointer !== write.slba || !isWritable(zone)) throw lost(error, zone, write);
      if (left === 0) throw error.answer ?? error;
      error = await execute(write, error.delay_ns);
    }
  }
}

/** Resolves with null when the write is done, or with how it was cut off. */
async function execute(
  { requests, command, data }: ZoneWrite,
  delay_ns: number,
): Promise<CutOffError | null> {
  try {
    await requests.execute(command, { ...data, isOnce: true, delay_ns });
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

function lost(error: CutOffError, zone: Zone, { slba }: ZoneWrite): ControllerError {
  const { start, state, pointer } = zone;
  const stands = `because the zone at block ${start} is ${state}`;
  // A zone that cannot be written any more has no pointer.
  if (!isWritable(zone))
    return new ControllerError(
      `${error.message}; nobody knows whether it was done, and it cannot be sent again, ${stands}`,
    );
  const done =
    pointer > slba ? `only what is before block ${pointer} was written, and it` : 'it was not done and';
  return new ControllerError(
    `${error.message}; ${done} cannot be sent again, ${stands} and its write pointer at block ${pointer}`,
  );
}
