/**
 * Writes the tables of docs/fio.md between their markers: the keys as cli/fio/keys.ts has them, and what becomes of fio's
 * own example jobs. `npm run check:fio-examples -- [FOLDER]`, where FOLDER holds the examples: Debian's package
 * fio-examples, unpacked with dpkg-deb -x. Without it only the keys are written.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pc } from '../../boards/index.ts';
import { main } from '../main.ts';
import { ALIASES, IGNORED_BECAUSE, OPTIONS, UNSUPPORTED } from './keys.ts';

const PAGE = join(import.meta.dirname, '../../docs/fio.md');
const STOP_AFTER = '500ms';
/** For the examples that take their values from the environment. */
const ENVIRONMENT = { FIO_RW: 'randread', FIO_BS: '4k', FIO_IODEPTH: '4' };

/** Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->`. */
function put(page: string, name: string, lines: readonly string[]): string {
  const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const start = page.indexOf(from) + from.length;
  return `${page.slice(0, start)}\n${lines.join('\n')}\n${page.slice(page.indexOf(to))}`;
}

const code = (keys: Iterable<string>): string => [...keys].map((key) => `\`${key}\``).join(' ');

/** The keys in three paragraphs. */
export function keyLines(): string[] {
  const honoured = [...OPTIONS.keys()].filter((key) => ALIASES[key] === undefined);
  const withAliases = honoured.map((key) => {
    const others = Object.keys(ALIASES).filter((alias) => ALIASES[alias] === key);
    return others.length === 0 ? `\`${key}\`` : `\`${key}\` (${code(others)})`;
  });
  return [
    `**Honoured** (other names in brackets): ${withAliases.join(' ')}.`,
    '',
    '**Accepted with a note**, because they change nothing here:',
    '',
    ...IGNORED_BECAUSE.map(({ because, keys }) => `* ${because}: ${code(keys)}`),
    '',
    `**Refused**, because leaving them out would make another job of it: ${code(UNSUPPORTED)}.`,
  ];
}

/** Boards to try one after the other: with a namespace of 16 GiB in an image, with zones, with 4 TiB in an image. */
interface ExampleBoards {
  readonly plain: string;
  readonly zoned: string;
  readonly large: string;
}

/** What a file that does not run as it is may need, by what is said of it: an option of its own usage, or another board. */
function anotherWay(
  sentence: string,
  text: string,
  boards: ExampleBoards,
): [what: string, ...options: string[]] | null {
  if (/there is no directory|is neither a namespace/.test(sentence))
    return ['with --in-memory', '--in-memory'];
  if (/has no zones$/.test(sentence)) return ['on a zoned namespace', '--board', boards.zoned];
  if (/ends at 17179869184$/.test(sentence)) return ['on a namespace of 4 TiB', '--board', boards.large];
  const section = /--section=\w+/.exec(text)?.[0];
  return section === undefined ? null : [`with ${section}, as it says itself`, section];
}

/** Names of the jobs of a JSON report that ended with an error. */
function failedJobs(report: string): string {
  const { jobs } = JSON.parse(report) as { jobs: readonly { jobname: string; error: number }[] };
  const failed = jobs.filter(({ error }) => error !== 0).map(({ jobname }) => jobname);
  return [...new Set(failed)].join(', ');
}

/** Runs one example; returns what became of it. `tried` are the ways to run it so far. */
export async function outcome(
  path: string,
  boards: ExampleBoards,
  more: readonly string[] = [],
  tried: readonly string[] = [],
): Promise<string> {
  const errors: string[] = [];
  const error = (line: string) => void errors.push(line);
  const report: string[] = [];
  const lines = (printed: readonly string[]) => void report.push(...printed);
  const quiet = { isTerminal: false, lines, status: () => {}, error };
  const board = more.includes('--board') ? [] : ['--board', boards.plain];
  const options = [...board, '--stop-after', STOP_AFTER, '--output-format', 'json', ...more];
  const status = await main(['fio', path, ...options], quiet);
  const [last = '', ...others] = (errors.at(-1) ?? '').split('\n');
  const how = tried.map((each) => `, ${each}`).join('');
  if (status === 0)
    return `${last.startsWith('note: stopped') ? `runs (stopped after ${STOP_AFTER})` : 'runs to its end'}${how}`;
  if (status === 1 && !last.startsWith('doorbell: '))
    return `runs to its end${how}; errors in ${failedJobs(report.join('\n'))}`;
  const [what, ...way] = anotherWay(last, readFileSync(path, 'utf8'), boards) ?? [];
  if (what !== undefined && !tried.includes(what)) {
    const again = await outcome(path, boards, [...more, ...way], [...tried, what]);
    if (again.startsWith('runs') || tried.length > 0) return again;
  }
  const sentence = last.replace('doorbell: ', '').replace(`${path}:`, 'line ').replaceAll('|', '\\|');
  const further = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return status === 2 ? `refused: ${sentence}${further}` : `a job failed: ${sentence}`;
}

async function exampleLines(folder: string): Promise<string[]> {
  const [port] = pc.rootPorts;
  const scratch = mkdtempSync(join(tmpdir(), 'doorbell-examples-'));
  const namespaces = [{ size: '16g', image: join(scratch, 'nvme0n1.img') }];
  process.chdir(scratch);
  Object.assign(process.env, ENVIRONMENT);
  try {
    const write = (name: string, drive: readonly object[]): string => {
      const path = join(scratch, `${name}.json`);
      const device = { ...port!.device!, namespaces: drive };
      writeFileSync(path, JSON.stringify({ ...pc, name, media: '3g', rootPorts: [{ ...port, device }] }));
      return path;
    };
    const zones = { zone: '64m', capacity: '48m', maxOpen: 32, maxActive: 32 };
    const boards = {
      plain: write('examples', namespaces),
      zoned: write('zoned', [{ size: '4g', zones }]),
      large: write('large', [{ size: '4t', image: join(scratch, 'large.img') }]),
    };
    const rows: string[] = [];
    for (const name of readdirSync(folder)
      .filter((each) => each.endsWith('.fio'))
      .sort()) {
      rows.push(`| ${basename(name)} | ${await outcome(join(folder, name), boards)} |`);
    }
    const ran = rows.filter((row) => row.includes('| runs')).length;
    const date = new Date().toISOString().slice(0, 10);
    return [
      `${ran} of ${rows.length} run, unchanged (written on ${date} from Debian's fio-examples 3.33-3).`,
      '',
      '| job file | what becomes of it |',
      '| --- | --- |',
      ...rows,
    ];
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

if (resolve(process.argv[1] ?? '') === import.meta.filename) {
  const [folder] = process.argv.slice(2);
  let page = put(readFileSync(PAGE, 'utf8'), 'keys', keyLines());
  if (folder !== undefined) page = put(page, 'examples', await exampleLines(resolve(folder)));
  writeFileSync(PAGE, page);
}
