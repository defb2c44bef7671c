/** Reservations: group S of the conformance cases (Base 2.1 §7.5 to §7.8, §8.1.22). Two controllers share a namespace. */
import { describe, expect, test } from 'vitest';
import { Namespace } from '../../nvme/namespace.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { LID } from '../../nvme/spec/logs.ts';
import { CSTS, NSSR_MAGIC, REG } from '../../nvme/spec/registers.ts';
import { RESERVATION } from '../../nvme/spec/reservations.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import { FUNCTIONAL } from './harness.ts';
import { type IoRig, ioRig } from './io-rig.ts';

const { WRITE_EXCLUSIVE: WE, EXCLUSIVE_ACCESS: EA } = RESERVATION;
const { WRITE_EXCLUSIVE_REGISTRANTS: WE_RO, EXCLUSIVE_ACCESS_REGISTRANTS: EA_RO } = RESERVATION;
const { WRITE_EXCLUSIVE_ALL: WE_AR, EXCLUSIVE_ACCESS_ALL: EA_AR } = RESERVATION;
const IEKEY = 8;
const CONFLICT = 'RESERVATION_CONFLICT';

/** A controller with its host; hosts have keys of their own. */
class HostRig {
  readonly rig: IoRig;
  readonly key: number;

  constructor(rig: IoRig, key: number) {
    this.rig = rig;
    this.key = key;
    this.identify(key);
  }

  identify(identifier: number, bytes: 8 | 16 = 8): void {
    const page = this.rig.allocate();
    this.rig.view(page).setBigUint64(0, BigInt(identifier), true);
    const cdw11 = bytes === 16 ? 1 : 0;
    this.rig.submitAdmin({ opcode: ADMIN.SET_FEATURES, cdw10: FID.HOST_IDENTIFIER, cdw11, prp1: page });
  }

  #keys(opcode: number, cdw10: number, first: number, second: number): string {
    const page = this.rig.allocate();
    this.rig.view(page).setBigUint64(0, BigInt(first), true);
    this.rig.view(page).setBigUint64(8, BigInt(second), true);
    return this.rig.status({ opcode, cdw10: cdw10 >>> 0, prp1: page });
  }

  register(key = this.key, flags = 0): string {
    return this.#keys(NVM.RESERVATION_REGISTER, flags, 0, key);
  }

  unregister(key = this.key): string {
    return this.#keys(NVM.RESERVATION_REGISTER, 1, key, 0);
  }

  replace(from: number, to: number, flags = 0): string {
    return this.#keys(NVM.RESERVATION_REGISTER, 2 | flags, from, to);
  }

  acquire(type: number, key = this.key, flags = 0): string {
    return this.#keys(NVM.RESERVATION_ACQUIRE, (type << 8) | flags, key, 0);
  }

  preempt(type: number, victim: number, action = 1): string {
    return this.#keys(NVM.RESERVATION_ACQUIRE, action | (type << 8), this.key, victim);
  }

  release(type: number): string {
    return this.#keys(NVM.RESERVATION_RELEASE, type << 8, this.key, 0);
  }

  clear(): string {
    return this.#keys(NVM.RESERVATION_RELEASE, 1, this.key, 0);
  }

  /** Whether it may read and write: `rw`, `r-`, `--`. */
  get access(): string {
    const read = this.rig.read(0);
    const write = this.rig.write(0, 1, 0x11);
    expect([read, write].every((it) => Array.isArray(it) || it === 'SUCCESS' || it === CONFLICT)).toBe(true);
    return `${read === CONFLICT ? '-' : 'r'}${write === CONFLICT ? '-' : 'w'}`;
  }

  report(isExtended = false) {
    const page = this.rig.allocate();
    const { status } = this.rig.io({
      opcode: NVM.RESERVATION_REPORT,
      cdw10: 1023,
      cdw11: isExtended ? 1 : 0,
      prp1: page,
    });
    const view = this.rig.view(page);
    const count = view.getUint16(5, true);
    const [first, size] = isExtended ? [64, 64] : [24, 24];
    const registrants = Array.from({ length: count }, (_, index) => {
      const at = first + index * size;
      const key = Number(view.getBigUint64(at + (isExtended ? 8 : 16), true));
      const host = Number(view.getBigUint64(at + (isExtended ? 16 : 8), true));
      return { key, host, holds: view.getUint8(at + 2) === 1 };
    });
    const persists = view.getUint8(9) === 1;
    return {
      status: statusName(status),
      generation: view.getUint32(0, true),
      type: view.getUint8(4),
      persists,
      registrants,
    };
  }

  /** Reads the oldest notification: its type, the namespace, and how many more there are. */
  notification(): number[] {
    const page = this.rig.allocate();
    const cdw10 = LID.RESERVATION_NOTIFICATION | (15 << 16);
    this.rig.submitAdmin({ opcode: ADMIN.GET_LOG_PAGE, nsid: 0xffff_ffff, cdw10, prp1: page });
    const view = this.rig.view(page);
    return [view.getUint8(8), view.getUint32(12, true), view.getUint8(9)];
  }
}

