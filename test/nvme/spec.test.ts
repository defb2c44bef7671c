// biome-ignore-all format: tables of constants read best in rows
/**
 * The constants of nvme/spec against values worked out by hand or read off the specification's tables.
 * Not here: behaviour of the controller (controller tests) and of the driver.
 */
import { describe, expect, test } from 'vitest';
import * as commands from '../../nvme/spec/commands.ts';
import { ADMIN, CQE, NVM, opcodeName, SQE } from '../../nvme/spec/commands.ts';
import * as features from '../../nvme/spec/features.ts';
import { FEATURES, FID } from '../../nvme/spec/features.ts';
import * as identify from '../../nvme/spec/identify.ts';
import { IDENTIFY_CONTROLLER, IDENTIFY_NAMESPACE } from '../../nvme/spec/identify.ts';
import * as logs from '../../nvme/spec/logs.ts';
import { ASYNC_EVENT } from '../../nvme/spec/logs.ts';
import * as registers from '../../nvme/spec/registers.ts';
import { CAP_HI, CAP_LO, cqHeadDoorbell, REG, sqTailDoorbell } from '../../nvme/spec/registers.ts';
import {
  CQE_STATUS,
  DNR_BY_DEFAULT,
  STATUS,
  statusField,
  statusName,
  statusOf,
  statusSentence,
} from '../../nvme/spec/status.ts';
import { hex } from '../../support/numbers.ts';

const bytesOf = (size: number): [DataView, Uint8Array] => {
  const bytes = new Uint8Array(size);
  return [new DataView(bytes.buffer), bytes];
};

describe('registers (Base 2.1 §3.1.4)', () => {
  test.each([
    ['CAP', 0x00], ['VS', 0x08], ['INTMS', 0x0c], ['INTMC', 0x10], ['CC', 0x14], ['CSTS', 0x1c],
    ['NSSR', 0x20], ['AQA', 0x24], ['ASQ', 0x28], ['ACQ', 0x30], ['CMBLOC', 0x38], ['CMBSZ', 0x3c],
    ['BPINFO', 0x40], ['BPRSEL', 0x44], ['BPMBL', 0x48], ['CMBMSC', 0x50], ['CMBSTS', 0x58], ['CMBEBS', 0x5c],
    ['CMBSWTP', 0x60], ['NSSD', 0x64], ['CRTO', 0x68], ['PMRCAP', 0xe00], ['PMRSTS', 0xe08],
    ['PMRMSCL', 0xe14], ['PMRMSCU', 0xe18],
  ] as const)('%s is at %i', (name, offset) => expect(REG[name]).toBe(offset));

  test('every register has its own dword below the doorbells', () => {
    const offsets = Object.values(REG);
    expect(new Set(offsets).size).toBe(offsets.length);
    expect(offsets.every((offset) => offset % 4 === 0 && offset < 0x1000)).toBe(true);
  });

  test.each([
    ['admin tail', sqTailDoorbell(0, 0), 0x1000],
    ['admin head', cqHeadDoorbell(0, 0), 0x1004],
    ['tail of queue 1', sqTailDoorbell(1, 0), 0x1008],
    ['head of queue 1', cqHeadDoorbell(1, 0), 0x100c],
    ['tail of queue 3, stride 16', sqTailDoorbell(3, 2), 0x1060],
    ['head of queue 3, stride 16', cqHeadDoorbell(3, 2), 0x1070],
    ['admin head, stride 4096', cqHeadDoorbell(0, 10), 0x2000],
    ['last head, widest stride', cqHeadDoorbell(0xffff, 15), 0x4_0000_0000 - 0x2_0000 + 0x1000],
  ])('doorbell: %s (PCIe Transport 1.1 §3.1.2)', (_, offset, expected) => expect(offset).toBe(expected));

  test.each([
    ['CC enabled, 4 KiB pages', registers.CC.encode({ EN: 1, IOSQES: 6, IOCQES: 4 }), 0x0046_0001],
    ['CC in normal shutdown', registers.CC.encode({ EN: 1, SHN: 1, IOSQES: 6, IOCQES: 4 }), 0x0046_4001],
    ['CC all other fields', registers.CC.encode({ CSS: 6, MPS: 4, AMS: 1, CRIME: 1 }), 0x0100_0a60],
    ['AQA of two 32-entry queues', registers.AQA.encode({ ASQS: 31, ACQS: 31 }), 0x001f_001f],
    ['low CAP', CAP_LO.encode({ MQES: 0x7ff, CQR: 1, TO: 15 }), 0x0f01_07ff],
    ['high CAP', CAP_HI.encode({ CSS: registers.CAP_CSS.NVM }), 0x0000_0020],
    ['high CAP, page sizes', CAP_HI.encode({ DSTRD: 2, MPSMIN: 1, MPSMAX: 4, CRMS: 3 }), 0x1841_0002],
    ['CSTS shut down', registers.CSTS.encode({ RDY: 1, SHST: 2 }), 0x9],
    ['VS 1.4', registers.VS.encode({ MJR: 1, MNR: 4 }), registers.VERSION.V1_4],
    ['CMBSZ 16 MiB for queues', registers.CMBSZ.encode({ SQS: 1, CQS: 1, SZU: 2, SZ: 16 }), 0x0001_0203],
    ['CRTO', registers.CRTO.encode({ CRWMT: 30, CRIMT: 2 }), 0x0002_001e],
  ])('%s', (_, word, expected) => expect(hex(word)).toBe(hex(expected)));

  test('magic words are ASCII', () => {
    const text = (word: number) =>
      String.fromCharCode(...[24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff));
    expect(text(registers.NSSR_MAGIC)).toBe('NVMe');
    expect(text(registers.NSSD_MAGIC.NORMAL)).toBe('Nrml');
    expect(text(registers.NSSD_MAGIC.ABRUPT)).toBe('Abpt');
  });
});

