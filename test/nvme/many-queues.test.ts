/** Queues at their limits, arbitration between them, and identifiers in use: item 5 of the controller's issue, cases A5, A59. */
import { describe, expect, test } from 'vitest';
import { ADMIN, NVM, QPRIO } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { CAP_LO, CC, CSTS, REG } from '../../nvme/spec/registers.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import { setFeature } from './admin-commands.ts';
import { CC_NORMAL, FUNCTIONAL, Harness, PAGE, ready } from './harness.ts';

const WEIGHTED = CC.AMS.set(CC_NORMAL, 1);

describe('limits', () => {
  test('queues of 65535 entries: full, around their end, and around again', () => {
    const entries = 65_535;
    const harness = ready({ profile: { ...FUNCTIONAL, maxQueueEntries: entries } });
    expect(CAP_LO.MQES.get(harness.read32(REG.CAP))).toBe(entries - 1);
    const sq = harness.pages.allocate(Math.ceil((entries * 64) / PAGE));
    const cq = harness.pages.allocate(Math.ceil((entries * 16) / PAGE));
    expect(statusName(harness.createCq(2, entries + 1).status)).toBe('INVALID_QUEUE_SIZE');
    expect(harness.createCq(1, entries, { base: cq }).status).toBe(STATUS.SUCCESS);
    expect(harness.createSq(1, entries, 1, sq).status).toBe(STATUS.SUCCESS);
    const words = new Uint32Array(harness.memory.buffer, sq, entries * 16);
    for (let index = 0; index < entries; index++) {
      words[16 * index] = NVM.FLUSH | (index << 16);
      words[16 * index + 1] = 1;
    }
    const completions = new Uint32Array(harness.memory.buffer, cq, entries * 4);
    const phase = (index: number) => (completions[4 * index + 3]! >>> 16) & 1;
    const cid = (index: number) => completions[4 * index + 3]! & 0xffff;
    harness.ringTail(1, entries - 1);
    expect([phase(0), phase(entries - 2), phase(entries - 1), cid(entries - 2)]).toEqual([
      1,
      1,
      0,
      entries - 2,
    ]);
    harness.ringHead(1, entries - 1);
    harness.ringTail(1, 10);
    expect([phase(entries - 1), phase(0), phase(9), phase(10)]).toEqual([1, 0, 0, 1]);
    expect(cid(9)).toBe(9);
    expect(completions[4 * 9 + 2]! & 0xffff).toBe(10);
  });

  test('more than 64 pairs, as many as the doorbells have room for', () => {
    const pairs = 200;
    const profile = {
      ...FUNCTIONAL,
      maxQueuePairs: pairs,
      msixVectors: pairs + 1,
      msixTable: 0x4000,
      msixPba: 0x6000,
      bar_bytes: 0x8000,
    };
    const harness = ready({ profile });
    harness.enableMsix(pairs + 1);
    expect(setFeature(harness, FID.NUMBER_OF_QUEUES, 0xfffe_fffe).dw0).toBe((pairs - 1) * 0x1_0001);
    for (let qid = 1; qid <= pairs; qid++) {
      expect(harness.createCq(qid, 4, { ien: 1, vector: qid }).status).toBe(STATUS.SUCCESS);
      expect(harness.createSq(qid, 4, qid).status).toBe(STATUS.SUCCESS);
    }
    harness.arrived.length = 0;
    for (const qid of [1, 65, pairs]) {
      expect(harness.submit(qid, qid, { opcode: NVM.FLUSH, nsid: 1 })).toMatchObject({
        status: 0,
        sqid: qid,
      });
    }
    expect(harness.arrived).toEqual([1, 65, pairs]);
    expect(statusName(harness.createCq(pairs + 1, 4).status)).toBe('INVALID_QUEUE_IDENTIFIER');
  });

  test('many submission queues with one completion queue that nobody reads hold each other up and lose nothing', () => {
    const harness = ready({ profile: { ...FUNCTIONAL, commandSlots: 16 } });
    harness.createCq(1, 4);
    for (let sqid = 1; sqid <= 6; sqid++) harness.createSq(sqid, 8, 1);
    for (let sqid = 1; sqid <= 6; sqid++) {
      for (let cid = 0; cid < 5; cid++) harness.post(sqid, { opcode: NVM.FLUSH, nsid: 1, cid });
      harness.kick(sqid);
    }
    expect(harness.submitAdmin({ opcode: ADMIN.ABORT, cdw10: 5 }).status).toBe(STATUS.SUCCESS);
    const seen = harness.reapAll(1).map(({ sqid, cid }) => sqid * 10 + cid);
    const all = [1, 2, 3, 4, 5, 6].flatMap((sqid) => [0, 1, 2, 3, 4].map((cid) => sqid * 10 + cid));
    expect(seen.toSorted((a, b) => a - b)).toEqual(all);
  });

  test('a submission queue is deleted while its completions wait for room: none comes after the deletion', () => {
    const harness = ready();
    harness.createCq(1, 3);
    for (const sqid of [1, 2]) harness.createSq(sqid, 8, 1);
    for (let cid = 0; cid < 6; cid++) harness.post(1, { opcode: NVM.FLUSH, nsid: 1, cid });
    harness.kick(1);
    expect(harness.submitAdmin({ opcode: ADMIN.DELETE_SQ, cdw10: 1 }).status).toBe(STATUS.SUCCESS);
    const cids = harness.reapAll(1).map(({ cid }) => cid);
    expect(cids).toEqual([0, 1]);
    expect(harness.submit(2, 1, { opcode: NVM.FLUSH, nsid: 1 }).status).toBe(STATUS.SUCCESS);
  });
});

