/**
 * How drivers of operating systems begin: their register accesses and admin commands in their order and with their
 * parameters, against both personalities. Sources: Linux 6.12 drivers/nvme/host, SPDK lib/nvme, EDK II NvmExpressDxe;
 * of Windows' stornvme, whose source is not public, what openvmm #3886 and propolis #1199 saw it send.
 * Not here: I/O beyond the first block, and what each command means.
 */
import { describe, expect, test } from 'vitest';
import { type ControllerProfile, GENERIC } from '../../nvme/profile.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_CONTROLLER, LPA, OACS } from '../../nvme/spec/identify.ts';
import { LID } from '../../nvme/spec/logs.ts';
import {
  CAP_CSS,
  CAP_HI,
  CAP_LO,
  CC,
  CSS,
  CSTS,
  REG,
  SHN,
  SHST,
  VERSION,
} from '../../nvme/spec/registers.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import type { Entry } from './entry.ts';
import { Harness, PAGE } from './harness.ts';

const PERSONALITIES = [GENERIC, QEMU].map((profile) => ({
  name: profile.name,
  profile: { ...profile, timing: null },
}));
const BROADCAST = 0xffff_ffff;

/** A host with one data buffer, and what it learned from Identify Controller. */
class Host extends Harness {
  readonly buffer = this.allocate(2);

  constructor(profile: ControllerProfile) {
    super({ profile });
    this.enableMsix(8);
    this.write32(REG.CC, 0);
    this.settle();
    expect(CSTS.RDY.get(this.read32(REG.CSTS))).toBe(0);
  }

  get capHigh(): number {
    return this.read32(REG.CAP_HI);
  }

  /** Sends an admin command with the buffer, which must succeed. Returns dword 0. */
  admin(entry: Entry): number {
    const completion = this.submitAdmin({ prp1: this.buffer, prp2: this.buffer + PAGE, ...entry });
    const name = `opcode ${entry.opcode} cdw10 ${entry.cdw10 ?? 0}`;
    expect([name, statusName(completion.status)]).toEqual([name, 'SUCCESS']);
    return completion.dw0;
  }

  /** Set Features; drivers also go on where a controller does not let the feature be changed. */
  setFeature(entry: Omit<Entry, 'opcode'>): void {
    const { status } = this.submitAdmin({ opcode: ADMIN.SET_FEATURES, prp1: this.buffer, ...entry });
    expect(['SUCCESS', 'FEATURE_NOT_CHANGEABLE']).toContain(statusName(status));
  }

  identify(cns: number, nsid = 0): void {
    this.admin({ opcode: ADMIN.IDENTIFY, nsid, cdw10: cns });
  }

  log(lid: number, bytes: number): void {
    const cdw10 = lid | ((bytes / 4 - 1) << 16);
    this.admin({ opcode: ADMIN.GET_LOG_PAGE, nsid: BROADCAST, cdw10 });
  }

  /** The namespaces of CNS 02h. */
  active(): number[] {
    this.identify(CNS.ACTIVE_NAMESPACES);
    const list: number[] = [];
    for (let at = this.buffer; this.view(at).getUint32(0, true) !== 0; at += 4)
      list.push(this.view(at).getUint32(0, true));
    return list;
  }

  /** Identify Controller, and two of its words. */
  controllerData(): { oacs: number; lpa: number; oaes: number; kas: number; hmpre: number } {
    this.identify(CNS.CONTROLLER);
    const view = this.view(this.buffer);
    return {
      oacs: view.getUint16(IDENTIFY_CONTROLLER.OACS, true),
      lpa: view.getUint8(IDENTIFY_CONTROLLER.LPA),
      oaes: view.getUint32(IDENTIFY_CONTROLLER.OAES, true),
      kas: view.getUint16(IDENTIFY_CONTROLLER.KAS, true),
      hmpre: view.getUint32(IDENTIFY_CONTROLLER.HMPRE, true),
    };
  }

  /** Posts event requests: none may complete. */
  requestEvents(count: number): void {
    for (let index = 0; index < count; index++) this.post(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST });
    this.ring(0);
    expect(this.reap(0)).toBeNull();
  }

  /** The first block of namespace 1, by the queue pair 1. */
  readFirstBlock(): void {
    const read = { opcode: NVM.READ, nsid: 1, prp1: this.buffer };
    expect(this.submit(1, 1, read)).toMatchObject({ status: STATUS.SUCCESS });
  }

  shutDown(): void {
    this.write32(REG.CC, CC.SHN.set(this.read32(REG.CC), SHN.NORMAL));
    this.settle();
    expect(CSTS.SHST.get(this.read32(REG.CSTS))).toBe(SHST.COMPLETE);
  }

  /** What CAP.CSS lets Linux and SPDK choose. */
  get commandSets(): number {
    return (CAP_HI.CSS.get(this.capHigh) & CAP_CSS.IO_COMMAND_SETS) === 0 ? CSS.NVM : CSS.ALL;
  }
}

