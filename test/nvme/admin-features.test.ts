/** Set Features and Get Features: what is kept, for whom, until when (Base 2.1 §4.4, §5.1.11, §5.1.25). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { ADMIN } from '../../nvme/spec/commands.ts';
import { FEATURE_CAPABILITIES, FEATURE_SELECT, FEATURES, FID } from '../../nvme/spec/features.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import type { Entry } from './entry.ts';
import { FUNCTIONAL, type Harness, ready } from './harness.ts';

const BROADCAST = 0xffff_ffff;
const SAVE = 0x8000_0000;
const TWO_NAMESPACES = [
  { nsid: 1, bytes: 1024 ** 2, block_bytes: 512 },
  { nsid: 3, bytes: 1024 ** 2, block_bytes: 512 },
];

const set = (harness: Harness, fid: number, cdw11: number, entry: Partial<Entry> = {}) =>
  harness.submitAdmin({ opcode: ADMIN.SET_FEATURES, cdw10: fid, cdw11, ...entry });
const get = (harness: Harness, fid: number, select = 0, entry: Partial<Entry> = {}) =>
  harness.submitAdmin({ opcode: ADMIN.GET_FEATURES, cdw10: fid | (select << 8), ...entry });
const value = (harness: Harness, fid: number, select = 0, entry: Partial<Entry> = {}) =>
  get(harness, fid, select, entry).dw0;

describe('features that are a number', () => {
  test.each([
    ['Arbitration', FID.ARBITRATION, 6, 0x0302_0102],
    ['Power Management', FID.POWER_MANAGEMENT, 0, 0x20],
    ['Volatile Write Cache', FID.VOLATILE_WRITE_CACHE, 1, 0],
    ['Interrupt Coalescing', FID.INTERRUPT_COALESCING, 0, 0x0503],
    ['Write Atomicity Normal', FID.WRITE_ATOMICITY, 0, 1],
    ['Asynchronous Event Configuration', FID.ASYNC_EVENT, 0, 0x3f],
  ])('A53 A54 A55 %s: default, current and saved are kept apart', (_, fid, initial, changed) => {
    const harness = ready();
    expect(value(harness, fid)).toBe(initial);
    expect(set(harness, fid, changed).status).toBe(STATUS.SUCCESS);
    const all = () =>
      [FEATURE_SELECT.CURRENT, FEATURE_SELECT.DEFAULT, FEATURE_SELECT.SAVED].map((s) =>
        value(harness, fid, s),
      );
    expect(all()).toEqual([changed, initial, initial]);
    harness.disable();
    harness.enable();
    expect(all()).toEqual([initial, initial, initial]);
    expect(set(harness, fid, changed, { cdw10: (fid | SAVE) >>> 0 }).status).toBe(STATUS.SUCCESS);
    expect(set(harness, fid, initial).status).toBe(STATUS.SUCCESS);
    expect(all()).toEqual([initial, initial, changed]);
    harness.disable();
    harness.enable();
    expect(all()).toEqual([changed, initial, changed]);
  });

  test.each([
    ['A53', FID.ARBITRATION, 5],
    ['A53', FID.NUMBER_OF_QUEUES, 4],
    ['A53', FID.ERROR_RECOVERY, 7],
    ['A53', FID.TIMESTAMP, 4],
  ])('%s capabilities of feature %i: saveable, per namespace, changeable', (_, fid, capabilities) => {
    expect(value(ready(), fid, FEATURE_SELECT.CAPABILITIES)).toBe(capabilities);
  });

  test('a controller that saves nothing says so and refuses', () => {
    const harness = ready({ profile: { ...QEMU, timing: null } });
    expect(value(harness, FID.VOLATILE_WRITE_CACHE, FEATURE_SELECT.CAPABILITIES)).toBe(4);
    expect(
      statusName(set(harness, FID.ARBITRATION, 1, { cdw10: (FID.ARBITRATION | SAVE) >>> 0 }).status),
    ).toBe('FEATURE_NOT_SAVEABLE');
  });

  test('a controller whose features are fixed says so and refuses', () => {
    const harness = ready({ profile: { ...QEMU, timing: null } });
    expect(value(harness, FID.ARBITRATION, FEATURE_SELECT.CAPABILITIES)).toBe(0);
    expect(statusName(set(harness, FID.ARBITRATION, 1).status)).toBe('FEATURE_NOT_CHANGEABLE');
  });
});

describe('every feature there is', () => {
  const { features } = ready().controller.admin;
  const cases = features.supported.map((fid) => [FEATURES[fid]!.name, fid] as const);
  /** CDW11 that most features take: NSID 1 and vector 1 for those that have several values. */
  const OTHER: Readonly<Record<number, number>> = {
    [FID.ARBITRATION]: 3,
    [FID.POWER_MANAGEMENT]: 0x20,
    [FID.TEMPERATURE_THRESHOLD]: 345,
    [FID.ERROR_RECOVERY]: 9,
    [FID.VOLATILE_WRITE_CACHE]: 0,
    [FID.NUMBER_OF_QUEUES]: 0x0003_0003,
    [FID.INTERRUPT_COALESCING]: 0x0102,
    [FID.INTERRUPT_VECTOR]: 0x1_0001,
    [FID.WRITE_ATOMICITY]: 1,
    [FID.ASYNC_EVENT]: 0x10,
    [FID.SANITIZE_CONFIG]: 0,
    [FID.SOFTWARE_PROGRESS]: 4,
    [FID.NAMESPACE_WRITE_PROTECTION]: 1,
    [FID.RESERVATION_NOTIFICATION]: 2,
    [FID.RESERVATION_PERSISTENCE]: 1,
  };
  const scope = (fid: number): Partial<Entry> => (FEATURES[fid]!.scope === 'namespace' ? { nsid: 1 } : {});
  const selected = (harness: Harness, fid: number, select: number) =>
    value(harness, fid, select, { ...scope(fid), cdw11: fid === FID.INTERRUPT_VECTOR ? 1 : 0 });

  test.each(cases)('A53 %s: scope and saving as the table of the specification has them', (_, fid) => {
    const capabilities = FEATURE_CAPABILITIES.decode(value(ready(), fid, FEATURE_SELECT.CAPABILITIES));
    const isOfNamespace = FEATURES[fid]!.scope === 'namespace' ? 1 : 0;
    expect(capabilities).toMatchObject({ NAMESPACE_SPECIFIC: isOfNamespace, CHANGEABLE: 1 });
    const harness = ready();
    const completion = set(harness, fid, OTHER[fid] ?? 0, {
      ...scope(fid),
      cdw10: (fid | SAVE) >>> 0,
      prp1: harness.allocate(),
    });
    expect(statusName(completion.status) === 'FEATURE_NOT_SAVEABLE').toBe(capabilities.SAVEABLE === 0);
  });

  test.each(cases.filter(([, fid]) => OTHER[fid] !== undefined))(
    'A55 %s: what is saved survives reset and power cycle, what is not comes back as default unless it persists',
    (_, fid) => {
      const other = OTHER[fid]!;
      const harness = ready();
      const initial = selected(harness, fid, FEATURE_SELECT.CURRENT);
      expect(initial).not.toBe(other);
      const persists = FEATURES[fid]!.persists;
      const restart = [
        () => harness.disable(),
        () => {
          harness.controller.powerCut();
          harness.configure();
        },
      ];
      for (const how of restart) {
        set(harness, fid, other, scope(fid));
        expect(selected(harness, fid, FEATURE_SELECT.CURRENT)).toBe(other);
        how();
        harness.enable();
        expect(selected(harness, fid, FEATURE_SELECT.CURRENT)).toBe(persists ? other : initial);
      }
      const saved = set(harness, fid, other, { ...scope(fid), cdw10: (fid | SAVE) >>> 0 });
      if (saved.status !== STATUS.SUCCESS) return;
      for (const how of restart) {
        how();
        harness.enable();
        expect(selected(harness, fid, FEATURE_SELECT.CURRENT)).toBe(other);
      }
    },
  );
});