describe('commands (Base 2.1 §4, §5; NVM Command Set 1.1 §3.3)', () => {
  test.each([
    [commands.CDW0.encode({ OPC: ADMIN.IDENTIFY, CID: 0x1234 }), 0x1234_0006, 'CDW0 of Identify'],
    [commands.CDW0.encode({ OPC: NVM.COMPARE, FUSE: 1, PSDT: 2 }), 0x0000_8105, 'CDW0 of a fused Compare'],
    [commands.CREATE_QUEUE_CDW10.encode({ QID: 1, QSIZE: 255 }), 0x00ff_0001, 'Create queue 1 of 256'],
    [commands.CREATE_CQ_CDW11.encode({ PC: 1, IEN: 1, IV: 1 }), 0x0001_0003, 'Create CQ, vector 1'],
    [commands.CREATE_SQ_CDW11.encode({ PC: 1, QPRIO: 2, CQID: 1 }), 0x0001_0005, 'Create SQ'],
    [commands.GET_LOG_CDW10.encode({ LID: 2, NUMDL: 127 }), 0x007f_0002, 'Get Log, SMART'],
    [commands.GET_LOG_CDW10.encode({ LID: 1, RAE: 1, NUMDL: 15 }), 0x000f_8001, 'Get Log, keep the event'],
    [features.NUMBER_OF_QUEUES.encode({ NSQR: 7, NCQR: 7 }), 0x0007_0007, 'Set Features, 8 queue pairs'],
    [commands.SET_FEATURES_CDW10.encode({ FID: FID.TIMESTAMP, SV: 1 }), 0x8000_000e, 'Set Features, save'],
    [commands.GET_FEATURES_CDW10.encode({ FID: 6, SEL: 3 }), 0x0000_0306, 'Get Features, capabilities'],
    [commands.DSM_CDW11.encode({ AD: 1 }), 0x0000_0004, 'deallocate'],
    [commands.FORMAT_CDW10.encode({ LBAFL: 1, MSET: 1, PI: 1 }), 0x0000_0031, 'Format, type 1, extended'],
    [commands.RW_CDW12.encode({ NLB: 7, PRACT: 1, FUA: 1 }), 0x6000_0007, 'Write of 8 blocks, FUA, PRACT'],
    [commands.WRITE_ZEROES_CDW12.encode({ NLB: 1, NSZ: 1, DEAC: 1 }), 0x0280_0001, 'Write Zeroes'],
    [commands.ABORT_CDW10.encode({ SQID: 2, CID: 0x55 }), 0x0055_0002, 'Abort'],
  ])('%i is %i: %s', (word, expected) => expect(hex(word)).toBe(hex(expected)));

  test('Identify Controller as bytes', () => {
    const [view, bytes] = bytesOf(64);
    SQE.set(view, 0, 'OPC', ADMIN.IDENTIFY);
    SQE.set(view, 0, 'CID', 0x1234);
    SQE.set(view, 0, 'PRP1', 0x1_0000);
    SQE.set(view, 0, 'CDW10', 1);
    const expected = new Uint8Array(64);
    expected.set([0x06, 0x00, 0x34, 0x12]);
    expected.set([0x00, 0x00, 0x01], 24);
    expected.set([0x01], 40);
    expect(bytes).toEqual(expected);
  });

  test('entries have the sizes and offsets of the specification', () => {
    expect(SQE).toMatchObject({ SIZE: 64, NSID: 4, MPTR: 16, PRP1: 24, PRP2: 32, CDW10: 40, CDW15: 60 });
    expect(CQE).toMatchObject({ SIZE: 16, DW1: 4, SQHD: 8, SQID: 10, CID: 12, STATUS: 14 });
    expect(SQE.SIZE).toBe(1 << commands.SQES);
    expect(CQE.SIZE).toBe(1 << commands.CQES);
    expect(commands.SGL_DESCRIPTOR).toMatchObject({ SIZE: 16, LENGTH: 8, ID: 15 });
    expect(commands.DSM_RANGE).toMatchObject({ SIZE: 16, NLB: 4, SLBA: 8 });
    expect(commands.COPY_RANGE_SHORT).toMatchObject({
      SIZE: 32, SLBA: 8, NLB: 16, SOPT: 22, ELBRT: 24, ELBATM: 30,
    });
    expect(commands.COPY_RANGE_LONG).toMatchObject({
      SIZE: 40, SLBA: 8, NLB: 16, SOPT: 22, ELBT: 26, ELBATM: 38,
    });
    expect(commands.SGL_ID.encode({ TYPE: commands.SGL_TYPE.LAST_SEGMENT })).toBe(0x30);
  });

  test.each([
    [false, 0x02, 'Read'],
    [false, 0x09, 'Dataset Management'],
    [true, 0x05, 'Create I/O Completion Queue'],
    [true, 0x02, 'Get Log Page'],
    [true, 0x0b, 'Reserved 0x0b'],
    [true, 0xc1, 'Vendor Specific 0xc1'],
    [false, 0x80, 'Vendor Specific 0x80'],
  ])('opcodeName(%s, %i) is %s', (isAdmin, opcode, name) => expect(opcodeName(isAdmin, opcode)).toBe(name));

  test('every opcode has a name', () => {
    for (const opcode of Object.values(ADMIN)) expect(opcodeName(true, opcode)).not.toMatch(/0x/);
    for (const opcode of Object.values(NVM)) expect(opcodeName(false, opcode)).not.toMatch(/0x/);
  });
});

