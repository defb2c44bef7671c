/** The kernel's side: boot, domains, descriptors on the wire, fault lines. Cases 67, 124 to 130, 133 and 142 of vtd-cases. */
import { describe, expect, test } from 'vitest';
import { decodeCapabilities, type UnitOptions } from '../../iommu/capabilities.ts';
import { IommuDriver } from '../../iommu/driver.ts';
import type { RateLimit } from '../../iommu/fault-handler.ts';
import { addressMaskFor, QueueClient } from '../../iommu/queue-client.ts';
import { REG } from '../../iommu/spec/registers.ts';
import { Pages } from '../../machine/pages.ts';
import { DEVICE, GCMD, Rig } from './rig.ts';

const BLOCKED = -1;
const BASE = 0xfed9_0000;
const ENOMEM = 12;
const ENOSPC = 28;
const EINVAL = 22;
const RW = { read: true, write: true };

interface Bench {
  readonly rig: Rig;
  readonly driver: IommuDriver;
  readonly pages: Pages;
  readonly lines: string[];
}

function boot(options: Partial<UnitOptions> = {}, rateLimit: RateLimit | null = null): Bench {
  const rig = new Rig(options);
  const pages = new Pages(rig.memory);
  const lines: string[] = [];
  const { memory, clock, interrupts } = rig;
  const bus = {
    read32: (address: number) => rig.read(address - BASE),
    write32: (address: number, value: number) => rig.write(address - BASE, value),
  };
  const dmesg = (line: string) => {
    lines.push(line);
  };
  const driver = new IommuDriver({ bus, base: BASE, clock, memory, pages, interrupts, dmesg, rateLimit });
  expect(driver.boot()).toBe(0);
  return { rig, driver, pages, lines };
}

/** The 64-bit words of the last `count` descriptors before the queue's tail, as hexadecimal pairs. */
function lastDescriptors({ rig }: Bench, count: number): string[] {
  const queue = rig.read(REG.IQA) & 0xffff_f000;
  const tail = rig.read(REG.IQT);
  return Array.from({ length: count }, (_, index) => {
    const at = (queue >>> 0) + ((tail - (count - index) * 16) & 0xfff);
    const quad = (address: number) => rig.memory.view.getBigUint64(address, true).toString(16);
    return `${quad(at)} ${quad(at + 8)}`;
  });
}

const isWait = (descriptor: string | undefined): boolean => descriptor?.startsWith('200000025 ') ?? false;

describe('boot', () => {
  test('prints what Linux prints and leaves translation on', () => {
    const { rig, lines } = boot();
    expect(rig.read(REG.GSTS)).toBe(0xc400_0000);
    expect(lines).toMatchInlineSnapshot(`
      [
        "DMAR: Host address width 48",
        "DMAR: DRHD base: 0x000000fed90000 flags: 0x1",
        "DMAR: dmar0: reg_base_addr fed90000 ver 1:0 cap d2008c222f0686 ecap f00f4a",
        "DMAR: No RMRR found",
        "DMAR: No ATSR found",
        "DMAR: No SATC found",
        "DMAR: dmar0: Using Queued invalidation",
        "DMAR: IOMMU batching disallowed due to virtualization",
        "DMAR: Intel(R) Virtualization Technology for Directed I/O",
      ]
    `);
  });

  test('GCMD goes through the values Linux writes', () => {
    const rig = new Rig();
    const written: string[] = [];
    const { memory, clock, interrupts } = rig;
    const bus = {
      read32: (offset: number) => rig.read(offset),
      write32: (offset: number, value: number) => {
        if (offset === REG.GCMD) written.push(value.toString(16));
        rig.write(offset, value);
      },
    };
    const pages = new Pages(memory);
    new IommuDriver({ bus, base: 0, clock, memory, pages, interrupts, dmesg: () => {} }).boot();
    expect(written).toEqual(['4000000', '44000000', '84000000']);
  });

  test('a device that was never attached is blocked', () => {
    const bench = boot();
    expect(bench.rig.dma(0x1000)).toBe(BLOCKED);
    expect(bench.driver.faults).toMatchObject([
      { requester: DEVICE, address: 0x1000, reason: 1, isWrite: false },
    ]);
  });
});

