/** How the controller interrupts: group X, cases Q14, A57, A58 and R9 (PCIe Transport 1.1 §3.5; Base 2.1 §5.1.25.1). */
import { describe, expect, test } from 'vitest';
import {
  COMMAND,
  CONFIG,
  MSI,
  MSI_CONTROL,
  MSIX_CONTROL,
  MSIX_ENTRY,
  STATUS,
} from '../../machine/pcie/spec.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { REG } from '../../nvme/spec/registers.ts';
import { statusName } from '../../nvme/spec/status.ts';
import { setFeature } from './admin-commands.ts';
import { FUNCTIONAL, type Harness, ready } from './harness.ts';

const MSIX_AT = 0x40;
const MSI_AT = 0xc0;
const MICROSECOND = 1000;
const read = (harness: Harness) => ({ opcode: NVM.READ, nsid: 1, prp1: harness.allocate() });

/** MSI-X on, queue pairs 1 and 2 with vectors 1 and 2. */
function withMsix(options = {}): Harness {
  const harness = ready(options);
  harness.enableMsix(8);
  for (const qid of [1, 2]) {
    harness.createCq(qid, 16, { ien: 1, vector: qid });
    harness.createSq(qid, 16, qid);
  }
  harness.arrived.length = 0;
  return harness;
}

/** Completes `count` reads in one queue without letting time go by. */
function complete(harness: Harness, qid: number, count = 1): void {
  for (let i = 0; i < count; i++) harness.post(qid, read(harness));
  harness.kick(qid);
}

const entry = (harness: Harness, vector: number, field: number) =>
  harness.controller.profile.msixTable + vector * MSIX_ENTRY.SIZE + field;
const mask = (harness: Harness, vector: number, isMasked: boolean) =>
  harness.write32(entry(harness, vector, MSIX_ENTRY.CONTROL), isMasked ? 1 : 0);
const pending = (harness: Harness) => harness.read32(harness.controller.profile.msixPba);

describe('MSI-X', () => {
  test('X1 the vector of the queue, for each completion', () => {
    const harness = withMsix();
    complete(harness, 2);
    complete(harness, 1, 3);
    expect(harness.arrived).toEqual([2, 1, 1, 1]);
  });

  test('X2 a masked vector is pending and leaves once when unmasked', () => {
    const harness = withMsix();
    mask(harness, 1, true);
    complete(harness, 1, 3);
    complete(harness, 2);
    expect([harness.arrived.splice(0), pending(harness)]).toEqual([[2], 2]);
    mask(harness, 1, false);
    harness.settle();
    expect([harness.arrived, pending(harness)]).toEqual([[1], 0]);
  });

  test('X3 the function mask holds all of them', () => {
    const harness = withMsix();
    const control = (FUNCTION_MASK: number) =>
      harness.configWrite(MSIX_AT + 2, 2, MSIX_CONTROL.encode({ ENABLE: 1, FUNCTION_MASK }));
    control(1);
    complete(harness, 1);
    complete(harness, 2);
    expect([harness.arrived.splice(0), pending(harness)]).toEqual([[], 6]);
    harness.write32(harness.controller.profile.msixPba, 0);
    expect(pending(harness)).toBe(6);
    control(0);
    harness.settle();
    expect([harness.arrived, pending(harness)]).toEqual([[1, 2], 0]);
  });

  test('X4 a changed entry counts from the next message on', () => {
    const harness = withMsix();
    const data = harness.read32(entry(harness, 2, MSIX_ENTRY.DATA));
    harness.write32(entry(harness, 1, MSIX_ENTRY.DATA), data);
    complete(harness, 1);
    expect(harness.arrived).toEqual([2]);
  });

  test('X8 when the message arrives the completion is there', () => {
    const harness = withMsix({ timed: true });
    const seen: number[] = [];
    const handler = harness.clock.register(() => seen.push(harness.reap(1, false)?.cid ?? -1));
    const message = harness.interrupts.allocate(handler, 0)!;
    harness.write32(entry(harness, 1, MSIX_ENTRY.ADDRESS), message.address);
    harness.write32(entry(harness, 1, MSIX_ENTRY.DATA), message.data);
    for (const cid of [4, 5, 6]) harness.post(1, { ...read(harness), cid });
    harness.ring(1);
    expect(seen.toSorted()).toEqual([4, 5, 6]);
  });

  test('X9 a message that the IOMMU blocks is lost, and the completion is not', () => {
    const harness = withMsix();
    harness.rc.translator = { ...harness.rc.translator, interrupt: () => false };
    complete(harness, 1);
    expect(harness.arrived).toEqual([]);
    expect(harness.reap(1)).toMatchObject({ status: 0 });
  });

  test('X10 entries the host has taken already: the message was sent, and a host finds nothing more', () => {
    const harness = withMsix();
    mask(harness, 1, true);
    complete(harness, 1);
    expect(harness.reap(1)).not.toBeNull();
    mask(harness, 1, false);
    harness.settle();
    expect([harness.arrived, harness.reap(1)]).toEqual([[1], null]);
  });

  test('R9 INTMS means nothing to MSI-X, and the controller says so', () => {
    const harness = withMsix();
    harness.write32(REG.INTMS, 0xffff_ffff);
    expect(harness.controller.health.rejections.at(-1)).toContain('MSI-X is enabled');
    complete(harness, 1);
    expect(harness.arrived).toEqual([1]);
  });
});

