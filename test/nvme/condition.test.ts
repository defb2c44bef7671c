/**
 * SMART's busy time, wear and temperatures, power states, and thermal management, each from the door that a host has: log
 * page 02h, Identify, features 02h and 10h, and how long a command takes (Base 2.1 §5.1.12.1.3, §8.1.17, §8.1.18).
 */
import { describe, expect, test } from 'vitest';
import { samsung970pro } from '../../boards/devices/samsung-970pro.ts';
import { checkPower, EVERY_POWER_STATE, USUAL_POWER } from '../../nvme/condition/profile.ts';
import type { NandProfile } from '../../nvme/media/profile.ts';
import { type ControllerProfile, type ControllerTiming, GENERIC, OPTANE_P4800X } from '../../nvme/profile.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID, TEMPERATURE_THRESHOLD, THERMAL_MANAGEMENT, THSEL } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_CONTROLLER, POWER_STATE } from '../../nvme/spec/identify.ts';
import { LID, SMART_LOG } from '../../nvme/spec/logs.ts';
import { statusName } from '../../nvme/spec/status.ts';
import { getFeature, getLog, identify, setFeature } from './admin-commands.ts';
import { FUNCTIONAL, PAGE, ready } from './harness.ts';
import { IoRig } from './io-rig.ts';

const SECOND = 1_000_000_000;
/** The timing of a drive with NAND. */
const NAND = samsung970pro.controller.timing as ControllerTiming & { readonly media: NandProfile };
const MIB = 1024 ** 2;

/** A drive that takes `read_s` for a block, so that little has to be read for much time to go by. */
const slow = (read_s: number, power = EVERY_POWER_STATE): ControllerProfile => ({
  ...GENERIC,
  power,
  timing: {
    ...GENERIC.timing!,
    media: {
      ...NAND.media,
      read4K_ns: read_s * SECOND,
      readPage_ns: read_s * SECOND,
      readSpread_ns: 0,
    },
  },
});

class ConditionRig extends IoRig {
  constructor(profile: ControllerProfile) {
    super({ profile, namespaces: [{ nsid: 1, bytes: 4 * MIB, block_bytes: 512 }], timed: true });
  }

  smart(): DataView {
    return getLog(this, LID.SMART, SMART_LOG.SIZE).view;
  }

  field(name: Parameters<typeof SMART_LOG.get>[2]): unknown {
    return SMART_LOG.get(this.smart(), 0, name);
  }

  /** Kelvin. */
  get temperature(): number {
    return this.smart().getUint16(SMART_LOG.TEMPERATURE, true);
  }

  /** Seconds that a read takes. */
  time(): number {
    const start = this.clock.now;
    expect(this.read(0)).toBeInstanceOf(Array);
    return (this.clock.now - start) / SECOND;
  }

  state(): number {
    return getFeature(this, FID.POWER_MANAGEMENT).dw0;
  }
}

test('busy time: minutes in which there was an I/O command, once for two at a time, and not those in between', () => {
  const rig = new ConditionRig(slow(45));
  for (const first of [0, 8]) {
    const buffer = rig.allocate();
    rig.post(1, { opcode: NVM.READ, nsid: 1, prp1: buffer, ...rig.at(first) });
  }
  rig.ring(1);
  rig.settle();
  rig.reapAll(1);
  const busy = () => Number(rig.smart().getBigUint64(SMART_LOG.BUSY_TIME, true));
  const before = rig.clock.now;
  rig.clock.advance(600 * SECOND);
  expect(busy()).toBe(Math.floor(before / (60 * SECOND)));
  rig.time();
  rig.time();
  expect(busy()).toBe(Math.floor((before + 90.1 * SECOND) / (60 * SECOND)));
});

