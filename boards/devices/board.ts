/** A board for one device, to measure it or to run a scenario on it. */
import type { Board } from '../board.ts';
import { pc } from '../pc.ts';
import type { Device } from './device.ts';

/** `pc` with `device` as its only drive, and a namespace of `size`. */
export function boardWith(device: Device, size = '256m'): Board {
  const { link, controller: profile } = device;
  const drive = { kind: 'nvme', serial: 'CALIBRATE', profile, namespaces: [{ size }] } as const;
  const description = `one root port, ${device.description}`;
  return { ...pc, name: device.name, description, rootPorts: [{ at: '04.0', link, device: drive }] };
}
