/**
 * What a controller does with the host memory buffer: pages of its mapping table are stored there, read again, checked,
 * and given up when something is wrong. Case A65, second half (Base 2.1 §8.1.12).
 */
import { describe, expect, test } from 'vitest';
import { samsung970pro } from '../../boards/devices/samsung-970pro.ts';
import { hostMemory } from '../../cli/inspect/drive.ts';
import { plain } from '../../cli/inspect/tree.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { FID, HOST_MEMORY_DESCRIPTOR } from '../../nvme/spec/features.ts';
import { statusName } from '../../nvme/spec/status.ts';
import { hex } from '../../support/numbers.ts';
import { random } from '../../support/random.ts';
import { setFeature } from './admin-commands.ts';
import { FUNCTIONAL, PAGE } from './harness.ts';
import { IoRig } from './io-rig.ts';

const MIB = 1024 ** 2;
/** Blocks that one page of the map describes. */
const MAPPED = (4 * MIB) / 512;
/** Pages of the buffer: what HMMIN asks for, and the pieces they are given in. */
const PIECES = [100, 156] as const;
/** The pattern of memory that is not the controller's. */
const FOREIGN = 0xa5;
const NAMESPACES = [{ nsid: 1, bytes: 16 * MIB, block_bytes: 512 }];
const HOST = FUNCTIONAL.admin.hostMemory!;
const ONE_PAGE = { ...FUNCTIONAL, map: { cachedPages: 1 } };

class MapRig extends IoRig {
  /** Pieces of the buffer with a foreign page before, between and behind them. */
  readonly memoryAt = this.allocate(PIECES[0] + PIECES[1] + 3);
  readonly parts = [this.memoryAt + PAGE, this.memoryAt + (PIECES[0] + 2) * PAGE] as const;
  readonly list = this.allocate();

  constructor(profile = ONE_PAGE, timed = false, joins?: MapRig) {
    super({ profile, namespaces: NAMESPACES, timed, ...(joins && { joins }) });
    this.memory.fill(this.memoryAt, FOREIGN, (PIECES[0] + PIECES[1] + 3) * PAGE);
    this.parts.forEach((address, index) => {
      HOST_MEMORY_DESCRIPTOR.set(this.view(this.list), 16 * index, 'BADD', BigInt(address));
      HOST_MEMORY_DESCRIPTOR.set(this.view(this.list), 16 * index, 'BSIZE', PIECES[index]!);
    });
  }

  /** EHM and MR. */
  set(cdw11: number): string {
    const rest = { cdw12: PIECES[0] + PIECES[1], cdw13: this.list, cdw15: PIECES.length };
    return statusName(setFeature(this, FID.HOST_MEMORY_BUFFER, cdw11, rest).status);
  }

  /** Reads a block of each region that a page of the map describes; every status is success. */
  visit(...regions: number[]): void {
    for (const region of regions) expect(this.read(region * MAPPED, 1)).toBeInstanceOf(Array);
  }

  /** Lookups in the controller, in host memory and on the medium since the last call. */
  lookups(): number[] {
    const { lookups } = this.controller.health;
    const counts = [lookups.controller, lookups.host, lookups.medium];
    Object.assign(lookups, { controller: 0, host: 0, medium: 0 });
    return counts;
  }

  pageAt(page: number): Uint8Array {
    return this.bytes(this.memoryAt + page * PAGE, PAGE);
  }

  get told(): string | undefined {
    return this.controller.health.rejections.at(-1);
  }
}

const isForeign = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === FOREIGN);