describe('wear', () => {
  const written = (profile: ControllerProfile, rounds: number): unknown => {
    const rig = new ConditionRig(profile);
    const data = rig.prps(rig.allocate(128), 128 * PAGE);
    for (let chunk = 0; chunk < rounds * 8; chunk++)
      rig.io({ opcode: NVM.WRITE, ...rig.at((chunk % 8) * 1024, 1024), ...data });
    return rig.field('PERCENTAGE_USED');
  };
  const nand = { ...GENERIC, timing: { ...NAND, media: { ...NAND.media, endurance: 20 } } };

  test('of NAND it is erases, which begin when the over-provisioned drive is full', () => {
    // 143 segments, of which every round of 128 erases as many once all of them were filled.
    expect([written(nand, 1), written(nand, 5)]).toEqual([0, 17]);
  });

  test('of a medium that is written in place it is bytes, and more than all is told up to 255 per cent', () => {
    const uniform = {
      ...GENERIC,
      timing: { ...OPTANE_P4800X, media: { ...OPTANE_P4800X.media, endurance: 4 } },
    };
    expect([written(uniform, 1), written(uniform, 5), written(uniform, 11)]).toEqual([25, 125, 255]);
  });
});

describe('temperature', () => {
  test('310 K at rest, warmer with every byte, cooler with time', () => {
    // 300 J for a block of 512 bytes: 10 W more while one is read every 30 s.
    const rig = new ConditionRig(slow(30, { ...EVERY_POWER_STATE, read_nJ: 300e9 / 512 }));
    expect(rig.temperature).toBe(310);
    for (let read = 0; read < 20; read++) rig.time();
    expect(rig.temperature).toBe(334);
    rig.clock.advance(60 * SECOND);
    expect(rig.temperature).toBe(310 + Math.round(24 / Math.E));
  });

  describe('an event comes by itself when it', () => {
    const REQUEST = { opcode: ADMIN.ASYNC_EVENT_REQUEST, cid: 77 };
    /** A drive at `kelvin` whose host waits for an event. */
    const waiting = (threshold: number, kelvin: number): ConditionRig => {
      const rig = new ConditionRig(slow(1));
      setFeature(rig, FID.TEMPERATURE_THRESHOLD, threshold);
      setFeature(rig, FID.ASYNC_EVENT, 2);
      rig.post(0, REQUEST);
      rig.ring(0);
      rig.controller.health.condition.temperature_K = kelvin;
      return rig;
    };
    const UNDER_320 = TEMPERATURE_THRESHOLD.encode({ THSEL: THSEL.UNDER, TMPTH: 320 });

    test('cools: 320 K at 335 K after 60 ln(25/10.5) s, once', () => {
      const rig = waiting(UNDER_320, 335);
      rig.clock.advance(60 * Math.log(25 / 10.5) * SECOND - SECOND / 1000);
      expect(rig.reap(0)).toBeNull();
      rig.clock.advance(SECOND / 500);
      expect(rig.reap(0)).toMatchObject({ cid: 77, dw0: 0x0002_0101 });
      rig.clock.advance(600 * SECOND);
      expect([rig.reap(0), rig.clock.pending]).toEqual([null, 0]);
    });

    test('becomes warmer at rest than it was asleep', () => {
      const rig = waiting(TEMPERATURE_THRESHOLD.encode({ THSEL: THSEL.OVER, TMPTH: 309 }), 298);
      rig.clock.advance(600 * SECOND);
      expect(rig.reap(0)).toMatchObject({ cid: 77, dw0: 0x0002_0101 });
    });

    test('cools faster because the drive was sent to sleep', () => {
      const rig = waiting(TEMPERATURE_THRESHOLD.encode({ THSEL: THSEL.UNDER, TMPTH: 305 }), 335);
      rig.clock.advance(600 * SECOND);
      expect(rig.reap(0)).toBeNull();
      setFeature(rig, FID.POWER_MANAGEMENT, 4);
      rig.clock.advance(600 * SECOND);
      expect(rig.reap(0)).toMatchObject({ cid: 77 });
    });

    test('and not at all where the temperature never gets', () => {
      const rig = waiting(TEMPERATURE_THRESHOLD.encode({ THSEL: THSEL.UNDER, TMPTH: 305 }), 335);
      expect(rig.clock.pending).toBe(0);
    });
  });

  test('however much is read in no time, the drive draws no more than its state may', () => {
    // 3 GJ for a block of 512 bytes.
    const rig = new ConditionRig(slow(0, { ...EVERY_POWER_STATE, read_nJ: 3e18 / 512 }));
    for (let read = 0; read < 20; read++) rig.time();
    expect(rig.temperature).toBe(310);
    rig.clock.advance(SECOND);
    rig.time();
    expect(rig.temperature).toBeLessThanOrEqual(311);
  });

  test('minutes at WCTEMP and at CCTEMP are those of the way down', () => {
    const rig = new ConditionRig(slow(1, { ...USUAL_POWER, settling_ns: 3600 * SECOND }));
    rig.controller.health.condition.temperature_K = 360;
    rig.clock.advance(7200 * SECOND);
    // From 360 K towards 310 K: 353 K after 3600 ln(50/43) s, 343 K after 3600 ln(50/33) s.
    expect(rig.field('CRITICAL_TEMPERATURE_TIME')).toBe(Math.floor(60 * Math.log(50 / 43)));
    expect(rig.field('WARNING_TEMPERATURE_TIME')).toBe(Math.floor(60 * Math.log(43 / 33)));
  });
});

