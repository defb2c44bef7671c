/** Metadata and protection information: group M of the conformance cases (NVM Command Set 1.1 §5.2, §5.3). */
import { describe, expect, test } from 'vitest';
import type { MetadataBoard } from '../../boards/board.ts';
import { COPY_RANGE_LONG, COPY_RANGE_SHORT, NVM, SGL_TYPE } from '../../nvme/spec/commands.ts';
import { crc16 } from '../../support/crc16.ts';
import { Crc64 } from '../../support/crc64.ts';
import type { Entry } from './entry.ts';
import { PAGE } from './harness.ts';
import { type IoRig, ioRig, lossyProfile } from './io-rig.ts';

const MIB = 1024 ** 2;
const PRACT = 1 << 29;
const GUARD = 1 << 28;
const TAG = 1 << 27;
const REFERENCE = 1 << 26;
const CHECK_ALL = GUARD | TAG | REFERENCE;

const TYPE1 = { bytes: 8, protection: 1 };
const TYPE2 = { bytes: 8, protection: 2 };
const TYPE3 = { bytes: 8, protection: 3 };
const GUARD64 = { bytes: 16, protection: 1, guard_bits: 64 };

/** A drive whose namespace has these metadata. */
const withMetadata = (metadata: MetadataBoard, block_bytes = 512): IoRig =>
  ioRig({ namespaces: [{ nsid: 1, bytes: MIB, block_bytes, metadata }] });

/** Data and metadata pointers of buffers filled with `byte` and `meta`. */
function buffers(rig: IoRig, count: number, byte: number, meta: ArrayLike<number>) {
  const bytes = count * rig.block;
  const data = rig.filled(bytes, byte);
  const mptr = rig.allocate();
  rig.bytes(mptr, meta.length).set(meta);
  return { data, ...rig.prps(data, bytes), mptr };
}

/** A 16-bit tuple. */
function tuple(guard: number, tag: number, reference: number): number[] {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setUint16(0, guard);
  bytes.setUint16(2, tag);
  bytes.setUint32(4, reference);
  return [...new Uint8Array(bytes.buffer)];
}

const crcOf = (byte: number, length = 512): number => crc16(new Uint8Array(length).fill(byte));

/** Metadata of `count` blocks from `first`, passed through, or the status. */
function metadataOf(rig: IoRig, first: number, count: number, bytes: number): string | number[] {
  const { mptr, prp1, prp2 } = buffers(rig, count, 0, []);
  const status = rig.status({ opcode: NVM.READ, ...rig.at(first, count), prp1, prp2: prp2!, mptr });
  return status === 'SUCCESS' ? [...rig.bytes(mptr, count * bytes)] : status;
}

const write = (rig: IoRig, first: number, byte: number, meta: number[], entry: Partial<Entry> = {}) =>
  rig.status({ opcode: NVM.WRITE, ...rig.at(first), ...buffers(rig, 1, byte, meta), ...entry });

