/**
 * docs/fidelity.md says of every command, feature, log page, structure and register what each personality does: all of them
 * are used through the registers and queues, and the tables compared with what came of it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GENERIC } from '../../nvme/profile.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { QUIRKS } from '../../nvme/quirks.ts';
import { FID } from '../../nvme/spec/features.ts';
import { Bench } from './fidelity/bench.ts';
import { featureVerdict } from './fidelity/feature-probes.ts';
import { commandRows, featureRows, identifyRows, logRows, registerRows } from './fidelity/rows.ts';

const text = readFileSync(join(import.meta.dirname, '../../docs/fidelity.md'), 'utf8');
const PERSONALITIES = [GENERIC, QEMU].map((profile) => ({ ...profile, timing: null }));

/** The cells of the table under a heading, without its head. */
function table(heading: string): string[][] {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

describe('docs/fidelity.md tells what the controllers do: table', () => {
  const benches = PERSONALITIES.map((profile) => new Bench(profile));

  test.each([
    ['Admin commands', (bench: Bench) => commandRows(bench, true)],
    ['I/O commands', (bench: Bench) => commandRows(bench, false)],
    ['Features', featureRows],
    ['Log pages', logRows],
    ['Identify structures', identifyRows],
    ['Registers', registerRows],
  ] as const)('%s', (heading, rows) => {
    const told = table(heading).map((cells) => cells.slice(0, 2 + benches.length).join(' | '));
    const [first, ...others] = benches.map(rows);
    const seen = first!.map((row, index) => [...row, ...others.map((other) => other[index]![2])].join(' | '));
    expect(told).toEqual(seen);
  });

  test('Quirks', () => {
    const rows = Object.entries(QUIRKS).map(([name, { does, section, source }]) => [
      name,
      does,
      section,
      source,
    ]);
    expect(table('Quirks')).toEqual(rows);
  });
});

test('host memory does something for a controller without room for its map, and nothing for `generic`', () => {
  const benchOf = (change: object) => new Bench({ ...PERSONALITIES[0]!, ...change });
  expect(featureVerdict(benchOf({ map: { cachedPages: 1 } }), FID.HOST_MEMORY_BUFFER)).toBe('modelled');
  expect(featureVerdict(benchOf({}), FID.HOST_MEMORY_BUFFER)).toBe('inert');
});
