/** Every recorded case of a real kernel, on the machine of the recordings, through the public boundary. */
import { describe, expect, test } from 'vitest';
import { boot, conformance } from '../../boards/index.ts';
import type { Case } from '../../cli/conformance/cases.ts';
import { readCaseFiles } from '../../cli/conformance/files.ts';
import { differenceText, runCase } from '../../cli/conformance/runner.ts';

const machine = () => boot(conformance, { pace: 'functional' }).kernel;

/** The given recordings, and those that this project made itself. */
const FOLDERS = ['./conformance/cases/', './conformance/lab/'];
const files = FOLDERS.flatMap((folder) => readCaseFiles(new URL(folder, import.meta.url).pathname));

describe.each(files)('$name', ({ cases }) => {
  // One machine for a file: what one case writes to a namespace, the next ones read.
  const kernel = machine();
  test.each(cases.map((found) => [found.name, found] as const))('%s', async (_, found) => {
    const difference = await runCase(kernel, found);
    expect(difference === null ? null : differenceText(difference)).toBe(null);
  });
});

describe('the runner', () => {
  const open = { do: 'open', fd: 'dev', path: '/dev/vfio/devices/vfio0', ret: 0 } as const;
  test('names the first step whose answer differs', async () => {
    const found: Case = { name: 'flipped', why: '', steps: [open, { do: 'close', fd: 'dev', ret: -9 }] };
    expect(await runCase(machine(), found)).toEqual({
      name: 'flipped',
      step: 1,
      call: 'close dev',
      field: 'ret',
      expected: -9,
      got: 0,
    });
  });

  test('goes on behind a difference, so that the next case finds the device as it was recorded', async () => {
    const kernel = machine();
    const path = '/dev/vfio/devices/vfio0';
    const steps = [
      { ...open, ret: -2 },
      { do: 'open', fd: 'two', path, ret: -2 },
    ] as const;
    const opened: string[] = [];
    kernel.onCall = (name) => opened.push(name);
    expect((await runCase(kernel, { name: 'two', why: '', steps }))?.step).toBe(0);
    expect(opened.filter((name) => name === 'open')).toHaveLength(2);
  });

  test('compares nothing of a step that varies', async () => {
    const found: Case = { name: 'vary', why: '', steps: [{ ...open, path: '/dev/none', vary: true }] };
    expect(await runCase(machine(), found)).toBe(null);
  });
});
