/** Events that come with Doorbell. Each is something that happens to hardware; the program has to notice by itself. */
import type { Machine } from '../../boards/index.ts';
import { Bridge } from '../../machine/pcie/bridge.ts';
import type { LinkProfile } from '../../machine/timing/link.ts';
import type { NvmeController } from '../../nvme/controller.ts';
import type { Namespace } from '../../nvme/namespace.ts';
import { atLeast, oneOf, type Shape, whole } from '../../support/shape.ts';
import { UserError } from '../../support/user-error.ts';
import type { ScenarioEvent } from './scenario.ts';

/** Far above what drivers are given. */
const WILD = 0x7000_0000_0000;

/** Anything: `happen` may call what the program gave it. */
export const at = (after_us: number, what: string, happen: (machine: Machine) => void): ScenarioEvent => ({
  after_us,
  what,
  happen,
});

const TIME = atLeast(0, 'a number of microseconds, zero or more');
const COUNT = whole(0, Number.MAX_SAFE_INTEGER);
const TAKES: Readonly<Record<string, Shape>> = {
  after_us: TIME,
  down_us: TIME,
  generation: oneOf(1, 2, 3, 4, 5),
  lanes: oneOf(1, 2, 4, 8, 16),
};

interface Arguments extends Readonly<Record<string, unknown>> {
  readonly after_us: number;
  readonly drive?: number;
}

/**
 * An event of the name `event` whose arguments are fit. Throws UserError for the first that is not. What is found when
 * the machine is known, by `check` or when it happens, is told with the place where the event was made.
 */
function checked(
  event: string,
  values: Arguments,
  what: string,
  happen: (machine: Machine) => void,
  check = (machine: Machine): unknown => values.drive === undefined || driveOf(machine, values.drive),
): ScenarioEvent {
  for (const [key, value] of Object.entries(values)) {
    const [wrong] = (TAKES[key] ?? COUNT)(value, key);
    if (wrong !== undefined) throw new UserError(`${event}: ${key} ${wrong.problem}`);
  }
  const { stack } = new Error(event);
  const placed = (act: (machine: Machine) => unknown) => (machine: Machine) => {
    try {
      act(machine);
    } catch (error) {
      if (error instanceof UserError && stack !== undefined) error.stack = stack;
      throw error;
    }
  };
  return { ...at(values.after_us, what, placed(happen)), check: placed(check) };
}

function driveOf({ controllers, board }: Machine, drive: number): NvmeController {
  const found = controllers[drive];
  if (found === undefined)
    throw new UserError(`no drive ${drive} on board ${board.name}; it has ${controllers.length}, from 0`);
  return found;
}

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

function namespaceOf(machine: Machine, drive: number, nsid: number, lba: number): Namespace {
  const namespace = driveOf(machine, drive).namespace(nsid);
  if (namespace === undefined || lba >= namespace.blocks)
    throw new UserError(`mediaError: drive ${drive} has no block ${lba} in a namespace ${nsid}`);
  return namespace;
}

/** A block of a namespace can no longer be read, until it is written. */
export const mediaError = (after_us: number, lba: number, nsid = 1, drive = 0): ScenarioEvent =>
  checked(
    'mediaError',
    { after_us, lba, nsid, drive },
    `the medium loses block ${lba} of namespace ${nsid}`,
    (machine) => namespaceOf(machine, drive, nsid, lba).setUncorrectable(lba, 1, true),
    (machine) => namespaceOf(machine, drive, nsid, lba),
  );

/** Power fails and comes back: what only a volatile write cache held is gone. */
export const powerCut = (after_us: number, drive = 0): ScenarioEvent =>
  checked('powerCut', { after_us, drive }, `drive ${drive} loses power`, (machine) =>
    driveOf(machine, drive).powerCut(),
  );