describe('the pin', () => {
  /** The level of the wire at the root complex, and a queue pair that uses it. */
  function withPin(): { harness: Harness; isAsserted: () => boolean } {
    const harness = ready();
    let level = false;
    harness.rc.onWire = (_, isAsserted) => {
      level = isAsserted;
    };
    harness.createCq(1, 16, { ien: 1 });
    harness.createSq(1, 16, 1);
    return { harness, isAsserted: () => level };
  }

  test('X5 asserted while a queue has entries, until the head doorbell passes the last', () => {
    const { harness, isAsserted } = withPin();
    expect(isAsserted()).toBe(false);
    complete(harness, 1, 2);
    expect(isAsserted()).toBe(true);
    expect(STATUS.INTERRUPT.get(harness.configRead(CONFIG.STATUS, 2))).toBe(1);
    harness.reap(1);
    expect(isAsserted()).toBe(true);
    harness.reap(1);
    expect(isAsserted()).toBe(false);
    expect(STATUS.INTERRUPT.get(harness.configRead(CONFIG.STATUS, 2))).toBe(0);
  });

  test('X5 INTMS deasserts it, INTMC lets it come back', () => {
    const { harness, isAsserted } = withPin();
    complete(harness, 1);
    harness.write32(REG.INTMS, 1);
    harness.settle();
    expect(isAsserted()).toBe(false);
    harness.write32(REG.INTMC, 1);
    harness.settle();
    expect(isAsserted()).toBe(true);
  });

  test('X5 COMMAND.INTX_DISABLE, and MSI-X, take it off the wire', () => {
    const { harness, isAsserted } = withPin();
    complete(harness, 1);
    const command = (INTX_DISABLE: number) =>
      harness.configWrite(CONFIG.COMMAND, 2, COMMAND.encode({ MEMORY: 1, BUS_MASTER: 1, INTX_DISABLE }));
    command(1);
    expect(isAsserted()).toBe(false);
    command(0);
    expect(isAsserted()).toBe(true);
    harness.enableMsix(2);
    harness.settle();
    expect(isAsserted()).toBe(false);
  });

  test('X5 a controller reset, and a function reset, let it go', () => {
    for (const reset of [
      (harness: Harness) => harness.disable(),
      (harness: Harness) => harness.configWrite(0x88, 2, 0x8000),
    ]) {
      const { harness, isAsserted } = withPin();
      complete(harness, 1);
      reset(harness);
      expect(isAsserted()).toBe(false);
    }
  });

  test('X6 a queue without interrupts never asserts it', () => {
    const harness = ready();
    let changes = 0;
    harness.rc.onWire = () => changes++;
    harness.createCq(1, 16);
    harness.createSq(1, 16, 1);
    changes = 0;
    complete(harness, 1);
    expect(changes).toBe(0);
  });
});