describe('refusals', () => {
  test.each<[string, number, number, Partial<Entry>, number, string]>([
    ['A47', FID.AUTONOMOUS_POWER, 0, {}, STATUS.INVALID_FIELD, 'not supported'],
    ['A47', 0x7c, 0, {}, STATUS.INVALID_FIELD, 'reserved'],
    [
      'A48',
      FID.NUMBER_OF_QUEUES,
      0,
      { cdw10: (FID.NUMBER_OF_QUEUES | SAVE) >>> 0 },
      STATUS.FEATURE_NOT_SAVEABLE,
      '',
    ],
    ['A48', FID.TIMESTAMP, 0, { cdw10: (FID.TIMESTAMP | SAVE) >>> 0 }, STATUS.FEATURE_NOT_SAVEABLE, ''],
    ['A51', FID.ERROR_RECOVERY, 0, { nsid: 0 }, STATUS.INVALID_NAMESPACE_OR_FORMAT, ''],
    ['A51', FID.ERROR_RECOVERY, 0, { nsid: 300 }, STATUS.INVALID_NAMESPACE_OR_FORMAT, ''],
    ['A51', FID.ERROR_RECOVERY, 0, { nsid: 2 }, STATUS.INVALID_FIELD, 'inactive'],
    ['A52', FID.ARBITRATION, 0, { nsid: 1 }, STATUS.FEATURE_NOT_NAMESPACE_SPECIFIC, ''],
    ['A60', FID.TEMPERATURE_THRESHOLD, 2 << 20, {}, STATUS.INVALID_FIELD, 'THSEL'],
    ['', FID.TEMPERATURE_THRESHOLD, 1 << 16, {}, STATUS.INVALID_FIELD, 'a sensor that is not there'],
    ['A62', FID.POWER_MANAGEMENT, 5, {}, STATUS.INVALID_FIELD, 'PS above NPSS'],
    ['', FID.INTERRUPT_VECTOR, 65, {}, STATUS.INVALID_FIELD, 'no such vector'],
    ['', FID.ERROR_RECOVERY, 1 << 16, { nsid: 1 }, STATUS.INVALID_FIELD, 'DULBE without NSFEAT.DAE'],
    ['', FID.VOLATILE_WRITE_CACHE, 2, {}, STATUS.INVALID_FIELD, 'reserved bit'],
    ['', FID.ASYNC_EVENT, 1 << 11, {}, STATUS.INVALID_FIELD, 'an event OAES does not offer'],
    ['Q2', FID.NUMBER_OF_QUEUES, 0xffff, {}, STATUS.INVALID_FIELD, 'NSQR FFFFh'],
    ['Q2', FID.NUMBER_OF_QUEUES, 0xffff_0000, {}, STATUS.INVALID_FIELD, 'NCQR FFFFh'],
  ])('%s feature %i, CDW11 %i, %o', (_, fid, cdw11, entry: Partial<Entry>, status) => {
    const harness = ready({ namespaces: TWO_NAMESPACES });
    const completion = set(harness, fid, cdw11, entry);
    expect([statusName(completion.status), completion.dnr]).toEqual([statusName(status), true]);
  });

  test('Get Features: unknown feature, reserved SEL, all namespaces, a vector that is not there', () => {
    const harness = ready();
    expect(statusName(get(harness, 0x7c).status)).toBe('INVALID_FIELD');
    expect(statusName(get(harness, FID.ARBITRATION, 4).status)).toBe('INVALID_FIELD');
    expect(statusName(get(harness, FID.ERROR_RECOVERY, 0, { nsid: BROADCAST }).status)).toBe(
      'INVALID_NAMESPACE_OR_FORMAT',
    );
    expect(statusName(get(harness, FID.RESERVATION_PERSISTENCE, 0, { nsid: BROADCAST }).status)).toBe(
      'INVALID_FIELD',
    );
    expect(statusName(get(harness, FID.INTERRUPT_VECTOR, 0, { cdw11: 65 }).status)).toBe('INVALID_FIELD');
  });

  test('Volatile Write Cache does not exist without a cache', () => {
    const harness = ready({ profile: { ...FUNCTIONAL, writeCache: false } });
    expect(statusName(get(harness, FID.VOLATILE_WRITE_CACHE).status)).toBe('INVALID_FIELD');
  });
});

