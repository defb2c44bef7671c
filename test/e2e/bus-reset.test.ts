/** Case T15: the port above a drive resets its secondary bus while the drive reads (PCIe Base §6.6.1, §7.5.1.3.13). */
import { expect, test } from 'vitest';
import { BRIDGE, BRIDGE_CONTROL, CONFIG } from '../../machine/pcie/spec.ts';
import { NVM } from '../../nvme/spec/commands.ts';
import { start } from './rig.ts';

const ROOT_PORT = 0x20;

test.each([[500], [3000], [12_000]])(
  'T15 %i ns after the doorbell: no completion, no data, registers as after power on',
  async (after_ns) => {
    const { machine, driver } = await start({ pace: 'timed', interrupts: false });
    const queue = await driver.createQueuePair({ depth: 32 });
    const buffer = driver.allocate(32 * 4096);
    const bytes = () => [...buffer.bytes];
    let completed = 0;
    queue.onComplete = () => completed++;
    buffer.bytes.fill(0xee);
    for (let slot = 0; slot < 31; slot++) {
      queue.prepare(slot, buffer.iova + slot * 4096, 4096);
      queue.post(NVM.READ, 1, slot * 8, 8);
    }
    queue.ring();
    machine.clock.advance(after_ns);
    const { rootComplex, clock } = machine;
    const control = (BUS_RESET: number) =>
      rootComplex.configWrite(0, ROOT_PORT, BRIDGE.CONTROL, 2, BRIDGE_CONTROL.encode({ BUS_RESET }));
    control(1);
    expect(rootComplex.configRead(1, 0, CONFIG.VENDOR, 2)).toBe(0xffff);
    const data = bytes();
    while (clock.step());
    control(0);
    expect(bytes()).toEqual(data);
    expect([
      rootComplex.configRead(1, 0, CONFIG.COMMAND, 2),
      rootComplex.configRead(1, 0, CONFIG.BAR0, 4),
    ]).toEqual([0, 4]);
    queue.reap();
    expect(completed).toBeLessThan(31);
    expect(machine.controllers[0]!.engine.running).toBe(false);
  },
);