describe('status (Base 2.1 §4.2.3)', () => {
  test.each([
    ['INVALID_OPCODE', 0x001], ['INVALID_FIELD', 0x002], ['INVALID_NAMESPACE_OR_FORMAT', 0x00b],
    ['PRP_OFFSET_INVALID', 0x013], ['NAMESPACE_WRITE_PROTECTED', 0x020], ['LBA_OUT_OF_RANGE', 0x080],
    ['COMPLETION_QUEUE_INVALID', 0x100], ['INVALID_QUEUE_IDENTIFIER', 0x101], ['INVALID_QUEUE_SIZE', 0x102],
    ['AER_LIMIT_EXCEEDED', 0x105], ['INVALID_INTERRUPT_VECTOR', 0x108], ['INVALID_LOG_PAGE', 0x109],
    ['INVALID_QUEUE_DELETION', 0x10c], ['FEATURE_NOT_SAVEABLE', 0x10d], ['FEATURE_NOT_CHANGEABLE', 0x10e],
    ['SELF_TEST_IN_PROGRESS', 0x11d], ['COMMAND_SIZE_LIMIT_EXCEEDED', 0x183], ['ZONE_INVALID_WRITE', 0x1bc],
    ['UNRECOVERED_READ_ERROR', 0x281], ['COMPARE_FAILURE', 0x285], ['STORAGE_TAG_CHECK_ERROR', 0x288],
    ['ANA_TRANSITION', 0x303], ['ABORTED_BY_HOST', 0x371],
  ] as const)('%s is %i', (name, status) => {
    expect(STATUS[name]).toBe(status);
    expect(statusName(status)).toBe(name);
  });

  test('every code is unique, fits 11 bits and has a sentence of its own', () => {
    const codes = Object.values(STATUS);
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes.every((status) => status < 0x800)).toBe(true);
    const sentences = codes.map(statusSentence);
    expect(new Set(sentences).size).toBe(codes.length);
    for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z][^.]*\.$/);
  });

  test('unknown codes say so', () => {
    expect(statusSentence(0x1c3)).toBe('The controller returned a vendor specific code, status 0x1c3.');
    expect(statusSentence(0x017)).toBe('The controller returned a reserved code, status 0x017.');
    expect(DNR_BY_DEFAULT[0x017]).toBe(0);
  });

  test.each([
    ['INVALID_FIELD', 1], ['SUCCESS', 0], ['DATA_TRANSFER_ERROR', 0], ['ABORTED_SQ_DELETION', 0],
    ['LBA_OUT_OF_RANGE', 1], ['NAMESPACE_NOT_READY', 0], ['INVALID_QUEUE_IDENTIFIER', 1],
    ['AER_LIMIT_EXCEEDED', 0], ['COMPARE_FAILURE', 0], ['WRITE_FAULT', 0], ['TOO_MANY_OPEN_ZONES', 0],
    ['HOST_PATHING_ERROR', 0],
  ] as const)('DNR of %s is %i', (name, dnr) => expect(DNR_BY_DEFAULT[STATUS[name]]).toBe(dnr));

  test('the status field of a completion', () => {
    expect(CQE_STATUS.encode({ P: 1, SC: 2, DNR: 1 })).toBe(0x8005);
    expect(statusField(STATUS.LBA_OUT_OF_RANGE, CQE_STATUS.encode({ M: 1, DNR: 1 }))).toBe(0xc100);
    expect(statusField(STATUS.COMPARE_FAILURE, CQE_STATUS.P.mask)).toBe(0x050b);
    expect(statusOf(0xc50b)).toBe(STATUS.COMPARE_FAILURE);
    expect(CQE_STATUS.decode(0x050b)).toEqual({ P: 1, SC: 0x85, SCT: 2, CRD: 0, M: 0, DNR: 0 });
  });
});

