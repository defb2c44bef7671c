import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { flush } from '../../drivers/nvme/commands.ts';
import { queueBytes } from '../../drivers/nvme/queue-memory.ts';
import { QUEUE_FULL, QueuePair } from '../../drivers/nvme/queue-pair.ts';
import { CQE, NVM, SQE } from '../../nvme/spec/commands.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import type { Mapping } from '../../vfio/uapi/kernel.ts';

const QUEUE_IOVA = 0x9000_0000;
const MAX_TRANSFER = 64 * 1024;

/** A queue pair and the other side of its memory. */
function rig(depth: number, slack = 1) {
  const bytes = new Uint8Array(queueBytes(depth, MAX_TRANSFER));
  const view = new DataView(bytes.buffer);
  const doorbells: [offset: number, value: number][] = [];
  const mapping = { write32: (offset: number, value: number) => doorbells.push([offset, value]) };
  const memory = { iova: QUEUE_IOVA, bytes };
  const queue = new QueuePair({
    qid: 3,
    depth,
    slack,
    maxTransfer_bytes: MAX_TRANSFER,
    memory,
    doorbells: mapping as unknown as Mapping,
    dstrd: 0,
    ordersLoads: true,
  });
  const finished: [slot: number, status: number][] = [];
  queue.onComplete = (slot, status) => finished.push([slot, status]);
  const sqe = (index: number) => SQE.decode(view, queue.sqIova - QUEUE_IOVA + index * SQE.SIZE);
  let tail = 0;
  let phase = 1;
  /** Posts a completion as a controller does. */
  const complete = (cid: number, status = 0, dw0 = 0, dw1 = 0, sqid = 3) => {
    const at = queue.cqIova - QUEUE_IOVA + tail * CQE.SIZE;
    CQE.set(view, at, 'DW0', dw0);
    CQE.set(view, at, 'DW1', dw1);
    CQE.set(view, at, 'SQID', sqid);
    CQE.set(view, at, 'CID', cid);
    CQE.set(view, at, 'STATUS', (status << 1) | phase);
    tail = (tail + 1) % queue.cqEntries;
    if (tail === 0) phase ^= 1;
  };
  return { queue, sqe, complete, doorbells, finished, view };
}

/** Doorbells of queue 3 without stride, from the first doorbell on. */
const TAIL = 24;
const HEAD = 28;

