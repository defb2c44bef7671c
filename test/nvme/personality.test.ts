/** A personality is data: what a profile names as absent, fixed or default is so, and each quirk stands alone. */
import { describe, expect, test } from 'vitest';
import { RESERVATIONS } from '../../nvme/absences.ts';
import type { ControllerProfile } from '../../nvme/profile.ts';
import { checkProfile } from '../../nvme/profile-check.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_CONTROLLER, IDENTIFY_NAMESPACE, ONCS } from '../../nvme/spec/identify.ts';
import { COMMAND_EFFECTS_LOG, LID } from '../../nvme/spec/logs.ts';
import { CC, REG } from '../../nvme/spec/registers.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { CC_NORMAL, type Entry, FUNCTIONAL, Harness, PAGE } from './harness.ts';

const { DATASET_MANAGEMENT } = NVM;
const NUMD = ((PAGE / 4 - 1) << 16) >>> 0;

/** A controller of `generic` with a change, and one I/O queue pair. */
function changed(change: Partial<ControllerProfile>) {
  const profile = { ...FUNCTIONAL, ...change };
  expect(checkProfile(profile)).toBeNull();
  const harness = new Harness({ profile });
  harness.enable();
  harness.createCq(1, 8);
  harness.createSq(1, 8, 1);
  const buffer = harness.allocate(2);
  const ask = (queue: number, entry: Entry) => {
    harness.post(queue, { prp1: buffer, prp2: buffer + PAGE, ...entry });
    harness.ring(queue);
    return harness.reap(queue)!;
  };
  const byte = (offset: number) => harness.bytes(buffer + offset, 1)[0]!;
  const dword = (offset: number) => harness.memory.u32[(buffer + offset) >>> 2]!;
  return { harness, buffer, ask, byte, dword };
}

describe('absent', () => {
  const { ask, byte, dword } = changed({
    compareAndWriteBlocks: 0,
    absent: {
      admin: ['NAMESPACE_MANAGEMENT'],
      io: ['COMPARE', ...RESERVATIONS.io],
      features: ['TIMESTAMP', ...RESERVATIONS.features],
      logs: ['FEATURE_EFFECTS', ...RESERVATIONS.logs],
      identify: ['CONTROLLERS'],
    },
  });

  test('is refused as what it is', () => {
    expect(ask(0, { opcode: ADMIN.NAMESPACE_MANAGEMENT, nsid: 1 }).status).toBe(STATUS.INVALID_OPCODE);
    for (const opcode of [NVM.COMPARE, NVM.RESERVATION_REPORT, NVM.RESERVATION_ACQUIRE])
      expect(ask(1, { opcode, nsid: 1 }).status).toBe(STATUS.INVALID_OPCODE);
    for (const cdw10 of [FID.TIMESTAMP, FID.RESERVATION_PERSISTENCE])
      expect(ask(0, { opcode: ADMIN.GET_FEATURES, nsid: 1, cdw10 }).status).toBe(STATUS.INVALID_FIELD);
    for (const lid of [LID.FEATURE_EFFECTS, LID.RESERVATION_NOTIFICATION])
      expect(ask(0, { opcode: ADMIN.GET_LOG_PAGE, cdw10: lid }).status).toBe(STATUS.INVALID_LOG_PAGE);
    expect(ask(0, { opcode: ADMIN.IDENTIFY, cdw10: CNS.CONTROLLERS }).status).toBe(STATUS.INVALID_FIELD);
  });

  test('is not announced', () => {
    ask(0, { opcode: ADMIN.IDENTIFY, cdw10: CNS.CONTROLLER });
    const oncs = dword(IDENTIFY_CONTROLLER.ONCS) & 0xffff;
    const { COMPARE, RESERVATIONS: reservations, TIMESTAMP, VERIFY } = ONCS.decode(oncs);
    expect({ COMPARE, reservations, TIMESTAMP, VERIFY }).toEqual({
      COMPARE: 0,
      reservations: 0,
      TIMESTAMP: 0,
      VERIFY: 1,
    });
    ask(0, { opcode: ADMIN.IDENTIFY, nsid: 1, cdw10: CNS.NAMESPACE });
    expect(byte(IDENTIFY_NAMESPACE.RESCAP)).toBe(0);
    ask(0, { opcode: ADMIN.GET_LOG_PAGE, cdw10: LID.COMMAND_EFFECTS | NUMD });
    expect(dword(COMMAND_EFFECTS_LOG.ADMIN + 4 * ADMIN.NAMESPACE_MANAGEMENT)).toBe(0);
    expect(dword(COMMAND_EFFECTS_LOG.IO + 4 * NVM.COMPARE)).toBe(0);
    expect(dword(COMMAND_EFFECTS_LOG.IO + 4 * NVM.VERIFY)).toBe(1);
    ask(0, { opcode: ADMIN.GET_LOG_PAGE, cdw10: LID.SUPPORTED_LOGS | (255 << 16) });
    expect([dword(4 * LID.FEATURE_EFFECTS), dword(4 * LID.MI_EFFECTS)]).toEqual([0, 1]);
  });
});

test('features: what is fixed cannot be changed and says so, and defaults are those of the profile', () => {
  const features = { fixed: ['INTERRUPT_COALESCING'], defaults: { INTERRUPT_COALESCING: 0x0203 } } as const;
  const { ask } = changed({ features });
  const set = { opcode: ADMIN.SET_FEATURES, cdw10: FID.INTERRUPT_COALESCING };
  expect(ask(0, set).status).toBe(STATUS.FEATURE_NOT_CHANGEABLE);
  const get = (select: number) =>
    ask(0, { opcode: ADMIN.GET_FEATURES, cdw10: FID.INTERRUPT_COALESCING | (select << 8) }).dw0;
  expect([get(0), get(1), get(3)]).toEqual([0x0203, 0x0203, 0b001]);
});

