/**
 * `doorbell calibrate`: measures the shipped devices and sets each figure beside the published one. Exit status 1 when a
 * published figure is missed by more than TOLERANCE. `doorbell profiles` prints their knobs with where they come from.
 */
import { DEVICES, type Device, deviceNamed, MEASURES, type Measure, pc } from '../../boards/index.ts';
import { HOST_SOURCES } from '../../machine/timing/host.ts';
import { USUAL_POWER } from '../../nvme/condition/profile.ts';
import { parseArguments, parseSeed } from '../arguments.ts';
import type { Output } from '../output.ts';
import { FULL, measure } from './measure.ts';

/** Largest error of a published figure. */
export const TOLERANCE = 0.1;

const ORDER = Object.keys(MEASURES) as Measure[];

/** Measures that say something about a device: small blocks where they were published, the steady state of flash. */
export function measuresOf({ controller, published }: Device): Measure[] {
  const isFlash = controller.timing?.media?.kind === 'nand';
  return ORDER.filter((which) => {
    if (which.includes('-512-')) return published[which] !== undefined;
    return which !== 'write-steady' || isFlash;
  });
}

/** Our figure against the published one as a share, or null when nothing is published. */
export function errorOf(device: Device, which: Measure, value: number): number | null {
  const published = device.published[which];
  return published === undefined ? null : value / published.value - 1;
}

export async function calibrateCommand(argv: readonly string[], output: Output): Promise<number> {
  const { options, rest } = parseArguments('calibrate', argv, ['seed']);
  const seed = parseSeed(options.seed);
  const devices = rest.length === 0 ? DEVICES : rest.map(deviceNamed);
  output.lines([row('profile', 'figure', 'published', 'ours', 'error', 'source of the published figure')]);
  let isMissed = false;
  for (const device of devices) {
    for (const which of measuresOf(device)) {
      const { label, unit } = MEASURES[which];
      const value = await measure(device, which, FULL, seed);
      const error = errorOf(device, which, value);
      if (error !== null && Math.abs(error) > TOLERANCE) isMissed = true;
      const published = device.published[which];
      output.lines([
        row(
          device.name,
          label,
          published === undefined ? '-' : `${figure(published.value)} ${unit}`,
          `${figure(value)} ${unit}`,
          error === null ? '-' : `${error < 0 ? '' : '+'}${(100 * error).toFixed(1)} %`,
          published?.source ?? '',
        ),
      ]);
    }
  }
  return isMissed ? 1 : 0;
}

const figure = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0));

const row = (name: string, label: string, published: string, ours: string, error: string, source: string) =>
  [
    name.padEnd(14),
    label.padEnd(38),
    published.padStart(12),
    ours.padStart(12),
    error.padStart(8),
    ` ${source}`,
  ]
    .join(' ')
    .trimEnd();

export async function profilesCommand(argv: readonly string[], output: Output): Promise<number> {
  const { rest } = parseArguments('profiles', argv, []);
  if (rest.length === 0) {
    output.lines(DEVICES.map(({ name, description }) => `${name.padEnd(14)} ${description}`));
    return 0;
  }
  output.lines(rest.flatMap((name) => describe(deviceNamed(name))));
  return 0;
}

/** Every knob of a device, of its link and of the host in front of it, below the place in a board where they are. */
function describe({ name, description, controller, link, sources }: Device): string[] {
  const { media = null, ...timing } = controller.timing ?? {};
  const { power = USUAL_POWER, map, warningTemperature_K, criticalTemperature_K } = controller;
  return [
    `${name}: ${description}`,
    ...section('controller: profile.timing', timing, sources.controller),
    ...(media === null
      ? ['  media: none']
      : section(`media (${media.kind}): profile.timing.media`, media, sources.media ?? {})),
    ...section('power: profile.power', power, sources.power),
    ...section('temperatures: profile', { warningTemperature_K, criticalTemperature_K }, sources.power),
    ...(map === undefined
      ? ['  map: all of it is in the controller']
      : section('map: profile.map', map, sources.map ?? {})),
    ...section('link: link of the port', link, sources.link),
    ...section('host: host of the board', pc.host, HOST_SOURCES),
  ];
}

function section(title: string, knobs: object, sources: Readonly<Record<string, string>>): string[] {
  const lines = Object.entries(knobs).flatMap(([key, value]: [string, unknown]) => {
    const source = sources[key];
    if (source === undefined) return [];
    if (typeof value !== 'object' || value === null)
      return [`    ${key.padEnd(22)} ${String(value).padStart(14)}  ${source}`];
    return Object.entries(value).map(
      ([inner, number]) => `    ${`${key}.${inner}`.padEnd(34)} ${valueText(number).padStart(16)}  ${source}`,
    );
  });
  return [`  ${title}`, ...lines];
}

/** A value, or those of an object in one line. */
const valueText = (value: unknown): string =>
  typeof value === 'object' && value !== null
    ? Object.entries(value)
        .map(([key, inner]) => `${key}=${String(inner)}`)
        .join(' ')
    : String(value);
