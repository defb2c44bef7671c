/**
 * The stress test of the threaded pace: pages are unmapped while commands that write to them are under way in another
 * thread, and used for something else at once. Whatever the device wrote, it wrote before the unmap returned: the proof
 * that invalidation, its wait descriptor and the order of memory hold. `npm run soak` does it for millions of I/Os.
 */
import { expect, test } from 'vitest';
import { type Board, pc } from '../../boards/index.ts';
import { bootThreaded } from '../../bridge/threads.ts';
import { findNvme, NvmeDriver, type QueuePair } from '../../drivers/nvme/index.ts';
import { DMA_BIDIRECTIONAL, DmaSpace } from '../../drivers/vfio/dma.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { PAGE_SIZE } from '../../support/numbers.ts';
import { random } from '../../support/random.ts';
import { runs } from '../runs.ts';

const [PORT] = pc.rootPorts;
/** A second drive, which is a hardware thread of its own. */
const TWO: Board = { ...pc, rootPorts: [PORT!, { ...PORT!, at: '06.0' }] };
const DEPTH = 32;
const BLOCKS = PAGE_SIZE / 512;
const WORDS = PAGE_SIZE / 4;
/** What the medium holds; a page that was taken back holds a canary between 0 and this. */
const MEDIUM = 0x0dd0_11ee;
const TRANSFER_ERROR = 4;

/** One page for each slot of a queue: mapped, in flight, taken back. */
class Pages {
  readonly words: Int32Array[] = [];
  readonly iovas: number[] = [];
  readonly #addresses: number[] = [];
  readonly #space: DmaSpace;

  constructor(space: DmaSpace) {
    this.#space = space;
    for (let page = 0; page < DEPTH; page++) {
      const { address, iova, bytes } = space.allocate(PAGE_SIZE);
      this.words.push(new Int32Array(bytes.buffer, bytes.byteOffset, WORDS));
      this.#addresses.push(address);
      this.iovas.push(iova);
    }
  }

  /** From here on the page is the program's alone. */
  takeBack(page: number, canary: number): void {
    this.#space.unmap(this.iovas[page]!, PAGE_SIZE);
    this.words[page]!.fill(canary);
  }

  give(page: number): void {
    this.iovas[page] = this.#space.map(this.#addresses[page]!, PAGE_SIZE, DMA_BIDIRECTIONAL);
  }
}

interface Outcome {
  /** Commands whose page was gone before the device wrote to it, and those that were faster. */
  early: number;
  late: number;
  readonly wrong: string[];
}

/** Whether a page holds one value, looked at in every eighth word: the device writes pages whole. */
function holds(words: Int32Array, value: number): boolean {
  for (let word = 7; word < WORDS; word += 8) if (words[word] !== value) return false;
  return true;
}

/** Keeps `DEPTH` reads under way, and takes back the pages of some of them: before the doorbell, and behind it. */
class Stress {
  readonly outcome: Outcome = { early: 0, late: 0, wrong: [] };
  readonly #queues: readonly QueuePair[];
  readonly #pages: Pages;
  readonly #draw = random(1, 'unmap');
  /** By queue and slot. */
  readonly #pageOf: readonly Int32Array[];
  /** Per page: 0, or the canary it was filled with when it was taken back. */
  readonly #canaries = new Int32Array(DEPTH);
  readonly #free = Array.from({ length: DEPTH }, (_, page) => page);

  constructor(queues: readonly QueuePair[], pages: Pages) {
    this.#queues = queues;
    this.#pages = pages;
    this.#pageOf = queues.map(({ depth }) => new Int32Array(depth));
    for (const [index, queue] of queues.entries())
      queue.onComplete = (slot, status) => this.#complete(this.#pageOf[index]![slot]!, status);
  }

  run(ios: number): void {
    const draw = this.#draw;
    let posted = 0;
    while (posted < ios || this.#free.length < DEPTH) {
      const inFlight: number[] = [];
      for (; this.#free.length > 0 && posted < ios; posted++) inFlight.push(this.#post());
      if (draw.below(4) === 0) this.#takeBackOne(inFlight);
      for (const queue of this.#queues) queue.ring();
      if (draw.below(4) === 0) this.#takeBackOne(inFlight);
      for (const queue of this.#queues) queue.reap();
    }
  }

  #post(): number {
    const page = this.#free.pop()!;
    const lba = this.#draw.below(64) * BLOCKS;
    const index = this.#draw.below(this.#queues.length);
    const slot = this.#queues[index]!.postAt(NVM.READ, 1, lba, BLOCKS, this.#pages.iovas[page]!, PAGE_SIZE);
    this.#pageOf[index]![slot] = page;
    return page;
  }

  #takeBackOne(inFlight: number[]): void {
    if (inFlight.length === 0) return;
    const [page] = inFlight.splice(this.#draw.below(inFlight.length), 1);
    this.#canaries[page!] = 1 + this.#draw.below(MEDIUM - 1);
    this.#pages.takeBack(page!, this.#canaries[page!]!);
  }

  #complete(page: number, status: number): void {
    const canary = this.#canaries[page]!;
    const words = this.#pages.words[page]!;
    const expected = canary === 0 ? MEDIUM : canary;
    const isExpected = status === 0 || (status === TRANSFER_ERROR && canary !== 0);
    if (!isExpected || !holds(words, expected)) {
      this.outcome.wrong.push(`page ${page}: status ${status}, canary ${canary}, found ${words[7]}`);
    }
    if (canary !== 0) {
      if (status === 0) this.outcome.late++;
      else this.outcome.early++;
      this.#canaries[page] = 0;
      this.#pages.give(page);
    }
    words.fill(0);
    this.#free.push(page);
  }
}

test.each([
  ['in one thread', pc, 'shared', runs(50_000, 5_000_000)],
  ['in two threads that share the pages', TWO, 'each', runs(5_000, 200_000)],
] as const)('no DMA happens after an unmap has returned, %s', async (_, board, workers, ios) => {
  const machine = bootThreaded(board, { workers });
  const space = new DmaSpace(machine.kernel);
  const block = new Uint8Array(new Int32Array(64 * WORDS).fill(MEDIUM).buffer);
  const drivers: NvmeDriver[] = [];
  for (const bdf of findNvme(machine.kernel))
    drivers.push(await NvmeDriver.open(machine.kernel, { bdf, space }));
  for (const driver of drivers) await driver.namespace(1).write(0, block);
  const queues = await Promise.all(drivers.map((driver) => driver.createQueuePair({ depth: DEPTH })));
  const stress = new Stress(queues, new Pages(space));
  stress.run(ios);
  const { early, late, wrong } = stress.outcome;
  expect(wrong.slice(0, 5)).toEqual([]);
  expect(early, 'unmaps that came before the data').toBeGreaterThan(ios / 1000);
  expect(late, 'unmaps that came behind the data').toBeGreaterThan(ios / 1000);
  for (const driver of drivers) await driver.close();
  space.close();
  await machine.close();
});