describe('identify (Base 2.1 §5.1.13)', () => {
  test('controller offsets', () =>
    expect(IDENTIFY_CONTROLLER).toMatchObject({
      SIZE: 4096, VID: 0, SN: 4, MN: 24, FR: 64, MDTS: 77, CNTLID: 78, VER: 80, RTD3R: 84, RTD3E: 88,
      OAES: 92, CTRATT: 96, CNTRLTYPE: 111, FGUID: 112, CRDT1: 128, NVMSR: 253, OACS: 256, ACL: 258,
      AERL: 259, FRMW: 260, LPA: 261, ELPE: 262, NPSS: 263, WCTEMP: 266, HMPRE: 272, TNVMCAP: 280, RPMBS: 312,
      KAS: 320, SANICAP: 328, HMMINDS: 332, ANATT: 342, PELS: 352, MEGCAP: 368, SQES: 512, CQES: 513,
      MAXCMD: 514, NN: 516, ONCS: 520, FUSES: 522, FNA: 524, VWC: 525, AWUN: 526, AWUPF: 528, ACWU: 532,
      SGLS: 536, MNAN: 540, OAQD: 564, MCDQPC: 586, SUBNQN: 768, IOCCSZ: 1792, DCTYPE: 1806, PSD: 2048,
      VENDOR: 3072,
    }));

  test('namespace offsets', () =>
    expect(IDENTIFY_NAMESPACE).toMatchObject({
      SIZE: 4096, NSZE: 0, NCAP: 8, NUSE: 16, NSFEAT: 24, NLBAF: 25, FLBAS: 26, MC: 27, DPC: 28, DPS: 29,
      NMIC: 30, RESCAP: 31, FPI: 32, DLFEAT: 33, NAWUN: 34, NABSN: 40, NOIOB: 46, NVMCAP: 48, NPWG: 64,
      NOWS: 72, MSSRL: 74, MCL: 76, MSRC: 80, NULBAF: 82, ANAGRPID: 92, NSATTR: 99, NVMSETID: 100,
      ENDGID: 102, NGUID: 104, EUI64: 120, LBAF: 128, VENDOR: 384,
    }));

  test('other structures', () => {
    expect(identify.POWER_STATE).toMatchObject({
      SIZE: 32, FLAGS: 3, ENLAT: 4, EXLAT: 8, RRT: 12, IDLP: 16, ACTP: 20,
    });
    expect(identify.IDENTIFY_NVM_NAMESPACE).toMatchObject({
      SIZE: 4096, PIC: 8, ELBAF: 12, NPDGL: 268, TLBAAG: 292,
    });
    expect(identify.IDENTIFY_NVM_CONTROLLER).toMatchObject({
      SIZE: 4096, DMRL: 3, DMRSL: 4, DMSL: 8, VER: 20,
    });
    expect(identify.IDENTIFY_INDEPENDENT_NAMESPACE).toMatchObject({
      ANAGRPID: 4, ENDGID: 12, NSTAT: 14, RGRPID: 20,
    });
    expect(identify.NAMESPACE_DESCRIPTOR.SIZE).toBe(4);
  });

  test.each([
    ['512 B blocks, no metadata', identify.LBAF.encode({ LBADS: 9 }), 0x0009_0000],
    ['4 KiB blocks, 8 B of metadata', identify.LBAF.encode({ MS: 8, LBADS: 12, RP: 3 }), 0x030c_0008],
    ['entry sizes of the NVM set', identify.ENTRY_SIZES.encode({ MIN: 6, MAX: 6 }), 0x66],
    ['VWC with broadcast flush', identify.VWC.encode({ PRESENT: 1, FLUSH_ALL: 3 }), 0x7],
    ['three firmware slots, first read only', identify.FRMW.encode({ FFSRO: 1, NOFS: 3, FAWR: 1 }), 0x17],
    ['DBBUF in OACS', identify.OACS.encode({ DOORBELL_BUFFER: 1, FORMAT: 1 }), 0x102],
    ['Compare and Verify in ONCS', identify.ONCS.encode({ COMPARE: 1, VERIFY: 1 }), 0x81],
    ['SGLs by dword, with bit bucket', identify.SGLS.encode({ SUPPORT: 2, BIT_BUCKET: 1 }), 0x1_0002],
    ['format 17 in use', identify.FLBAS.encode({ FIDXL: 1, FIDXU: 1 }), 0x21],
  ])('%s', (_, word, expected) => expect(hex(word)).toBe(hex(expected)));
});

