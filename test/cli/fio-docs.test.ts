/** docs/fio.md names every key, and what it says of them is what cli/fio/keys.ts does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keyLines } from '../../cli/fio/tables.ts';

test('the keys of docs/fio.md are those of the engine', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/fio.md'), 'utf8');
  const table = page.slice(page.indexOf('<!-- keys -->') + 14, page.indexOf('<!-- /keys -->') - 1);
  expect(table).toBe(keyLines().join('\n'));
});
