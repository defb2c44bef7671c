/** Namespaces that hosts create, attach, detach and delete: cases A66 to A70, A31 and A33 (Base 2.1 §5.1.20, §5.1.21). */
import { describe, expect, test } from 'vitest';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import {
  CNS,
  IDENTIFY_CONTROLLER,
  IDENTIFY_NAMESPACE,
  NAMESPACE_DESCRIPTOR,
} from '../../nvme/spec/identify.ts';
import { LID } from '../../nvme/spec/logs.ts';
import { STATUS, statusName } from '../../nvme/spec/status.ts';
import {
  attachment,
  BROADCAST,
  createNamespace,
  deleteNamespace,
  getFeature,
  getLog,
  identify,
  listen,
  namespaceList,
  setFeature,
} from './admin-commands.ts';
import { FUNCTIONAL, type Harness, PAGE, ready } from './harness.ts';
import { type IoRig, ioRig } from './io-rig.ts';

const MIB = 1024 ** 2;
const ATTACH = 0;
const DETACH = 1;
const NAMESPACE_CHANGED = 0x0004_0002;

/** One attached namespace of 4 MiB on a drive of 16 MiB. */
const drive = (): IoRig =>
  ioRig({ namespaces: [{ nsid: 1, bytes: 4 * MIB, block_bytes: 512 }], capacity_bytes: 16 * MIB });
const name = ({ status }: { status: number }) => statusName(status);
const unallocated = (harness: Harness) =>
  identify(harness, CNS.CONTROLLER).view.getBigUint64(IDENTIFY_CONTROLLER.UNVMCAP, true);

/** Two namespaces of 2 MiB more, the first of them attached. */
function three(): IoRig {
  const rig = drive();
  for (const nsid of [2, 3]) expect(createNamespace(rig, 4096)).toMatchObject({ status: 0, dw0: nsid });
  expect(attachment(rig, ATTACH, 2).status).toBe(STATUS.SUCCESS);
  return rig;
}

/** NSIDs of the Changed Namespace List. */
function changed(harness: Harness): number[] {
  const { view } = getLog(harness, LID.CHANGED_NAMESPACES, PAGE);
  const words = Array.from({ length: 1024 }, (_, index) => view.getUint32(4 * index, true));
  return words.filter((nsid) => nsid !== 0);
}

describe('create', () => {
  test('A66 gives the lowest free NSID, takes capacity, and the namespace is allocated but not active', () => {
    const rig = drive();
    expect(unallocated(rig)).toBe(BigInt(12 * MIB));
    expect(createNamespace(rig, 1024, { FLBAS: 1 })).toMatchObject({ status: STATUS.SUCCESS, dw0: 2 });
    expect(unallocated(rig)).toBe(BigInt(8 * MIB));
    expect([namespaceList(rig, CNS.ALLOCATED_NAMESPACES), namespaceList(rig, CNS.ACTIVE_NAMESPACES)]).toEqual(
      [[1, 2], [1]],
    );
    const { view } = identify(rig, CNS.ALLOCATED_NAMESPACE, { nsid: 2 });
    const { NSZE, FLBAS } = IDENTIFY_NAMESPACE.decode(view, 0);
    expect([NSZE, FLBAS]).toEqual([1024n, 1]);
    const active = identify(rig, CNS.NAMESPACE, { nsid: 2 });
    expect(IDENTIFY_NAMESPACE.get(active.view, 0, 'NSZE')).toBe(0n);
  });

  test.each<[string, number, Parameters<typeof createNamespace>[2], string, string]>([
    ['A66', 24_577, {}, 'NAMESPACE_INSUFFICIENT_CAPACITY', 'one block more than there is'],
    ['A66', 24_576, {}, 'SUCCESS', 'all that is left'],
    ['A67', 8, { FLBAS: 8 }, 'INVALID_FORMAT', 'a format that is not there'],
    ['', 0, {}, 'INVALID_FIELD', 'no size'],
    ['', 8, { NCAP: 4 }, 'THIN_PROVISIONING_NOT_SUPPORTED', 'less capacity than size'],
    ['', 8, { NCAP: 9 }, 'INVALID_FIELD', 'more capacity than size'],
    ['', 8, { DPS: 1 }, 'INVALID_FORMAT', 'protection without metadata'],
    ['', 8, { ANAGRPID: 1 }, 'ANA_GROUP_INVALID', 'an ANA group'],
    ['', 8, { NVMSETID: 1 }, 'INVALID_FIELD', 'an NVM set'],
  ])('%s %i blocks %o: %s, %s', (_, blocks, data, expected) => {
    const rig = drive();
    const completion = createNamespace(rig, blocks, data);
    expect(name(completion)).toBe(expected);
    if (expected !== 'SUCCESS') expect(namespaceList(rig, CNS.ALLOCATED_NAMESPACES)).toEqual([1]);
  });

  test('A68 a command set that is not there; SEL that is reserved', () => {
    const rig = drive();
    expect(name(createNamespace(rig, 8, {}, { cdw11: 2 << 24 }))).toBe('IO_COMMAND_SET_NOT_SUPPORTED');
    expect(name(createNamespace(rig, 8, {}, { cdw10: 2 }))).toBe('INVALID_FIELD');
  });

  test('no NSID is left', () => {
    const profile = { ...FUNCTIONAL, maxNamespaces: 2 };
    const namespaces = [{ nsid: 1, bytes: MIB, block_bytes: 512 }];
    const rig = ioRig({ profile, namespaces, capacity_bytes: 4 * MIB });
    expect(name(createNamespace(rig, 8))).toBe('SUCCESS');
    expect(name(createNamespace(rig, 8))).toBe('NAMESPACE_IDENTIFIER_UNAVAILABLE');
  });
});