describe('features (Base 2.1 §5.1.25)', () => {
  test('every identifier has a row in the table and the other way round', () =>
    expect(Object.keys(FEATURES).map(Number)).toEqual(Object.values(FID)));

  test.each([
    [FID.LBA_RANGE_TYPE, 0x03, 'LBA Range Type', 'namespace', true, 4096],
    [FID.NUMBER_OF_QUEUES, 0x07, 'Number of Queues', 'controller', false, 0],
    [FID.HOST_MEMORY_BUFFER, 0x0d, 'Host Memory Buffer', 'controller', false, 4096],
    [FID.THERMAL_MANAGEMENT, 0x10, 'Host Controlled Thermal Management', 'controller', true, 0],
    [FID.HOST_BEHAVIOR, 0x16, 'Host Behavior Support', 'controller', false, 512],
    [FID.SOFTWARE_PROGRESS, 0x80, 'Software Progress Marker', 'controller', true, 0],
  ])('feature %i', (fid, value, name, scope, persists, get_bytes) => {
    expect(fid).toBe(value);
    expect(FEATURES[fid]).toMatchObject({ name, scope, persists, get_bytes });
  });

  test.each([
    ['arbitration', features.ARBITRATION.encode({ AB: 7, LPW: 1, MPW: 2, HPW: 3 }), 0x0302_0107],
    [
      'under threshold of sensor 1',
      features.TEMPERATURE_THRESHOLD.encode({ TMPTH: 273, TMPSEL: 1, THSEL: 1 }),
      0x11_0111,
    ],
    ['coalesce 8 entries or 1 ms', features.INTERRUPT_COALESCING.encode({ THR: 7, TIME: 10 }), 0xa07],
    ['namespace and firmware notices', features.ASYNC_EVENT_CONFIG.encode({ NSAN: 1, FAN: 1 }), 0x300],
    ['state 3 after 100 ms', features.POWER_TRANSITION.encode({ ITPS: 3, ITPT: 100 }), 0x6418],
  ])('%s', (_, word, expected) => expect(hex(word)).toBe(hex(expected)));

  test('data structures', () => {
    expect(features.LBA_RANGE).toMatchObject({ SIZE: 64, SLBA: 16, NLB: 24, GUID: 32 });
    expect(features.TIMESTAMP).toMatchObject({ SIZE: 8, ATTRIBUTES: 6 });
    expect(features.HOST_BEHAVIOR).toMatchObject({ SIZE: 512, LBAFEE: 2, CDFE: 4 });
    expect(features.HOST_MEMORY_DESCRIPTOR).toMatchObject({ SIZE: 16, BSIZE: 8 });
  });
});