/** Hosts 1, 2 and 3, each with a controller that shares namespace 1 with the others. */
function three(): [HostRig, HostRig, HostRig] {
  const first = ioRig({ profile: { ...FUNCTIONAL, dirty_bytes: 0 } });
  const rig = () => ioRig({ joins: first });
  return [new HostRig(first, 1), new HostRig(rig(), 2), new HostRig(rig(), 3)];
}

describe('S1 Register', () => {
  test('registering, replacing, unregistering, and what they count', () => {
    const [one, two] = three();
    expect(one.register(0xa)).toBe('SUCCESS');
    expect(one.register(0xa)).toBe('SUCCESS');
    expect(one.register(0xb)).toBe(CONFLICT);
    expect(two.register(0xc)).toBe('SUCCESS');
    expect(one.replace(0xb, 0xd)).toBe(CONFLICT);
    expect(one.replace(0xa, 0xd)).toBe('SUCCESS');
    expect(two.report()).toMatchObject({
      generation: 3,
      type: 0,
      registrants: [
        { key: 0xd, host: 1, holds: false },
        { key: 0xc, host: 2, holds: false },
      ],
    });
    expect(one.unregister(0xa)).toBe(CONFLICT);
    expect(one.unregister(0xd)).toBe('SUCCESS');
    expect(one.unregister(0xd)).toBe(CONFLICT);
    expect(one.report().generation).toBe(4);
  });

  test('S9 IEKEY ignores the current key', () => {
    const [one, two] = three();
    expect(two.replace(0, 7)).toBe(CONFLICT);
    expect(two.replace(0, 7, IEKEY)).toBe('SUCCESS');
    one.register();
    expect(one.replace(99, 5, IEKEY)).toBe('SUCCESS');
    expect(one.acquire(WE, 77, IEKEY)).toBe('SUCCESS');
  });

  test.each<[string, number]>([
    ['a reserved action', 3],
    ['CPTPL 1', 1 << 30],
    ['a reserved bit', 1 << 4],
  ])('%s', (_, cdw10) => {
    const [one] = three();
    const entry = { opcode: NVM.RESERVATION_REGISTER, cdw10, prp1: one.rig.allocate() };
    expect(one.rig.status(entry)).toBe('INVALID_FIELD');
  });
});

describe('who may read and write', () => {
  test.each([
    ['S2', WE, 'rw', 'r-', 'r-'],
    ['S3', EA, 'rw', '--', '--'],
    ['S4', WE_RO, 'rw', 'rw', 'r-'],
    ['S4', EA_RO, 'rw', 'rw', '--'],
    ['S4', WE_AR, 'rw', 'rw', 'r-'],
    ['S4', EA_AR, 'rw', 'rw', '--'],
  ])('%s type %i: holder %s, registrant %s, anybody else %s', (_, type, holder, registrant, other) => {
    const [one, two, three_] = three();
    one.register();
    two.register();
    expect(one.acquire(type)).toBe('SUCCESS');
    expect([one, two, three_].map(({ access }) => access)).toEqual([holder, registrant, other]);
    expect(one.release(type)).toBe('SUCCESS');
    expect([one, two, three_].map(({ access }) => access)).toEqual(['rw', 'rw', 'rw']);
  });

  test('S2 commands count as what they do', () => {
    const [one, two] = three();
    one.register();
    one.acquire(WE);
    const prp1 = two.rig.allocate();
    const outcome = (opcode: number) => two.rig.status({ opcode, prp1 });
    for (const opcode of [
      NVM.FLUSH,
      NVM.WRITE_ZEROES,
      NVM.WRITE_UNCORRECTABLE,
      NVM.DATASET_MANAGEMENT,
      NVM.COPY,
    ])
      expect(outcome(opcode)).toBe(CONFLICT);
    for (const opcode of [NVM.COMPARE, NVM.VERIFY, NVM.RESERVATION_REPORT])
      expect(outcome(opcode)).toBe('SUCCESS');
  });

  test('a conflict is no error of the host: nothing is logged', () => {
    const [one, two] = three();
    one.register();
    one.acquire(EA);
    two.rig.read(0);
    expect(two.rig.controller.health.errors.count).toBe(0);
  });
});