describe('a queue pair', () => {
  test('writes a command into the entry at the tail, every dword of it', () => {
    const { queue, sqe, view } = rig(4);
    new Uint8Array(view.buffer, queue.sqIova - QUEUE_IOVA, SQE.SIZE).fill(0xff);
    queue.prepare(0, 0x12_3456_7000, 8192);
    expect(queue.post(NVM.WRITE, 7, 0x1_2345_6789_a, 16, 0x4000_0000)).toBe(0);
    expect(sqe(0)).toEqual({
      OPC: NVM.WRITE,
      FLAGS: 0,
      CID: 0,
      NSID: 7,
      CDW2: 0,
      CDW3: 0,
      MPTR: 0n,
      PRP1: 0x12_3456_7000n,
      PRP2: 0x12_3456_8000n,
      CDW10: 0x2345_6789a & 0xffff_ffff,
      CDW11: 0x12,
      CDW12: 0x4000_000f,
      CDW13: 0,
      CDW14: 0,
      CDW15: 0,
    });
  });

  test('tells the controller once per ring and once per reap', () => {
    const { queue, complete, doorbells } = rig(4);
    queue.post(NVM.READ, 1, 0, 1);
    queue.post(NVM.READ, 1, 1, 1);
    expect(doorbells).toEqual([]);
    queue.ring();
    queue.ring();
    complete(0);
    complete(1);
    expect(queue.reap()).toBe(2);
    expect(queue.reap()).toBe(0);
    expect(doorbells).toEqual([
      [TAIL, 2],
      [HEAD, 2],
    ]);
  });

  test('whatever depth and slack, the completion queue has room for all, and is given back in pieces of the slack', () => {
    for (let depth = 1; depth <= 7; depth++) {
      for (let slack = 1; slack <= 7; slack++) {
        for (let burst = 1; burst <= depth; burst++) {
          const { queue, sqe, complete, doorbells } = rig(depth, slack);
          let posted = 0;
          for (let turn = 0; turn < 5 * (depth + slack); turn++) {
            for (let i = 0; i < burst; i++) queue.post(NVM.READ, 1, 0, 1);
            const rung = doorbells.at(-1)?.[1] ?? 0;
            const taken = (posted + queue.cqEntries - rung) % queue.cqEntries;
            expect(taken + queue.outstanding, `${depth} ${slack} ${burst}`).toBeLessThan(queue.cqEntries);
            for (let i = 0; i < burst; i++) complete(sqe((posted + i) % queue.entries).CID);
            posted += burst;
            expect(queue.reap()).toBe(burst);
          }
          expect(doorbells).toHaveLength(Math.floor(posted / burst / Math.ceil(slack / burst)));
        }
      }
    }
  });

  test('a callback that throws loses no room: what was taken before it is given back by the next reap', () => {
    const { queue, sqe, complete, doorbells } = rig(2, 2);
    queue.onComplete = () => {
      throw new Error('the callback');
    };
    for (const index of [0, 1]) {
      queue.post(NVM.READ, 1, 0, 1);
      complete(sqe(index).CID);
      expect(() => queue.reap()).toThrow('the callback');
    }
    expect([queue.reap(), doorbells]).toEqual([0, [[HEAD, 2]]]);
  });

  test('is full with as many commands as it is deep, and says so with a value', () => {
    const { queue, complete } = rig(3);
    for (let slot = 0; slot < 3; slot++) expect(queue.post(NVM.READ, 1, 0, 1)).toBe(slot);
    expect(queue.post(NVM.READ, 1, 0, 1)).toBe(QUEUE_FULL);
    expect(queue.postAt(NVM.READ, 1, 0, 1, 0x1000, 512)).toBe(QUEUE_FULL);
    expect(queue.postCommand(flush(1))).toBe(QUEUE_FULL);
    expect(queue.outstanding).toBe(3);
    complete(1);
    queue.reap();
    expect(queue.post(NVM.READ, 1, 0, 1)).toBe(1);
  });

  test('reaps no more than its budget, and a callback may post again', () => {
    const { queue, complete, finished } = rig(4);
    for (let slot = 0; slot < 4; slot++) queue.post(NVM.READ, 1, 0, 1);
    for (let cid = 0; cid < 4; cid++) complete(cid);
    queue.onComplete = (slot, status) => {
      finished.push([slot, status]);
      queue.post(NVM.READ, 1, 0, 1);
    };
    expect(queue.reap(3)).toBe(3);
    expect(finished).toHaveLength(3);
    expect(queue.outstanding).toBe(4);
    expect(queue.reap()).toBe(1);
  });

  test('gives both words of a completion', () => {
    const { queue, complete } = rig(2);
    queue.postCommand(flush(1));
    complete(0, 0, 0xffff_fffe, 0x8000_0001);
    queue.reap();
    expect([queue.result(0), queue.resultHigh(0)]).toEqual([0xffff_fffe, 0x8000_0001]);
  });

  test('T8 T9 catches completions that nothing outstanding explains: the same again, and unknown identifiers', () => {
    const { queue, complete, finished } = rig(3);
    const stale: number[] = [];
    queue.onStale = (cid) => stale.push(cid);
    queue.post(NVM.READ, 1, 0, 1);
    complete(0);
    complete(0); // the same command again
    complete(3); // a slot that does not exist
    complete(0x7fff);
    expect(queue.reap()).toBe(4);
    expect(finished).toEqual([[0, 0]]);
    expect(stale).toEqual([0, 3, 0x7fff]);
    expect(queue.staleCount).toBe(3);
    queue.post(NVM.READ, 1, 0, 1); // slot 0 again, under another identifier
    complete(0);
    queue.reap();
    expect(queue.outstanding).toBe(1);
  });

  test.each([
    [
      'Read',
      NVM.READ,
      STATUS.INVALID_FIELD,
      'the namespace is not active (NSID), the transfer exceeds MDTS, or',
    ],
    ['Flush', NVM.FLUSH, STATUS.INVALID_FIELD, 'the namespace is not active (NSID), a field has a value'],
    [
      'Read',
      NVM.READ,
      STATUS.INVALID_NAMESPACE_OR_FORMAT,
      'there is no namespace with this number (NSID), or',
    ],
  ])('guesses what is wrong with a %s (opcode %i, status %i), and points on', (_, opcode, status, cause) => {
    const { queue, complete } = rig(1);
    queue.post(opcode, 77, 0, 1);
    complete(0, status | 0x4000);
    let error: Error | undefined;
    queue.onComplete = (slot) => {
      error = queue.error(slot);
    };
    queue.reap();
    expect(error?.message).toContain(`Probable cause: ${cause}`);
    expect(error?.message).toContain('; machine.explain() tells which.');
    expect(error?.message.includes('MDTS')).toBe(cause.includes('MDTS'));
  });

  test('names command, range, queue, status and cause in an error', () => {
    const { queue, complete } = rig(2);
    queue.post(NVM.READ, 1, 0xfff_ffff_fff8, 8);
    complete(0, STATUS.LBA_OUT_OF_RANGE | 0x4000);
    let error: Error | undefined;
    queue.onComplete = (slot) => {
      error = queue.error(slot);
    };
    queue.reap();
    expect(error?.message).toMatchInlineSnapshot(
      `"Read of blocks 17592186044408 to 17592186044415 in namespace 1 (queue 3, command 0x0000) failed with LBA_OUT_OF_RANGE (0/0x80): The command reaches past the last block of the namespace. Do not retry (DNR)."`,
    );
    expect(error).toMatchObject({ status: STATUS.LBA_OUT_OF_RANGE, dnr: true });
  });

  test.each([
    [0x1002, 512, 'a data buffer must be aligned to four bytes, got 0x1002'],
    [0x1000, MAX_TRANSFER + 4, 'one command moves at most 64KiB (MDTS), got 64.00KiB'],
  ])('refuses a buffer at 0x%x of %i bytes, and loses no slot', (iova, bytes, sentence) => {
    const { queue } = rig(1);
    expect(() => queue.postAt(NVM.READ, 1, 0, 1, iova, bytes)).toThrow(sentence);
    expect(queue.post(NVM.READ, 1, 0, 1)).toBe(0);
  });

  test('never loses, repeats or swaps a completion, in any order and over many turns of both rings', () => {
    const depths = fc.constantFrom(1, 2, 3, 7, 8, 32);
    const steps = fc.array(fc.nat(1000), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(depths, steps, (depth, choices) => {
        const { queue, sqe, complete, finished } = rig(depth);
        const outstanding: { slot: number; cid: number }[] = [];
        let tail = 0;
        for (const choice of choices) {
          if (choice % 2 === 0) {
            const slot = queue.post(NVM.READ, 1, choice, 1);
            expect(slot === QUEUE_FULL).toBe(outstanding.length === depth);
            if (slot === QUEUE_FULL) continue;
            const entry = sqe(tail);
            expect(entry.CDW10).toBe(choice);
            expect(outstanding.some(({ cid }) => cid === entry.CID)).toBe(false);
            outstanding.push({ slot, cid: entry.CID });
            tail = (tail + 1) % queue.entries;
          } else if (outstanding.length > 0) {
            const [command] = outstanding.splice(choice % outstanding.length, 1);
            complete(command!.cid, choice & 0x7f);
            expect(queue.reap()).toBe(1);
            expect(finished.pop()).toEqual([command!.slot, choice & 0x7f]);
          }
        }
        expect(queue.outstanding).toBe(outstanding.length);
        expect(queue.staleCount).toBe(0);
      }),
    );
  });

  test('never uses the identifier that means no command, however often a slot is used', () => {
    const { queue, complete, view } = rig(1);
    const seen = new Set<number>();
    for (let turn = 0; turn < 0x1_0002; turn++) {
      queue.post(NVM.READ, 1, 0, 1);
      const cid = view.getUint16((turn % 2) * SQE.SIZE + SQE.CID, true);
      seen.add(cid);
      complete(cid);
      queue.reap();
    }
    expect(seen.size).toBe(0xffff);
    expect(seen.has(0xffff)).toBe(false);
  });
});
