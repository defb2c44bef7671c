/** Doorbell Buffer Config: cases D14 to D19 (Base 2.1 §5.2.5), with a host that keeps to the event indexes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { CSTS, REG } from '../../nvme/spec/registers.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import { CC_NORMAL, FUNCTIONAL, Harness, type HarnessOptions, PAGE, ROOMY, ready } from './harness.ts';

const ENTRIES = 16;

/** The host's side: indexes in memory, and a register write only when the event index was passed. */
class ShadowHost {
  readonly harness: Harness;
  readonly indexes: number;
  readonly events: number;
  readonly stride: number;
  rings = 0;
  readonly #old = new Map<number, number>();

  constructor(options: HarnessOptions = {}) {
    this.harness = ready(options);
    this.stride = 4 << this.harness.controller.profile.doorbellStride;
    this.indexes = this.harness.allocate();
    this.events = this.harness.allocate();
  }

  configure(prp1 = this.indexes, prp2 = this.events): string {
    return statusName(this.harness.submitAdmin({ opcode: ADMIN.DOORBELL_BUFFER_CONFIG, prp1, prp2 }).status);
  }

  pair(qid: number, entries = ENTRIES): void {
    this.harness.createCq(qid, entries);
    this.harness.createSq(qid, entries, qid);
    this.#old.set(2 * qid, 0);
    this.#old.set(2 * qid + 1, 0);
  }

  event(doorbell: number): number {
    return this.harness.view(this.events).getUint32(doorbell * this.stride, true);
  }

  index(doorbell: number): number {
    return this.harness.view(this.indexes).getUint32(doorbell * this.stride, true);
  }

  store(doorbell: number, value: number): void {
    this.harness.view(this.indexes).setUint32(doorbell * this.stride, value, true);
  }

  /** Stores an index and rings if it passed the event index, in 16-bit arithmetic as hosts do. */
  move(doorbell: number, value: number): void {
    const old = this.#old.get(doorbell)!;
    this.#old.set(doorbell, value);
    this.store(doorbell, value);
    const mustRing = ((value - this.event(doorbell) - 1) & 0xffff) < ((value - old) & 0xffff);
    if (!mustRing) return;
    this.rings++;
    if ((doorbell & 1) === 0) this.harness.ringTail(doorbell >>> 1, value);
    else this.harness.ringHead(doorbell >>> 1, value);
  }

  flush(qid: number, cid: number): void {
    this.harness.post(qid, { opcode: NVM.FLUSH, nsid: 1, cid });
  }
}

describe('Doorbell Buffer Config', () => {
  test.each([
    ['both are pages', 0, 0, 'SUCCESS'],
    ['PRP1 is 0', null, 0, 'INVALID_FIELD'],
    ['PRP2 is 0', 0, null, 'INVALID_FIELD'],
    ['PRP1 has an offset', 512, 0, 'INVALID_FIELD'],
    ['PRP2 has an offset', 0, 4, 'INVALID_FIELD'],
  ])('D14 %s', (_, first, second, expected) => {
    const host = new ShadowHost();
    const prp1 = first === null ? 0 : host.indexes + first;
    const prp2 = second === null ? 0 : host.events + second;
    expect(host.configure(prp1, prp2)).toBe(expected);
  });

  test('queues that exist keep their indexes: they are copied into both buffers', () => {
    const host = new ShadowHost();
    host.pair(1);
    for (let cid = 0; cid < 3; cid++) host.flush(1, cid);
    host.harness.ring(1);
    host.harness.reap(1);
    host.configure();
    expect([host.index(2), host.index(3), host.event(2), host.event(3)]).toEqual([3, 1, 3, 1]);
  });
});

