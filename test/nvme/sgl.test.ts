/** SGLs on I/O commands: cases N19 to N26 (Base 2.1 §4.3.2). */
import { describe, expect, test } from 'vitest';
import { ADMIN, NVM, SGL_TYPE } from '../../nvme/spec/commands.ts';
import { SGLS } from '../../nvme/spec/identify.ts';
import { type STATUS, statusName } from '../../nvme/spec/status.ts';
import { FUNCTIONAL, PAGE } from './harness.ts';
import { type IoRig, ioRig, type SglEntry } from './io-rig.ts';

const { DATA_BLOCK, BIT_BUCKET, SEGMENT, LAST_SEGMENT, KEYED_DATA_BLOCK } = SGL_TYPE;
const bytes = (rig: IoRig, address: number, length: number) => [...new Set(rig.bytes(address, length))];

test('N19 one data block, at any byte', () => {
  const rig = ioRig();
  const data = rig.filled(PAGE, 0x11) + 3;
  const block = rig.sgl({ type: DATA_BLOCK, address: data, length: 1024 });
  expect(rig.status({ opcode: NVM.WRITE, ...rig.at(4, 2), ...block })).toBe('SUCCESS');
  expect(rig.read(4, 2)).toEqual([0x11]);
  const target = rig.allocate() + 5;
  const other = rig.sgl({ type: DATA_BLOCK, address: target, length: 1024 });
  expect(rig.status({ opcode: NVM.READ, ...rig.at(4, 2), ...other })).toBe('SUCCESS');
  expect(bytes(rig, target, 1024)).toEqual([0x11]);
  expect(bytes(rig, target + 1024, 64)).toEqual([0]);
});

test.each([[1], [2], [7], [256], [600]])('N20 a last segment of %i pieces', (count) => {
  const rig = ioRig();
  const length = (512 * 300) / count;
  const size = Math.ceil(length / 4) * 4;
  const data = rig.filled(300 * 512 + 8192, 0x22);
  const total = 300 * 512;
  const pieces: [number, number][] = [];
  for (let done = 0; done < total; done += size) pieces.push([data + done, Math.min(size, total - done)]);
  expect(rig.status({ opcode: NVM.WRITE, ...rig.at(0, 300), ...rig.pieces(pieces) })).toBe('SUCCESS');
  expect(rig.read(0, 300)).toEqual([0x22]);
});

test('N20 segments that lead to segments; the pieces are taken in order', () => {
  const rig = ioRig();
  const data = rig.allocate(3);
  [0x11, 0x22, 0x33].forEach((byte, page) => {
    rig.memory.fill(data + page * PAGE, byte, 512);
  });
  const piece = (page: number): SglEntry => ({
    type: DATA_BLOCK,
    address: data + page * PAGE,
    length: 512,
  });
  const last = rig.segment([piece(2)]);
  const second = rig.segment([piece(0), { type: LAST_SEGMENT, address: last, length: 16 }]);
  const first = rig.segment([piece(1), { type: SEGMENT, address: second, length: 32 }]);
  const sgl = rig.sgl({ type: SEGMENT, address: first, length: 32 });
  expect(rig.status({ opcode: NVM.WRITE, ...rig.at(0, 3), ...sgl })).toBe('SUCCESS');
  expect([0, 1, 2].map((block) => rig.read(block))).toEqual([[0x22], [0x11], [0x33]]);
});