describe('features with several values', () => {
  test('A50 Error Recovery belongs to a namespace; FFFFFFFFh sets all of them', () => {
    const harness = ready({ namespaces: TWO_NAMESPACES });
    const values = () => [1, 3].map((nsid) => value(harness, FID.ERROR_RECOVERY, 0, { nsid }));
    set(harness, FID.ERROR_RECOVERY, 10, { nsid: 3 });
    expect(values()).toEqual([0, 10]);
    set(harness, FID.ERROR_RECOVERY, 20, { nsid: BROADCAST });
    expect(values()).toEqual([20, 20]);
  });

  test('A58 Interrupt Vector Configuration: one value per vector; coalescing is off for vector 0', () => {
    const harness = ready();
    const of = (vector: number) => value(harness, FID.INTERRUPT_VECTOR, 0, { cdw11: vector });
    expect([of(0), of(1)]).toEqual([0x1_0000, 1]);
    set(harness, FID.INTERRUPT_VECTOR, 0x1_0001);
    expect([of(0), of(1), of(2)]).toEqual([0x1_0000, 0x1_0001, 2]);
  });

  test('Temperature Threshold: over and under, and TMPSEL Fh means every temperature there is', () => {
    const harness = ready();
    const of = (type: number) => value(harness, FID.TEMPERATURE_THRESHOLD, 0, { cdw11: type << 20 }) & 0xffff;
    expect([of(0), of(1)]).toEqual([343, 0]);
    set(harness, FID.TEMPERATURE_THRESHOLD, 350 | (0xf << 16));
    set(harness, FID.TEMPERATURE_THRESHOLD, 280 | (1 << 20));
    expect([of(0), of(1)]).toEqual([350, 280]);
  });
});