describe('arbitration', () => {
  /** Which queue each completion is of, when queue i + 1 is given `counts[i]` commands and the queues are rung one after another. */
  function order(harness: Harness, counts: readonly number[]): number[] {
    counts.forEach((count, index) => {
      for (let i = 0; i < count; i++) harness.post(index + 1, { opcode: NVM.FLUSH, nsid: 1 });
    });
    // The queues rung first are served alone until the slots are full: callers look at what comes after that.
    for (let index = 0; index < counts.length; index++) harness.kick(index + 1);
    return harness.reapAll(1).map(({ sqid }) => sqid);
  }

  /** Queues that share a completion queue of one free entry: once the slots are full, each completion reaped lets one command in. */
  function held(cc: number, priorities: readonly number[], slots = 8): Harness {
    const harness = new Harness({ profile: { ...FUNCTIONAL, commandSlots: slots } });
    harness.enable({ cc });
    harness.createCq(1, 2);
    priorities.forEach((priority, index) => {
      harness.createSq(index + 1, 64, 1, 0, priority);
    });
    return harness;
  }

  const share = (served: readonly number[], first: number) => {
    const counts = [0, 0, 0, 0, 0, 0];
    for (const sqid of served.slice(0, first)) counts[sqid]!++;
    return counts.slice(1);
  };

  test('A59 AB 1: at most two entries of a queue at a turn; AB 7 has no limit but what the controller fetches at once', () => {
    const runs = (served: readonly number[]) => {
      let longest = 0;
      let run = 0;
      served.forEach((sqid, index) => {
        run = index > 0 && served[index - 1] === sqid ? run + 1 : 1;
        longest = Math.max(longest, run);
      });
      return longest;
    };
    for (const [burst, most] of [
      [0, 1],
      [1, 2],
      [2, 4],
    ] as const) {
      const harness = held(CC_NORMAL, [0, 0, 0], 16);
      setFeature(harness, FID.ARBITRATION, burst);
      const served = order(harness, [40, 40, 40]);
      expect(served).toHaveLength(120);
      // Before the last queue is known, and after the others are empty, one queue is alone.
      expect(runs(served.slice(20, 90))).toBeLessThanOrEqual(most);
    }
  });

  test('weighted round robin: urgent before all, then high, medium and low by weight', () => {
    const { URGENT, HIGH, MEDIUM, LOW } = QPRIO;
    const harness = held(WEIGHTED, [LOW, MEDIUM, HIGH, URGENT], 8);
    // AB 0, weights 4, 2 and 1.
    setFeature(harness, FID.ARBITRATION, (0 << 8) | (1 << 16) | (3 << 24));
    const served = order(harness, [60, 60, 60, 20]);
    expect(served).toHaveLength(200);
    const whileAll = served.slice(10);
    const urgentEnd = whileAll.lastIndexOf(4);
    expect(
      whileAll.slice(whileAll.indexOf(4), urgentEnd + 1).filter((sqid) => sqid !== 4).length,
    ).toBeLessThan(8);
    expect(share(whileAll.slice(urgentEnd + 8), 70).slice(0, 3)).toEqual([10, 20, 40]);
  });

  test('round robin: every queue the same, whatever its priority', () => {
    const harness = held(CC_NORMAL, [QPRIO.LOW, QPRIO.URGENT, QPRIO.HIGH], 8);
    setFeature(harness, FID.ARBITRATION, 0);
    const served = order(harness, [40, 40, 40]);
    expect(share(served.slice(15), 60).slice(0, 3)).toEqual([20, 20, 20]);
  });
});

