/** LBA formats as hosts choose them, and what Identify tells of them; blocks that are known to be deallocated. */
import { describe, expect, test } from 'vitest';
import { checkNamespace } from '../../boards/namespaces.ts';
import { GENERIC } from '../../nvme/profile.ts';
import { checkProfile } from '../../nvme/profile-check.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { ERROR_RECOVERY, FID } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_NAMESPACE, IDENTIFY_NVM_NAMESPACE } from '../../nvme/spec/identify.ts';
import { statusName } from '../../nvme/spec/status.ts';
import { type IoRig, ioRig } from './io-rig.ts';

const MIB = 1024 ** 2;

/** Writes block 0 with metadata in a buffer of their own. */
function write(rig: IoRig, byte: number, meta: number[]): string {
  const mptr = rig.allocate();
  rig.bytes(mptr, meta.length).set(meta);
  return rig.write(0, 1, byte, { mptr });
}

/** Metadata of block 0 of `block` bytes. */
function metadataOf(rig: IoRig, bytes: number, block: number): number[] {
  const mptr = rig.allocate();
  expect(rig.status({ opcode: NVM.READ, ...rig.prps(rig.allocate(), block), mptr })).toBe('SUCCESS');
  return [...rig.bytes(mptr, bytes)];
}

describe('formats', () => {
  /** Format NVM of namespace 1, as CDW10. */
  const format = (rig: IoRig, cdw10: number): string =>
    statusName(rig.submitAdmin({ opcode: ADMIN.FORMAT_NVM, nsid: 1, cdw10 }).status);
  const identify = (rig: IoRig, cns: number): DataView => {
    const page = rig.allocate();
    rig.submitAdmin({ opcode: ADMIN.IDENTIFY, nsid: 1, prp1: page, cdw10: cns });
    return rig.view(page);
  };
  const behave = (rig: IoRig, lbafee: number): void => {
    const page = rig.allocate();
    rig.bytes(page, 3)[2] = lbafee;
    rig.submitAdmin({ opcode: ADMIN.SET_FEATURES, prp1: page, cdw10: FID.HOST_BEHAVIOR });
  };

  test('A71 Format takes metadata, their place and their protection; Identify tells them', () => {
    const rig = ioRig();
    rig.write(0, 1, 0x11);
    expect(format(rig, 3 | (1 << 4) | (2 << 5) | (1 << 8))).toBe('SUCCESS');
    const { FLBAS, DPS, MC, DPC, LBAF, NSFEAT } = IDENTIFY_NAMESPACE.decode(identify(rig, CNS.NAMESPACE), 0);
    expect([FLBAS, DPS, MC, DPC, NSFEAT & 4]).toEqual([0x13, 0b1010, 3, 0x1f, 4]);
    expect([...LBAF.slice(12, 16)]).toEqual([64, 0, 9, 0]);
    expect(rig.status({ opcode: NVM.READ, ...rig.at(0), ...rig.prps(rig.allocate(), 576) })).toBe('SUCCESS');
  });

  test('a 64-bit guard must be enabled by the host (LBAFEE), and Identify CNS 05h tells it', () => {
    const rig = ioRig();
    const { ELBAF } = IDENTIFY_NVM_NAMESPACE.decode(identify(rig, CNS.COMMAND_SET_NAMESPACE), 0);
    const words = new DataView(ELBAF.buffer, ELBAF.byteOffset);
    expect([0, 5, 6, 7].map((index) => words.getUint32(4 * index, true))).toEqual([0, 0, 0x100, 0x100]);
    expect(format(rig, 6)).toBe('INVALID_NAMESPACE_OR_FORMAT');
    behave(rig, 1);
    expect(format(rig, 6 | (1 << 5))).toBe('SUCCESS');
    expect(metadataOf(rig, 16, 4096)).toEqual(Array(16).fill(0xff));
  });

  test('A73 protection needs metadata that hold a tuple', () => {
    const rig = ioRig();
    expect([format(rig, 1 << 5), format(rig, 2 | (1 << 5)), format(rig, 2 | (4 << 5))]).toEqual([
      'INVALID_FORMAT',
      'SUCCESS',
      'INVALID_FIELD',
    ]);
  });

  test('formatted again, metadata are gone', () => {
    const rig = ioRig();
    format(rig, 2);
    write(rig, 0x11, Array(8).fill(3));
    format(rig, 2);
    expect(metadataOf(rig, 8, 512)).toEqual(Array(8).fill(0));
    format(rig, 0);
    expect(rig.read(0)).toEqual([0]);
  });

  test.each([
    ['a size that is no power of two', { bytes: 24 }, 'must be a power of two from 8 to 64'],
    ['a tuple that does not fit', { bytes: 8, guard_bits: 64 }, 'needs 16 bytes of metadata'],
    ['blocks too small for a 64-bit guard', { bytes: 16, guard_bits: 64 }, 'needs blocks of 4096 bytes'],
  ])('a board cannot have %s', (_, metadata, sentence) => {
    expect(checkNamespace({ size: '1m', metadata })).toContain(sentence);
  });

  test('a profile cannot have such formats', () => {
    const formats = [{ block_bytes: 512, metadata_bytes: 16, guard_bits: 64 as const }];
    expect(checkProfile({ ...GENERIC, formats })[0]).toContain('formats[0]: a 64-bit guard');
  });
});

describe('deallocated blocks', () => {
  const rigWith = (): IoRig =>
    ioRig({ namespaces: [{ nsid: 1, bytes: MIB, block_bytes: 512, tracksBlocks: true }] });
  const report = (rig: IoRig): string => {
    const cdw11 = ERROR_RECOVERY.encode({ DULBE: 1 });
    const { status } = rig.submitAdmin({
      opcode: ADMIN.SET_FEATURES,
      nsid: 1,
      cdw10: FID.ERROR_RECOVERY,
      cdw11,
    });
    return statusName(status);
  };

  test('N37 with DULBE reads of deallocated and unwritten blocks fail, and name the block', () => {
    const rig = rigWith();
    rig.write(0, 8, 0x11);
    rig.deallocate([[2, 2]]);
    expect([rig.read(0, 9)].flat().toSorted()).toEqual([0, 0x11]);
    expect(report(rig)).toBe('SUCCESS');
    const blocks = (first: number, count: number) => rig.read(first, count);
    expect([blocks(0, 2), blocks(1, 2), blocks(8, 1)]).toEqual([
      [0x11],
      'DEALLOCATED_OR_UNWRITTEN_BLOCK',
      'DEALLOCATED_OR_UNWRITTEN_BLOCK',
    ]);
    rig.read(0, 8);
    expect(rig.errors()[0]).toMatchObject({ LBA: 2n });
    expect(rig.compare(2, 1, 0)).toBe('DEALLOCATED_OR_UNWRITTEN_BLOCK');
    expect(rig.status({ opcode: NVM.VERIFY, ...rig.at(3) })).toBe('DEALLOCATED_OR_UNWRITTEN_BLOCK');
    rig.write(3, 1, 0x22);
    expect(rig.read(3)).toEqual([0x22]);
  });

  test('N34 DEAC deallocates, Write Zeroes without it writes', () => {
    const rig = rigWith();
    report(rig);
    rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(0) });
    rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(1, 1, 1 << 25) });
    expect([rig.read(0), rig.read(1)]).toEqual([[0], 'DEALLOCATED_OR_UNWRITTEN_BLOCK']);
  });

  test('N37 a namespace that does not know its blocks has no DULBE', () => {
    expect(report(ioRig())).toBe('INVALID_FIELD');
  });
});