describe('attach and detach', () => {
  test('A68 twice, not attached, bad lists', () => {
    const rig = drive();
    createNamespace(rig, 8);
    expect(name(attachment(rig, DETACH, 2))).toBe('NAMESPACE_NOT_ATTACHED');
    expect(name(attachment(rig, ATTACH, 2, []))).toBe('CONTROLLER_LIST_INVALID');
    expect(name(attachment(rig, ATTACH, 2, [7]))).toBe('CONTROLLER_LIST_INVALID');
    expect(name(attachment(rig, ATTACH, 2, [0, 0]))).toBe('CONTROLLER_LIST_INVALID');
    expect(name(attachment(rig, ATTACH, 2))).toBe('SUCCESS');
    expect(name(attachment(rig, ATTACH, 2))).toBe('NAMESPACE_ALREADY_ATTACHED');
    expect(name(attachment(rig, 2, 2))).toBe('INVALID_FIELD');
    expect(name(attachment(rig, ATTACH, 3))).toBe('INVALID_FIELD');
    expect(name(attachment(rig, ATTACH, 257))).toBe('INVALID_NAMESPACE_OR_FORMAT');
    expect(name(attachment(rig, ATTACH, BROADCAST))).toBe('INVALID_NAMESPACE_OR_FORMAT');
  });

  test('A70 I/O only while attached; data stay', () => {
    const rig = drive();
    createNamespace(rig, 4096);
    expect(rig.write(0, 1, 7, { nsid: 2 })).toBe('INVALID_FIELD');
    attachment(rig, ATTACH, 2);
    expect(rig.write(0, 1, 7, { nsid: 2 })).toBe('SUCCESS');
    attachment(rig, DETACH, 2);
    expect(rig.read(0, 1, { nsid: 2 })).toBe('INVALID_FIELD');
    attachment(rig, ATTACH, 2);
    expect(rig.read(0, 1, { nsid: 2 })).toEqual([7]);
  });

  test('A70 a command in flight when its namespace goes completes as if it was not there', () => {
    const rig = ioRig({
      timed: true,
      namespaces: [{ nsid: 1, bytes: 4 * MIB, block_bytes: 512 }],
    });
    rig.post(1, { opcode: NVM.READ, nsid: 1, prp1: rig.allocate(), cid: 5 });
    rig.ringTail(1, 1);
    rig.clock.advance(2000);
    attachment(rig, DETACH, 1);
    expect(rig.reap(1)).toMatchObject({ cid: 5, status: STATUS.INVALID_FIELD });
    expect(rig.reap(1)).toBeNull();
  });
});

