/** What `doorbell inspect` shows of the IOMMU's interrupt table, invalidations and faults, and of a drive's commands and features. */
import { describe, expect, test } from 'vitest';
import { boot, pc } from '../../boards/index.ts';
import { faults, interruptTable, invalidations } from '../../cli/inspect/iommu.ts';
import { machineTree } from '../../cli/inspect/machine.ts';
import { find, plain } from '../../cli/inspect/tree.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { GCMD as GCMD_BITS, REG } from '../../iommu/spec/registers.ts';
import {
  contextDevice,
  contextGlobal,
  DEVICE,
  iotlbDomain,
  iotlbGlobal,
  iotlbPages,
  REFERENCE,
  Rig,
  wait,
  waitInterrupt,
} from '../iommu/rig.ts';

const registersOf = (rig: Rig) => (offset: number) => rig.read(offset) >>> 0;
const TABLE = 0x20_0000;

describe('the interrupt remapping table', () => {
  const entriesOf = (rig: Rig) => plain(interruptTable(registersOf(rig), rig.memory.u32));

  test('is not there before IRTA is set', () => {
    expect(entriesOf(new Rig())).toEqual({
      enabled: 'no',
      'other messages': 'pass',
      table: 'none',
      present: {},
    });
  });

  test('has a line for each entry that is present: vector, destination, who may use it', () => {
    const rig = new Rig();
    const entry = (index: number, ...words: number[]) => rig.words(TABLE + 16 * index, ...words);
    entry(0, 0x0030_0009, 0x0200, 0x4_0100, 0);
    entry(1, 0x0031_0000, 0, 0, 0);
    entry(2, 0x0041_0097, 0x0100, 0x7_0108, 0);
    entry(3, 0x0042_0001, 0, 0x8_0105, 0);
    entry(7, 0x0043_0001, 0, 0, 0);
    rig.write(REG.IRTA, TABLE | 2);
    rig.command(0, GCMD_BITS.SIRTP.mask);
    rig.command(GCMD_BITS.IRE.mask);
    expect(entriesOf(rig)).toEqual({
      enabled: 'yes',
      'other messages': 'are blocked',
      table: '8 entries at 0x200000',
      present: {
        0: 'vector 0x30 to APIC 2 (fixed, edge, redirection hint), from 01:00.0 alone',
        2:
          'vector 0x41 to logical APIC 1 (NMI, level), from 01:01.0 alone (any function of it), ' +
          'its faults are not recorded',
        3: 'vector 0x42 to APIC 0 (fixed, edge), from buses 0x01 to 0x05',
        7: 'vector 0x43 to APIC 0 (fixed, edge), from anywhere (not checked)',
      },
    });
  });
});

describe('the queue of invalidations', () => {
  const queueOf = (rig: Rig) => plain(invalidations(registersOf(rig), rig.memory.u32));

  test('what was done, in words', () => {
    const rig = new Rig().start();
    rig.enableQueue();
    rig.submit(contextGlobal, contextDevice(9, 0x100), iotlbGlobal, iotlbDomain(9), iotlbPages(9, 0x5000, 2));
    rig.submit([0x14n, 0n], [(7n << 32n) | 0x1800_0014n, 0n], wait(0x3000, 5), waitInterrupt);
    expect(queueOf(rig)).toMatchObject({
      enabled: 'yes',
      ring: expect.stringMatching(/^256 descriptors at 0x/),
      head: '9',
      tail: '9',
      stopped: 'no',
      waiting: {},
      done: {
        1: 'context cache: 01:00.0 of domain 9',
        2: 'IOTLB: all',
        3: 'IOTLB: domain 9',
        4: 'IOTLB: 4 pages from 0x5000 of domain 9',
        6: 'interrupt entry cache: 8 from 7',
        7: 'wait: writes 0x5 to 0x3000',
        8: 'wait: writes nothing, then interrupts',
      },
    });
  });

  test('why it stopped, and what waits', () => {
    const rig = new Rig().start();
    rig.enableQueue();
    rig.submit(iotlbGlobal, [0xen, 0n], wait(0x3000, 5));
    expect(queueOf(rig)).toMatchObject({
      head: '1',
      tail: '3',
      stopped: 'yes: INVALID_TYPE',
      waiting: { 1: 'no descriptor: type 14', 2: 'wait: writes 0x5 to 0x3000' },
      done: { 0: 'IOTLB: all' },
    });
  });
});

test('fault records that hold something, and what the status says', () => {
  const rig = new Rig({ ...REFERENCE, faultRecords: 2 }).start();
  expect(plain(faults(registersOf(rig)))).toMatchObject({ pending: 'no', records: '2, all free' });
  rig.dma(0xabc_1000);
  rig.dma(0xabc_2000, true, DEVICE + 8);
  rig.dma(0xabc_3000, true, DEVICE + 16);
  expect(plain(faults(registersOf(rig)))).toEqual({
    pending: 'yes',
    overflow: 'yes',
    'first record': '0',
    records: {
      0: expect.stringMatching(/^read by \S+ at IOVA 0xabc1000: PTE Read access is not set \(0x06\)$/),
      1: expect.stringMatching(
        /^write by \S+ at IOVA 0xabc2000: Present bit in context entry is clear \(0x02\)$/,
      ),
    },
  });
});

test('a machine: vectors lead to entries of the table, features and commands are told', async () => {
  const machine = boot({ ...pc, remapsInterrupts: true });
  const driver = await NvmeDriver.open(machine.kernel, { interrupts: true });
  const show = (path: string) => plain(find(machineTree(machine), path)) as Record<string, unknown>;
  const vectors = Object.values(show('nvme0/interrupts/vectors'));
  expect(vectors.length).toBeGreaterThan(0);
  for (const vector of vectors) {
    const index = / \(entry (\d+) of iommu\/interrupts\)$/.exec(vector as string)![1]!;
    expect(show('iommu/interrupts/present')[index]).toMatch(
      /^vector 0x\w\w to APIC \d.*, from 01:00\.0 alone$/,
    );
  }
  expect(show('nvme0/features')).toMatchObject({
    '0x06 Volatile Write Cache': '0x00000001',
    '0x05 Error Recovery': { 'namespace 1': '0x00000000', 'namespace 2': '0x00000000' },
  });
  expect(Object.values(show('nvme0/commands'))[0]).toBe('Asynchronous Event Request, NSID 0x0, PRP1 0x0');
  expect(show('nvme0/memoryBuffer')).toMatchObject({
    size: '1048576 bytes, in BAR 2',
    'by DMA': 'not enabled',
  });
  await driver.close();
});