describe.each(PERSONALITIES)('$name is taken by', ({ profile }) => {
  const isV2 = profile.version >= VERSION.V2_0;

  test('Linux: probe, reset work, scan, one read, removal', () => {
    const host = new Host(profile);
    expect(host.read32(REG.CSTS)).not.toBe(0xffff_ffff);
    const cap = host.read32(REG.CAP);
    const depth = Math.min(CAP_LO.MQES.get(cap) + 1, 1024);
    expect(CAP_LO.TO.get(cap)).toBeGreaterThan(0);
    const isIndependent = CAP_HI.CRMS.get(host.capHigh) === 3;
    const cc = CC.encode({ CSS: host.commandSets, IOSQES: 6, IOCQES: 4, CRIME: isIndependent ? 1 : 0 });
    host.write32(REG.CC, cc);
    expect(host.read32(REG.CC)).toBe(cc);
    expect(CSTS.RDY.get(host.enable({ cc: CC.EN.set(cc, 1), asqs: 32, acqs: 32 }))).toBe(1);
    const { oacs, lpa, oaes, kas, hmpre } = host.controllerData();
    if (LPA.EFFECTS.get(lpa) === 1) host.log(LID.COMMAND_EFFECTS, 4096);
    if (isV2) host.identify(CNS.COMMAND_SET_CONTROLLER);
    host.admin({ opcode: ADMIN.SET_FEATURES, cdw10: FID.TIMESTAMP });
    host.log(LID.SMART, 512);
    for (const under of [0, 1])
      host.admin({ opcode: ADMIN.GET_FEATURES, cdw10: FID.TEMPERATURE_THRESHOLD, cdw11: under << 20 });
    if (OACS.DOORBELL_BUFFER.get(oacs) === 1) {
      const [prp1, prp2] = [host.allocate(), host.allocate()];
      host.admin({ opcode: ADMIN.DOORBELL_BUFFER_CONFIG, prp1, prp2 });
      host.disable();
      host.enable({ cc: CC.EN.set(cc, 1), asqs: 32, acqs: 32 });
    }
    if (kas > 0) host.admin({ opcode: ADMIN.KEEP_ALIVE, prp1: 0, prp2: 0 });
    if (hmpre > 0) host.admin({ opcode: ADMIN.GET_FEATURES, cdw10: FID.HOST_MEMORY_BUFFER });
    const granted = host.admin({ opcode: ADMIN.SET_FEATURES, cdw10: FID.NUMBER_OF_QUEUES, cdw11: 0x3_0003 });
    expect(granted & 0xffff).toBeGreaterThanOrEqual(3);
    for (let qid = 1; qid <= 4; qid++) {
      expect(host.createCq(qid, depth, { ien: 1, vector: qid }).status).toBe(STATUS.SUCCESS);
      expect(host.createSq(qid, depth, qid).status).toBe(STATUS.SUCCESS);
    }
    host.admin({ opcode: ADMIN.SET_FEATURES, cdw10: FID.ASYNC_EVENT, cdw11: oaes & 0x900 });
    for (const nsid of host.active()) {
      host.identify(CNS.NAMESPACE_DESCRIPTORS, nsid);
      if (isV2) host.identify(CNS.INDEPENDENT_NAMESPACE, nsid);
      host.identify(CNS.NAMESPACE, nsid);
      if (isV2) host.identify(CNS.COMMAND_SET_NAMESPACE, nsid);
    }
    host.readFirstBlock();
    host.requestEvents(1);
    for (let qid = 4; qid >= 1; qid--) host.admin({ opcode: ADMIN.DELETE_SQ, cdw10: qid });
    for (let qid = 4; qid >= 1; qid--) host.admin({ opcode: ADMIN.DELETE_CQ, cdw10: qid });
    host.shutDown();
  });

  test('SPDK: the states of its controller initialisation up to ready', () => {
    const host = new Host(profile);
    const cc = CC.encode({ EN: 1, CSS: host.commandSets, IOSQES: 6, IOCQES: 4 });
    expect(CSTS.RDY.get(host.enable({ cc, asqs: 32, acqs: 32 }))).toBe(1);
    const { oacs, oaes, kas } = host.controllerData();
    if (isV2) host.identify(CNS.COMMAND_SET_CONTROLLER);
    host.admin({ opcode: ADMIN.SET_FEATURES, cdw10: FID.NUMBER_OF_QUEUES, cdw11: 0x3_0003 });
    for (const nsid of host.active()) {
      host.identify(CNS.NAMESPACE, nsid);
      host.identify(CNS.NAMESPACE_DESCRIPTORS, nsid);
      if (isV2) host.identify(CNS.COMMAND_SET_NAMESPACE, nsid);
    }
    host.admin({ opcode: ADMIN.GET_FEATURES, cdw10: FID.ASYNC_EVENT });
    host.admin({ opcode: ADMIN.SET_FEATURES, cdw10: FID.ASYNC_EVENT, cdw11: 0x1f | (oaes & 0x300) });
    host.requestEvents(Math.min(profile.asyncEvents, 8));
    if (OACS.DOORBELL_BUFFER.get(oacs) === 1)
      host.admin({ opcode: ADMIN.DOORBELL_BUFFER_CONFIG, prp1: host.allocate(), prp2: host.allocate() });
    if (kas > 0) host.admin({ opcode: ADMIN.GET_FEATURES, cdw10: FID.KEEP_ALIVE });
    // The extended host identifier; SPDK goes on when a controller has none.
    host.bytes(host.buffer, 16).fill(0x5a);
    if (!profile.absent.features.includes('HOST_IDENTIFIER'))
      host.setFeature({ cdw10: FID.HOST_IDENTIFIER, cdw11: 1 });
    expect(CSTS.decode(host.read32(REG.CSTS))).toMatchObject({ RDY: 1, CFS: 0 });
    host.shutDown();
  });

  test('Windows: what stornvme reads back and probes', () => {
    const host = new Host(profile);
    expect(CSTS.RDY.get(host.enable({ asqs: 256, acqs: 256 }))).toBe(1);
    host.controllerData();
    // After the first command it reads where the admin queues are; a zero there ends its start.
    for (const register of [REG.AQA, REG.ASQ, REG.ACQ]) expect(host.read32(register)).not.toBe(0);
    host.requestEvents(4);
    // QEMU does not have the page, and Windows does without.
    if (!profile.absent.logs.includes('SUPPORTED_LOGS')) host.log(LID.SUPPORTED_LOGS, 1024);
    host.log(LID.SMART, 512);
    host.identify(CNS.COMMAND_SET_CONTROLLER);
    const probed = [
      FID.ARBITRATION,
      FID.POWER_MANAGEMENT,
      FID.TEMPERATURE_THRESHOLD,
      FID.ERROR_RECOVERY,
      FID.INTERRUPT_COALESCING,
      FID.INTERRUPT_VECTOR,
      FID.ASYNC_EVENT,
    ];
    for (const fid of probed) {
      const nsid = fid === FID.ERROR_RECOVERY ? 1 : 0;
      const value = host.admin({ opcode: ADMIN.GET_FEATURES, nsid, cdw10: fid });
      host.setFeature({ nsid, cdw10: fid, cdw11: value });
    }
    host.admin({ opcode: ADMIN.SET_FEATURES, cdw10: FID.NUMBER_OF_QUEUES, cdw11: 0x1_0001 });
    expect(host.createCq(1, 256, { ien: 1, vector: 1 }).status).toBe(STATUS.SUCCESS);
    expect(host.createSq(1, 256, 1).status).toBe(STATUS.SUCCESS);
    host.identify(CNS.NAMESPACE, 1);
    host.readFirstBlock();
    host.shutDown();
  });

  test('UEFI: two entries in every queue, each namespace in turn', () => {
    const host = new Host(profile);
    expect(CAP_HI.CSS.get(host.capHigh) & CAP_CSS.NVM).toBe(CAP_CSS.NVM);
    expect(CAP_HI.MPSMIN.get(host.capHigh)).toBe(0);
    expect(CSTS.RDY.get(host.enable({ asqs: 2, acqs: 2 }))).toBe(1);
    host.identify(CNS.CONTROLLER);
    expect(host.createCq(1, 2).status).toBe(STATUS.SUCCESS);
    expect(host.createSq(1, 2, 1).status).toBe(STATUS.SUCCESS);
    for (let nsid = 1; nsid <= 4; nsid++) {
      host.identify(CNS.NAMESPACE, nsid);
      expect(host.view(host.buffer).getBigUint64(0, true) > 0n).toBe(nsid === 1);
    }
    for (let turn = 0; turn < 5; turn++) host.readFirstBlock();
    host.shutDown();
  });
});
