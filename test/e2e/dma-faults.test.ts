/**
 * DMA of a controller that the IOMMU refuses, seen by a driver: what it is told, what the kernel logs, and that the
 * rest of RAM keeps its bytes. Group T of the conformance cases. Not here: every kind of command without an IOMMU
 * (test/nvme/faults.test.ts), buffers and PRP lists (failures.test.ts).
 */
import { describe, expect, test } from 'vitest';
import type { Board, Machine } from '../../boards/index.ts';
import type { NvmeDriver } from '../../drivers/nvme/index.ts';
import { queueBytes } from '../../drivers/nvme/queue-memory.ts';
import { CONFIG, MSIX_ENTRY } from '../../machine/pcie/spec.ts';
import { GENERIC, OPTANE_P4800X } from '../../nvme/profile.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { CSTS, REG } from '../../nvme/spec/registers.ts';
import { alignUp, PAGE_SIZE } from '../../support/numbers.ts';
import { pcWith, sentence, start, WAYS, type Way } from './rig.ts';

const BAR_MASK = ~0xf;
/** A vector that nobody waits for. */
const NO_VECTOR = 0xef;
const TIMEOUT_NS = 1e9;
/** Shorter than the time after which the driver looks without being late. */
const LATE_NS = 50e6;

/** An address in BAR0 of the drive. */
function barAddress({ rootComplex, controllers }: Machine, offset: number): number {
  const { bdf } = controllers[0]!;
  return ((rootComplex.configRead(bdf >>> 8, bdf & 0xff, CONFIG.BAR0, 4) & BAR_MASK) >>> 0) + offset;
}

/** Points every MSI-X vector of the drive at an interrupt that nobody waits for. */
function breakInterrupts(machine: Machine): void {
  const { msixTable, msixVectors } = machine.controllers[0]!.profile;
  for (let vector = 0; vector < msixVectors; vector++) {
    const entry = barAddress(machine, msixTable + vector * MSIX_ENTRY.SIZE);
    machine.rootComplex.write32(entry + MSIX_ENTRY.DATA, NO_VECTOR);
  }
}

/** A driver with a queue pair that it polls itself, and the names of the events that reach it. */
async function withQueue(way: Way, board?: Board) {
  const events: string[] = [];
  const options = {
    timeout_ns: TIMEOUT_NS,
    onEvent: ({ name }: { readonly name: string }) => events.push(name),
  };
  const { machine, driver } = await start(way, board, options);
  const queue = await driver.createQueuePair({ depth: 4, interrupts: false });
  const bytes = alignUp(queueBytes(4, driver.maxTransfer_bytes), PAGE_SIZE);
  return { machine, driver, queue, bytes, events };
}

/** Lets the driver look for events, and its promises settle. */
async function toldOf(driver: NvmeDriver): Promise<void> {
  driver.pollEvents();
  for (let turn = 0; turn < 10; turn++) await null;
}

const isFatal = (machine: Machine): boolean =>
  CSTS.CFS.get(machine.rootComplex.read32(barAddress(machine, REG.CSTS))) === 1;

const faultAt = (access: string, iova: number): string =>
  `DMAR: [DMA ${access} NO_PASID] Request device [01:00.0] fault addr 0x${iova.toString(16)} `;

describe.each(WAYS)('at the $pace pace, interrupts: $interrupts', (way) => {
  test('T1 submission entries out of reach: CFS, an event, a fault in the log, no completion', async () => {
    const { machine, driver, queue, bytes, events } = await withQueue(way);
    driver.space.unmap(queue.sqIova, bytes);
    queue.post(NVM.FLUSH, 1, 0, 1);
    queue.ring();
    machine.clock.advance(1e7);
    expect([queue.reap(), isFatal(machine)]).toEqual([0, true]);
    const [fault, refusal] = machine.explain();
    expect(fault).toContain(faultAt('Read', queue.sqIova));
    expect(refusal).toContain('entry 0 of submission queue 1 cannot be read');
    await toldOf(driver);
    expect(events).toEqual(['PERSISTENT_INTERNAL_ERROR']);
  });

  test('T7 interrupts that are lost: the completion is there, and a driver that looks at its time finds it', async () => {
    const warnings: string[] = [];
    const onWarning = (sentence: string) => warnings.push(sentence);
    const { machine, driver } = await start(way, undefined, { timeout_ns: LATE_NS, onWarning });
    await driver.namespace(1).read(0, 1);
    breakInterrupts(machine);
    const before = machine.kernel.now();
    expect(await sentence(driver.namespace(1).read(0, 1))).toBe('it did not fail');
    const isLate = machine.kernel.now() - before >= LATE_NS;
    expect(isLate).toBe(way.interrupts && way.pace === 'timed');
    expect(warnings).toEqual(
      isLate ? ['0000:01:00.0: an interrupt of queue 1 was lost: its completion was found by looking'] : [],
    );
  });
});

test('T2 T3 a queue that goes away under a command: nothing is written after the unmap, CFS, an event', async () => {
  const media = { ...OPTANE_P4800X.media, flush_ns: 1e6 };
  const board = pcWith({ profile: { ...GENERIC, timing: { ...OPTANE_P4800X, media } } });
  const way = { pace: 'timed', interrupts: false } as const;
  const { machine, driver, queue, bytes, events } = await withQueue(way, board);
  queue.post(NVM.FLUSH, 1, 0, 1);
  queue.ring();
  machine.clock.advance(1e5);
  driver.space.unmap(queue.sqIova, bytes);
  machine.clock.advance(1e7);
  expect([queue.reap(), isFatal(machine)]).toEqual([0, true]);
  const [fault, refusal] = machine.explain();
  expect(fault).toContain(faultAt('Write', queue.cqIova));
  expect(refusal).toContain('entry 0 of completion queue 1 cannot be written');
  await toldOf(driver);
  expect(events).toEqual(['PERSISTENT_INTERNAL_ERROR']);
});
