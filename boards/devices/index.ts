/** Every device that comes with Doorbell, by name. */
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

/** The device of that name, or undefined. */
export const deviceNamed = (name: string): Device | undefined =>
  DEVICES.find((device) => device.name === name);
