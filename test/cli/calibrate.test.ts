/** Devices do what was published about them, with one set of knobs each; every knob has a source. */
import { describe, expect, test } from 'vitest';
import { boardWith, boot, DEVICES, type Device, type Measure } from '../../boards/index.ts';
import { errorOf, measuresOf, TOLERANCE } from '../../cli/calibrate/command.ts';
import { measure, SHORT } from '../../cli/calibrate/measure.ts';
import { doorbell } from './doorbell.ts';

const figures = new Map<string, Promise<number>>();
/** A figure of a device, measured once. */
function figureOf(device: Device, which: Measure): Promise<number> {
  const name = `${device.name} ${which}`;
  const figure = figures.get(name) ?? measure(device, which, SHORT, 1);
  figures.set(name, figure);
  return figure;
}

describe.each(DEVICES)('$name', (device) => {
  const published = measuresOf(device).filter((which) => device.published[which] !== undefined);

  test.each(published)('%s is within 10 % of what was published', async (which: Measure) => {
    const error = errorOf(device, which, await figureOf(device, which))!;
    expect(Math.abs(error)).toBeLessThanOrEqual(TOLERANCE);
  });

  test('has a source for every knob, and makes a board', async () => {
    const { out, status } = await doorbell('profiles', device.name);
    const { timing, power, map } = device.controller;
    const parts = [timing, timing!.media, device.link, power, map].flatMap((part) => Object.keys(part ?? {}));
    const knobs = [...parts, 'warningTemperature_K', 'criticalTemperature_K'];
    for (const knob of knobs.filter((key) => key !== 'media' && key !== 'kind'))
      expect(out).toMatch(new RegExp(`^ +${knob}[ .].* \\S+  \\S.*$`, 'm'));
    for (const place of [
      'profile.timing',
      'profile.power',
      'profile',
      'link of the port',
      'host of the board',
    ])
      expect(out).toMatch(new RegExp(`^  [a-z]+: ${place}$`, 'm'));
    expect(status).toBe(0);
    expect(boot(boardWith(device)).controllers).toHaveLength(1);
  });
});

test('the steady state of flash is below its fresh state', async () => {
  const device = DEVICES.find(({ name }) => name === 'kioxia-cm7')!;
  const fresh = await figureOf(device, 'write-saturated');
  const steady = await figureOf(device, 'write-steady');
  expect(fresh / steady).toBeGreaterThan(3);
});

test('the command prints a row for each figure of a device', async () => {
  const { status, out } = await doorbell('calibrate', 'null');
  expect(status).toBe(0);
  expect(out.split('\n')).toHaveLength(1 + measuresOf(DEVICES.find(({ name }) => name === 'null')!).length);
  expect(out).toMatch(
    /^null +4 KiB random read, QD1, mean +1\.9 us +1\.\d us +[-+]\d\.\d % +sum of the hops/m,
  );
});

test('a list of all, and the nearest name', async () => {
  expect((await doorbell('profiles')).out.split('\n')).toHaveLength(DEVICES.length);
  expect(await doorbell('profiles', '990por')).toMatchObject({
    status: 2,
    err: 'doorbell: no device profile "990por"; did you mean "990pro"?',
  });
  expect((await doorbell('calibrate', 'x')).err).toMatch(
    /^doorbell: no device profile "x"; there are optane-/,
  );
});
