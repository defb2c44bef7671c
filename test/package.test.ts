/**
 * The package as its users get it: built, packed, installed in an empty folder, then run, imported
 * and type-checked there. A checkout whose dist/ is old is built beside it, so that this stays what it is.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isBuilt, ROOT } from './built.ts';
import { readmeProgram } from './e2e/readme.ts';

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'doorbell-package-'));
/** The folder of a user, empty but for a package.json. */
const home = join(folder, 'home');
afterAll(() => rmSync(folder, { recursive: true }));

interface Manifest {
  readonly name: string;
  readonly files: readonly string[];
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
}
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
const installed = join(home, 'node_modules', manifest.name);
const compiler = join(root, 'node_modules/typescript/bin/tsc');

const FIVE_LINES = `import { type Board, boot, pc } from 'doorbell/boards';
import { NvmeDriver } from 'doorbell/drivers/nvme';
const board: Board = { ...pc, name: 'mine', ram: '64m' };
const driver: NvmeDriver = await NvmeDriver.open(boot(board).kernel);
console.log((await driver.namespace(1).read(0, 8)).length, driver.info.serial);
`;
const WRONG = `import { boot, NvmeDriver, pc } from 'doorbell';
const driver = await NvmeDriver.open(boot(pc).kernel);
await driver.namespace(1).write('zero', new Uint8Array(512));
`;
const PROGRAMS = { five: FIVE_LINES, readme: readmeProgram(), wrong: WRONG } as const;

/** Runs a program in the folder of the user and returns what it prints. */
const run = (command: string, ...argv: string[]): string =>
  execFileSync(command, argv, { cwd: home, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** The folder with a build of these sources: the checkout where its dist/ is one, else a copy. */
function built(): string {
  if (isBuilt(ROOT)) return root;
  const staged = join(folder, 'staged');
  const build = ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(staged, 'dist')];
  execFileSync(process.execPath, [compiler, ...build]);
  for (const path of ['package.json', ...manifest.files]) {
    if (path !== 'dist') cpSync(join(root, path), join(staged, path), { recursive: true });
  }
  return staged;
}

/** Packs and installs the package: `--install-links` makes a tarball of the folder and unpacks that. */
function install(): void {
  mkdirSync(home);
  writeFileSync(join(home, 'package.json'), '{ "private": true }');
  const quiet = ['--prefer-offline', '--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund'];
  execFileSync('npm', ['install', '--install-links', ...quiet, built()], { cwd: home, stdio: 'ignore' });
}

/** Compiles the user's programs, and the declarations of the package with them. Returns what the compiler says. */
function compile(): string {
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(home, `${name}.mts`), text);
  const files = Object.keys(PROGRAMS).map((name) => `${name}.mts`);
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
  const options = ['--strict', '--skipLibCheck', 'false', '--target', 'es2023', '--module', 'nodenext'];
  return spawnSync(process.execPath, [compiler, ...options, ...types, ...files], {
    cwd: home,
    encoding: 'utf8',
  }).stdout;
}

let compilerSays = '';
beforeAll(() => {
  install();
  compilerSays = compile();
});

/** Names of the packages that the lock file has for users, without those that may be left out, with what they need in turn. */
function lockedForUsers(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<
      Record<string, { readonly dev?: boolean; readonly devOptional?: boolean; readonly optional?: boolean }>
    >;
  };
  return Object.entries(packages).flatMap(([path, { dev, devOptional, optional }]) =>
    path === '' || dev === true || devOptional === true || optional === true
      ? []
      : path.replace(/^node_modules\//, ''),
  );
}

test('brings along what the lock file says and leaves nothing out', () => {
  const modules = join(home, 'node_modules');
  const found = readdirSync(modules).flatMap((name) => {
    if (name.startsWith('@')) return readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`);
    return name.startsWith('.') ? [] : [name];
  });
  expect(found.sort()).toEqual(['doorbell', ...lockedForUsers()].sort());
  expect(readdirSync(installed).sort()).toEqual([
    'LICENSE',
    'README.md',
    'bridge',
    'cli',
    'dist',
    'package.json',
    'scenarios',
  ]);
});

const SCENARIO = `import { defineScenario, fio, pc } from 'doorbell/scenario';
export default defineScenario({
  name: 'mine',
  teaches: ['one', 'two', 'three'],
  settings: { depth: 4 },
  board: () => ({ ...pc, name: 'mine' }),
  async program(context) {
    const { a } = await fio(context, \`[a]\\nrw=randread\\niodepth=\${context.settings.depth}\\nio_size=1m\`);
    return { kiops: a!.kiops };
  },
  expect: { 'it reads': ({ kiops }) => kiops > 10 },
});
`;

test.skipIf(process.env.SOAK !== '1')(
  "npx doorbell scenario runs a user's TypeScript, with tsx beside",
  () => {
    writeFileSync(join(home, 'mine.mts'), SCENARIO);
    symlinkSync(join(root, 'node_modules/tsx'), join(home, 'node_modules/tsx'));
    expect(run('npx', '--offline', 'doorbell', 'scenario', 'mine.mts')).toMatch(/holds {2}it reads\n$/);
  },
);

test('npx doorbell lspci shows the board', () => {
  expect(run('npx', '--offline', 'doorbell', 'lspci')).toMatch(
    /^00:04\.0 PCI bridge: .*\n01:00\.0 Non-Volatile memory controller: .*\n$/,
  );
});

test('every door opens, and has its declarations', () => {
  const doors = Object.keys(manifest.exports).map((door) => manifest.name + door.slice(1));
  for (const { types } of Object.values(manifest.exports)) {
    expect(existsSync(join(installed, types)), types).toBe(true);
  }
  const script = `const doors = await Promise.all(${JSON.stringify(doors)}.map((door) => import(door)));
    console.log(JSON.stringify(doors.map((door) => Object.keys(door))));`;
  const names = JSON.parse(run(process.execPath, '--input-type=module', '-e', script)) as string[][];
  const behind = (door: string) => names[doors.indexOf(door)];
  expect(behind('doorbell')).toEqual(expect.arrayContaining(['boot', 'pc', 'workstation', 'NvmeDriver']));
  expect(behind('doorbell/drivers/nvme')).toContain('NvmeDriver');
  expect(behind('doorbell/boards')).toContain('boot');
  expect(behind('doorbell/scenario')).toContain('defineScenario');
  expect(behind('doorbell/host')).toContain('openStore');
  expect(behind('doorbell/uapi')).toEqual(
    expect.arrayContaining(['VFIO_DEVICE_RESET', 'IOMMU_IOAS_MAP', 'EBADFD']),
  );
});

test('programs with the driver and a board type-check, one that misuses them does not', () => {
  const complaints = compilerSays.split('\n').filter((line) => line.includes('error'));
  expect(complaints).toEqual([expect.stringMatching(/^wrong\.mts\(3,\d+\): error TS2345: /)]);
});

test('the compiled programs run on the built package', () => {
  expect(run(process.execPath, 'five.mjs')).toBe('4096 DOORBELL0\n');
  expect(run(process.execPath, 'readme.mjs')).not.toBe('');
});