describe('16-bit guard', () => {
  test('M1 PRACT: no metadata are transferred and the tuple is the one of the specification', () => {
    const rig = withMetadata(TYPE1);
    const { prp1 } = buffers(rig, 1, 0xff, []);
    const entry = { opcode: NVM.WRITE, ...rig.at(5, 1, PRACT), prp1, cdw14: 5, cdw15: 0x1234 };
    rig.blocked.add(0);
    expect(rig.status(entry)).toBe('SUCCESS');
    expect(metadataOf(rig, 5, 1, 8)).toEqual([0xe6, 0xa1, 0x12, 0x34, 0, 0, 0, 5]);
  });

  test('M2 a Read with PRACT checks and strips', () => {
    const rig = withMetadata(TYPE1);
    write(rig, 5, 0x11, [], { ...rig.at(5, 1, PRACT), cdw14: 5 });
    const { prp1 } = buffers(rig, 1, 0, []);
    rig.blocked.add(0);
    const entry = { opcode: NVM.READ, ...rig.at(5, 1, PRACT | CHECK_ALL), prp1, cdw14: 5 };
    expect(rig.status(entry)).toBe('SUCCESS');
    expect(rig.bytes(prp1, 1)[0]).toBe(0x11);
    expect(rig.status({ ...entry, cdw15: 0xffff_0001 })).toBe('APPLICATION_TAG_CHECK_ERROR');
  });

  test.each<[string, number[], Partial<Entry>, string]>([
    ['M3 a bad guard is passed through unchecked', tuple(1, 0, 5), {}, 'SUCCESS'],
    ['M3 a bad guard', tuple(1, 0, 5), { cdw12: GUARD }, 'GUARD_CHECK_ERROR'],
    [
      'M4 a bad application tag',
      tuple(crcOf(0x11), 0x1200, 5),
      { cdw12: TAG, cdw15: 0xffff_1234 },
      'APPLICATION_TAG_CHECK_ERROR',
    ],
    [
      'M4 tag bits outside of the mask',
      tuple(crcOf(0x11), 0x1200, 5),
      { cdw12: TAG, cdw15: 0xff00_1234 },
      'SUCCESS',
    ],
    [
      'M5 a bad reference tag',
      tuple(crcOf(0x11), 0, 6),
      { cdw12: REFERENCE, cdw14: 5 },
      'REFERENCE_TAG_CHECK_ERROR',
    ],
    [
      'M6 an initial reference tag that is not the block',
      tuple(0, 0, 6),
      { cdw12: REFERENCE, cdw14: 6 },
      'INVALID_PROTECTION_INFORMATION',
    ],
    [
      'M9 an application tag of FFFFh turns all checks off',
      tuple(1, 0xffff, 9),
      { cdw12: CHECK_ALL, cdw14: 5 },
      'SUCCESS',
    ],
    ['a good tuple', tuple(crcOf(0x11), 7, 5), { cdw12: CHECK_ALL, cdw14: 5, cdw15: 0xffff_0007 }, 'SUCCESS'],
    [
      'the guard is the first to be told',
      tuple(1, 2, 9),
      { cdw12: CHECK_ALL, cdw14: 5, cdw15: 0xffff_0007 },
      'GUARD_CHECK_ERROR',
    ],
  ])('type 1: %s: %o', (_, meta, entry, expected) => {
    const rig = withMetadata(TYPE1);
    write(rig, 5, 0x77, tuple(crcOf(0x77), 0, 5));
    expect(write(rig, 5, 0x11, meta, entry)).toBe(expected);
    expect(metadataOf(rig, 5, 1, 8)).toEqual(expected === 'SUCCESS' ? meta : tuple(crcOf(0x77), 0, 5));
  });

  test('M7 M9 type 3: no reference tag to check, and an escape that needs it', () => {
    const rig = withMetadata(TYPE3);
    const status = (meta: number[], cdw12: number) => write(rig, 5, 0x11, meta, { cdw12 });
    expect(status(tuple(crcOf(0x11), 0, 5), REFERENCE)).toBe('INVALID_PROTECTION_INFORMATION');
    expect(status(tuple(1, 0xffff, 5), GUARD)).toBe('GUARD_CHECK_ERROR');
    expect(status(tuple(1, 0xffff, 0xffff_ffff), GUARD)).toBe('SUCCESS');
  });

  test('M8 type 2: any initial reference tag, one more for each block, past 2^32', () => {
    const rig = withMetadata(TYPE2);
    const first = 0xffff_fffe;
    const entry = { opcode: NVM.WRITE, ...rig.at(8, 4, PRACT | CHECK_ALL), cdw14: first };
    expect(rig.status({ ...entry, ...buffers(rig, 4, 0, []) })).toBe('SUCCESS');
    const tags = metadataOf(rig, 8, 4, 8) as number[];
    expect([0, 1, 2, 3].map((block) => tags.slice(8 * block + 4, 8 * block + 8))).toEqual([
      [255, 255, 255, 254],
      [255, 255, 255, 255],
      [0, 0, 0, 0],
      [0, 0, 0, 1],
    ]);
    const read = { ...entry, opcode: NVM.READ, ...buffers(rig, 4, 0, []) };
    expect(rig.status({ ...read, cdw12: 3 | CHECK_ALL })).toBe('SUCCESS');
    expect(rig.status({ ...read, cdw12: 3 | CHECK_ALL, cdw14: 1 })).toBe('REFERENCE_TAG_CHECK_ERROR');
  });

  test.each([
    ['in the last bytes it covers the metadata before it', false],
    ['in the first bytes it covers the data alone', true],
  ])('M12 M14 64 bytes of metadata: %s', (_, isFirst) => {
    const rig = withMetadata({ bytes: 64, protection: 1, isFirst });
    const meta = Array.from({ length: 64 }, (_, index) => index);
    expect(write(rig, 5, 0x11, meta, { ...rig.at(5, 1, PRACT), cdw14: 5, cdw15: 0xabcd })).toBe('SUCCESS');
    const data = new Uint8Array(512).fill(0x11);
    const covered = isFirst ? data : Uint8Array.of(...data, ...meta.slice(0, 56));
    const made = tuple(crc16(covered), 0xabcd, 5);
    const expected = isFirst ? [...made, ...meta.slice(8)] : [...meta.slice(0, 56), ...made];
    expect(metadataOf(rig, 5, 1, 64)).toEqual(expected);
    const checked = { opcode: NVM.READ, ...rig.at(5, 1, CHECK_ALL | PRACT), cdw14: 5, cdw15: 0xffff_abcd };
    const target = buffers(rig, 1, 0, []);
    expect(rig.status({ ...checked, ...target })).toBe('SUCCESS');
    expect([...rig.bytes(target.mptr, 64)]).toEqual(expected);
  });

  test('a failing block is named in the error log, counts as a media error and nothing is written', () => {
    const rig = withMetadata(TYPE1);
    const meta = [0, 1, 2, 3].flatMap((block) => tuple(crcOf(0x11), 0, block === 2 ? 99 : 20 + block));
    const entry = {
      opcode: NVM.WRITE,
      ...rig.at(20, 4, CHECK_ALL),
      cdw14: 20,
      ...buffers(rig, 4, 0x11, meta),
    };
    expect(rig.status(entry)).toBe('REFERENCE_TAG_CHECK_ERROR');
    expect(rig.errors()[0]).toMatchObject({ LBA: 22n });
    expect(rig.controller.health.mediaErrors).toBe(1);
    expect(rig.read(20, 4)).toEqual([0]);
  });
});

