/**
 * Which page table a device gets: the one that is named, or for an IOAS the first automatic one that takes the device,
 * or a new one. An attached device is moved; when that fails it stays where it was (linux-abi §4.9).
 * Not here: the groups and the hardware (device.ts).
 */
import { EINVAL, ENOENT } from '../uapi/errno.ts';
import type { BoundDevice } from './device.ts';
import { Hwpt } from './hwpt.ts';
import { Ioas } from './ioas.ts';
import type { ContextState } from './state.ts';

/** Attaches `device` to the IOAS or page table `ptId`. Returns the id of the page table, or a negative errno. */
export function attachTo(state: ContextState, device: BoundDevice, ptId: number): number {
  const target = state.objects.get(ptId);
  if (target === undefined) return -ENOENT;
  if (target instanceof Ioas) return attachAutomatic(state, device, target);
  if (!(target instanceof Hwpt)) return -EINVAL;
  const result = use(device, target);
  return result < 0 ? result : target.id;
}

function attachAutomatic(state: ContextState, device: BoundDevice, ioas: Ioas): number {
  for (const table of ioas.tables) {
    if (!(table instanceof Hwpt) || !table.automatic) continue;
    const result = use(device, table);
    if (result !== -EINVAL) return result < 0 ? result : table.id;
  }
  const hwpt = Hwpt.create(state, ioas, true);
  if (typeof hwpt === 'number') return hwpt;
  const result = device.attached ? fillAndReplace(device, hwpt) : attachAndFill(device, hwpt);
  if (result === 0) return hwpt.id;
  state.objects.remove(hwpt);
  return result;
}

const use = (device: BoundDevice, hwpt: Hwpt): number =>
  device.attached ? device.group.replace(hwpt) : device.group.attach(device, hwpt);

/** A device in use must find everything mapped when it arrives. */
function fillAndReplace(device: BoundDevice, hwpt: Hwpt): number {
  const filled = hwpt.fill();
  return filled < 0 ? filled : device.group.replace(hwpt);
}

/** A first attachment reserves the device's ranges before the mappings are looked at. */
function attachAndFill(device: BoundDevice, hwpt: Hwpt): number {
  const attached = device.group.attach(device, hwpt);
  if (attached < 0) return attached;
  const filled = hwpt.fill();
  if (filled < 0) device.group.detach(device);
  return filled;
}
