/** docs/fio.md names every key, and what it says of them is what cli/fio/keys.ts does. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { keyLines, outcome } from '../../cli/fio/tables.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/fio.md'), 'utf8');

/** What docs/fio.md has between two markers. */
function between(name: string): string {
  const from = `<!-- ${name} -->\n`;
  return page.slice(page.indexOf(from) + from.length, page.indexOf(`\n<!-- /${name} -->`));
}

test('the keys of docs/fio.md are those of the engine', () => {
  expect(between('keys')).toBe(keyLines().join('\n'));
});

describe('the table of fio examples', () => {
  const rows = [...between('examples').matchAll(/^\| (\S+\.fio) \| (.*) \|$/gm)].map(([, job, what]) => [
    job!,
    what!,
  ]);
  /** Without how many more mistakes the file has. */
  const told = (what: string) => what.replaceAll('\\|', '|').replace(/ \(and \d+ more\)$/, '');

  test('counts its rows', () => {
    const ran = rows.filter(([, what]) => what!.startsWith('runs')).length;
    expect(between('examples')).toContain(`${ran} of ${rows.length} run, unchanged`);
  });

  test('says of a file with several mistakes the first, and how many more there are', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'doorbell-docs-'));
    const path = join(folder, 'x.fio');
    const said = (text: string) => {
      writeFileSync(path, text);
      return outcome(path, { plain: 'pc', zoned: 'pc', large: 'pc' });
    };
    try {
      expect(await said('[a]\nrw=raed\n')).toMatch(/^refused: line 2: rw=raed: [^(]*$/);
      expect(await said('[a]\nrw=raed\nsize=x\n[b]\nnonsense=1\n')).toMatch(
        /^refused: line 2: rw=raed: .* \(and 2 more\)$/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  // Where a key or its value is why an example does not run, a job with nothing else is refused in the same words.
  test('says of keys what the engine says', () => {
    const refused = rows.flatMap(([, what]) => {
      const [, setting, sentence] = /^refused: line \d+: ([\w-]+=\S+): (.*)$/.exec(told(what!)) ?? [];
      const [, unknown] = /^refused: line \d+: unknown key "(\w+)"/.exec(what!) ?? [];
      const [, unsupported] = /^refused: line \d+: (\w+) is a key of fio/.exec(what!) ?? [];
      if (setting !== undefined) return [[setting, sentence!]];
      if (unknown !== undefined) return [[`${unknown}=1`, `unknown key "${unknown}"`]];
      return unsupported === undefined ? [] : [[`${unsupported}=1`, `${unsupported} is a key of fio`]];
    });
    expect(refused.length).toBeGreaterThan(30);
    for (const [setting, sentence] of refused)
      expect(() => parseJobFile(`[job]\n${setting}\n`, 'job.fio')).toThrow(sentence);
  });
});
