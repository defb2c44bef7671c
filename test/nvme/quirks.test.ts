/**
 * Each quirk stands alone: `generic` with nothing but the quirk answers otherwise than without it. The table is by name
 * of quirk, so that one without a row does not compile, nor pass.
 */
import { expect, test } from 'vitest';
import { NO_LIMITS } from '../../nvme/io/limits.ts';
import type { ControllerProfile } from '../../nvme/profile.ts';
import { QUIRK_NAMES, type QuirkName } from '../../nvme/quirks.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { CNS, CTRATT, IDENTIFY_CONTROLLER, OACS } from '../../nvme/spec/identify.ts';
import { LID, SMART_LOG } from '../../nvme/spec/logs.ts';
import { CC, CSTS, REG, SHN, SHST } from '../../nvme/spec/registers.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import { BAR, CC_NORMAL, PAGE } from './harness.ts';
import { Subject } from './subject.ts';

interface Row {
  /** What comes of it without the quirk, and with it. */
  readonly without: unknown;
  readonly with: unknown;
  readonly probe: (subject: Subject) => unknown;
  /** What `generic` needs besides, on both sides. */
  readonly base?: Partial<ControllerProfile>;
}

const ALL = 0xffff_ffff;
const FAILED = CSTS.CFS.mask;
const READY = CSTS.RDY.mask;
const DEALLOCATE = { opcode: NVM.DATASET_MANAGEMENT, cdw11: 4 };
const { INVALID_FIELD, SUCCESS } = STATUS;

const shutDown = (subject: Subject) => subject.write32(REG.CC, CC.SHN.set(CC_NORMAL, SHN.NORMAL));

function enabledWith(subject: Subject, cc: number): number {
  subject.disable();
  return subject.enable({ cc });
}

function identified(subject: Subject, field: number): number {
  subject.identify(CNS.CONTROLLER);
  return subject.dword(field);
}