describe('thermal management (feature 10h)', () => {
  const manage = (rig: IoRig, TMT1: number, TMT2: number) =>
    statusName(setFeature(rig, FID.THERMAL_MANAGEMENT, THERMAL_MANAGEMENT.encode({ TMT1, TMT2 })).status);

  test('above TMT1 commands take twice as long, above TMT2 eight times, and SMART counts both', () => {
    const rig = new ConditionRig(slow(10));
    expect(manage(rig, 320, 330)).toBe('SUCCESS');
    const at = (kelvin: number): number => {
      rig.controller.health.condition.temperature_K = kelvin;
      return Math.round(rig.time());
    };
    expect([at(319), at(320), at(331), at(325), at(310)]).toEqual([10, 20, 80, 20, 10]);
    expect(
      ['TMT1_TRANSITIONS', 'TMT2_TRANSITIONS', 'TMT1_TIME', 'TMT2_TIME'].map((name) =>
        rig.field(name as 'TMT1_TIME'),
      ),
    ).toEqual([2, 1, 40, 80]);
  });

  test.each([
    [312, 330, 'INVALID_FIELD'],
    [320, 354, 'INVALID_FIELD'],
    [330, 330, 'INVALID_FIELD'],
    [331, 330, 'INVALID_FIELD'],
    [0, 330, 'SUCCESS'],
    [353, 0, 'SUCCESS'],
    [0, 0, 'SUCCESS'],
  ])('TMT1 %i, TMT2 %i: %s', (light, heavy, expected) => {
    const rig = new IoRig();
    expect(manage(rig, light, heavy)).toBe(expected);
  });

  test('how much longer is in the profile, as is WCTEMP', () => {
    const profile = { ...slow(10, { ...EVERY_POWER_STATE, throttle: [3, 5] }), warningTemperature_K: 333 };
    const rig = new ConditionRig(profile);
    manage(rig, 320, 330);
    rig.controller.health.condition.temperature_K = 325;
    expect(Math.round(rig.time())).toBe(30);
    expect(IDENTIFY_CONTROLLER.get(identify(rig, CNS.CONTROLLER).view, 0, 'WCTEMP')).toBe(333);
    expect(TEMPERATURE_THRESHOLD.TMPTH.get(getFeature(rig, FID.TEMPERATURE_THRESHOLD).dw0)).toBe(333);
  });

  test('is announced with its range, and refused where it is not', () => {
    const fields = (profile: ControllerProfile) => {
      const { view } = identify(ready({ profile: { ...profile, timing: null } }), CNS.CONTROLLER);
      return (['HCTMA', 'MNTMT', 'MXTMT'] as const).map((name) => IDENTIFY_CONTROLLER.get(view, 0, name));
    };
    expect([fields(GENERIC), fields(QEMU)]).toEqual([
      [1, 313, 353],
      [0, 0, 0],
    ]);
    expect(manage(new IoRig({ profile: { ...QEMU, timing: null } }), 320, 330)).toBe('INVALID_FIELD');
  });
});

