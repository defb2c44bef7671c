/** Devices by name, for settings that a user may change. */
import { DEVICES, type Device, deviceNamed } from '../../boards/index.ts';
import { suggestion } from '../../support/nearest.ts';
import { oneOf } from '../../support/shape.ts';
import { UserError } from '../../support/user-error.ts';

/** A setting that names a device profile. */
export const DEVICE = oneOf(...DEVICES.map(({ name }) => name));

/** The device profile of that name. Throws UserError with the nearest one. */
export function device(name: string): Device {
  const found = deviceNamed(name);
  if (found !== undefined) return found;
  const names = DEVICES.map((each) => each.name);
  throw new UserError(
    `no device profile "${name}"${suggestion(name, names) || `; there are ${names.join(', ')}`}`,
  );
}