describe('quirks, each alone', () => {
  test('disablingClearsCc', () => {
    const { harness } = changed({ quirks: ['disablingClearsCc'] });
    harness.write32(REG.CC, CC.EN.set(CC_NORMAL, 0));
    expect(harness.read32(REG.CC)).toBe(0);
  });

  test('anyAlignment leaves the rules of reserved bits as they are', () => {
    const { ask, buffer } = changed({ quirks: ['anyAlignment'] });
    const read = { opcode: NVM.READ, nsid: 1, prp1: buffer + 1 };
    expect(ask(1, read).status).toBe(STATUS.SUCCESS);
    expect(ask(1, { ...read, flags: 4 }).status).toBe(STATUS.INVALID_FIELD);
  });

  test('ignoresReserved leaves the rules of alignment as they are', () => {
    const { ask, buffer } = changed({ quirks: ['ignoresReserved'] });
    expect(ask(1, { opcode: NVM.READ, nsid: 1, flags: 4 }).status).toBe(STATUS.SUCCESS);
    expect(ask(1, { opcode: NVM.READ, nsid: 1, prp1: buffer + 1 }).status).toBe(STATUS.PRP_OFFSET_INVALID);
  });

  test('namespaceFirst', () => {
    const { ask } = changed({ quirks: ['namespaceFirst'], compareAndWriteBlocks: 0 });
    expect(ask(1, { opcode: 0x7f, nsid: 99 }).status).toBe(STATUS.INVALID_FIELD);
    expect(ask(1, { opcode: 0x7f, nsid: 1 }).status).toBe(STATUS.INVALID_OPCODE);
  });

  test('losesData', () => {
    const { harness, ask, buffer } = changed({ quirks: ['losesData'] });
    harness.blocked.add(buffer / PAGE);
    expect(ask(1, { opcode: NVM.READ, nsid: 1 }).status).toBe(STATUS.SUCCESS);
  });

  test('passesOverRanges', () => {
    const { harness, ask, buffer } = changed({ quirks: ['passesOverRanges'] });
    harness.memory.u32.set([0, 1, 0xffff_fff0, 0], buffer >>> 2);
    expect(ask(1, { opcode: DATASET_MANAGEMENT, nsid: 1, cdw11: 4 }).status).toBe(STATUS.SUCCESS);
  });

  test('abortWantsQueue', () => {
    const { ask } = changed({ quirks: ['abortWantsQueue'] });
    expect(ask(0, { opcode: ADMIN.ABORT, cdw10: 9 }).status).toBe(STATUS.INVALID_FIELD);
  });

  test('keepsDeallocated', () => {
    const { harness, ask, buffer, byte } = changed({ quirks: ['keepsDeallocated'] });
    harness.memory.fill(buffer, 0x5a, PAGE);
    ask(1, { opcode: NVM.WRITE, nsid: 1 });
    harness.memory.u32.set([0, 1, 0, 0], buffer >>> 2);
    expect(ask(1, { opcode: DATASET_MANAGEMENT, nsid: 1, cdw11: 4 }).status).toBe(STATUS.SUCCESS);
    ask(1, { opcode: NVM.READ, nsid: 1 });
    expect(byte(0)).toBe(0x5a);
  });

  test('takesLongBlock: the rest of a data block is not touched', () => {
    const { harness, ask, buffer, byte } = changed({ quirks: ['takesLongBlock'] });
    harness.memory.fill(buffer, 0xee, PAGE);
    const sgl = { flags: 0x40, descriptor: [PAGE, 0] as const };
    expect(ask(1, { opcode: NVM.READ, nsid: 1, ...sgl }).status).toBe(STATUS.SUCCESS);
    expect([byte(511), byte(512)]).toEqual([0, 0xee]);
  });

  test('pcLast', () => {
    const { ask, buffer } = changed({ quirks: ['pcLast'] });
    const create = { opcode: ADMIN.CREATE_CQ, cdw10: 2 | (7 << 16) };
    expect(ask(0, { ...create, prp1: buffer + 4 }).status).toBe(STATUS.PRP_OFFSET_INVALID);
    expect(ask(0, create).status).toBe(STATUS.INVALID_FIELD);
  });

  test('savesBeforeFeature', () => {
    const { ask } = changed({ quirks: ['savesBeforeFeature'] });
    const set = { opcode: ADMIN.SET_FEATURES, cdw10: 0x8000_0014 };
    expect(ask(0, set).status).toBe(STATUS.FEATURE_NOT_SAVEABLE);
    expect(ask(0, { ...set, cdw10: 0x14 }).status).toBe(STATUS.INVALID_FIELD);
  });

  test('keepsFeatures', () => {
    const { harness, ask } = changed({ quirks: ['keepsFeatures'] });
    ask(0, { opcode: ADMIN.SET_FEATURES, cdw10: FID.INTERRUPT_COALESCING, cdw11: 0x0203 });
    harness.disable();
    harness.enable();
    expect(ask(0, { opcode: ADMIN.GET_FEATURES, cdw10: FID.INTERRUPT_COALESCING }).dw0).toBe(0x0203);
  });

  test('nsidBeforeCsi', () => {
    const { ask } = changed({ quirks: ['nsidBeforeCsi'] });
    const identify = { opcode: ADMIN.IDENTIFY, cdw10: CNS.COMMAND_SET_NAMESPACE, cdw11: 3 << 24 };
    expect(ask(0, identify).status).toBe(STATUS.INVALID_NAMESPACE_OR_FORMAT);
    expect(ask(0, { ...identify, nsid: 1 }).status).toBe(STATUS.INVALID_FIELD);
  });
});