describe('power states (feature 02h)', () => {
  test('A62 a slower state takes longer, and a reset brings state 0 back', () => {
    const rig = new ConditionRig(slow(1));
    const times = [0, 1, 2].map((state) => {
      expect(setFeature(rig, FID.POWER_MANAGEMENT, state).status).toBe(0);
      return Math.round(10 * rig.time()) / 10;
    });
    expect([times, rig.state()]).toEqual([[1, 1.5, 2.5], 2]);
    rig.disable();
    rig.start();
    expect(rig.state()).toBe(0);
  });

  test('A62 the first command wakes a controller that sleeps, and waits for the ways in and out', () => {
    const rig = new ConditionRig(slow(1));
    const awake = rig.time();
    setFeature(rig, FID.POWER_MANAGEMENT, 1);
    setFeature(rig, FID.POWER_MANAGEMENT, 4);
    expect(rig.state()).toBe(4);
    rig.clock.advance(SECOND);
    const first = rig.time();
    // In state 1, which takes half as long again.
    expect(first - awake).toBeCloseTo(0.52, 3);
    expect([rig.state(), Math.round(10 * rig.time())]).toEqual([1, 15]);
    setFeature(rig, FID.POWER_MANAGEMENT, 4);
    expect(rig.time() - awake).toBeCloseTo(0.525, 3);
  });

  test.each([
    ['READ', { opcode: NVM.READ }],
    ['FLUSH', { opcode: NVM.FLUSH }],
    ['DATASET_MANAGEMENT', { opcode: NVM.DATASET_MANAGEMENT, cdw11: 4 }],
    ['one that fails', { opcode: NVM.READ, nsid: 9 }],
  ])('A62 a command wakes it also where nothing takes time: %s', (_, command) => {
    const rig = new IoRig({ profile: FUNCTIONAL });
    setFeature(rig, FID.POWER_MANAGEMENT, 3);
    expect(getFeature(rig, FID.POWER_MANAGEMENT).dw0).toBe(3);
    rig.io({ nsid: 1, prp1: rig.allocate(), ...command });
    expect(getFeature(rig, FID.POWER_MANAGEMENT).dw0).toBe(0);
  });

  test('a read of before does not wake it, nor does who looks', () => {
    const rig = new IoRig({ profile: FUNCTIONAL });
    rig.read(0);
    setFeature(rig, FID.POWER_MANAGEMENT, 3);
    rig.controller.health.readCommands++;
    for (let look = 0; look < 2; look++) expect(getFeature(rig, FID.POWER_MANAGEMENT).dw0).toBe(3);
  });

  test('a state that sleeps draws less: the drive cools below what it is at rest', () => {
    const rig = new ConditionRig(slow(1));
    setFeature(rig, FID.POWER_MANAGEMENT, 4);
    rig.clock.advance(3600 * SECOND);
    expect(rig.temperature).toBe(298);
  });

  test('Identify lists them', () => {
    const { view } = identify(ready(), CNS.CONTROLLER);
    const states = IDENTIFY_CONTROLLER.get(view, 0, 'NPSS') + 1;
    const list = Array.from({ length: states }, (_, state) =>
      (['MP', 'FLAGS', 'ENLAT', 'EXLAT', 'RRT', 'IDLP'] as const).map((name) =>
        POWER_STATE.get(view, IDENTIFY_CONTROLLER.PSD + state * POWER_STATE.SIZE, name),
      ),
    );
    expect(list).toEqual([
      [2500, 0, 16, 4, 0, 500],
      [1200, 0, 16, 4, 1, 300],
      [800, 0, 16, 4, 2, 200],
      [50, 2, 2000, 2000, 3, 50],
      [5, 2, 5000, 20_000, 3, 5],
    ]);
  });

  test.each([
    [{ states: [] }, 'power.states must begin with an operational state'],
    [
      { states: [EVERY_POWER_STATE.states[0]!, EVERY_POWER_STATE.states[3]!, EVERY_POWER_STATE.states[1]!] },
      'power.states[1] is not operational, and one after it is',
    ],
    [
      { states: [{ ...USUAL_POWER.states[0]!, idle_mW: 26_000 }] },
      'power.states[0] draws 26000 mW idle, more than its max_mW 25000',
    ],
    [{ managed_K: [350, 340] as const }, 'power.managed_K begins at 350, above its end 340'],
  ])('a profile that cannot be: %#', (change, sentence) => {
    expect(checkPower({ ...EVERY_POWER_STATE, ...change })).toBe(sentence);
  });
});
