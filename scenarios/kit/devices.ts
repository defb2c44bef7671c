/** Devices by name, for settings that a user may change. */
import { DEVICES, type Device, deviceNamed } from '../../boards/index.ts';
import { oneOf } from '../../support/shape.ts';

/** A setting that names a device profile. */
export const DEVICE = oneOf(...DEVICES.map(({ name }) => name));

/** The device profile of that name. Throws UserError with the nearest one. */
export const device: (name: string) => Device = deviceNamed;