describe('64-bit guard', () => {
  test.each([
    [0x00, '6482d367eb22b64e'],
    [0xff, 'c0ddba7302eca3ac'],
  ])('M13 4096 bytes of %i: the guard of the specification', (byte, guard) => {
    const rig = withMetadata(GUARD64, 4096);
    const entry = { ...rig.at(3, 1, PRACT | CHECK_ALL), cdw14: 3, cdw15: 0xffff_1234 };
    expect(rig.status({ opcode: NVM.WRITE, ...entry, prp1: rig.filled(4096, byte) })).toBe('SUCCESS');
    expect(Buffer.from(metadataOf(rig, 3, 1, 16) as number[]).toString('hex')).toBe(
      `${guard}1234000000000003`,
    );
    expect(rig.status({ opcode: NVM.READ, ...entry, prp1: rig.allocate() })).toBe('SUCCESS');
  });

  test('M8 48 bits of reference tag, their upper ones in CDW3', () => {
    const rig = withMetadata({ ...GUARD64, protection: 2 }, 4096);
    const entry = { ...rig.at(0, 2, PRACT | CHECK_ALL), cdw3: 0xffff, cdw14: 0xffff_ffff };
    expect(rig.status({ opcode: NVM.WRITE, ...entry, ...buffers(rig, 2, 0, []) })).toBe('SUCCESS');
    const meta = metadataOf(rig, 0, 2, 16) as number[];
    expect([meta.slice(10, 16), meta.slice(26, 32)]).toEqual([Array(6).fill(255), Array(6).fill(0)]);
    const read = { opcode: NVM.READ, ...entry, ...buffers(rig, 2, 0, []) };
    expect(rig.status(read)).toBe('SUCCESS');
    expect(rig.status({ ...read, cdw3: 0xfffe })).toBe('REFERENCE_TAG_CHECK_ERROR');
  });

  test('a bad guard', () => {
    const rig = withMetadata({ ...GUARD64, protection: 3 }, 4096);
    const crc = new Crc64().update(new Uint8Array(4096).fill(0x11), 0, 4096);
    const meta = new DataView(new ArrayBuffer(16));
    meta.setUint32(0, crc.high);
    meta.setUint32(4, crc.low);
    expect(write(rig, 0, 0x11, [...new Uint8Array(meta.buffer)], { cdw12: GUARD })).toBe('SUCCESS');
    expect(write(rig, 0, 0x12, [...new Uint8Array(meta.buffer)], { cdw12: GUARD })).toBe('GUARD_CHECK_ERROR');
  });
});

