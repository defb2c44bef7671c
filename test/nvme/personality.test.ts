/** A personality is data: what a profile names as absent, fixed or default is so. Not here: quirks (quirks.test.ts). */
import { describe, expect, test } from 'vitest';
import { RESERVATIONS } from '../../nvme/absences.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_CONTROLLER, IDENTIFY_NAMESPACE, ONCS } from '../../nvme/spec/identify.ts';
import { COMMAND_EFFECTS_LOG, LID } from '../../nvme/spec/logs.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { Subject } from './subject.ts';

describe('absent', () => {
  const subject = new Subject({
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
    expect(subject.admin({ opcode: ADMIN.NAMESPACE_MANAGEMENT, nsid: 1 })).toBe(STATUS.INVALID_OPCODE);
    for (const opcode of [NVM.COMPARE, NVM.RESERVATION_REPORT, NVM.RESERVATION_ACQUIRE])
      expect(subject.io({ opcode })).toBe(STATUS.INVALID_OPCODE);
    for (const cdw10 of [FID.TIMESTAMP, FID.RESERVATION_PERSISTENCE])
      expect(subject.admin({ opcode: ADMIN.GET_FEATURES, nsid: 1, cdw10 })).toBe(STATUS.INVALID_FIELD);
    for (const lid of [LID.FEATURE_EFFECTS, LID.RESERVATION_NOTIFICATION])
      expect(subject.log(lid)).toBe(STATUS.INVALID_LOG_PAGE);
    expect(subject.identify(CNS.CONTROLLERS)).toBe(STATUS.INVALID_FIELD);
  });

  test('is not announced', () => {
    subject.identify(CNS.CONTROLLER);
    const oncs = subject.dword(IDENTIFY_CONTROLLER.ONCS) & 0xffff;
    const { COMPARE, RESERVATIONS: reservations, TIMESTAMP, VERIFY } = ONCS.decode(oncs);
    expect({ COMPARE, reservations, TIMESTAMP, VERIFY }).toEqual({
      COMPARE: 0,
      reservations: 0,
      TIMESTAMP: 0,
      VERIFY: 1,
    });
    subject.identify(CNS.NAMESPACE, { nsid: 1 });
    expect(subject.byte(IDENTIFY_NAMESPACE.RESCAP)).toBe(0);
    subject.log(LID.COMMAND_EFFECTS);
    expect(subject.dword(COMMAND_EFFECTS_LOG.ADMIN + 4 * ADMIN.NAMESPACE_MANAGEMENT)).toBe(0);
    expect(subject.dword(COMMAND_EFFECTS_LOG.IO + 4 * NVM.COMPARE)).toBe(0);
    expect(subject.dword(COMMAND_EFFECTS_LOG.IO + 4 * NVM.VERIFY)).toBe(1);
    subject.log(LID.SUPPORTED_LOGS);
    expect([subject.dword(4 * LID.FEATURE_EFFECTS), subject.dword(4 * LID.MI_EFFECTS)]).toEqual([0, 1]);
  });
});

test('features: what is fixed cannot be changed and says so, and defaults are those of the profile', () => {
  const features = { fixed: ['INTERRUPT_COALESCING'], defaults: { INTERRUPT_COALESCING: 0x0203 } } as const;
  const subject = new Subject({ features });
  expect(subject.setFeature(FID.INTERRUPT_COALESCING, 0).status).toBe(STATUS.FEATURE_NOT_CHANGEABLE);
  expect([0, 1, 3].map((select) => subject.feature(FID.INTERRUPT_COALESCING, select))).toEqual([
    0x0203, 0x0203, 0b001,
  ]);
});