describe('Number of Queues', () => {
  test.each([
    [8, 8],
    [1, 5],
    [64, 64],
    [1000, 64],
  ])('Q1 asking for %i submission and %i completion queues grants them up to 64', (sqs, cqs) => {
    const harness = ready();
    const { status, dw0 } = set(harness, FID.NUMBER_OF_QUEUES, (sqs - 1) | ((cqs - 1) << 16));
    const granted = (Math.min(sqs, 64) - 1) | ((Math.min(cqs, 64) - 1) << 16);
    expect([status, dw0]).toEqual([STATUS.SUCCESS, granted]);
    expect(value(harness, FID.NUMBER_OF_QUEUES)).toBe(granted);
    expect(harness.createCq(Math.min(cqs, 64), 4).status).toBe(STATUS.SUCCESS);
    expect(statusName(harness.createCq(Math.min(cqs, 64) + 1, 4).status)).toBe('INVALID_QUEUE_IDENTIFIER');
  });

  test('Q3 not once an I/O queue exists', () => {
    const harness = ready();
    harness.createCq(1, 4);
    expect(statusName(set(harness, FID.NUMBER_OF_QUEUES, 0).status)).toBe('COMMAND_SEQUENCE_ERROR');
  });
});

describe('features that are a buffer', () => {
  const send = (harness: Harness, fid: number, bytes: readonly number[], cdw11 = 0) => {
    const prp1 = harness.allocate();
    harness.bytes(prp1, bytes.length).set(bytes);
    return set(harness, fid, cdw11, { prp1 });
  };
  const receive = (harness: Harness, fid: number, length: number, cdw11 = 0, select = 0) => {
    const prp1 = harness.allocate();
    harness.memory.fill(prp1, 0xee, 4096);
    expect(get(harness, fid, select, { prp1, cdw11 }).status).toBe(STATUS.SUCCESS);
    expect(harness.bytes(prp1 + length, 16).every((byte) => byte === 0xee)).toBe(true);
    return harness.view(prp1);
  };

  test('A61 Timestamp goes on with simulated time from what the host gave; a reset starts it at 0', () => {
    const harness = ready();
    const read = () => {
      const view = receive(harness, FID.TIMESTAMP, 8);
      return [view.getUint32(0, true) + view.getUint16(4, true) * 2 ** 32, view.getUint8(6)];
    };
    harness.clock.advance(3_000_000);
    expect(read()).toEqual([3, 0]);
    const now = 0x0197_1234_5678;
    send(harness, FID.TIMESTAMP, [0x78, 0x56, 0x34, 0x12, 0x97, 0x01, 0xff, 0xff]);
    harness.clock.advance(5_500_000);
    expect(read()).toEqual([now + 5, 2]);
    harness.disable();
    harness.enable();
    expect(read()).toEqual([0, 0]);
  });

  test('A63 Host Behavior: advanced command retry can be turned on, what Identify lacks cannot', () => {
    const harness = ready();
    const behavior = (...first: number[]) => [...first, ...Array<number>(512 - first.length).fill(0)];
    expect(send(harness, FID.HOST_BEHAVIOR, behavior(1)).status).toBe(STATUS.SUCCESS);
    expect(receive(harness, FID.HOST_BEHAVIOR, 512).getUint8(0)).toBe(1);
    expect(receive(harness, FID.HOST_BEHAVIOR, 512, 0, FEATURE_SELECT.DEFAULT).getUint8(0)).toBe(0);
    expect(statusName(send(harness, FID.HOST_BEHAVIOR, behavior(2)).status)).toBe('INVALID_FIELD');
    expect(statusName(send(harness, FID.HOST_BEHAVIOR, behavior(0, 1)).status)).toBe('INVALID_FIELD');
    expect(statusName(send(harness, FID.HOST_BEHAVIOR, behavior(0, 0, 2)).status)).toBe('INVALID_FIELD');
    expect(receive(harness, FID.HOST_BEHAVIOR, 512).getUint8(0)).toBe(1);
  });

  test.each([
    [8, 0],
    [16, 1],
  ])('Host Identifier of %i bytes (EXHID %i)', (length, cdw11) => {
    const harness = ready();
    const identifier = Array.from({ length }, (_, i) => i + 1);
    expect(send(harness, FID.HOST_IDENTIFIER, identifier, cdw11).status).toBe(STATUS.SUCCESS);
    const view = receive(harness, FID.HOST_IDENTIFIER, length, cdw11);
    expect(identifier.map((_, i) => view.getUint8(i))).toEqual(identifier);
  });

  test('data DMA cannot reach change nothing', () => {
    const harness = ready();
    harness.blocked.add(0x200);
    const completion = set(harness, FID.TIMESTAMP, 0, { prp1: 0x20_0000 });
    expect(statusName(completion.status)).toBe('DATA_TRANSFER_ERROR');
    expect(receive(harness, FID.TIMESTAMP, 8).getUint8(6)).toBe(0);
  });
});

test('any command word: one completion, and Get never returns a value that Set refused', () => {
  const harness = ready({ namespaces: TWO_NAMESPACES });
  const prp1 = harness.allocate();
  const word = fc.integer({ min: 0, max: 0xffff_ffff });
  const fid = fc.oneof(fc.constantFrom(...Object.values(FID)), fc.integer({ min: 0, max: 255 }));
  const nsid = fc.constantFrom(0, 1, 2, 3, 257, BROADCAST);
  fc.assert(
    fc.property(fid, fc.oneof(word, fc.nat(7)), nsid, (which, cdw11, namespace) => {
      // Events would complete instead of commands, and the timer would stop the controller.
      if (which === FID.ASYNC_EVENT || which === FID.KEEP_ALIVE) return;
      const before = get(harness, which, 0, { nsid: namespace, cdw11, prp1 });
      const changed = set(harness, which, cdw11, { nsid: namespace, prp1 });
      const after = get(harness, which, 0, { nsid: namespace, cdw11, prp1 });
      expect(after.status).toBe(before.status);
      if (changed.status !== STATUS.SUCCESS) expect(after.dw0).toBe(before.dw0);
    }),
    { numRuns: 500 },
  );
});