describe('domains', () => {
  test('129: ids are the lowest free from 2, per attachment', () => {
    const { driver } = boot();
    const [a, b] = [driver.createDomain()!, driver.createDomain()!];
    expect([a.uses, driver.domainsUsed]).toEqual([[], 2]);
    driver.attach(DEVICE, a);
    driver.attach(DEVICE + 8, a);
    driver.attach(DEVICE + 16, b);
    expect([a.uses[0]!.id, b.uses[0]!.id, driver.domainsUsed]).toEqual([2, 3, 4]);
    driver.detach(DEVICE);
    expect(a.uses[0]!.id).toBe(2);
    driver.detach(DEVICE + 8);
    expect([a.uses, driver.domainsUsed]).toEqual([[], 3]);
    driver.attach(DEVICE, a);
    expect(a.uses[0]!.id).toBe(2);
  });

  test('attach, move to another domain, detach', () => {
    const { rig, driver } = boot();
    const [a, b] = [driver.createDomain()!, driver.createDomain()!];
    a.map(0x1000, 0x30_0000, 4096, RW);
    b.map(0x1000, 0x40_0000, 4096, RW);
    driver.attach(DEVICE, a);
    expect(rig.dma(0x1000)).toBe(0x30_0000);
    driver.attach(DEVICE, b);
    expect(rig.dma(0x1000)).toBe(0x40_0000);
    expect(driver.domainOf(DEVICE)).toBe(b);
    driver.detach(DEVICE);
    expect(rig.dma(0x1000)).toBe(BLOCKED);
    expect(driver.faults.at(-1)?.reason).toBe(0x02);
    expect(driver.domainOf(DEVICE)).toBeNull();
  });

  test('78, 130: descriptors of attach and detach', () => {
    const bench = boot();
    const domain = bench.driver.createDomain()!;
    bench.driver.attach(DEVICE, domain);
    const attached = lastDescriptors(bench, 4);
    expect([attached[0], attached[2]]).toEqual(['2000000031 0', '200e2 0']);
    bench.driver.detach(DEVICE);
    const detached = lastDescriptors(bench, 4);
    expect([detached[0], detached[2]]).toEqual(['2000020031 0', '200e2 0']);
    expect(isWait(attached[1]) && isWait(attached[3]) && isWait(detached[1]) && isWait(detached[3])).toBe(
      true,
    );
  });

  test('without caching mode attach and map say nothing to hardware', () => {
    const bench = boot({ cachingMode: false });
    const tail = bench.rig.read(REG.IQT);
    const domain = bench.driver.createDomain()!;
    bench.driver.attach(DEVICE, domain);
    domain.map(0x1000, 0x30_0000, 4096, RW);
    expect(bench.rig.read(REG.IQT)).toBe(tail);
    expect(bench.rig.dma(0x1000)).toBe(0x30_0000);
  });

  test('no domain id is left', () => {
    const { driver, lines } = boot({ domainIdBits: 4 });
    const results = Array.from({ length: 15 }, (_, fn) => driver.attach(fn, driver.createDomain()!));
    expect(results).toEqual([...new Array(14).fill(0), -ENOSPC]);
    expect(lines.at(-1)).toBe('DMAR: dmar0: No free domain ids');
  });
});

