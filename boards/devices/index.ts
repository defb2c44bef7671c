/** Every device that comes with Doorbell, by name. */
import { suggestion } from '../../support/nearest.ts';
import { UserError } from '../../support/user-error.ts';
import type { Device } from './device.ts';
import { kioxiaCm7 } from './kioxia-cm7.ts';
import { nullDevice } from './null.ts';
import { optaneP4800x } from './optane-p4800x.ts';
import { optaneP5800x } from './optane-p5800x.ts';
import { samsung970pro } from './samsung-970pro.ts';
import { samsung990pro } from './samsung-990pro.ts';

export { boardWith } from './board.ts';
export type { Device, Measure, Published } from './device.ts';
export { MEASURES } from './device.ts';

export const DEVICES: readonly Device[] = [
  optaneP4800x,
  optaneP5800x,
  samsung970pro,
  samsung990pro,
  kioxiaCm7,
  nullDevice,
];

/** The device of that name. Throws UserError with the nearest name, or with all. */
export function deviceNamed(name: string): Device {
  const found = DEVICES.find((device) => device.name === name);
  if (found !== undefined) return found;
  const names = DEVICES.map((device) => device.name);
  throw new UserError(
    `no device profile "${name}"${suggestion(name, names) || `; there are ${names.join(', ')}`}`,
  );
}