describe('pages of the map in host memory', () => {
  test('A65 without the buffer every miss goes to the medium, with it to host memory', () => {
    const rig = new MapRig();
    rig.visit(0, 1, 1, 0, 1);
    expect(rig.lookups()).toEqual([2, 0, 3]);
    expect(rig.set(1)).toBe('SUCCESS');
    rig.visit(0, 1, 0, 1);
    expect(rig.lookups()).toEqual([0, 3, 1]);
  });

  test('A65 what is stored is the map, inside of the pieces and nowhere else', () => {
    const rig = new MapRig();
    rig.set(1);
    rig.visit(0, 1, 2, 3, 0);
    const written = Array.from({ length: PIECES[0] + PIECES[1] + 3 }, (_, page) => page).filter(
      (page) => !isForeign(rig.pageAt(page)),
    );
    expect(written).toEqual([1, 2, 3, 4]);
    const stored = [0, 1, 2, 3].map((page) => [`page ${page}`, `at IOVA ${hex(rig.parts[0] + page * PAGE)}`]);
    expect(plain(hostMemory(rig.controller))).toEqual({
      enabled: 'yes',
      lookups: { controller: '1', host: '1', medium: '3' },
      pieces: {
        0: `${PIECES[0] * PAGE} bytes at IOVA ${hex(rig.parts[0])}`,
        1: `${PIECES[1] * PAGE} bytes at IOVA ${hex(rig.parts[1])}`,
      },
      map: Object.fromEntries(stored),
    });
    const words = new DataView(rig.pageAt(2).slice().buffer);
    expect([0, 1, 1023].map((unit) => words.getUint32(4 * unit, true))).toEqual([1024, 1025, 2047]);
  });

  test('A65 HSIZE below what the pieces have leaves the rest alone', () => {
    const rig = new MapRig({
      ...ONE_PAGE,
      admin: { ...ONE_PAGE.admin, hostMemory: { ...HOST, minimum_bytes: PAGE } },
    });
    const rest = { cdw12: 2, cdw13: rig.list, cdw15: 2 };
    expect(setFeature(rig, FID.HOST_MEMORY_BUFFER, 1, rest).status).toBe(0);
    rig.visit(0, 1, 2, 3, 0, 1, 2, 3);
    expect([0, 1, 2, 3, 4].map((page) => isForeign(rig.pageAt(page)))).toEqual([
      true,
      false,
      false,
      true,
      true,
    ]);
  });

  test('A65 after EHM 0 nothing is touched; MR gives back what was there, but not what has changed since', () => {
    const rig = new MapRig();
    rig.set(1);
    rig.visit(0, 1, 2, 3);
    rig.set(0);
    for (let page = 0; page < 259; page++) rig.blocked.add(rig.memoryAt / PAGE + page);
    rig.lookups();
    rig.visit(0);
    expect(rig.write(MAPPED, 1, 7)).toBe('SUCCESS');
    rig.visit(0);
    rig.blocked.clear();
    expect(rig.set(3)).toBe('SUCCESS');
    rig.lookups();
    rig.visit(1, 0, 2, 3);
    expect(rig.lookups()).toEqual([0, 2, 2]);
    expect(rig.controller.health.rejections).toEqual([]);
  });

  test('what another controller of the drive changes is no longer in host memory', () => {
    const rig = new MapRig();
    const peer = new MapRig(ONE_PAGE, false, rig);
    rig.set(1);
    rig.visit(0, 1, 2, 3);
    expect(peer.deallocate([[MAPPED, 8]])).toBe('SUCCESS');
    rig.lookups();
    rig.visit(0, 1, 2);
    expect(rig.lookups()).toEqual([0, 2, 1]);
  });

  test.each([
    ['MR 1 after a reset', 3, 2],
    ['MR 0 after a reset', 1, 0],
  ])('A65 %s', (_, cdw11, inHost) => {
    const rig = new MapRig();
    rig.set(1);
    rig.visit(0, 1, 2, 3);
    rig.disable();
    rig.start();
    expect(rig.set(cdw11)).toBe('SUCCESS');
    rig.lookups();
    rig.visit(0, 1);
    expect(rig.lookups()[1]).toBe(inHost);
  });

  test('MR 1 after a power cut: the controller no longer knows what it stored', () => {
    const rig = new MapRig();
    rig.set(1);
    rig.visit(0, 1, 2, 3);
    rig.controller.powerCut();
    rig.configure();
    rig.start();
    rig.set(3);
    rig.lookups();
    rig.visit(0, 1);
    expect(rig.lookups()[1]).toBe(0);
  });
});

describe('memory that is not what it should be', () => {
  test('A65 a page that the host changed is noticed, told, and read from the medium', () => {
    const rig = new MapRig();
    rig.set(1);
    rig.visit(0, 1);
    rig.pageAt(1)[123]! ^= 1;
    rig.lookups();
    rig.visit(0, 1, 0);
    expect(rig.lookups()).toEqual([0, 0, 3]);
    expect(rig.told).toBe(
      `the host memory buffer: its contents are not those that the controller stored (BADD = 0x${rig.parts[0].toString(16)}, Base 2.1 §8.1.12)`,
    );
    rig.set(0);
    expect(rig.set(3)).toBe('SUCCESS');
    rig.visit(1, 0);
    expect(rig.lookups()).toEqual([0, 1, 1]);
  });

  test.each([
    ['written', [1]],
    ['read', [1, 0]],
  ])('A65 memory that cannot be %s is given up, and the drive works on', (how, regions) => {
    const rig = new MapRig();
    rig.set(1);
    if (how === 'read') rig.visit(1);
    rig.blocked.add(rig.parts[0] / PAGE);
    rig.visit(...regions, 2, 3);
    expect(rig.told).toContain(`the host memory buffer: it cannot be ${how}: the IOMMU blocked the request`);
    expect(rig.controller.health.rejections).toHaveLength(1);
  });
});

test('NAND: reads of a map too large for the controller are faster with host memory, and moved data are found', () => {
  const profile = { ...samsung970pro.controller, map: { cachedPages: 1 } };
  const rig = new MapRig(profile, true);
  const time = (): number => {
    const start = rig.clock.now;
    rig.visit(0, 1, 2, 3, 0, 1, 2, 3);
    return (rig.clock.now - start) / 8;
  };
  const without = time();
  rig.set(1);
  time();
  const withBuffer = time();
  expect(without - withBuffer).toBeGreaterThan(profile.timing!.media!.kind === 'nand' ? 25_000 : Number.NaN);
  const data = rig.prps(rig.allocate(15), 15 * PAGE);
  const { below } = random(1, 'blocks');
  for (let write = 0; write < 900; write++)
    expect(rig.status({ opcode: NVM.WRITE, ...rig.at(8 * below(4080), 120), ...data })).toBe('SUCCESS');
  rig.lookups();
  rig.visit(0, 1, 2, 3);
  expect(rig.lookups()[1]).toBeGreaterThan(0);
  expect(rig.controller.health.rejections).toEqual([]);
});
