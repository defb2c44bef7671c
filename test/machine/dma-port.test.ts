import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  DMA_BLOCKED,
  DMA_MASTER_OFF,
  DMA_OK,
  DMA_SENTENCES,
  DMA_UNSUPPORTED,
  type DmaPort,
} from '../../machine/pcie/dma-port.ts';
import { enumerate } from '../../machine/pcie/enumerate.ts';
import { CONFIG } from '../../machine/pcie/spec.ts';
import { SERVER_HOST } from '../../machine/timing/host.ts';
import { isSame } from '../compare.ts';
import { runs } from '../runs.ts';
import { chassis, GEN4_X4, Toy } from './toy.ts';

const PEER = 0xfe80_0000;

/** A bus master, another function whose BAR is at PEER, and 64 KiB of device memory. */
function machine() {
  const parts = chassis();
  const peer = new Toy('peer', parts);
  const toy = new Toy('toy', parts, { bars: [] });
  parts.rc.plug(0x08, peer);
  parts.rc.plug(0x10, toy);
  enumerate(parts.rc);
  parts.rc.configWrite(0, 0x10, CONFIG.COMMAND, 2, 4);
  return { ...parts, peer, toy, port: toy.port, local: parts.memory.reserve(65_536) };
}

let it: ReturnType<typeof machine>;
beforeEach(() => {
  it = machine();
});

const pattern = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 0xff);

describe('memory', () => {
  test('reads and writes move exactly the bytes named, traced or not', () => {
    const request = fc.record({
      iova: fc.integer({ min: 0x1000, max: 0x8000 }),
      length: fc.integer({ min: 1, max: 12_000 }),
      isTraced: fc.boolean(),
    });
    const play = ({ iova, length, isTraced }: { iova: number; length: number; isTraced: boolean }): void => {
      const stop = isTraced ? it.trace.listen(() => {}) : () => {};
      const { memory, port, local } = it;
      it.translator.offset = 0x2_0000;
      memory.fill(0, 0, 0x4_0000);
      const bytes = pattern(length, iova);
      memory.u8.set(bytes, local);
      expect(port.write(iova, local, length)).toBe(DMA_OK);
      expect(isSame(memory.u8.subarray(iova + 0x2_0000, iova + 0x2_0000 + length), bytes)).toBe(true);
      expect([memory.u8[iova + 0x2_0000 - 1], memory.u8[iova + 0x2_0000 + length]]).toEqual([0, 0]);
      memory.fill(local, 0, length);
      expect(port.read(iova, local, length)).toBe(DMA_OK);
      expect(isSame(memory.u8.subarray(local, local + length), bytes)).toBe(true);
      stop();
    };
    fc.assert(fc.property(request, play), { numRuns: runs(50, 5_000) });
  });

  test('every page is asked for once, wherever its frame is', () => {
    const request = fc.record({
      frames: fc.uniqueArray(fc.integer({ min: 0x20, max: 0x27 }), { minLength: 4, maxLength: 4 }),
      offset: fc.integer({ min: 0, max: 4095 }),
      length: fc.integer({ min: 8193, max: 12_288 }),
    });
    const play = ({ frames, offset, length }: { frames: number[]; offset: number; length: number }): void => {
      const { memory, port, local, translator } = it;
      frames.forEach((frame, page) => {
        translator.frames.set(1 + page, frame);
      });
      memory.fill(0x2_0000, 0, 0x8000);
      const bytes = pattern(length, offset);
      memory.u8.set(bytes, local);
      translator.asked = 0;
      expect(port.write(0x1000 + offset, local, length)).toBe(DMA_OK);
      expect(translator.asked).toBe(Math.ceil((offset + length) / 4096));
      const place = (at: number): number => frames[at >>> 12]! * 4096 + (at & 4095);
      const arrived = Uint8Array.from(bytes, (_, i) => memory.u8[place(offset + i)]!);
      expect(isSame(arrived, bytes)).toBe(true);
      memory.fill(local, 0, length);
      expect(port.read(0x1000 + offset, local, length)).toBe(DMA_OK);
      expect(isSame(memory.u8.subarray(local, local + length), bytes)).toBe(true);
    };
    fc.assert(fc.property(request, play), { numRuns: runs(50, 5_000) });
  });

  test('write16 puts four words in place', () => {
    expect(it.port.write16(0x2ff0, 0, 1, -1, 0x8000_0000, 4)).toBe(DMA_OK);
    expect([...it.memory.u32.subarray(0x2ff0 / 4, 0x3000 / 4)]).toEqual([1, 0xffff_ffff, 0x8000_0000, 4]);
  });

  test('nothing answers behind the end of RAM', () => {
    expect(it.port.read(it.rc.ramFrames * 4096, it.local, 4)).toBe(DMA_UNSUPPORTED);
    expect(it.port.write(0xd000_0000, it.local, 64)).toBe(DMA_UNSUPPORTED);
    expect(it.port.write16(0xd000_0000, 0, 1, 2, 3, 4)).toBe(DMA_UNSUPPORTED);
  });
});