describe('MSI', () => {
  function withMsi(granted: number): Harness {
    const harness = ready();
    const handler = harness.clock.register((vector) => harness.arrived.push(vector));
    // Messages are one block of vectors: the controller puts the number into the low bits.
    for (let vector = 0; vector < 32; vector++) harness.interrupts.allocate(handler, vector);
    harness.configWrite(MSI_AT + MSI.ADDRESS, 4, 0xfee0_0000);
    harness.configWrite(MSI_AT + MSI.DATA, 2, 0x20);
    harness.configWrite(MSI_AT + MSI.CONTROL, 2, MSI_CONTROL.encode({ ENABLE: 1, GRANTED: granted }));
    return harness;
  }
  const pair = (harness: Harness, qid: number, vector: number) => {
    const { status } = harness.createCq(qid, 16, { ien: 1, vector });
    if (status === 0) harness.createSq(qid, 16, qid);
    harness.arrived.length = 0;
    return statusName(status);
  };

  test('X1 several messages: each vector has its own', () => {
    const harness = withMsi(3);
    expect([pair(harness, 1, 3), pair(harness, 2, 7)]).toEqual(['SUCCESS', 'SUCCESS']);
    complete(harness, 1);
    complete(harness, 2);
    expect(harness.arrived).toEqual([3, 7]);
  });

  test('X2 INTMS holds a vector back; INTMC lets it go if entries are still there', () => {
    const harness = withMsi(3);
    pair(harness, 1, 3);
    harness.write32(REG.INTMS, 1 << 3);
    complete(harness, 1, 2);
    expect(harness.arrived).toEqual([]);
    harness.write32(REG.INTMC, 1 << 3);
    harness.settle();
    expect(harness.arrived).toEqual([3]);
    harness.write32(REG.INTMS, 1 << 3);
    harness.reapAll(1);
    harness.write32(REG.INTMC, 1 << 3);
    harness.settle();
    expect(harness.arrived).toEqual([3]);
  });

  test('X2 the mask bits of the capability hold it too', () => {
    const harness = withMsi(3);
    pair(harness, 1, 3);
    harness.configWrite(MSI_AT + MSI.MASK, 4, 1 << 3);
    complete(harness, 1);
    expect([harness.arrived.length, harness.configRead(MSI_AT + MSI.PENDING, 4)]).toEqual([0, 8]);
    harness.configWrite(MSI_AT + MSI.MASK, 4, 0);
    harness.settle();
    expect(harness.arrived).toEqual([3]);
  });

  test.each([
    ['one message', () => withMsi(0), 1],
    ['eight messages', () => withMsi(3), 8],
    ['the pin', () => ready(), 1],
  ])('Q13 Q14 with %s the vectors of queues are below %#', (_, make, vectors) => {
    const harness = make();
    expect(pair(harness, 1, vectors)).toBe('INVALID_INTERRUPT_VECTOR');
    expect(pair(harness, 1, vectors - 1)).toBe('SUCCESS');
  });
});

describe('coalescing', () => {
  const configure = (harness: Harness, threshold: number, time: number) =>
    setFeature(harness, FID.INTERRUPT_COALESCING, (threshold - 1) | (time << 8));

  test('A57 THR 4: one interrupt for four completions', () => {
    const harness = withMsix();
    configure(harness, 4, 10);
    harness.arrived.length = 0;
    complete(harness, 1, 3);
    expect(harness.arrived).toEqual([]);
    complete(harness, 1);
    expect(harness.arrived).toEqual([1]);
    complete(harness, 1, 8);
    expect(harness.arrived).toEqual([1, 1, 1]);
  });

  test('A57 TIME 3: fewer wait 300 us, from the first of them', () => {
    const harness = withMsix();
    configure(harness, 200, 3);
    harness.arrived.length = 0;
    complete(harness, 1);
    harness.clock.advance(200 * MICROSECOND);
    complete(harness, 1);
    harness.clock.advance(99 * MICROSECOND);
    expect(harness.arrived).toEqual([]);
    harness.clock.advance(MICROSECOND);
    expect(harness.arrived).toEqual([1]);
    harness.clock.advance(1000 * MICROSECOND);
    expect(harness.arrived).toEqual([1]);
  });

  test('A57 TIME 0 is no delay (§5.1.25.1.6)', () => {
    const harness = withMsix();
    configure(harness, 4, 0);
    harness.arrived.length = 0;
    complete(harness, 1, 2);
    expect(harness.arrived).toEqual([1, 1]);
  });

  test('A58 per vector: CD 1 turns it off for one of them', () => {
    const harness = withMsix();
    configure(harness, 2, 10);
    setFeature(harness, FID.INTERRUPT_VECTOR, 2 | (1 << 16));
    harness.arrived.length = 0;
    complete(harness, 1);
    complete(harness, 2);
    expect(harness.arrived).toEqual([2]);
    complete(harness, 1);
    expect(harness.arrived).toEqual([2, 1]);
  });

  test('X7 the admin queue is never delayed, whatever vector 0 is set to', () => {
    const harness = withMsix();
    configure(harness, 100, 100);
    setFeature(harness, FID.INTERRUPT_VECTOR, 0);
    harness.arrived.length = 0;
    harness.post(0, { opcode: ADMIN.ABORT, cdw10: 5 });
    harness.kick(0);
    expect(harness.arrived).toEqual([0]);
  });

  test('turned off, what waited comes at once; a reset forgets it', () => {
    const harness = withMsix();
    configure(harness, 4, 100);
    harness.arrived.length = 0;
    complete(harness, 1);
    harness.post(0, { opcode: ADMIN.SET_FEATURES, cdw10: FID.INTERRUPT_COALESCING });
    harness.kick(0);
    expect(harness.arrived).toContain(1);
    harness.reapAll(0);
    configure(harness, 4, 100);
    complete(harness, 1);
    harness.arrived.length = 0;
    harness.disable();
    expect(harness.arrived).toEqual([]);
  });

  test('a profile of one vector', () => {
    const harness = ready({ profile: { ...FUNCTIONAL, msixVectors: 1 } });
    harness.enableMsix(1);
    expect(statusName(harness.createCq(1, 4, { ien: 1, vector: 1 }).status)).toBe('INVALID_INTERRUPT_VECTOR');
  });
});