describe('Acquire and Release', () => {
  test('S10 who is not registered, or with another key', () => {
    const [one] = three();
    expect(one.acquire(WE)).toBe(CONFLICT);
    one.register();
    expect(one.acquire(WE, 99)).toBe(CONFLICT);
    expect(one.acquire(0)).toBe('INVALID_FIELD');
    expect(one.acquire(7)).toBe('INVALID_FIELD');
  });

  test('one reservation at a time; the holder may ask again', () => {
    const [one, two] = three();
    one.register();
    two.register();
    expect([one.acquire(WE), one.acquire(WE), one.acquire(EA), two.acquire(WE)]).toEqual([
      'SUCCESS',
      'SUCCESS',
      CONFLICT,
      CONFLICT,
    ]);
    expect(two.report().registrants.map(({ holds }) => holds)).toEqual([true, false]);
  });

  test('S6 Release: not the holder, the wrong type, nobody registered', () => {
    const [one, two, three_] = three();
    one.register();
    two.register();
    one.acquire(WE);
    expect(two.release(WE)).toBe('SUCCESS');
    expect(one.report().type).toBe(WE);
    expect(one.release(EA)).toBe('INVALID_FIELD');
    expect(three_.release(WE)).toBe(CONFLICT);
    expect(one.release(WE)).toBe('SUCCESS');
    expect(one.report().type).toBe(0);
  });

  test('S7 with an all-registrants type everybody holds, until the last one goes', () => {
    const [one, two] = three();
    one.register();
    two.register();
    one.acquire(EA_AR);
    expect(two.report().registrants.map(({ holds }) => holds)).toEqual([true, true]);
    one.unregister();
    expect(two.report().type).toBe(EA_AR);
    two.unregister();
    expect(two.report().type).toBe(0);
  });
});

describe('Preempt, Clear and notifications', () => {
  test('S5 the holder is preempted: unregistered, told, and another one holds', () => {
    const [one, two, three_] = three();
    for (const host of [one, two, three_]) host.register();
    one.acquire(WE);
    expect(two.preempt(EA, 1)).toBe('SUCCESS');
    expect(two.report()).toMatchObject({ type: EA, generation: 4 });
    expect(two.report().registrants.map(({ host, holds }) => [host, holds])).toEqual([
      [2, true],
      [3, false],
    ]);
    expect(one.access).toBe('--');
    expect(one.notification()).toEqual([1, 1, 0]);
    expect(three_.notification()).toEqual([2, 1, 0]);
    expect(two.notification()).toEqual([0, 0, 0]);
  });

  test('S5 a registrant is preempted: the reservation stays', () => {
    const [one, two, three_] = three();
    for (const host of [one, two, three_]) host.register();
    one.acquire(WE);
    expect(one.preempt(EA, 3)).toBe('SUCCESS');
    expect(one.report()).toMatchObject({ type: WE });
    expect(three_.notification()).toEqual([1, 1, 0]);
    expect(two.notification()).toEqual([0, 0, 0]);
    expect(one.preempt(EA, 3)).toBe(CONFLICT);
    expect(one.preempt(EA, 0)).toBe('INVALID_FIELD');
  });

  test('S5 key 0 preempts everybody else of an all-registrants reservation', () => {
    const [one, two, three_] = three();
    for (const host of [one, two, three_]) host.register();
    one.acquire(WE_AR);
    expect(two.preempt(WE, 0)).toBe('SUCCESS');
    expect(two.report()).toMatchObject({ type: WE, registrants: [{ host: 2, holds: true }] });
  });

  test('S5 Preempt and Abort ends the commands of the preempted host', () => {
    const [one, two] = three();
    one.register();
    two.register();
    one.rig.post(1, { opcode: NVM.COMPARE, flags: 1, nsid: 1, cid: 9, prp1: one.rig.allocate() });
    one.rig.ring(1);
    expect(two.preempt(WE, 1, 2)).toBe('SUCCESS');
    expect(one.rig.reap(1)).toMatchObject({ cid: 9, status: STATUS.ABORTED_PREEMPT });
  });

  test('Clear: nobody is registered any more, and all others are told', () => {
    const [one, two] = three();
    one.register();
    two.register();
    one.acquire(WE);
    expect(two.clear()).toBe('SUCCESS');
    expect(one.report()).toMatchObject({ type: 0, registrants: [], generation: 3 });
    expect(one.notification()).toEqual([3, 1, 0]);
    expect(two.clear()).toBe(CONFLICT);
  });

  test('Release of a shared reservation tells the other registrants', () => {
    const [one, two] = three();
    one.register();
    two.register();
    one.acquire(WE_RO);
    one.release(WE_RO);
    expect(two.notification()).toEqual([2, 1, 0]);
    one.acquire(WE);
    one.release(WE);
    expect(two.notification()).toEqual([0, 0, 0]);
  });

  test('notifications queue up; each one read lets the next event through', () => {
    const [one, two] = three();
    one.register();
    two.register();
    for (let i = 0; i < 2; i++) {
      one.acquire(WE_RO);
      one.release(WE_RO);
    }
    const request = { opcode: ADMIN.ASYNC_EVENT_REQUEST };
    expect(two.rig.submitAdmin(request).dw0).toBe(0x0080_0006);
    expect(two.notification()).toEqual([2, 1, 1]);
    expect(two.rig.submitAdmin(request).dw0).toBe(0x0080_0006);
    expect(two.notification()).toEqual([2, 1, 0]);
  });

  test('feature 82h masks a kind of notification', () => {
    const [one, two] = three();
    one.register();
    two.register();
    const cdw10 = FID.RESERVATION_NOTIFICATION;
    two.rig.submitAdmin({ opcode: ADMIN.SET_FEATURES, nsid: 1, cdw10, cdw11: 1 << 2 });
    one.acquire(WE_RO);
    one.release(WE_RO);
    expect(two.notification()).toEqual([0, 0, 0]);
  });
});

