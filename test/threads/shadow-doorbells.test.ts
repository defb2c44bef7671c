/**
 * Shadow doorbells between two threads: the driver stores indexes in memory and rings only when the controller asked for
 * it; the controller asks and looks once more. A lost doorbell would be a command that never completes.
 */
import { expect, test } from 'vitest';
import { bootThreaded } from '../../bridge/threads.ts';
import { AdminQueue } from '../../drivers/nvme/admin-queue.ts';
import type { Command } from '../../drivers/nvme/commands.ts';
import { Controller } from '../../drivers/nvme/controller.ts';
import { QueuePair, queueBytes } from '../../drivers/nvme/queue-pair.ts';
import { VfioDevice } from '../../drivers/vfio/device.ts';
import { DmaSpace } from '../../drivers/vfio/dma.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { DOORBELL_BASE } from '../../nvme/spec/registers.ts';
import { PAGE_SIZE } from '../../support/numbers.ts';
import { random } from '../../support/random.ts';
import type { Mapping } from '../../vfio/uapi/kernel.ts';
import { pcWith } from '../e2e/rig.ts';
import { runs } from '../runs.ts';

const DEPTH = 8;
const MS = 1e6;
const HANGS_MS = 30_000;

/** Doorbells that are stored in memory first. Base 2.1 §B.5: the register is written when the event index was passed. */
class ShadowedDoorbells {
  rung = 0;
  readonly #registers: Mapping;
  readonly #indexes: Int32Array;
  readonly #events: Int32Array;

  constructor(registers: Mapping, indexes: Uint8Array, events: Uint8Array) {
    this.#registers = registers;
    this.#indexes = new Int32Array(indexes.buffer, indexes.byteOffset, PAGE_SIZE / 4);
    this.#events = new Int32Array(events.buffer, events.byteOffset, PAGE_SIZE / 4);
  }

  write32(offset: number, value: number): void {
    const at = offset >>> 2;
    const old = this.#indexes[at]!;
    Atomics.store(this.#indexes, at, value);
    const event = Atomics.load(this.#events, at);
    if (((value - event - 1) & 0xffff) >= ((value - old) & 0xffff)) return;
    this.rung++;
    this.#registers.write32(offset, value);
  }
}

test('no doorbell is lost, and most need not be rung', async () => {
  const machine = bootThreaded(pcWith({ profile: { ...QEMU, timing: null } }));
  const { kernel } = machine;
  const space = new DmaSpace(kernel);
  const device = new VfioDevice(space, '0000:01:00.0');
  device.setBusMaster(true);
  const bar = device.region(0);
  const controller = new Controller(device, device.mapBar(bar, 0, DOORBELL_BASE));
  const registers = device.mapBar(bar, DOORBELL_BASE, PAGE_SIZE);
  const wait = (deadline: number) => kernel.relax(deadline);
  const rescuer = {
    rescue: () => Promise.reject(new Error('an admin command hangs')),
    foundSilent: () => {},
  };
  const timeout_ns = 10_000 * MS;
  const admin = new AdminQueue({ space, controller, doorbells: registers, wait, rescuer, timeout_ns });
  controller.disable();
  controller.enable(admin.queue.sqIova, admin.queue.cqIova, admin.queue.entries);
  const [indexes, events] = [space.allocate(PAGE_SIZE), space.allocate(PAGE_SIZE)];
  const config: Command = new Uint32Array(16);
  config[0] = ADMIN.DOORBELL_BUFFER_CONFIG;
  config[6] = indexes.iova;
  config[8] = events.iova;
  await admin.requests.execute(config);

  const shadowed = new ShadowedDoorbells(registers, indexes.bytes, events.bytes);
  const memory = space.allocate(queueBytes(DEPTH, PAGE_SIZE));
  const doorbells = shadowed as unknown as Mapping;
  const queue = new QueuePair({
    qid: 1,
    depth: DEPTH,
    maxTransfer_bytes: PAGE_SIZE,
    memory,
    doorbells,
    dstrd: 0,
  });
  await admin.createQueues(queue, -1);

  const ios = runs(5_000, 5_000_000);
  const draw = random(1, 'shadow');
  let done = 0;
  let failed = 0;
  queue.onComplete = (_slot, status) => {
    done++;
    if (status !== 0) failed++;
  };
  let hangsAt = performance.now() + HANGS_MS;
  for (let posted = 0; done < ios; ) {
    for (let more = draw.below(DEPTH) + 1; more > 0 && posted < ios && queue.outstanding < DEPTH; more--) {
      queue.post(NVM.WRITE_ZEROES, 1, draw.below(64) * 8, 8);
      posted++;
    }
    queue.ring();
    if (queue.reap() > 0) hangsAt = performance.now() + HANGS_MS;
    else if (performance.now() > hangsAt) throw new Error(`hangs after ${done} of ${posted} commands`);
  }
  expect(failed).toBe(0);
  expect(shadowed.rung, 'doorbells rung for two indexes per command').toBeLessThan(ios);
  await machine.close();
});
