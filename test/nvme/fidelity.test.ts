/** docs/fidelity.md says of every command, feature, log page, structure and register what the controller does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { GENERIC } from '../../nvme/profile.ts';
import { QUIRKS } from '../../nvme/quirks.ts';
import { commandRows, featureRows, identifyRows, isSilent, logRows, REGISTERS } from './fidelity.ts';
import { FUNCTIONAL } from './harness.ts';

const text = readFileSync(join(import.meta.dirname, '../../docs/fidelity.md'), 'utf8');

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

describe('docs/fidelity.md tells what the controller does: table', () => {
  test.each([
    ['Admin commands', (profile: typeof GENERIC) => commandRows(profile, true)],
    ['I/O commands', (profile: typeof GENERIC) => commandRows(profile, false)],
    ['Features', featureRows],
    ['Log pages', logRows],
    ['Identify structures', identifyRows],
  ] as const)('%s', (heading, rows) => {
    const told = table(heading).map((cells) => cells.slice(0, 3).join(' | '));
    expect(told).toEqual(rows(FUNCTIONAL).map((row) => row.join(' | ')));
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

  test('Registers: each has a row, and what is absent reads 0 and takes nothing', () => {
    const rows = table('Registers');
    expect(rows.map(([, name]) => name)).toEqual(REGISTERS.map(([name]) => name));
    for (const [index, [name, offset]] of REGISTERS.entries()) {
      const verdict = rows[index]![2];
      expect(['modelled', 'absent']).toContain(verdict);
      if (verdict === 'absent') expect([name, isSilent(FUNCTIONAL, offset)]).toEqual([name, true]);
    }
  });
});