describe('at work', () => {
  test('D15 a tail in memory that does not pass the event index is not noticed until the next ring', () => {
    const host = new ShadowHost();
    host.configure();
    host.pair(1);
    host.flush(1, 1);
    host.move(2, 1);
    expect(host.harness.reap(1, false)).toMatchObject({ cid: 1 });
    expect(host.event(2)).toBe(1);
    host.flush(1, 2);
    host.store(2, 2);
    host.harness.settle();
    expect(host.harness.reap(1, false)).toBeNull();
    host.flush(1, 3);
    host.store(2, 3);
    host.harness.ringTail(1, 3);
    host.harness.settle();
    expect([host.harness.reap(1, false)?.cid, host.harness.reap(1, false)?.cid]).toEqual([2, 3]);
  });

  test('D15 a host that keeps to the event indexes loses nothing, and rings less often than it submits', () => {
    const host = new ShadowHost({ timed: true });
    host.configure();
    host.pair(1);
    const { harness } = host;
    const done: number[] = [];
    let tail = 0;
    let head = 0;
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 4; i++) {
        host.flush(1, round * 4 + i);
        tail = (tail + 1) % ENTRIES;
        host.move(2, tail);
        harness.clock.advance(300);
      }
      harness.settle();
      for (let next = harness.reap(1, false); next !== null; next = harness.reap(1, false)) {
        done.push(next.cid);
        head = (head + 1) % ENTRIES;
      }
      host.move(3, head);
    }
    expect(done).toEqual(Array.from({ length: 240 }, (_, cid) => cid));
    expect(host.rings).toBeLessThan(240);
  });

  test('D15 whatever the host does in between, each command completes once (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 30 }),
        fc.nat(3000),
        (bursts, pause) => {
          const host = new ShadowHost({ timed: true });
          host.configure();
          host.pair(1);
          const { harness } = host;
          let [sent, taken] = [0, 0];
          for (const burst of bursts) {
            for (let i = 0; i < burst; i++) {
              host.flush(1, sent++);
              host.move(2, sent % ENTRIES);
            }
            harness.clock.advance(pause);
            harness.settle();
            while (harness.reap(1, false) !== null) taken++;
            host.move(3, taken % ENTRIES);
            expect(taken).toBe(sent);
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  test.each([2, 3, 4])('D15 Q35 completion queues of %i entries never stay full', (entries) => {
    const host = new ShadowHost();
    host.configure();
    host.pair(1, entries);
    for (let count = 1; count <= 4 * entries; count++) {
      host.flush(1, count);
      host.move(2, count % entries);
      expect(host.harness.reap(1, false)).toMatchObject({ cid: count });
      host.move(3, count % entries);
    }
  });

  test('D16 a controller reset turns it off', () => {
    const host = new ShadowHost();
    host.configure();
    host.harness.disable();
    host.harness.enable();
    host.pair(1);
    host.store(2, 5);
    host.flush(1, 1);
    host.harness.ring(1);
    expect(host.harness.reap(1)).toMatchObject({ cid: 1 });
    expect(host.harness.reap(1)).toBeNull();
  });

  test('D17 the admin queue stays with its registers', () => {
    const host = new ShadowHost();
    host.configure();
    host.store(0, 9);
    expect(host.harness.submitAdmin({ opcode: ADMIN.ABORT, cdw10: 5 }).dw0).toBe(1);
  });

  test.each([[0], [1], [3]])(
    'D18 D13 queues created afterwards, with doorbell stride %i',
    (doorbellStride) => {
      const profile = { ...FUNCTIONAL, ...ROOMY, doorbellStride };
      const host = new ShadowHost({ profile });
      host.configure();
      for (const qid of [1, 5]) {
        host.pair(qid);
        host.flush(qid, qid);
        host.move(2 * qid, 1);
        expect(host.harness.reap(qid, false)).toMatchObject({ cid: qid, sqid: qid });
        host.move(2 * qid + 1, 1);
      }
    },
  );

  test('queues whose doorbells are not in the page go on with registers', () => {
    const profile = {
      ...FUNCTIONAL,
      doorbellStride: 5,
      ...ROOMY,
    };
    const host = new ShadowHost({ profile });
    host.configure();
    host.pair(20);
    host.flush(20, 7);
    host.harness.ring(20);
    expect(host.harness.reap(20)).toMatchObject({ cid: 7 });
  });

  test('D19 a page DMA cannot reach: said so, the register counts, the controller goes on', () => {
    const host = new ShadowHost();
    host.configure();
    host.pair(1);
    host.harness.blocked.add(host.indexes / PAGE);
    host.flush(1, 1);
    host.harness.ring(1);
    expect(host.harness.reap(1, false)).toMatchObject({ cid: 1, status: STATUS.SUCCESS });
    expect(host.harness.controller.health.rejections.join()).toContain('shadow doorbell');
    host.harness.blocked.add(host.events / PAGE);
    host.flush(1, 2);
    host.harness.ring(1);
    expect(host.harness.reap(1, false)).toMatchObject({ cid: 2 });
    expect(CSTS.CFS.get(host.harness.read32(REG.CSTS))).toBe(0);
  });

  test('a wrong index in memory is told like a wrong register value', () => {
    const host = new ShadowHost();
    host.configure();
    host.pair(1);
    host.store(2, ENTRIES);
    host.harness.ringTail(1, ENTRIES);
    host.harness.settle();
    expect(host.harness.controller.health.rejections.at(-1)).toContain('doorbell of queue 1: ignored');
    host.flush(1, 3);
    host.move(2, 1);
    expect(host.harness.reap(1, false)).toMatchObject({ cid: 3 });
  });
});

describe('doorbell registers', () => {
  test('D2 the admin tail beyond its ring', () => {
    const harness = ready();
    harness.ringTail(0, 64);
    expect(harness.controller.health.rejections.at(-1)).toContain('doorbell of queue 0: ignored');
    harness.post(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST, cid: 3 });
    harness.ring(0);
    expect(harness.reap(0)).toMatchObject({ cid: 3, dw0: 0x0001_0100 });
  });

  test.each([
    ['D2 a tail that laps the controller', false, 1],
    ['D6 a head past what was posted (the text of §3.1.2; QEMU accepts it)', true, 3],
  ])('%s is an invalid value', (_, isCompletion, value) => {
    const harness = ready({ timed: true });
    harness.createCq(1, 8);
    harness.createSq(1, 8, 1);
    for (let cid = 0; cid < 2; cid++) harness.post(1, { opcode: NVM.FLUSH, nsid: 1, cid });
    harness.kick(1);
    if (isCompletion) harness.ringHead(1, value);
    else harness.ringTail(1, value);
    harness.settle();
    expect(harness.controller.health.rejections.at(-1)).toContain('doorbell of queue 1: ignored');
    expect(harness.reapAll(1).map(({ cid }) => cid)).toEqual([0, 1]);
  });

  test('D8 parts of a doorbell: merged and told, refused where the profile is strict', () => {
    const BAR = 0xfe80_0000;
    for (const strict of [false, true]) {
      const harness = ready({ profile: { ...FUNCTIONAL, strict } });
      harness.post(0, { opcode: ADMIN.ABORT, cdw10: 5, cid: 2 });
      harness.rc.writePart(BAR + 0x1000, 2, 1);
      expect(harness.controller.health.rejections[0]).toContain('registers are accessed in dwords');
      expect(harness.reap(0)?.cid).toBe(strict ? undefined : 2);
    }
  });

  test('D9 an address between two doorbells is ignored and told', () => {
    const profile = { ...FUNCTIONAL, doorbellStride: 1 };
    const harness = ready({ profile: { ...profile, msixTable: 0x4000, msixPba: 0x5000, bar_bytes: 0x8000 } });
    harness.write32(0x1004, 1);
    expect(harness.controller.health.rejections.at(-1)).toContain('no doorbell begins there');
    expect(harness.submitAdmin({ opcode: ADMIN.ABORT, cdw10: 5 }).dw0).toBe(1);
  });

  test('D16 doorbells of a controller that is not enabled do nothing', () => {
    const harness = new Harness();
    harness.write32(0x1000, 1);
    harness.write32(0x1004, 1);
    expect(harness.controller.health.rejections).toEqual([]);
    harness.write32(REG.CC, CC_NORMAL & ~1);
    expect(harness.read32(REG.CSTS)).toBe(0);
  });
});
