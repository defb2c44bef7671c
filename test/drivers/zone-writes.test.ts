/** Writes into zones by themselves: which waits for which, and what follows when one is cut off. */
import { describe, expect, test } from 'vitest';
import type { Command } from '../../drivers/nvme/commands.ts';
import type { RequestOptions, RequestQueue } from '../../drivers/nvme/request-queue.ts';
import { ControllerError, CutOffError, NvmeError } from '../../drivers/nvme/status.ts';
import { ZoneWrites } from '../../drivers/nvme/zone-writes.ts';
import type { Zone, Zones } from '../../drivers/nvme/zones.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { STATUS, statusField } from '../../nvme/spec/status.ts';

const ZONE_BLOCKS = 100;
const command: Command = new Uint32Array(16);
const failed = { qid: 1, cid: 7, opcode: NVM.WRITE, nsid: 1, slba: 0, blocks: 4 };
const answer = new NvmeError(failed, statusField(STATUS.COMMAND_INTERRUPTED));

/** A drive of which a test decides how each command ends, and where the write pointers are. */
class Drive {
  readonly sent: { readonly end: (error?: Error) => void; readonly options: RequestOptions }[] = [];
  pointer = 0;
  state: Zone['state'] = 'implicitly open';
  readonly retries = 2;
  readonly writes = new ZoneWrites({
    info: { blocks: ZONE_BLOCKS },
    at: async (block: number) => ({
      start: Math.floor(block / ZONE_BLOCKS) * ZONE_BLOCKS,
      capacity: ZONE_BLOCKS,
      state: this.state,
      pointer: this.pointer,
    }),
  } as unknown as Zones);

  execute(_: Command, options: RequestOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      this.sent.push({ options, end: (error) => (error === undefined ? resolve() : reject(error)) });
    });
  }

  write(slba: number, blocks = 4): Promise<void> {
    const requests = this as unknown as RequestQueue;
    return this.writes.run({ requests, command, data: null, slba, blocks });
  }
}

/** Everything that can happen without another end has happened. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('writes into zones', () => {
  test('wait for the one before in their zone, however it ends, and not for those of others', async () => {
    const drive = new Drive();
    const first = drive.write(0).catch((error: Error) => error.message);
    const others = [drive.write(4), drive.write(ZONE_BLOCKS)];
    await settled();
    expect(drive.sent).toHaveLength(2);
    drive.sent[0]!.end(new Error('refused'));
    await settled();
    expect([await first, drive.sent.length]).toEqual(['refused', 3]);
    for (const { end } of drive.sent) end();
    await Promise.all(others);
  });

  test('are sent again when the pointer has not moved, as late as the controller asks for', async () => {
    const drive = new Drive();
    const write = drive.write(0);
    drive.sent[0]!.end(new CutOffError('interrupted', answer, 5e6));
    await settled();
    expect(drive.sent.map(({ options }) => [options.isOnce, options.delay_ns])).toEqual([
      [true, 0],
      [true, 5e6],
    ]);
    drive.sent[1]!.end();
    await write;
  });

  test('are done when the pointer is behind them, and are not sent again', async () => {
    const drive = new Drive();
    drive.pointer = 4;
    const write = drive.write(0);
    drive.sent[0]!.end(new CutOffError('aborted', null, 0));
    await write;
    expect(drive.sent).toHaveLength(1);
  });

  test('end with what the controller said when they were sent often enough', async () => {
    const drive = new Drive();
    const write = drive.write(0).catch((error: unknown) => error);
    for (let turn = 0; turn <= drive.retries; turn++) {
      drive.sent[turn]!.end(new CutOffError('interrupted', answer, 0));
      await settled();
    }
    expect([await write, drive.sent.length]).toEqual([answer, 3]);
  });

  const at = 'because the zone at block 0 is';
  test.each([
    [10, 'implicitly open', `only what is before block 10 was written, and it cannot be sent again, ${at}`],
    [6, 'closed', `it was not done and cannot be sent again, ${at}`],
    [ZONE_BLOCKS, 'read-only', `nobody knows whether it was done, and it cannot be sent again, ${at}`],
  ] as const)(
    'are not sent again with the pointer at block %i of a zone that is %s',
    async (pointer, state, told) => {
      const drive = new Drive();
      Object.assign(drive, { pointer, state });
      const write = drive.write(8);
      drive.sent[0]!.end(new CutOffError('it was aborted', null, 0));
      const stands = state === 'read-only' ? '' : ` and its write pointer at block ${pointer}`;
      await expect(write).rejects.toThrow(new ControllerError(`it was aborted; ${told} ${state}${stands}`));
    },
  );
});
