/** Events that come with Doorbell. Each is something that happens to hardware; the program has to notice by itself. */
import type { Machine } from '../../boards/index.ts';
import { Bridge } from '../../machine/pcie/bridge.ts';
import type { LinkProfile } from '../../machine/timing/link.ts';
import type { NvmeController } from '../../nvme/controller.ts';
import type { ScenarioEvent } from './scenario.ts';

/** Far above what drivers are given. */
const WILD = 0x7000_0000_0000;

/** Anything: `happen` may call what the program gave it. */
export const at = (after_us: number, what: string, happen: (machine: Machine) => void): ScenarioEvent => ({
  after_us,
  what,
  happen,
});

const driveOf = (machine: Machine, drive: number): NvmeController => machine.controllers[drive]!;

/** The port above a drive. */
function portOf({ rootComplex }: Machine, { bus }: NvmeController): Bridge {
  const find = (port: Bridge): Bridge | null => {
    if (port.secondary === bus) return port;
    for (const child of port.children.values()) {
      const found = child instanceof Bridge ? find(child) : null;
      if (found !== null) return found;
    }
    return null;
  };
  for (let devfn = 0; devfn < 256; devfn++) {
    const port = rootComplex.functionAt(0, devfn);
    const found = port instanceof Bridge ? find(port) : null;
    if (found !== null) return found;
  }
  throw new RangeError(`no port leads to bus ${bus}`);
}

/** A block of a namespace can no longer be read, until it is written. */
export const mediaError = (after_us: number, lba: number, nsid = 1, drive = 0): ScenarioEvent =>
  at(after_us, `the medium loses block ${lba} of namespace ${nsid}`, (machine) =>
    driveOf(machine, drive).namespace(nsid)?.setUncorrectable(lba, 1, true),
  );

/** Power fails and comes back: what only a volatile write cache held is gone. */
export const powerCut = (after_us: number, drive = 0): ScenarioEvent =>
  at(after_us, `drive ${drive} loses power`, (machine) => driveOf(machine, drive).powerCut());

/** The firmware loses a command of a queue; it never completes by itself. */
export const stuckCommand = (after_us: number, sqid: number, drive = 0): ScenarioEvent =>
  at(after_us, `drive ${drive} loses a command of queue ${sqid}`, (machine) =>
    driveOf(machine, drive).engine.lose(sqid),
  );

/** The next messages that reach the CPU are lost. */
export const lostInterrupts = (after_us: number, count = 1): ScenarioEvent =>
  at(after_us, `the next ${count} interrupt message${count === 1 ? '' : 's'} are lost`, (machine) =>
    machine.interrupts.lose(count),
  );

/** The link of a drive goes down and comes back with another speed and width. */
export const retrain = (
  after_us: number,
  generation: LinkProfile['generation'],
  lanes: LinkProfile['lanes'],
  down_us = 50,
  drive = 0,
): ScenarioEvent =>
  at(after_us, `the link of drive ${drive} retrains to gen ${generation} x${lanes}`, (machine) =>
    portOf(machine, driveOf(machine, drive)).retrain(generation, lanes, down_us * 1000),
  );

/** Somebody pulls the drive out. */
export const hotRemoval = (after_us: number, drive = 0): ScenarioEvent =>
  at(after_us, `drive ${drive} is pulled out`, (machine) => {
    const controller = driveOf(machine, drive);
    portOf(machine, controller).unplug(controller.devfn);
  });

/** A drive gone wild: writes to so many addresses that nobody has mapped, as fast as they can be sent. */
export const faultStorm = (after_us: number, count: number, drive = 0): ScenarioEvent =>
  at(after_us, `drive ${drive} writes to ${count} addresses that are not mapped`, (machine) => {
    const { dma } = driveOf(machine, drive);
    for (let page = 0; page < count; page++) dma!.write(WILD + page * 4096, machine.rootComplex.scratch, 4);
  });