describe('map and unmap', () => {
  const attached = (options: Partial<UnitOptions> = {}) => {
    const bench = boot(options);
    const domain = bench.driver.createDomain()!;
    bench.driver.attach(DEVICE, domain);
    return { ...bench, bench, domain };
  };
  const leaf = (bench: Bench, table: number, iova: number, level: number): string => {
    let at = table;
    for (let depth = 4; ; depth--) {
      const entry = at + (Math.floor(iova / 2 ** (12 + 9 * (depth - 1))) & 511) * 8;
      if (depth === level) return bench.rig.memory.u32[entry / 4]!.toString(16);
      at = (bench.rig.memory.u32[entry / 4]! & 0xffff_f000) >>> 0;
    }
  };

  test('124: unmap of 3 pages at pfn 0x1001', () => {
    const { bench, domain } = attached();
    domain.map(0x100_1000, 0x30_0000, 0x3000, RW);
    domain.unmap(0x100_1000, 0x3000);
    const [descriptor, last] = lastDescriptors(bench, 2);
    expect(descriptor).toBe('200f2 1000042');
    expect(isWait(last)).toBe(true);
  });

  test('125: a range beyond MAMV takes the whole domain', () => {
    const { bench, domain } = attached();
    domain.map(0, 0, 2 ** 31, RW);
    domain.unmap(0, 2 ** 31);
    expect(lastDescriptors(bench, 2)[0]).toBe('200e2 0');
  });

  test('126: caching mode invalidates after every map, with IH clear', () => {
    const { bench, domain } = attached();
    domain.map(0x100_1000, 0x30_0000, 0x1000, RW);
    expect(lastDescriptors(bench, 2)[0]).toBe('200f2 1001000');
  });

  test('127: write-only is stored as read-write', () => {
    const { bench, domain } = attached();
    domain.map(0x1000, 0x30_0000, 4096, { read: false, write: true });
    domain.map(0x2000, 0x30_1000, 4096, { read: true, write: false });
    expect(leaf(bench, domain.table.root, 0x1000, 1)).toBe('300003');
    expect(leaf(bench, domain.table.root, 0x2000, 1)).toBe('301001');
  });

  test('128: 4 MiB at 2 MiB alignment are two large leaves', () => {
    const { bench, domain } = attached();
    domain.map(0x4000_0000, 0x60_0000, 4 << 20, RW);
    expect(leaf(bench, domain.table.root, 0x4000_0000, 2)).toBe('600083');
    expect(leaf(bench, domain.table.root, 0x4020_0000, 2)).toBe('800083');
    expect(bench.rig.dma(0x4020_0123)).toBe(0x80_0123);
  });

  test.each([
    ['alignment of the physical address', 0x4000_0000, 0x1000, 3],
    ['the option', 0x4000_0000, 0, 1],
    ['the unit', 0x4000_0000, 0, 3],
  ] as const)('small leaves because of %s', (why, iova, physical, leafLevelMax) => {
    const options = why === 'the unit' ? { leaf2M: false, leaf1G: false } : {};
    const { bench, domain } = attached(options);
    domain.map(iova, physical, 2 << 20, { ...RW, leafLevelMax });
    expect(leaf(bench, domain.table.root, iova + 0x1000, 1)).toBe((physical + 0x1003).toString(16));
  });

  test('sizes mix: small to the next boundary, then large, then small', () => {
    const { domain, rig } = attached();
    const iova = 0x3fff_f000;
    domain.map(iova, 0x3fff_f000, 0x4000_0000 + 0x20_2000, RW);
    for (const at of [0, 0x1000, 0x2000_0000, 0x4000_0fff, 0x4020_1fff]) {
      expect(rig.dma(iova + at)).toBe(0x3fff_f000 + at);
    }
    expect(rig.dma(iova + 0x4020_2000)).toBe(BLOCKED);
    domain.unmap(iova, 0x4000_0000 + 0x20_2000);
    for (const at of [0, 0x1000, 0x2000_0000, 0x4000_0fff]) expect(rig.dma(iova + at)).toBe(BLOCKED);
  });

  test('a large leaf takes the place of a table that unmaps left empty', () => {
    const { domain, rig, pages } = attached();
    const before = pages.free_pages;
    domain.map(0x20_0000, 0x40_0000, 0x1000, RW);
    domain.unmap(0x20_0000, 0x1000);
    expect(before - pages.free_pages).toBe(3);
    domain.map(0x20_0000, 0x40_0000, 0x20_0000, RW);
    expect(before - pages.free_pages).toBe(2);
    expect(rig.dma(0x3f_ffff)).toBe(0x5f_ffff);
  });

  test('mistakes of the caller are assertions', () => {
    const { domain } = attached();
    domain.map(0x20_0000, 0x40_0000, 0x20_0000, RW);
    expect(() => domain.unmap(0x20_0000, 0x1000)).toThrow('would split a leaf');
    expect(() => domain.map(0x20_0000, 0, 0x1000, RW)).toThrow('mapped already');
    expect(() => domain.map(0x20_0000, 0, 0x20_0000, RW)).toThrow('mapped already');
    expect(() => domain.map(0x20_0800, 0, 0x1000, RW)).toThrow('whole pages');
    expect(() => domain.map(2 ** 48 - 4096, 0, 0x2000, RW)).toThrow('beyond the width');
    expect(() => domain.free()).toThrow('while devices are attached');
  });

  test('out of pages: nothing stays mapped and everything can be given back', () => {
    const { domain, driver, pages, rig } = attached();
    const free = pages.free_pages;
    const hog = pages.allocate(free - 3);
    expect(domain.map(0x3f_f000, 0x1000, 0x2000, { ...RW, leafLevelMax: 1 })).toBe(-ENOMEM);
    expect([domain.translate(0x3f_f000), rig.dma(0x3f_f000)]).toEqual([BLOCKED, BLOCKED]);
    expect(driver.createDomain()).toBeNull();
    pages.free(hog, free - 3);
    driver.detach(DEVICE);
    domain.free();
    expect(pages.free_pages).toBe(free + 1);
  });

  test.each([
    [0x1001, 3, 2],
    [0x1003, 2, 3],
    [0x1000, 1, 0],
    [0x1000, 4, 2],
    [0xff_ffff_ffff, 2, 41],
  ])('address mask of %i pages %i', (page, pages, mask) => {
    expect(addressMaskFor(page * 4096, pages * 4096)).toBe(mask);
  });
});

