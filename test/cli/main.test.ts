/** The command line: verbs, help, and one sentence with an exit status for every mistake. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { DEVICES, pc } from '../../boards/index.ts';
import { BOARDS, findBoard } from '../../cli/board-option.ts';
import { PAGES } from '../../cli/help.ts';
import { nearest } from '../../support/nearest.ts';
import { doorbell } from './doorbell.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const job = file('job.fio', '[a]\nrw=read\nsize=64k\n');

describe('help', () => {
  test.each([[[]], [['help']], [['--help']]])('%j lists every verb', async (argv) => {
    const { status, out } = await doorbell(...argv);
    expect(status).toBe(0);
    for (const verb of Object.keys(PAGES)) expect(out).toContain(`  ${verb} `);
  });

  test.each(Object.keys(PAGES))('%s has a page, by either way to ask', async (verb) => {
    const page = await doorbell('help', verb);
    expect(page).toMatchObject({ status: 0, err: '' });
    expect(page.out).toContain(`doorbell ${verb}`);
    expect(await doorbell(verb, '--help')).toEqual(page);
  });
});

test('Ctrl-C ends the jobs of fio with their report and its exit status', async () => {
  const endless = file('endless.fio', '[a]\nrw=randread\nruntime=1h\ntime_based\n');
  const before = process.listenerCount('SIGINT');
  const press = setInterval(
    () => process.listenerCount('SIGINT') > before && process.emit('SIGINT', 'SIGINT'),
    20,
  );
  const { status, out, err } = await doorbell('fio', endless);
  clearInterval(press);
  expect([status, err.trim()]).toEqual([128, 'fio: terminating on signal 2']);
  expect(out).toMatch(/read: IOPS=\d/);
  expect(process.listenerCount('SIGINT')).toBe(before);
});

test("help boards shows a board of one's own that boots, and names every key of one", async () => {
  const { out } = await doorbell('help', 'boards');
  const program = out.slice(out.indexOf('import '), out.indexOf('or this as mine.json'));
  const boards = pathToFileURL(join(import.meta.dirname, '../../boards/index.ts')).href;
  const path = file('mine.mjs', program.replace("'doorbell/boards'", `'${boards}'`));
  expect((await doorbell('boards', path)).out).toContain('nvme0n2: 1g in memory, drive MINE0 (');
  const json = out.slice(out.indexOf('{\n  "name"'), out.indexOf('and say --board'));
  expect((await doorbell('boards', file('help.json', json))).out).toContain(
    '64m in memory, drive MINE0 (QEMU',
  );
  for (const key of [...Object.keys(pc), 'mmioBase'])
    expect(out).toMatch(new RegExp(`^  .*\\b${key}\\b`, 'm'));
});

test('a board that names no device ends with the line and the nearest name', async () => {
  const boards = pathToFileURL(join(import.meta.dirname, '../../boards/index.ts')).href;
  const path = file(
    'named.mjs',
    `import { boardWith, deviceNamed } from '${boards}';\n\nexport default boardWith(deviceNamed('990por'));\n`,
  );
  expect(await doorbell('boards', path)).toMatchObject({
    status: 2,
    err: expect.stringMatching(/named\.mjs:3: no device profile "990por"; did you mean "990pro"\?$/),
  });
});

describe('mistakes', () => {
  const broken = file('broken.json', '{\n  "name": "x"\n');
  const cut = file('cut.json', '{"name": 3,');
  const trailing = file('trailing.json', '{"name": 3,}');
  const comma = file('comma.json', '{\n  "name": "x"\n  "ram": "1g"\n}');
  const empty = file('empty.json', JSON.stringify({ ...pc, description: undefined }));
  const blank = file('blank.json', '');
  const nothing = file('nothing.json', '{"a": 1}');
  const { ram, ...rest } = pc;
  const misspelt = file('misspelt.json', JSON.stringify({ rma: ram, ...rest }, null, 1));
  const lacking = file('lacking.json', JSON.stringify(rest));
  const [port] = pc.rootPorts;
  const sata = { ...pc, rootPorts: [{ ...port, device: { ...port!.device, kind: 'sata' } }] };
  const strange = file('sata.json', JSON.stringify(sata, null, 1));
  const small = { ...pc, rootPorts: [{ ...port, device: { ...port!.device, profile: { base: 'qemu' } } }] };
  const qemu = file('qemu.json', JSON.stringify(small));
  const impossible = file('impossible.json', JSON.stringify({ ...pc, name: 'mine', ram: '1k' }, null, 1));
  const lineOf = (path: string, text: string): number =>
    readFileSync(path, 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(text)) + 1;
  test('a drive that cannot be opened is told once', async () => {
    const { err } = await doorbell('fio', job, '--timeout', '1us');
    expect(err).toMatch(/^doorbell: 0000:01:00\.0: Identify .* did not complete within 0\.001 ms; .*$/);
  });

  test.each([
    [['lspcy'], 'doorbell: unknown verb "lspcy"; did you mean "lspci"?'],
    [['constructor'], `doorbell: unknown verb "constructor"; there are ${Object.keys(PAGES).join(', ')}`],
    [['help', 'bords'], 'doorbell: unknown verb "bords"; did you mean "boards"?'],
    [['fio'], 'doorbell: fio: give one job file: doorbell fio JOB.fio'],
    [['fio', job, job], 'doorbell: fio: give one job file: doorbell fio JOB.fio'],
    [['fio', job, '--sed', '1'], 'doorbell: fio: unknown option "--sed"; did you mean "--seed"?'],
    [
      ['fio', job, '--qqqqqq'],
      'doorbell: fio: unknown option "--qqqqqq"; it takes --board --pace --workers --seed --output',
    ],
    [['fio', job, '--seed'], 'doorbell: fio: --seed needs a value'],
    [['fio', job, '--hostMemroy'], 'unknown option "--hostMemroy"; did you mean "--hostMemory"?'],
    [['fio', job, '--timeout', '0'], 'doorbell: --timeout 0: it takes a time such as 10, 500ms or 2m'],
    [
      ['fio', job, '--hostMemory', `--board=${qemu}`],
      'doorbell: --hostMemory: nvme0 of board pc (QEMU NVMe Ctrl) does not offer it: its rootPorts[0].device.profile.admin.hostMemory is null',
    ],
    [['fio', job, '--seed=x'], 'doorbell: --seed x: a seed is a whole number below 2^53'],
    [
      ['fio', job, '--pace=threaded', '--workers=eahc'],
      'doorbell: --workers eahc: it is shared or each; did you mean "each"?',
    ],
    [['fio', job, '--workers=each'], 'doorbell: --workers each: only --pace threaded has hardware threads'],
    [['fio', job, '--pace=fast'], 'doorbell: --pace fast: it is timed, functional or threaded'],
    [
      ['fio', job, '--pace=timd'],
      'doorbell: --pace timd: it is timed, functional or threaded; did you mean "timed"?',
    ],
    [
      ['fio', job, '--board=workstaton'],
      'doorbell: --board workstaton: neither a board (pc, workstation, zns, optane-p4800x, optane-p5800x, 970pro, 990pro, kioxia-cm7, null) nor a file; did you mean "workstation"?',
    ],
    [
      ['fio', job, `--board=${broken}`],
      `doorbell: --board ${broken}:2: the file ends here, before all that it began is closed`,
    ],
    [
      ['fio', job, `--board=${cut}`],
      `doorbell: --board ${cut}:1: the file ends here, before all that it began is closed`,
    ],
    [['fio', job, `--board=${trailing}`], `doorbell: --board ${trailing}:1: Unexpected token RBrace found`],
    [['fio', job, `--board=${comma}`], `doorbell: --board ${comma}:3: Unexpected token String found`],
    [['fio', job, `--board=${empty}`], `doorbell: --board ${empty}:1: description: is missing`],
    [
      ['fio', job, `--board=${nothing}`],
      `doorbell: --board ${nothing}: no board in it; a board has name, description, ram, media, host, iommu, rootPorts`,
    ],
    [
      ['lspci', `--board=${misspelt}`],
      `doorbell: --board ${misspelt}:2: rma: is not a key here; did you mean "ram"?`,
    ],
    [['lspci', `--board=${lacking}`], `doorbell: --board ${lacking}:1: ram: is missing`],
    [
      ['fio', job, `--board=${strange}`],
      `doorbell: --board ${strange}:${lineOf(strange, '"kind"')}: rootPorts[0].device: must be null or have a kind, 'nvme' or 'switch'`,
    ],
    [
      ['fio', job, `--board=${impossible}`],
      `doorbell: --board ${impossible}:${lineOf(impossible, '"ram"')}: ram: `,
    ],
    [
      ['lspci', '--board', tmpdir()],
      `doorbell: --board ${tmpdir()}: it is a folder; a board is a .json, .ts or .mjs file`,
    ],
    [['lspci', '--board', blank], `doorbell: --board ${blank}: the file is empty`],
    [
      ['scenario', job],
      `doorbell: scenario ${job}: a scenario is a .ts or .mjs file; did you mean "doorbell fio ${job}"?`,
    ],
    [['lspci', '-q'], 'doorbell: lspci: unknown option "-q"; it takes -x -xxx -xxxx -n -nn -t -v -s SLOT'],
    [['lspci', '-s'], 'doorbell: lspci: -s takes a slot such as 01:00.0'],
    [['lspci', '-s', 'zz'], 'doorbell: lspci: "zz" is no slot; write [[domain]:][bus]:[slot][.[function]]'],
    [['lspci', '-xxxxx'], 'doorbell: lspci: the longest dump is -xxxx'],
    [['boards', '--json'], 'doorbell: boards: --json prints one board: doorbell boards NAME --json'],
    [['boards', '--jsn'], 'doorbell: boards: unknown option "--jsn"; did you mean "--json"?'],
    [['first-light', 'now'], 'doorbell: first-light: unexpected "now"'],
  ])('%j', async (argv, sentence) => {
    const { status, out, err } = await doorbell(...argv);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toContain(sentence);
    expect(err).not.toContain('\n');
  });

  test('every mistake of a board in a file has its line, a sentence each', async () => {
    const told = async (path: string): Promise<string[]> => {
      const { status, err } = await doorbell('boards', path);
      expect(status).toBe(2);
      return err.replaceAll(`--board ${path}:`, '').replace('doorbell: ', '').split('\n');
    };
    const profile = { base: 'generic', admin: { format: 'no' }, mdts: 99 };
    const device = { ...port!.device, profile };
    const json = {
      ...pc,
      ram: 'lots',
      rootPorts: [{ at: '04.0', link: { ...port!.link, lanes: 3 }, device }],
    };
    const mine = file('mistakes.json', JSON.stringify(json, null, 1));
    expect(await told(mine)).toEqual([
      `${lineOf(mine, '"ram"')}: ram: must be a size, such as 65536 or '64m', got "lots"`,
      `${lineOf(mine, '"lanes"')}: rootPorts[0].link.lanes: must be 1, 2, 4, 8 or 16, got 3`,
      `${lineOf(mine, '"format"')}: rootPorts[0].device.profile.admin.format: must be true or false, got "no"`,
      `${lineOf(mine, '"mdts"')}: rootPorts[0].device.profile.mdts: must be a whole number from 1 to 12, got 99`,
    ]);
    const boards = pathToFileURL(join(import.meta.dirname, '../../boards/index.ts')).href;
    const source = `import { type Board, linkOf, pc } from '${boards}';
const slow = { fetch_ns: -1 } as const;
const profile = {
  base: 'qmeu',
  mdts: 99,
  timing: slow,
};
const made = (lanes: number) => linkOf(4, lanes as 4);
export const mine = {
  ...pc,
  name: 'mine',
  rma: '1g',
  rootPorts: [
    { at: '04.0', link: { ...made(4), generation: 9 }, device: { kind: 'nvme', serial: 'A', profile, namespaces: [
      { size: '64m' },
      { sise: '64m' },
    ] } },
  ],
} satisfies object as unknown as Board;
`;
    expect(await told(file('mistakes.mts', source))).toEqual([
      '2: rootPorts[0].device.profile.timing.fetch_ns: must be zero or more nanoseconds, got -1',
      expect.stringMatching(/^4: rootPorts\[0\].device.profile.base: must be .* did you mean "qemu"\?$/),
      '5: rootPorts[0].device.profile.mdts: must be a whole number from 1 to 12, got 99',
      '12: rma: is not a key here; did you mean "ram"?',
      '14: rootPorts[0].link.generation: must be 1, 2, 3, 4 or 5, got 9',
      '16: rootPorts[0].device.namespaces[1].sise: is not a key here; did you mean "size"?',
    ]);
  });

  test('of a module where nobody can tell, the nearest line around it is told', async () => {
    const boards = pathToFileURL(join(import.meta.dirname, '../../boards/index.ts')).href;
    const source = `import { pc } from '${boards}';
const parts = () => ({ ram: 5 });
export default {
  media: 0,
  ...parts(),
  ...{ ...pc, ...parts() },
};
`;
    const path = file('computed.mjs', source);
    const { err } = await doorbell('boards', path);
    expect(err).toBe(`doorbell: --board ${path}:3: ram: 5 bytes are too few to boot; 16m is the least`);
  });

  test.each([...BOARDS, ...DEVICES].map(({ name }) => name))('%s as JSON is that board', async (name) => {
    const { status, out } = await doorbell('boards', name, '--json');
    expect(status).toBe(0);
    expect(await findBoard(file(`${name}.json`, out))).toEqual(await findBoard(name));
  });

  test('a board of your own, as JSON', async () => {
    const path = file('mine.json', JSON.stringify({ ...pc, name: 'mine', description: 'a copy' }));
    expect((await doorbell('boards', path)).out).toContain('mine: a copy');
  });
});

describe('the nearest word', () => {
  const words = ['rw', 'bs', 'iodepth', 'io_size', 'size', 'runtime', 'rwmixread'];
  test.each([
    ['iodpeth', 'iodepth'],
    ['iosize', 'io_size'],
    ['RUNTIME', 'runtime'],
    ['rwmixraed', 'rwmixread'],
    ['xyzzyxyzzy', undefined],
    ['blah', undefined],
  ])('of %s is %s', (word, expected) => expect(nearest(word, words)).toBe(expected));
});