describe('identifiers in use', () => {
  const strict = { ...FUNCTIONAL, strict: true };
  const EVENT = { opcode: ADMIN.ASYNC_EVENT_REQUEST, cid: 7 };

  test('A5 a strict profile refuses a CID that a command of the queue still has: 0:03', () => {
    const harness = ready({ profile: strict });
    for (let i = 0; i < 2; i++) harness.post(0, EVENT);
    harness.ring(0);
    expect(harness.reapAll(0)).toMatchObject([{ cid: 7, status: STATUS.COMMAND_ID_CONFLICT, dnr: true }]);
    expect(harness.submitAdmin({ opcode: ADMIN.ABORT, cid: 8, cdw10: 5 }).status).toBe(STATUS.SUCCESS);
    expect(harness.controller.health.rejections.at(-1)).toContain('CID 7 is in use');
  });

  test('A5 the same CID is free again once its command is complete, in another queue, and after a reset', () => {
    const harness = ready({ profile: strict });
    for (const qid of [1, 2]) {
      harness.createCq(qid, 16);
      harness.createSq(qid, 16, qid);
      for (let i = 0; i < 3; i++) {
        expect(harness.submit(qid, qid, { opcode: NVM.FLUSH, nsid: 1, cid: 7 }).status).toBe(STATUS.SUCCESS);
      }
    }
    harness.post(0, EVENT);
    harness.ring(0);
    expect(harness.submit(1, 1, { opcode: NVM.FLUSH, nsid: 1, cid: 7 }).status).toBe(STATUS.SUCCESS);
    harness.disable();
    harness.enable();
    harness.post(0, EVENT);
    harness.ring(0);
    expect(harness.reapAll(0)).toEqual([]);
    expect(CSTS.RDY.get(harness.read32(REG.CSTS))).toBe(1);
  });

  test('A5 in one burst the first of two is done and the second refused, while it waits for the medium', () => {
    const harness = ready({
      timed: true,
      profile: { ...new Harness({ timed: true }).controller.profile, strict: true },
    });
    harness.createCq(1, 16);
    harness.createSq(1, 16, 1);
    const read = { opcode: NVM.READ, nsid: 1, prp1: harness.allocate(), cid: 7 };
    for (let i = 0; i < 3; i++) harness.post(1, read);
    harness.ring(1);
    const statuses = harness.reapAll(1).map(({ status }) => statusName(status));
    expect(statuses.toSorted()).toEqual(['COMMAND_ID_CONFLICT', 'COMMAND_ID_CONFLICT', 'SUCCESS']);
  });

  test('A5 others let the host have its way', () => {
    const harness = ready();
    for (let i = 0; i < 2; i++) harness.post(0, EVENT);
    harness.ring(0);
    expect(harness.reapAll(0)).toEqual([]);
  });
});