describe('refusals', () => {
  const every = (port: DmaPort, iova: number, local: number) => [
    port.read(iova, local, 8),
    port.write(iova, local, 8),
    port.write16(iova | 0, (iova / 2 ** 32) | 0, 1, 2, 3, 4),
  ];

  test('bus master off: nothing moves', () => {
    it.rc.configWrite(0, 0x10, CONFIG.COMMAND, 2, 0);
    it.memory.u8.fill(0xaa, it.local, it.local + 16);
    expect(every(it.port, 0x1000, it.local)).toEqual([DMA_MASTER_OFF, DMA_MASTER_OFF, DMA_MASTER_OFF]);
    expect(it.port.message(0xfee0_0000, 0x20)).toBe(DMA_MASTER_OFF);
    expect([it.memory.u8[0x1000], it.interrupts.spurious]).toEqual([0, 0]);
  });

  test('blocked by the translator: nothing moves', () => {
    it.translator.blockedPages.add(1);
    it.memory.u8.fill(0xaa, it.local, it.local + 16);
    expect(every(it.port, 0x1000, it.local)).toEqual([DMA_BLOCKED, DMA_BLOCKED, DMA_BLOCKED]);
    expect(it.memory.u8[0x1000]).toBe(0);
  });

  test.each([false, true])('blocked half way (traced: %s): the pages before it have moved', (isTraced) => {
    if (isTraced) it.trace.listen(() => {});
    it.translator.blockedPages.add(3);
    it.memory.u8.fill(0xaa, it.local, it.local + 12_288);
    expect(it.port.write(0x1800, it.local, 12_288)).toBe(DMA_BLOCKED);
    expect([it.memory.u8[0x1800], it.memory.u8[0x2fff], it.memory.u8[0x3000], it.memory.u8[0x4000]]).toEqual([
      0xaa, 0xaa, 0, 0,
    ]);
  });

  test('each result has its sentence', () => {
    expect(DMA_SENTENCES[DMA_MASTER_OFF]).toContain('bus master');
    expect(DMA_SENTENCES[DMA_BLOCKED]).toContain('IOMMU');
    expect(DMA_SENTENCES[DMA_UNSUPPORTED]).toContain('answers');
  });
});

describe('the interrupt window', () => {
  test('four bytes written there are a message', () => {
    const ran: number[] = [];
    const message = it.interrupts.allocate(
      it.clock.register((argument) => ran.push(argument)),
      5,
    )!;
    it.memory.u32[it.local / 4] = message.data;
    expect(it.port.write(message.address, it.local, 4)).toBe(DMA_OK);
    expect(it.port.message(message.address, message.data)).toBe(DMA_OK);
    expect(ran).toEqual([5, 5]);
  });

  test.each([
    ['a read', (port: DmaPort, local: number) => port.read(0xfee0_0000, local, 4)],
    ['eight bytes', (port: DmaPort, local: number) => port.write(0xfee0_0000, local, 8)],
    ['four unaligned bytes', (port: DmaPort, local: number) => port.write(0xfee0_0002, local, 4)],
    ['sixteen bytes', (port: DmaPort) => port.write16(0xfee0_0000, 0, 0, 0, 0, 0)],
  ])('%s is no message', (_name, request) => {
    expect(request(it.port, it.local)).toBe(DMA_UNSUPPORTED);
    expect(it.interrupts.spurious).toBe(0);
  });

  test('a message that the translator holds back is blocked', () => {
    it.translator.isRemapping = false;
    expect(it.port.message(0xfee0_0000, 0x20)).toBe(DMA_BLOCKED);
  });
});

describe('peer to peer', () => {
  test('reads and writes reach the BAR of another function, a dword at a time', () => {
    it.memory.u32.set([11, 22, 33, 44], it.local / 4);
    expect(it.port.write(PEER + 8, it.local, 8)).toBe(DMA_OK);
    expect(it.port.write16(PEER + 16, 0, 5, 6, 7, 8)).toBe(DMA_OK);
    expect(it.peer.writes).toEqual([
      [0, 8, 11],
      [0, 12, 22],
      [0, 16, 5],
      [0, 20, 6],
      [0, 24, 7],
      [0, 28, 8],
    ]);
    expect(it.port.read(PEER + 12, it.local, 8)).toBe(DMA_OK);
    expect([...it.memory.u32.subarray(it.local / 4, it.local / 4 + 2)]).toEqual([22, 5]);
  });

  test.each([
    [PEER + 2, 4],
    [PEER, 6],
    [PEER + 4092, 8],
  ])('at %d with %d bytes is not supported', (iova, length) => {
    expect(it.port.write(iova, it.local, length)).toBe(DMA_UNSUPPORTED);
  });
});

describe('delays', () => {
  const wire_ns = (bytes: number) => bytes / ((16 * 4 * (128 / 130) * 0.97) / 8);
  const timed = (cost: number) => {
    const parts = chassis(SERVER_HOST);
    parts.translator.cost = cost;
    return new Toy('timed', parts, { link: GEN4_X4 }).port;
  };

  test('are zero on a free link', () => {
    expect([it.port.readDelay(0, 4096), it.port.writeDelay(0, 4096), it.port.followDelay(4)]).toEqual([
      0, 0, 0,
    ]);
  });

  test('of a write: wire, propagation, root complex, translation', () => {
    expect(timed(30).writeDelay(0x1000, 64)).toBeCloseTo(
      wire_ns(64 + 24) + 100 + SERVER_HOST.rootComplex_ns + 30,
      6,
    );
  });

  test('of a read: request up, memory, completion down', () => {
    const far_ns = SERVER_HOST.rootComplex_ns + SERVER_HOST.memory_ns + 30;
    expect(timed(30).readDelay(0x1000, 64)).toBeCloseTo(wire_ns(24) + 200 + far_ns + wire_ns(64 + 20), 6);
  });
});