describe('where metadata are', () => {
  test('M10 extended: behind each block in one buffer, which counts for MDTS', () => {
    const rig = withMetadata({ bytes: 8, isExtended: true });
    const unit = 512 + 8;
    const source = rig.allocate(2);
    for (let block = 0; block < 3; block++) {
      rig.memory.fill(source + block * unit, 0x10 + block, 512);
      rig.memory.fill(source + block * unit + 512, 0xa0 + block, 8);
    }
    const entry = { ...rig.at(4, 3), ...rig.prps(source, 3 * unit) };
    expect(rig.status({ opcode: NVM.WRITE, ...entry })).toBe('SUCCESS');
    const target = rig.allocate(2);
    expect(rig.status({ opcode: NVM.READ, ...entry, ...rig.prps(target, 3 * unit) })).toBe('SUCCESS');
    expect(Buffer.compare(rig.bytes(target, 3 * unit), rig.bytes(source, 3 * unit))).toBe(0);
    expect(rig.bytes(target + 3 * unit, 1)[0]).toBe(0);
    expect(rig.status({ opcode: NVM.READ, ...rig.at(0, 1024), prp1: target })).toBe('INVALID_FIELD');
    expect(
      rig.status({ opcode: NVM.READ, ...rig.at(0, 1008), ...rig.prps(rig.allocate(129), 1008 * unit) }),
    ).toBe('SUCCESS');
  });

  test('M1 M2 extended with PRACT: the buffer is data alone', () => {
    const rig = withMetadata({ ...TYPE1, isExtended: true });
    const source = rig.filled(1024, 0x11);
    const entry = { ...rig.at(4, 2, PRACT | CHECK_ALL), cdw14: 4 };
    expect(rig.status({ opcode: NVM.WRITE, ...entry, prp1: source })).toBe('SUCCESS');
    const target = rig.allocate();
    expect(rig.status({ opcode: NVM.READ, ...entry, prp1: target })).toBe('SUCCESS');
    expect(new Set(rig.bytes(target, 1024))).toEqual(new Set([0x11]));
    expect(rig.bytes(target + 1024, 1)[0]).toBe(0);
  });

  test('M10 a metadata pointer that is not dword aligned (peers: 0:13; the specification names no code)', () => {
    const rig = withMetadata({ bytes: 8 });
    expect(write(rig, 0, 0x11, [], { mptr: 0x20_0002 })).toBe('INVALID_FIELD');
  });

  test('M11 metadata that DMA cannot reach: Data Transfer Error, and the block keeps what it had', () => {
    const rig = withMetadata({ bytes: 8 });
    write(rig, 0, 0x11, Array(8).fill(1));
    const mptr = rig.allocate();
    rig.blocked.add(mptr / PAGE);
    expect(write(rig, 0, 0x22, [], { mptr })).toBe('DATA_TRANSFER_ERROR');
    expect(rig.status({ opcode: NVM.READ, prp1: rig.allocate(), mptr })).toBe('DATA_TRANSFER_ERROR');
    rig.blocked.clear();
    expect([rig.read(0), metadataOf(rig, 0, 1, 8)]).toEqual([[0x11], Array(8).fill(1)]);
  });

  test('PSDT 2: the metadata pointer names an SGL descriptor', () => {
    const rig = withMetadata({ bytes: 8 });
    const meta = rig.allocate();
    rig.bytes(meta, 16).set(Array.from({ length: 16 }, (_, index) => index));
    const data = rig.filled(1024, 0x11);
    const mptr = rig.segment([{ type: SGL_TYPE.DATA_BLOCK, address: meta, length: 16 }]);
    const sgl = { ...rig.sgl({ type: SGL_TYPE.DATA_BLOCK, address: data, length: 1024 }), flags: 0x80 };
    expect(rig.status({ opcode: NVM.WRITE, ...rig.at(0, 2), ...sgl, mptr })).toBe('SUCCESS');
    expect(metadataOf(rig, 0, 2, 8)).toEqual(Array.from({ length: 16 }, (_, index) => index));
    const short = rig.segment([{ type: SGL_TYPE.DATA_BLOCK, address: meta, length: 8 }]);
    expect(rig.status({ opcode: NVM.WRITE, ...rig.at(0, 2), ...sgl, mptr: short })).toBe(
      'METADATA_SGL_LENGTH_INVALID',
    );
  });
});

