/** Random maps and unmaps of a Domain against a plain model, seen through the unit: nothing more, nothing less, never stale. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IommuDriver } from '../../iommu/driver.ts';
import type { LeafLevel } from '../../iommu/page-table.ts';
import { Pages } from '../../machine/pages.ts';
import { equal } from '../compare.ts';
import { runs } from '../runs.ts';
import { DEVICE, Rig } from './rig.ts';

const BLOCKED = -1;
const PAGE = 4096;
/** Units that mappings are made of; the larger ones are where large leaves begin and end. */
const UNITS = [PAGE, 2 ** 21 - PAGE, 2 ** 21, 2 ** 21 + PAGE, 2 ** 30] as const;

const step = fc.record({
  isMap: fc.boolean(),
  slot: fc.nat(40),
  unit: fc.constantFrom(...UNITS),
  count: fc.integer({ min: 1, max: 3 }),
  physical: fc.nat(2 ** 10).map((page) => page * PAGE),
  isAligned: fc.boolean(),
  write: fc.boolean(),
  leafLevelMax: fc.constantFrom<LeafLevel>(1, 2, 3),
});

interface Mapping {
  readonly iova: number;
  readonly bytes: number;
  readonly physical: number;
  readonly write: boolean;
}

/** First byte, last byte, and bytes around the boundaries of leaves inside. */
const probes = ({ iova, bytes }: Mapping): number[] =>
  [0, 1, PAGE, 2 ** 21 - 1, 2 ** 21, 2 ** 30 - 1, bytes / 2, bytes - 1]
    .filter((at) => at < bytes)
    .map((at) => iova + at);

test.each([true, false])('a domain equals its model (caching mode %s)', (cachingMode) => {
  const rig = new Rig({ cachingMode });
  const { memory, clock, interrupts, unit } = rig;
  const pages = new Pages(memory);
  const driver = new IommuDriver({ bus: unit, base: 0, clock, memory, pages, interrupts, dmesg: () => {} });
  driver.boot();
  driver.attach(DEVICE, driver.createDomain()!);
  driver.detach(DEVICE);
  const idle = pages.free_pages;

  const property = fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
    const domain = driver.createDomain()!;
    driver.attach(DEVICE, domain);
    const model = new Map<number, Mapping>();
    for (const { isMap, slot, unit: size, count, physical, isAligned, write, leafLevelMax } of steps) {
      const iova = slot * 2 ** 32 + (isAligned ? 0 : physical);
      const old = model.get(slot);
      if (isMap && old === undefined && (size < 2 ** 30 || leafLevelMax > 1)) {
        const mapping = { iova, bytes: size * count, physical: isAligned ? 0 : physical, write };
        expect(domain.map(iova, mapping.physical, mapping.bytes, { read: true, write, leafLevelMax })).toBe(
          0,
        );
        model.set(slot, mapping);
      } else if (!isMap && old !== undefined) {
        domain.unmap(old.iova, old.bytes);
        model.delete(slot);
        for (const at of probes(old)) equal(unit.translate(DEVICE, at, false), BLOCKED);
      }
      for (const mapping of model.values()) check(mapping);
    }
    driver.detach(DEVICE);
    for (const mapping of model.values()) equal(unit.translate(DEVICE, mapping.iova, false), BLOCKED);
    domain.free();
    expect(pages.free_pages).toBe(idle);

    function check(mapping: Mapping): void {
      for (const at of probes(mapping)) {
        const physical = mapping.physical + at - mapping.iova;
        equal(domain.translate(at), physical);
        equal(unit.translate(DEVICE, at, false), physical);
        equal(unit.translate(DEVICE, at, true), mapping.write ? physical : BLOCKED);
      }
      equal(unit.translate(DEVICE, mapping.iova + mapping.bytes, false), BLOCKED);
      if (mapping.iova > 0) equal(unit.translate(DEVICE, mapping.iova - 1, false), BLOCKED);
    }
  });
  fc.assert(property, { numRuns: runs(60, 5_000), seed: 20_260_601 });
});
