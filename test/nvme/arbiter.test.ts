/** Arbitration, Base 2.1 §3.4.4: turns, classes and weights, without the reads that follow (fetcher.ts). */
import { describe, expect, test } from 'vitest';
import { Arbiter } from '../../nvme/arbiter.ts';
import { QPRIO } from '../../nvme/spec/commands.ts';

/** Lets every queue keep asking and returns who is served, entry by entry, when each turn may fetch `burst` entries. */
function serve(arbiter: Arbiter, queues: readonly number[], turns: number, burst: number): number[] {
  const served: number[] = [];
  for (const sqid of queues) arbiter.add(sqid);
  for (let turn = 0; turn < turns; turn++) {
    const sqid = arbiter.next();
    const entries = Math.min(burst, arbiter.credit);
    arbiter.charge(entries);
    for (let entry = 0; entry < entries; entry++) served.push(sqid);
    arbiter.add(sqid);
  }
  return served;
}

const weighted = (...priorities: number[]): Arbiter => {
  const arbiter = new Arbiter(priorities.length + 1);
  arbiter.reset(true);
  priorities.forEach((priority, index) => {
    arbiter.setPriority(index + 1, priority);
  });
  return arbiter;
};

const counts = (served: readonly number[]): Record<number, number> => {
  const result: Record<number, number> = {};
  for (const sqid of served) result[sqid] = (result[sqid] ?? 0) + 1;
  return result;
};

describe('round robin', () => {
  test('all queues in turn, the admin queue among them, whatever their priority', () => {
    const arbiter = new Arbiter(4);
    arbiter.reset(false);
    arbiter.setPriority(2, QPRIO.URGENT);
    expect(serve(arbiter, [0, 1, 2, 3], 8, 1)).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
  });

  test('a queue that is added twice has one turn', () => {
    const arbiter = new Arbiter(2);
    arbiter.reset(false);
    arbiter.add(1);
    arbiter.add(1);
    expect([arbiter.next(), arbiter.waiting]).toEqual([1, 0]);
  });
});

describe('weighted round robin with urgent class', () => {
  test('the admin queue before all, an urgent one before the weighted', () => {
    const arbiter = weighted(QPRIO.LOW, QPRIO.URGENT, QPRIO.HIGH);
    for (const sqid of [1, 3, 2, 0]) arbiter.add(sqid);
    expect([0, 1, 2, 3].map(() => arbiter.next())).toEqual([0, 2, 3, 1]);
  });

  test.each([
    [4, 2, 1],
    [8, 1, 1],
    [1, 1, 1],
    [3, 5, 7],
  ])('weights %i, %i, %i share the entries of high, medium and low queues', (high, medium, low) => {
    const arbiter = weighted(QPRIO.HIGH, QPRIO.MEDIUM, QPRIO.LOW);
    arbiter.setWeights(high, medium, low);
    const rounds = 20;
    const served = serve(arbiter, [1, 2, 3], (high + medium + low) * rounds, 1);
    expect(counts(served)).toEqual({ 1: high * rounds, 2: medium * rounds, 3: low * rounds });
  });

  test('a burst never takes more than what is left of the class', () => {
    const arbiter = weighted(QPRIO.HIGH, QPRIO.LOW);
    arbiter.setWeights(6, 1, 2);
    expect(serve(arbiter, [1, 2], 4, 4)).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1]);
  });

  test('queues of one class share its weight', () => {
    const arbiter = weighted(QPRIO.HIGH, QPRIO.HIGH, QPRIO.LOW);
    arbiter.setWeights(4, 1, 1);
    expect(counts(serve(arbiter, [1, 2, 3], 50, 1))).toEqual({ 1: 20, 2: 20, 3: 10 });
  });

  test('a class that is alone never waits for credit', () => {
    const arbiter = weighted(QPRIO.LOW);
    arbiter.setWeights(1, 1, 1);
    expect(serve(arbiter, [1], 5, 1)).toEqual([1, 1, 1, 1, 1]);
  });

  test('an urgent queue that keeps asking starves the weighted ones, as the specification says', () => {
    const arbiter = weighted(QPRIO.URGENT, QPRIO.HIGH);
    expect(serve(arbiter, [1, 2], 5, 1)).toEqual([1, 1, 1, 1, 1]);
  });
});