describe('other commands', () => {
  test('M15 Write Zeroes: tuples of zeroes, or with PRACT those of blocks of zeroes', () => {
    const rig = withMetadata(TYPE1);
    write(rig, 5, 0x11, Array(8).fill(9));
    expect(rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(5) })).toBe('SUCCESS');
    expect(metadataOf(rig, 5, 1, 8)).toEqual(Array(8).fill(0));
    const zeroes = { opcode: NVM.WRITE_ZEROES, ...rig.at(5, 2, PRACT), cdw14: 5, cdw15: 0x1234 };
    expect(rig.status(zeroes)).toBe('SUCCESS');
    expect(metadataOf(rig, 5, 2, 8)).toEqual([...tuple(0, 0x1234, 5), ...tuple(0, 0x1234, 6)]);
  });

  test('M15 a range larger than MDTS goes on with its reference tags', () => {
    const rig = withMetadata(TYPE1);
    const zeroes = { opcode: NVM.WRITE_ZEROES, ...rig.at(0, 2000, PRACT) };
    expect(rig.status(zeroes)).toBe('SUCCESS');
    expect(metadataOf(rig, 1999, 1, 8)).toEqual(tuple(0, 0, 1999));
    expect(rig.status({ opcode: NVM.VERIFY, ...rig.at(0, 2000, CHECK_ALL) })).toBe('SUCCESS');
    write(rig, 1500, 0, tuple(0, 0, 7));
    expect(rig.status({ opcode: NVM.VERIFY, ...rig.at(0, 2000, CHECK_ALL) })).toBe(
      'REFERENCE_TAG_CHECK_ERROR',
    );
  });

  test('M16 Compare: metadata count, tuples do not; both sides are checked', () => {
    const rig = withMetadata({ bytes: 64, protection: 1 });
    const meta = (first: number, ...end: number[]) => [first, ...Array<number>(55).fill(0), ...end];
    write(rig, 5, 0x11, meta(3), { ...rig.at(5, 1, PRACT), cdw14: 5 });
    const compare = (metadata: number[], entry: Partial<Entry> = {}) =>
      rig.status({ opcode: NVM.COMPARE, ...rig.at(5), ...buffers(rig, 1, 0x11, metadata), ...entry });
    expect(compare(meta(3, ...tuple(1, 2, 3)))).toBe('SUCCESS');
    expect(compare(meta(4, ...tuple(1, 2, 3)))).toBe('COMPARE_FAILURE');
    expect(compare(meta(3, ...tuple(1, 2, 3)), { cdw12: GUARD })).toBe('GUARD_CHECK_ERROR');
  });

  test.each([
    ['never written', () => {}],
    ['deallocated', (rig: IoRig) => rig.deallocate([[5, 1]])],
    ['zeroed with DEAC', (rig: IoRig) => rig.status({ opcode: NVM.WRITE_ZEROES, ...rig.at(5, 1, 1 << 25) })],
  ])('M17 the tuple of a block that was %s is all ones, and no check fails', (_, empty) => {
    const rig = withMetadata({ bytes: 64, protection: 1 });
    write(rig, 4, 0x11, Array(64).fill(7));
    if (empty.length > 0) write(rig, 5, 0x11, Array(64).fill(7));
    empty(rig);
    expect(metadataOf(rig, 5, 1, 64)).toEqual([...Array(56).fill(0), ...Array(8).fill(0xff)]);
    expect(metadataOf(rig, 4, 2, 64)).toEqual([
      ...Array(64).fill(7),
      ...Array(56).fill(0),
      ...Array(8).fill(0xff),
    ]);
    const checked = { opcode: NVM.READ, ...rig.at(5, 1, CHECK_ALL), cdw14: 5 };
    expect(rig.status({ ...checked, ...buffers(rig, 1, 0, []) })).toBe('SUCCESS');
  });

  test.each([
    ['format 0, 16-bit guard', TYPE1, 512, 0, COPY_RANGE_SHORT.SIZE],
    ['format 1, 64-bit guard', GUARD64, 4096, 1, COPY_RANGE_LONG.SIZE],
  ])('N40 Copy, %s: tuples are checked, passed on or made anew', (_, metadata, block, format, size) => {
    const rig = withMetadata(metadata, block);
    const bytes = metadata.bytes;
    const made = { opcode: NVM.WRITE, ...rig.at(8, 2, PRACT), cdw14: 8, cdw15: 0x77 };
    rig.status({ ...made, ...buffers(rig, 2, 0x11, []) });
    const range = rig.allocate();
    const copy = (to: number, control: number, tags: Partial<Entry> = {}, reference = 8) => {
      rig.memory.fill(range, 0, size);
      const view = rig.view(range);
      view.setUint32(8, 8, true);
      view.setUint16(16, 1, true);
      if (format === 0) view.setUint32(COPY_RANGE_SHORT.ELBRT, reference, true);
      else view.setUint32(COPY_RANGE_LONG.ELBT + 6, reference);
      const cdw12 = (control | (format << 8)) >>> 0;
      return rig.status({ opcode: NVM.COPY, cdw10: to, cdw12, prp1: range, ...tags });
    };
    const READ = { PRACT: 1 << 15, GUARD: 1 << 14, REFERENCE: 1 << 12 };
    expect(copy(20, READ.GUARD | READ.REFERENCE)).toBe('SUCCESS');
    expect(metadataOf(rig, 20, 2, bytes)).toEqual(metadataOf(rig, 8, 2, bytes));
    expect(copy(30, READ.PRACT | READ.REFERENCE | PRACT, { cdw14: 30, cdw15: 5 })).toBe('SUCCESS');
    const checked = { opcode: NVM.READ, ...rig.at(30, 2, CHECK_ALL), cdw14: 30, cdw15: 0xffff_0005 };
    expect(rig.status({ ...checked, ...buffers(rig, 2, 0, []) })).toBe('SUCCESS');
    expect(copy(40, READ.PRACT)).toBe('INVALID_PROTECTION_INFORMATION');
    expect(copy(40, READ.REFERENCE, {}, 9)).toBe('INVALID_PROTECTION_INFORMATION');
    expect(copy(40, REFERENCE, { cdw14: 40 })).toBe('REFERENCE_TAG_CHECK_ERROR');
    const other = { cdw12: (1 - format) << 8, prp1: range };
    expect(rig.status({ opcode: NVM.COPY, cdw10: 40, ...other })).toBe('INVALID_FIELD');
  });

  test('N31 N32 a fused pair compares and writes metadata too', () => {
    const rig = withMetadata({ bytes: 8 });
    write(rig, 5, 0x11, Array(8).fill(1));
    const pair = (expected: number, made: number) => {
      const old = buffers(rig, 1, 0x11, Array(8).fill(expected));
      const next = buffers(rig, 1, 0x22, Array(8).fill(made));
      rig.post(1, { opcode: NVM.COMPARE, nsid: 1, flags: 1, ...rig.at(5), ...old });
      rig.post(1, { opcode: NVM.WRITE, nsid: 1, flags: 2, ...rig.at(5), ...next });
      rig.ring(1);
      return rig.statuses();
    };
    expect(pair(2, 3)).toEqual(['COMPARE_FAILURE', 'ABORTED_FAILED_FUSED']);
    expect(pair(1, 3)).toEqual(['SUCCESS', 'SUCCESS']);
    expect(metadataOf(rig, 5, 1, 8)).toEqual(Array(8).fill(3));
  });

  test('N9 a power cut takes metadata back with their blocks', () => {
    const rig = ioRig({
      profile: lossyProfile,
      namespaces: [{ nsid: 1, bytes: MIB, block_bytes: 512, metadata: TYPE1 }],
    });
    write(rig, 5, 0x11, Array(8).fill(1));
    rig.flush();
    write(rig, 5, 0x22, Array(8).fill(2));
    write(rig, 6, 0x22, Array(8).fill(2));
    rig.powerCycle();
    expect([rig.read(5), metadataOf(rig, 5, 1, 8)]).toEqual([[0x11], Array(8).fill(1)]);
    expect([rig.read(6), metadataOf(rig, 6, 1, 8)]).toEqual([[0], Array(8).fill(0xff)]);
  });
});