describe('lists that are wrong', () => {
  const piece = (length: number): SglEntry => ({ type: DATA_BLOCK, address: 0x30_0000, length });
  test.each<[string, SglEntry[], Partial<SglEntry>, keyof typeof STATUS]>([
    ['N21 a segment of 24 bytes', [piece(512)], { length: 24 }, 'INVALID_SGL_SEGMENT_DESCRIPTOR'],
    ['N21 a segment of no bytes', [piece(512)], { length: 0 }, 'INVALID_SGL_SEGMENT_DESCRIPTOR'],
    ['N22 too short', [piece(256), piece(128)], {}, 'DATA_SGL_LENGTH_INVALID'],
    ['N23 too long', [piece(512), piece(4)], {}, 'DATA_SGL_LENGTH_INVALID'],
    [
      'N24 a keyed data block',
      [{ ...piece(512), type: KEYED_DATA_BLOCK }],
      {},
      'SGL_DESCRIPTOR_TYPE_INVALID',
    ],
    ['N24 a vendor type', [{ ...piece(512), type: 0xf }], {}, 'SGL_DESCRIPTOR_TYPE_INVALID'],
    ['N24 an offset', [{ ...piece(512), subtype: 1 }], {}, 'SGL_DESCRIPTOR_TYPE_INVALID'],
    [
      'N25 a segment inside the last one',
      [piece(256), { type: SEGMENT, address: 0x30_0000, length: 16 }],
      {},
      'INVALID_SGL_SEGMENT_DESCRIPTOR',
    ],
    [
      'N25 a segment that is not last in its own',
      [{ type: LAST_SEGMENT, address: 0x30_0000, length: 16 }, piece(512)],
      { type: SEGMENT },
      'INVALID_SGL_DESCRIPTOR_COUNT',
    ],
    [
      'N25 a segment that leads nowhere and is not the last',
      [piece(512)],
      { type: SEGMENT },
      'INVALID_SGL_SEGMENT_DESCRIPTOR',
    ],
    [
      'a segment that is not qword aligned',
      [piece(512)],
      { address: 0x30_0004 },
      'INVALID_SGL_SEGMENT_DESCRIPTOR',
    ],
  ])('%s', (_, list, first, status) => {
    const rig = ioRig();
    const entry = { type: LAST_SEGMENT, address: rig.segment(list), length: list.length * 16, ...first };
    const completion = rig.io({ opcode: NVM.READ, ...rig.sgl(entry) });
    expect(statusName(completion.status)).toBe(status);
  });

  test('a segment that leads to itself ends', () => {
    const rig = ioRig();
    const page = rig.allocate();
    for (let i = 0; i < 15; i++) rig.writeDescriptor(page + 16 * i, { type: DATA_BLOCK, length: 0 });
    const loop = { type: SEGMENT, address: page, length: 256 };
    rig.writeDescriptor(page + 240, loop);
    expect(rig.status({ opcode: NVM.READ, ...rig.sgl(loop) })).toBe('INVALID_SGL_DESCRIPTOR_COUNT');
  });

  test('an unreachable segment, an unreachable piece: Data Transfer Error that says which', () => {
    const rig = ioRig();
    const list = rig.segment([piece(256), { ...piece(256), address: 0x40_0000 }]);
    const sgl = rig.sgl({ type: LAST_SEGMENT, address: list, length: 32 });
    rig.blocked.add(0x400);
    expect(rig.status({ opcode: NVM.READ, ...sgl })).toBe('DATA_TRANSFER_ERROR');
    expect(rig.controller.health.rejections.at(-1)).toContain('the data at IOVA 0x400000');
    rig.blocked.add(list / PAGE);
    expect(rig.status({ opcode: NVM.READ, ...sgl })).toBe('DATA_TRANSFER_ERROR');
    expect(rig.controller.health.rejections.at(-1)).toContain('the SGL segment at');
  });
});

describe('bit buckets', () => {
  const list = (data: number): SglEntry[] => [
    { type: BIT_BUCKET, length: 512 },
    { type: DATA_BLOCK, address: data, length: 512 },
  ];

  test('N26 on Read they swallow bytes', () => {
    const rig = ioRig();
    rig.write(0, 1, 0x11);
    rig.write(1, 1, 0x22);
    const data = rig.allocate();
    const sgl = rig.sgl({ type: LAST_SEGMENT, address: rig.segment(list(data)), length: 32 });
    expect(rig.status({ opcode: NVM.READ, ...rig.at(0, 2), ...sgl })).toBe('SUCCESS');
    expect(bytes(rig, data, 512)).toEqual([0x22]);
    expect(bytes(rig, data + 512, 512)).toEqual([0]);
  });

  test('N26 on Write they have no length (the text of §4.3.2; peers refuse them)', () => {
    const rig = ioRig();
    const data = rig.filled(512, 0x33);
    const sgl = rig.sgl({ type: LAST_SEGMENT, address: rig.segment(list(data)), length: 32 });
    expect(rig.status({ opcode: NVM.WRITE, ...rig.at(0, 1), ...sgl })).toBe('SUCCESS');
    expect(rig.read(0)).toEqual([0x33]);
  });
});

describe('what a controller supports', () => {
  const rigOf = (sgls: number) => ioRig({ profile: { ...FUNCTIONAL, sgls } });
  const block = (rig: IoRig, address: number) => rig.sgl({ type: DATA_BLOCK, address, length: 512 });

  test('no SGLs: PSDT 1 is refused', () => {
    const rig = rigOf(0);
    expect(rig.status({ opcode: NVM.READ, ...block(rig, 0x30_0000) })).toBe('INVALID_FIELD');
  });

  test('whole dwords only', () => {
    const rig = rigOf(SGLS.encode({ SUPPORT: 2 }));
    expect(rig.status({ opcode: NVM.READ, ...block(rig, 0x30_0002) })).toBe('SGL_GRANULARITY_INVALID');
    expect(rig.status({ opcode: NVM.READ, ...block(rig, 0x30_0004) })).toBe('SUCCESS');
  });

  test('no bit buckets', () => {
    const rig = rigOf(SGLS.encode({ SUPPORT: 1 }));
    const bucket = rig.sgl({ type: BIT_BUCKET, length: 512 });
    expect(rig.status({ opcode: NVM.READ, ...bucket })).toBe('SGL_DESCRIPTOR_TYPE_INVALID');
  });

  test('admin commands take PRPs only', () => {
    const rig = ioRig();
    const entry = { opcode: ADMIN.IDENTIFY, cdw10: 1, ...block(rig, 0x30_0000) };
    expect(statusName(rig.submitAdmin(entry).status)).toBe('INVALID_FIELD');
  });

  test('when everything takes time', () => {
    const rig = ioRig({ timed: true });
    const data = rig.filled(512, 0x11);
    const sgl = rig.pieces([
      [data, 256],
      [data + 256, 256],
    ]);
    expect(rig.status({ opcode: NVM.WRITE, ...rig.at(9), ...sgl })).toBe('SUCCESS');
    expect(rig.read(9)).toEqual([0x11]);
  });
});