const ROWS: Readonly<Record<QuirkName, Row>> = {
  // ---- registers and configuration space ----
  keepsReservedBits: {
    without: 0x003f_003f,
    with: 0xf007_f007,
    probe: (subject) => {
      subject.write32(REG.AQA, 0xf007_f007);
      return subject.read32(REG.AQA);
    },
  },
  disablingClearsCc: {
    without: CC.EN.set(CC_NORMAL, 0),
    with: 0,
    probe: (subject) => {
      subject.write32(REG.CC, CC.EN.set(CC_NORMAL, 0));
      return subject.read32(REG.CC);
    },
  },
  shutdownAlone: {
    without: SHST.COMPLETE,
    with: SHST.NORMAL,
    probe: (subject) => {
      subject.write32(REG.CC, CC.encode({ SHN: SHN.NORMAL }));
      return CSTS.SHST.get(subject.read32(REG.CSTS));
    },
  },
  worksAfterShutdown: {
    without: undefined,
    with: SUCCESS,
    probe: (subject) => {
      shutDown(subject);
      return subject.try(1, { opcode: NVM.READ, nsid: 1 })?.status;
    },
  },
  keepsQueueRegisters: {
    without: 0,
    with: 0x003f_003f,
    probe: (subject) => {
      subject.functionReset();
      subject.configure();
      return subject.read32(REG.AQA);
    },
  },
  failureClearsCsts: {
    without: READY | FAILED,
    with: FAILED,
    probe: (subject) => {
      subject.blocked.add(subject.cqPage(1));
      subject.try(1, { opcode: NVM.READ, nsid: 1 });
      return subject.read32(REG.CSTS);
    },
  },
  takesAnyArbitration: {
    without: FAILED,
    with: READY,
    probe: (subject) => enabledWith(subject, CC.AMS.set(CC_NORMAL, 2)),
  },
  entrySizesAtEnable: {
    without: READY,
    with: FAILED,
    probe: (subject) => enabledWith(subject, CC.IOSQES.set(CC_NORMAL, 0)),
  },
  zeroFillsParts: {
    without: 0x003f_0005,
    with: 5,
    probe: (subject) => {
      subject.disable();
      subject.rc.writePart(BAR + REG.AQA, 1, 5);
      return subject.read32(REG.AQA);
    },
  },
  memoryInConfiguration: {
    without: 0,
    with: 0x1234_5678,
    probe: (subject) => {
      subject.configWrite(0xe0, 4, 0x1234_5678);
      return subject.configRead(0xe0, 4);
    },
  },
  // ---- admin commands ----
  ignoresUnusedNsid: {
    without: INVALID_FIELD,
    with: SUCCESS,
    probe: (subject) => subject.admin({ opcode: ADMIN.ABORT, nsid: 5 }),
  },
  retriesFusedAdmin: {
    without: [INVALID_FIELD, true],
    with: [INVALID_FIELD, false],
    probe: (subject) => {
      const { status, dnr } = subject.ask(0, { opcode: ADMIN.ABORT, flags: 1 });
      return [status, dnr];
    },
  },
  abortWantsQueue: {
    without: SUCCESS,
    with: INVALID_FIELD,
    probe: (subject) => subject.admin({ opcode: ADMIN.ABORT, cdw10: 9 }),
  },
  missingCqIsInvalid: {
    without: STATUS.INVALID_QUEUE_IDENTIFIER,
    with: STATUS.COMPLETION_QUEUE_INVALID,
    probe: (subject) => subject.admin({ opcode: ADMIN.DELETE_CQ, cdw10: 9 }),
  },
  privateNamespaces: {
    without: SUCCESS,
    with: INVALID_FIELD,
    probe: (subject) => {
      subject.put(1, 0);
      return subject.admin({ opcode: ADMIN.NAMESPACE_ATTACHMENT, nsid: 1, cdw10: 1 });
    },
  },
  hidesVirtualization: {
    without: 1,
    with: 0,
    probe: (subject) => OACS.VIRTUALIZATION.get(identified(subject, IDENTIFY_CONTROLLER.OACS)),
  },
  pcLast: {
    without: INVALID_FIELD,
    with: STATUS.PRP_OFFSET_INVALID,
    probe: (subject) =>
      subject.admin({ opcode: ADMIN.CREATE_CQ, cdw10: 2 | (7 << 16), prp1: subject.buffer + 4 }),
  },
  takesPage0: {
    without: INVALID_FIELD,
    with: SUCCESS,
    probe: (subject) => subject.admin({ opcode: ADMIN.DOORBELL_BUFFER_CONFIG, prp1: 0 }),
  },
  formatsSilently: {
    without: 1,
    with: 0,
    probe: (subject) => {
      subject.admin({ opcode: ADMIN.FORMAT_NVM, nsid: 1 });
      subject.log(LID.CHANGED_NAMESPACES);
      return subject.dword(0);
    },
  },
  announcesWideGuards: {
    base: { formats: [{ block_bytes: 512, metadata_bytes: 0, guard_bits: 16 }] },
    without: 0,
    with: 1,
    probe: (subject) => CTRATT.ELBAS.get(identified(subject, IDENTIFY_CONTROLLER.CTRATT)),
  },
  tellsNoCapacity: {
    without: 16 * 1024 ** 2,
    with: 0,
    probe: (subject) => identified(subject, IDENTIFY_CONTROLLER.TNVMCAP),
  },
  nsidBeforeCsi: {
    without: [INVALID_FIELD, INVALID_FIELD],
    with: [STATUS.INVALID_NAMESPACE_OR_FORMAT, INVALID_FIELD],
    probe: (subject) =>
      [0, 1].map((nsid) => subject.identify(CNS.COMMAND_SET_NAMESPACE, { nsid, cdw11: 3 << 24 })),
  },
  takesAnyController: {
    without: INVALID_FIELD,
    with: SUCCESS,
    probe: (subject) => subject.identify(CNS.COMMAND_SETS | (9 << 16)),
  },
  wantsOneNamespace: {
    without: SUCCESS,
    with: STATUS.INVALID_NAMESPACE_OR_FORMAT,
    probe: (subject) => subject.identify(CNS.NAMESPACE, { nsid: ALL }),
  },
  keepsNoErrors: {
    without: 1,
    with: 0,
    probe: (subject) => {
      subject.admin({ opcode: 0x7e });
      subject.log(LID.ERROR);
      return subject.dword(0);
    },
  },
  countsLittle: {
    without: [100, 1, 1],
    with: [0, 0, 0],
    probe: (subject) => {
      subject.admin({ opcode: 0x7e });
      subject.log(LID.SMART);
      const spare = (subject.dword(0) >>> 24) & 0xff;
      return [spare, subject.dword(SMART_LOG.POWER_CYCLES), subject.dword(SMART_LOG.ERROR_LOG_ENTRIES)];
    },
  },
  shortLogs: {
    without: STATUS.INVALID_LOG_PAGE,
    with: INVALID_FIELD,
    probe: (subject) => subject.log(0xbe),
  },
  // ---- features ----
  grantsEveryQueue: {
    without: 0x0001_0001,
    with: 0x003f_003f,
    probe: (subject) => {
      subject.disable();
      subject.enable();
      return subject.setFeature(FID.NUMBER_OF_QUEUES, 0x0001_0001).dw0;
    },
  },
  takesAnyFeatureBits: {
    without: INVALID_FIELD,
    with: SUCCESS,
    probe: (subject) => subject.setFeature(FID.INTERRUPT_COALESCING, 0x8000_0000).status,
  },
  forgetsOtherTemperatures: {
    without: INVALID_FIELD,
    with: SUCCESS,
    probe: (subject) => subject.setFeature(FID.TEMPERATURE_THRESHOLD, 0x0001_0150).status,
  },
  zeroDefaults: {
    without: [1, 1],
    with: [1, 0],
    probe: (subject) => [0, 1].map((select) => subject.feature(FID.VOLATILE_WRITE_CACHE, select)),
  },
  savesBeforeFeature: {
    without: INVALID_FIELD,
    with: STATUS.FEATURE_NOT_SAVEABLE,
    probe: (subject) => subject.admin({ opcode: ADMIN.SET_FEATURES, cdw10: 0x8000_0014 }),
  },
  keepsFeatures: {
    without: 0,
    with: 0x0203,
    probe: (subject) => {
      subject.setFeature(FID.INTERRUPT_COALESCING, 0x0203);
      subject.disable();
      subject.enable();
      return subject.feature(FID.INTERRUPT_COALESCING);
    },
  },
  rawHostBehavior: {
    without: [INVALID_FIELD, 0, 0],
    with: [SUCCESS, 7, 7],
    probe: (subject) => {
      subject.memory.fill(subject.buffer, 7, 512);
      const { status } = subject.setFeature(FID.HOST_BEHAVIOR, 0);
      const told = () => {
        subject.put(0);
        subject.feature(FID.HOST_BEHAVIOR);
        return subject.byte(0);
      };
      const before = told();
      subject.disable();
      subject.enable();
      return [status, before, told()];
    },
  },
  // ---- I/O commands and data ----
  namespaceFirst: {
    base: { compareAndWriteBlocks: 0 },
    without: [STATUS.INVALID_OPCODE, STATUS.INVALID_OPCODE],
    with: [INVALID_FIELD, STATUS.INVALID_OPCODE],
    probe: (subject) => [99, 1].map((nsid) => subject.io({ opcode: 0x7f, nsid })),
  },
  ignoresReserved: {
    without: [INVALID_FIELD, STATUS.PRP_OFFSET_INVALID],
    with: [SUCCESS, STATUS.PRP_OFFSET_INVALID],
    probe: (subject) => [
      subject.io({ opcode: NVM.READ, flags: 4 }),
      subject.io({ opcode: NVM.READ, prp1: subject.buffer + 1 }),
    ],
  },
  anyAlignment: {
    without: [INVALID_FIELD, STATUS.PRP_OFFSET_INVALID],
    with: [INVALID_FIELD, SUCCESS],
    probe: (subject) => [
      subject.io({ opcode: NVM.READ, flags: 4 }),
      subject.io({ opcode: NVM.READ, prp1: subject.buffer + 1 }),
    ],
  },
  losesData: {
    without: STATUS.DATA_TRANSFER_ERROR,
    with: SUCCESS,
    probe: (subject) => {
      subject.blocked.add(subject.buffer / PAGE);
      return subject.io({ opcode: NVM.READ });
    },
  },
  takesLongBlock: {
    without: [STATUS.DATA_SGL_LENGTH_INVALID, 0xee, 0xee],
    with: [SUCCESS, 0, 0xee],
    probe: (subject) => {
      subject.memory.fill(subject.buffer, 0xee, PAGE);
      const status = subject.io({ opcode: NVM.READ, flags: 0x40, descriptor: [PAGE, 0] });
      return [status, subject.byte(511), subject.byte(512)];
    },
  },
  ignoresRangeLimit: {
    base: { limits: { ...NO_LIMITS, rangeBlocks: 1 } },
    without: STATUS.COMMAND_SIZE_LIMIT_EXCEEDED,
    with: SUCCESS,
    probe: (subject) => {
      subject.put(0, 2, 0, 0);
      return subject.io(DEALLOCATE);
    },
  },
  keepsDeallocated: {
    without: 0,
    with: 0x5a,
    probe: (subject) => {
      subject.memory.fill(subject.buffer, 0x5a, PAGE);
      subject.io({ opcode: NVM.WRITE });
      subject.put(0, 1, 0, 0);
      subject.io(DEALLOCATE);
      subject.io({ opcode: NVM.READ });
      return subject.byte(0);
    },
  },
  passesOverRanges: {
    without: STATUS.LBA_OUT_OF_RANGE,
    with: SUCCESS,
    probe: (subject) => {
      subject.put(0, 1, 0xffff_fff0, 0);
      return subject.io(DEALLOCATE);
    },
  },
  ignoresHints: {
    without: STATUS.DATA_TRANSFER_ERROR,
    with: SUCCESS,
    probe: (subject) => {
      subject.blocked.add(subject.buffer / PAGE);
      return subject.io({ opcode: NVM.DATASET_MANAGEMENT, cdw11: 1 });
    },
  },
};

test.each(QUIRK_NAMES)('%s alone', (name) => {
  const row = ROWS[name];
  expect(row.probe(new Subject({ ...row.base }))).toEqual(row.without);
  expect(row.probe(new Subject({ ...row.base, quirks: [name] }))).toEqual(row.with);
  expect(row.with).not.toEqual(row.without);
});