describe('Report', () => {
  test('S7 extended, with 128-bit identifiers; the short form is then refused', () => {
    const [one] = three();
    one.identify(0x77, 16);
    one.register();
    one.acquire(WE);
    expect(one.report(true)).toMatchObject({ type: WE, registrants: [{ key: 1, host: 0x77, holds: true }] });
    expect(one.report(false).status).toBe('HOST_IDENTIFIER_INCONSISTENT');
  });

  test('a short buffer gets the beginning', () => {
    const [one] = three();
    one.register();
    const page = one.rig.filled(64, 0xee);
    one.rig.io({ opcode: NVM.RESERVATION_REPORT, cdw10: 1, prp1: page });
    expect(one.rig.view(page).getUint16(5, true)).toBe(1);
    expect(one.rig.view(page).getUint32(8, true)).toBe(0xeeee_eeee);
  });
});

describe('S8 loss of power', () => {
  const PERSIST = 0xc000_0000;
  test.each([
    ['gone', 0, 0],
    ['kept with CPTPL 3', PERSIST, WE],
  ])('%s', (_, flags, type) => {
    const [one, two] = three();
    one.register(1, flags);
    one.acquire(WE);
    one.rig.powerCycle();
    // The whole drive lost power, the other controller too.
    two.rig.configure();
    expect(two.rig.read32(REG.CSTS)).toBe(0);
    two.rig.start();
    for (const host of [one, two]) host.identify(host.key);
    expect(one.report()).toMatchObject({ type, persists: type !== 0 });
    expect(two.access).toBe(type === 0 ? 'rw' : 'r-');
  });

  test('a subsystem reset is none: it resets every controller, and reservations stay', () => {
    const [one, two] = three();
    one.register(1);
    one.acquire(WE);
    two.rig.write32(REG.NSSR, NSSR_MAGIC);
    for (const { rig } of [one, two]) {
      expect(rig.read32(REG.CSTS)).toBe(CSTS.encode({ NSSRO: 1 }));
      rig.start();
    }
    for (const host of [one, two]) host.identify(host.key);
    expect([one.access, two.access]).toEqual(['rw', 'r-']);
  });

  test('feature 83h says and changes it', () => {
    const [one] = three();
    const feature = { nsid: 1, cdw10: FID.RESERVATION_PERSISTENCE };
    one.register(1, PERSIST);
    expect(one.rig.submitAdmin({ opcode: ADMIN.GET_FEATURES, ...feature }).dw0).toBe(1);
    one.rig.submitAdmin({ opcode: ADMIN.SET_FEATURES, ...feature, cdw11: 0 });
    expect(one.report().persists).toBe(false);
  });

  test('a controller reset keeps them, but not those of a host without an identifier', () => {
    const [one, two] = three();
    two.identify(0);
    one.register();
    two.register();
    for (const { rig } of [one, two]) {
      rig.disable();
      rig.start();
    }
    expect(one.report().registrants.map(({ key }) => key)).toEqual([1]);
  });
});

test('Identify offers reservations of every type', () => {
  const [one] = three();
  const page = one.rig.allocate();
  one.rig.submitAdmin({ opcode: ADMIN.IDENTIFY, nsid: 1, prp1: page });
  expect(one.rig.view(page).getUint8(31)).toBe(0xff);
  expect(one.rig.controller.namespace(1)).toBeInstanceOf(Namespace);
});