describe('logs and events (Base 2.1 §5.1.12, §5.1.2)', () => {
  test('layouts', () => {
    expect(logs.ERROR_LOG_ENTRY).toMatchObject({
      SIZE: 64, SQID: 8, CID: 10, STATUS: 12, PARAMETER_LOCATION: 14, LBA: 16, NSID: 24, TRTYPE: 29, CSI: 30,
      OPC: 31, COMMAND_SPECIFIC: 32, VERSION: 63,
    });
    expect(logs.SMART_LOG).toMatchObject({
      SIZE: 512, TEMPERATURE: 1, AVAILABLE_SPARE: 3, PERCENTAGE_USED: 5, DATA_UNITS_READ: 32,
      DATA_UNITS_WRITTEN: 48, HOST_READS: 64, HOST_WRITES: 80, BUSY_TIME: 96, POWER_CYCLES: 112,
      POWER_ON_HOURS: 128, UNSAFE_SHUTDOWNS: 144, MEDIA_ERRORS: 160, ERROR_LOG_ENTRIES: 176,
      WARNING_TEMPERATURE_TIME: 192, SENSOR1: 200, SENSOR8: 214, TMT1_TRANSITIONS: 216, TMT2_TIME: 228,
    });
    expect(logs.FIRMWARE_SLOT_LOG).toMatchObject({ SIZE: 512, FRS1: 8, FRS7: 56 });
    expect(logs.SELF_TEST_RESULT).toMatchObject({
      SIZE: 28, POWER_ON_HOURS: 4, NSID: 12, LBA: 16, SCT: 24, VENDOR: 26,
    });
    expect(logs.SELF_TEST_LOG.SIZE).toBe(4 + 20 * logs.SELF_TEST_RESULT.SIZE);
    expect(logs.TELEMETRY_HEADER).toMatchObject({
      SIZE: 512, IEEE: 5, AREA1_LAST: 8, AREA4_LAST: 16, REASON: 384,
    });
    expect(logs.ENDURANCE_GROUP_LOG).toMatchObject({
      SIZE: 512, DOMAIN: 6, HOST_READS: 96, TOTAL_CAPACITY: 160,
    });
    expect(logs.RESERVATION_NOTIFICATION_LOG).toMatchObject({ SIZE: 64, TYPE: 8, AVAILABLE: 9, NSID: 12 });
    expect(logs.SANITIZE_LOG).toMatchObject({ SIZE: 512, SCDW10: 4, ETO: 8, ETOND: 20, ETPVDS: 32, SSI: 36 });
  });

  test.each([
    ['NAMESPACE_ATTRIBUTE_CHANGED', 0x0004_0002, 0x100],
    ['TEMPERATURE_THRESHOLD', 0x0002_0101, 0x02],
    ['INVALID_DOORBELL_VALUE', 0x0001_0100, 0],
    ['DISCOVERY_LOG_CHANGED', 0x0070_f002, 0x8000_0000],
    ['ZONE_DESCRIPTOR_CHANGED', 0x00bf_ef02, 0x0800_0000],
    ['SANITIZE_COMPLETED', 0x0081_0106, 0],
  ] as const)('event %s', (name, dw0, enable) => expect(ASYNC_EVENT[name]).toMatchObject({ dw0, enable }));

  test('an event that can be enabled has a bit in Asynchronous Event Configuration', () => {
    const { encode: _encode, decode: _decode, ...fields } = features.ASYNC_EVENT_CONFIG;
    const known = Object.values(fields).reduce((mask, field) => (mask | field.mask) >>> 0, 0);
    for (const { enable } of Object.values(ASYNC_EVENT)) expect((enable & ~known) >>> 0).toBe(0);
  });

  test('effects and firmware words', () => {
    expect(logs.COMMAND_EFFECTS.encode({ CSUPP: 1, LBCC: 1, CSE: 1 })).toBe(0x1_0003);
    expect(logs.AFI.encode({ ACTIVE: 1, NEXT: 2 })).toBe(0x21);
    expect(logs.PARAMETER_LOCATION.encode({ BYTE: 40, BIT: 3 })).toBe(0x328);
  });
});
