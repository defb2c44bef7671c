/** Every recorded case of the VFIO cdev, vfio-pci and iommufd, on the machine of the recordings. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Case } from './conformance/cases.ts';
import { differenceText, runCase } from './conformance/runner.ts';
import { toyMachine } from './toy-machine.ts';

const FOLDER = new URL('./conformance/cases/', import.meta.url);

describe.each(readdirSync(FOLDER).sort())('%s', (file) => {
  const cases = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Case[];
  const { kernel } = toyMachine({ ramBytes: 128 * 1024 ** 2 });
  test.each(cases.map((found) => [found.name, found] as const))('%s', async (_, found) => {
    const difference = await runCase(kernel, found);
    expect(difference === null ? null : differenceText(difference)).toBe(null);
  });
});

describe('the runner', () => {
  const open = { do: 'open', fd: 'dev', path: '/dev/vfio/devices/vfio0', ret: 0 } as const;
  test('names the first step whose answer differs', async () => {
    const found: Case = { name: 'flipped', why: '', steps: [open, { do: 'close', fd: 'dev', ret: -9 }] };
    expect(await runCase(toyMachine().kernel, found)).toEqual({
      name: 'flipped',
      step: 1,
      call: 'close dev',
      field: 'ret',
      expected: -9,
      got: 0,
    });
  });

  test('compares nothing of a step that varies', async () => {
    const found: Case = { name: 'vary', why: '', steps: [{ ...open, path: '/dev/none', vary: true }] };
    expect(await runCase(toyMachine().kernel, found)).toBe(null);
  });
});