describe('delete', () => {
  test('A69 the NSID is inactive and unallocated, its capacity free, its data gone', () => {
    const rig = three();
    rig.write(0, 8, 9, { nsid: 2 });
    expect(name(deleteNamespace(rig, 2))).toBe('SUCCESS');
    expect(namespaceList(rig, CNS.ALLOCATED_NAMESPACES)).toEqual([1, 3]);
    expect(rig.read(0, 1, { nsid: 2 })).toBe('INVALID_FIELD');
    expect(unallocated(rig)).toBe(BigInt(10 * MIB));
    expect(name(deleteNamespace(rig, 2))).toBe('INVALID_FIELD');
    expect(createNamespace(rig, 4096).dw0).toBe(2);
    attachment(rig, ATTACH, 2);
    expect(rig.read(0, 8, { nsid: 2 })).toEqual([0]);
  });

  test('A69 FFFFFFFFh deletes all', () => {
    const rig = three();
    expect(name(deleteNamespace(rig, BROADCAST))).toBe('SUCCESS');
    expect(namespaceList(rig, CNS.ALLOCATED_NAMESPACES)).toEqual([]);
    expect(unallocated(rig)).toBe(BigInt(16 * MIB));
    expect(name(deleteNamespace(rig, 257))).toBe('INVALID_NAMESPACE_OR_FORMAT');
    expect(name(deleteNamespace(rig, 0))).toBe('INVALID_NAMESPACE_OR_FORMAT');
  });

  test('a namespace of an NSID used again has another UUID and default features', () => {
    const rig = three();
    const uuid = () => {
      const { view } = identify(rig, CNS.NAMESPACE_DESCRIPTORS, { nsid: 2 });
      return [...new Uint8Array(view.buffer, view.byteOffset + NAMESPACE_DESCRIPTOR.SIZE, 16)];
    };
    const before = uuid();
    setFeature(rig, FID.ERROR_RECOVERY, 5, { nsid: 2 });
    deleteNamespace(rig, 2);
    createNamespace(rig, 8);
    attachment(rig, ATTACH, 2);
    expect(uuid()).not.toEqual(before);
    expect(getFeature(rig, FID.ERROR_RECOVERY, { nsid: 2 }).dw0).toBe(0);
  });
});

describe('notices', () => {
  test.each([
    ['off', 0, 0],
    ['on', 1 << 8, 1],
  ])('A31 attaching with Namespace Attribute Notices %s', (_, events, expected) => {
    const rig = drive();
    createNamespace(rig, 8);
    listen(rig, 77, events);
    rig.reapAll(0);
    const prp1 = rig.allocate();
    rig.view(prp1).setUint16(0, 1, true);
    rig.post(0, { opcode: ADMIN.NAMESPACE_ATTACHMENT, nsid: 2, prp1 });
    rig.ring(0);
    const notices = rig.reapAll(0).filter(({ cid }) => cid === 77);
    expect(notices.map(({ dw0 }) => dw0)).toEqual(Array(expected).fill(NAMESPACE_CHANGED));
  });

  test('A33 the log lists what changed, ascending, and is empty once read', () => {
    const rig = three();
    attachment(rig, ATTACH, 3);
    attachment(rig, DETACH, 1);
    deleteNamespace(rig, 2);
    const { view } = getLog(rig, LID.CHANGED_NAMESPACES, PAGE, {}, true);
    expect([0, 4, 8, 12].map((at) => view.getUint32(at, true))).toEqual([1, 2, 3, 0]);
    expect(changed(rig)).toEqual([1, 2, 3]);
    expect(changed(rig)).toEqual([]);
  });

  test('A33 more than 1024 namespaces are told as FFFFFFFFh alone', () => {
    const profile = { ...FUNCTIONAL, maxNamespaces: 1025 };
    const namespaces = [{ nsid: 1, bytes: MIB, block_bytes: 512 }];
    const harness = ready({ profile, namespaces, capacity_bytes: 40 * MIB });
    for (let nsid = 2; nsid <= 1025; nsid++) harness.controller.namespaces.changed(nsid);
    expect(changed(harness)).toHaveLength(1024);
    for (let nsid = 1; nsid <= 1025; nsid++) harness.controller.namespaces.changed(nsid);
    expect(changed(harness)).toEqual([BROADCAST]);
  });

  test('A12 A13 lists of active and of allocated namespaces differ', () => {
    const rig = three();
    expect(namespaceList(rig, CNS.ACTIVE_NAMESPACES)).toEqual([1, 2]);
    expect(namespaceList(rig, CNS.ALLOCATED_NAMESPACES)).toEqual([1, 2, 3]);
    const after = identify(rig, CNS.ALLOCATED_NAMESPACES, { nsid: 1 }).view;
    expect([after.getUint32(0, true), after.getUint32(4, true), after.getUint32(8, true)]).toEqual([2, 3, 0]);
    const attachedTo = (nsid: number) =>
      identify(rig, CNS.ATTACHED_CONTROLLERS, { nsid }).view.getUint16(0, true);
    expect([attachedTo(2), attachedTo(3)]).toEqual([1, 0]);
  });
});