test('a refused descriptor is reported, replaced and survived', () => {
  const rig = new Rig();
  const lines: string[] = [];
  const words = {
    capLow: rig.read(REG.CAP),
    capHigh: rig.read(REG.CAP + 4),
    ecapLow: rig.read(REG.ECAP),
    ecapHigh: 0,
  };
  const client = new QueueClient({
    registers: rig.unit,
    memory: rig.memory,
    pages: new Pages(rig.memory),
    capabilities: { ...decodeCapabilities(words), addressMaskMax: 52 },
    dmesg: (line) => lines.push(line),
  });
  client.open();
  rig.command(GCMD.QIE);
  expect(client.domain(2)).toBe(0);
  expect(client.range(2, 0, 2 ** 32, true)).toBe(-EINVAL);
  expect(lines).toEqual([
    'DMAR: VT-d detected Invalidation Queue Error: Reason 4',
    'DMAR: QI HEAD: IOTLB Invalidation qw0 = 0x200f2, qw1 = 0x54',
    'DMAR: QI PRIOR: Invalidation Wait qw0 = 0x200000025, qw1 = 0x101004',
    'DMAR: Invalidation Queue Error (IQE) cleared',
  ]);
  expect(client.range(2, 0, 2 ** 30, true)).toBe(0);
  expect([rig.read(REG.IQH), rig.read(REG.FSTS)]).toEqual([0x60, 0]);
});

describe('faults', () => {
  test('67: one fault, one line, registers clean', () => {
    const { rig, driver, lines } = boot();
    driver.attach(DEVICE, driver.createDomain()!);
    lines.length = 0;
    rig.dma(0xffff_f123, true);
    expect(lines).toEqual([
      'DMAR: DRHD: handling fault status reg 2',
      'DMAR: [DMA Write NO_PASID] Request device [00:04.0] fault addr 0xfffff000 [fault reason 0x05] PTE Write access is not set',
    ]);
    expect([rig.read(REG.FSTS), rig.fault()]).toEqual([0, null]);
    expect(driver.faults).toMatchObject([
      { requester: DEVICE, address: 0xffff_f000, reason: 5, isWrite: true },
    ]);
  });

  test('133: Linux prints three of four faults within its rate limit', () => {
    const { rig, driver, lines } = boot({}, { burst: 10, interval_ns: 5e9 });
    driver.attach(DEVICE, driver.createDomain()!);
    lines.length = 0;
    for (let page = 1; page <= 4; page++) rig.dma(page * 4096);
    expect(lines.filter((line) => line.includes('Request device'))).toHaveLength(3);
    expect(lines.filter((line) => line.includes('status reg'))).toHaveLength(4);
    expect(driver.faults).toHaveLength(4);
    rig.clock.advance(5e9);
    rig.dma(0x9000);
    expect(lines.at(-3)).toBe('dmar_fault: 2 callbacks suppressed');
  });

  test('only the last faults are kept', () => {
    const { rig, driver } = boot();
    for (let page = 0; page < 100; page++) rig.dma(page * 4096);
    expect(driver.faults).toHaveLength(64);
    expect(driver.faults.at(-1)?.address).toBe(99 * 4096);
  });
});