/** The firmware loses a command of a queue; it never completes by itself. */
export const stuckCommand = (after_us: number, sqid: number, drive = 0): ScenarioEvent =>
  checked(
    'stuckCommand',
    { after_us, sqid, drive },
    `drive ${drive} loses a command of queue ${sqid}`,
    (machine) => driveOf(machine, drive).engine.lose(sqid),
  );

/** The firmware hangs: it fetches nothing and completes nothing, admin commands included, until a reset. */
export const hungFirmware = (after_us: number, drive = 0): ScenarioEvent =>
  checked('hungFirmware', { after_us, drive }, `the firmware of drive ${drive} hangs`, (machine) => {
    driveOf(machine, drive).engine.running = false;
  });

/** The next messages that reach the CPU are lost. */
export const lostInterrupts = (after_us: number, count = 1): ScenarioEvent =>
  checked(
    'lostInterrupts',
    { after_us, count },
    count === 1 ? 'the next interrupt message is lost' : `the next ${count} interrupt messages are lost`,
    (machine) => machine.interrupts.lose(count),
  );

/** The link of a drive goes down and comes back with another speed and width. */
export const retrain = (
  after_us: number,
  generation: LinkProfile['generation'],
  lanes: LinkProfile['lanes'],
  down_us = 50,
  drive = 0,
): ScenarioEvent =>
  checked(
    'retrain',
    { after_us, generation, lanes, down_us, drive },
    `the link of drive ${drive} retrains to gen ${generation} x${lanes}`,
    (machine) => portOf(machine, driveOf(machine, drive)).retrain(generation, lanes, down_us * 1000),
  );

/** Somebody pulls the drive out: it answers no more, and the kernel takes it away and asks its users to let go (REQ). */
export const hotRemoval = (after_us: number, drive = 0): ScenarioEvent =>
  checked('hotRemoval', { after_us, drive }, `drive ${drive} is pulled out`, (machine) => {
    const controller = driveOf(machine, drive);
    portOf(machine, controller).unplug(controller.devfn);
    const { inventory } = machine.kernel;
    const device = inventory.vfio.find(({ pci }) => pci.bdf === controller.bdf);
    if (device !== undefined) void machine.kernel.removeDevice(device.pci.name);
  });

/** Whether another controller of the drive is in its slot, so that the drive has power. */
const hasPower = (machine: Machine, controller: NvmeController): boolean =>
  machine.controllers.some(
    (other) =>
      other !== controller &&
      other.subsystem === controller.subsystem &&
      portOf(machine, other).children.has(other.devfn),
  );

/**
 * The drive that was pulled out is put back into its slot, with its data: it starts from power on, or from a conventional
 * reset where another controller of it has kept its slot (`joins`). The kernel, once the last user of the old one has let
 * go, gives it addresses, a driver and a node again.
 */
export const hotAdd = (after_us: number, drive = 0): ScenarioEvent =>
  checked('hotAdd', { after_us, drive }, `drive ${drive} is put back`, (machine) => {
    const controller = driveOf(machine, drive);
    const port = portOf(machine, controller);
    if (port.children.has(controller.devfn)) throw new UserError(`hotAdd: drive ${drive} is in its slot`);
    if (hasPower(machine, controller)) controller.reset();
    else controller.powerCut();
    port.plug(controller.devfn, controller);
    const slot = controller.bdf.toString(16).padStart(4, '0');
    void machine.kernel.addDevice(`0000:${slot.slice(0, 2)}:00.${controller.devfn & 7}`);
  });

/** A drive gone wild: writes to so many addresses that nobody has mapped, as fast as they can be sent. */
export const faultStorm = (after_us: number, count: number, drive = 0): ScenarioEvent =>
  checked(
    'faultStorm',
    { after_us, count, drive },
    `drive ${drive} writes to ${count} addresses that are not mapped`,
    (machine) => {
      const { dma } = driveOf(machine, drive);
      for (let page = 0; page < count; page++) dma!.write(WILD + page * 4096, machine.rootComplex.scratch, 4);
    },
  );
