/**
 * Which room may import which, read from the imports of every source file. The table says what the
 * picture of the design says; the rows below it prove that the reader and the table refuse what they should.
 * Not here: exact name resolution. Biome bans ambient globals by scope; the scan here also sees `globalThis.Date`.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, test } from 'vitest';

const MACHINE = ['support/', 'machine/', 'iommu/', 'nvme/', 'vfio/', 'drivers/'];
const ANYTHING = [''];

/** The start of every path that the files of a room may import. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  support: ['support/'],
  machine: ['support/', 'machine/'],
  iommu: ['support/', 'machine/', 'iommu/'],
  nvme: ['support/', 'machine/', 'nvme/'],
  vfio: ['support/', 'machine/', 'iommu/', 'vfio/'],
  drivers: ['support/', 'machine/pcie/spec.ts', 'nvme/spec/', 'vfio/uapi/', 'drivers/'],
  boards: [...MACHINE, 'boards/'],
  bridge: [...MACHINE, 'boards/', 'bridge/'],
  'index.ts': [...MACHINE, 'boards/', 'bridge/'],
  scenarios: ANYTHING,
  examples: ANYTHING,
  bench: ANYTHING,
  cli: ANYTHING,
  test: ANYTHING,
};

/** Specifications are read by device and driver alike, so their files stand on nothing but support/. */
const SPECIFICATIONS = [
  {
    kind: 'spec',
    files: /^(machine|iommu|nvme)\/(.*\/)?spec(\/|\.ts$)/,
    allowed: ['support/', 'iommu/spec/', 'nvme/spec/'],
  },
  { kind: 'uapi', files: /^vfio\/uapi\//, allowed: ['support/', 'vfio/uapi/'] },
];

/** The rooms that may use node: modules and packages; all others also run in a browser. */
const OUTSIDE = ['bridge', 'bench', 'cli', 'test'];

/** How a user's program, and so an example, names the package. */
const OWN_NAME = 'doorbell';

/** The rooms whose runs are a function of their seed. */
const SEEDED = [...MACHINE, 'boards/'];
const AMBIENT =
  /(?<![\w$.#])(?:globalThis\.)?(?:Date|performance|setTimeout|setInterval|setImmediate)\b(?!\s*:)|\bMath\.random\b/g;

interface Import {
  readonly line: number;
  readonly specifier: string;
}

const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
const lineAt = (source: string, index: number): number => source.slice(0, index).split('\n').length;
const roomOf = (file: string): string => file.split('/')[0]!;
const targetOf = (file: string, specifier: string): string => posix.join(posix.dirname(file), specifier);

/** The source with comments and the insides of strings blanked, place for place, so that only code matches. */
function codeOf(source: string): string {
  return source.replace(
    /\/\*[\s\S]*?\*\/|\/\/.*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g,
    (token) => {
      if (token.startsWith('/')) return blank(token);
      if (token.startsWith('`')) return token.replace(/(\$\{[^}]*\})|[^`\n]/g, (_, code) => code ?? ' ');
      return token[0] + blank(token.slice(1, -1)) + token[0];
    },
  );
}

/** Static, re-exporting, dynamic and type imports, in the order of the source. */
function importsOf(source: string): Import[] {
  const statements = /\b(?:(?:import|export)\s(?:[^'"`;()]*?\sfrom)?|import\s*\()\s*(['"])( *)\1/g;
  return [...codeOf(source).matchAll(statements)].map((match) => {
    const end = match.index + match[0].length - 1;
    return { line: lineAt(source, end), specifier: source.slice(end - match[2]!.length, end) };
  });
}

/** The rule that this import breaks, or undefined. */
function brokenRule(file: string, specifier: string): string | undefined {
  const room = roomOf(file);
  const layers = LAYERS[room];
  if (layers === undefined) return `${room} is not in the layer table`;
  if (!specifier.startsWith('.')) {
    if (room === 'examples' && specifier === OWN_NAME) return undefined;
    return OUTSIDE.includes(room) ? undefined : `only ${OUTSIDE.join(', ')} use node: modules and packages`;
  }
  const target = targetOf(file, specifier);
  const specification = SPECIFICATIONS.find(({ files }) => files.test(file));
  const allowed = specification?.allowed ?? layers;
  if (allowed.some((prefix) => target.startsWith(prefix))) return undefined;
  return `${specification ? `a ${specification.kind} file` : room} may import only ${allowed.join(', ')}`;
}

/** Uses of wall time, timers and unseeded chance: `[line, name]`. */
function ambientUses(source: string): [number, string][] {
  return [...codeOf(source).matchAll(AMBIENT)].map((match) => [lineAt(source, match.index), match[0]]);
}

/** The first import circle found, as the files along it, or undefined. */
function findCircle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const target of graph.get(file) ?? []) {
      const circle = visit(target, [...path, file]);
      if (circle !== undefined) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const circle = visit(file, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

/** Files and folders beside the rooms that git does not know: a user's own, such as programs tried out in a clone. */
function ownThings(root: string): ReadonlySet<string> {
  const argv = ['ls-files', '--others', '--exclude-standard', '--directory'];
  const { stdout } = spawnSync('git', argv, { cwd: root, encoding: 'utf8' });
  const paths = (stdout ?? '').split('\n').map((path) => path.replace(/\/$/, ''));
  return new Set(paths.filter((path) => !path.includes('/')));
}

/** Every TypeScript file of the rooms and the root by its path; tool settings (`*.config.ts`) are in no room. */
function readSources(): Map<string, string> {
  const root = join(import.meta.dirname, '..');
  const own = ownThings(root);
  const list = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      if (/^\.|^node_modules$|^dist$|\.config\.ts$/.test(entry.name) || own.has(path)) return [];
      if (entry.isDirectory()) return list(path);
      return path.endsWith('.ts') ? [path] : [];
    });
  return new Map(list('').map((file) => [file, readFileSync(join(root, file), 'utf8')]));
}

describe('the sources', () => {
  const sources = readSources();
  const imports = new Map([...sources].map(([file, source]) => [file, importsOf(source)]));

  test('are found and read', () => {
    expect([...sources.keys()]).toEqual(expect.arrayContaining(['support/bits.ts', 'test/layering.test.ts']));
    expect(imports.get('test/layering.test.ts')?.map(({ specifier }) => specifier)).toEqual([
      'node:child_process',
      'node:fs',
      'node:path',
      'vitest',
    ]);
  });

  test('import only what the layer table allows', () => {
    const problems = [...imports].flatMap(([file, found]) =>
      found.flatMap(({ line, specifier }) => {
        const rule = brokenRule(file, specifier);
        return rule === undefined ? [] : [`${file}:${line}: import '${specifier}': ${rule}`];
      }),
    );
    expect(problems).toEqual([]);
  });

  test('import in no circle', () => {
    const graph = [...imports].map(([file, found]): [string, string[]] => [
      file,
      found.filter(({ specifier }) => specifier.startsWith('.')).map((i) => targetOf(file, i.specifier)),
    ]);
    expect(findCircle(new Map(graph))?.join(' -> ')).toBeUndefined();
  });

  test('have no wall time, timer or unseeded chance at and below boards/', () => {
    const problems = [...sources]
      .filter(([file]) => SEEDED.some((room) => file.startsWith(room)))
      .flatMap(([file, source]) =>
        ambientUses(source).map(
          ([line, name]) =>
            `${file}:${line}: ${name}: take time from the clock and chance from support/random.ts`,
        ),
      );
    expect(problems).toEqual([]);
  });
});

describe('the rules', () => {
  test.each([
    ['support/layout.ts', './assert.ts'],
    ['machine/pcie/function.ts', '../../support/bits.ts'],
    ['machine/pcie/function.ts', '../trace.ts'],
    ['iommu/unit.ts', '../machine/pcie/translator.ts'],
    ['nvme/controller.ts', '../machine/pcie/function.ts'],
    ['nvme/controller.ts', './spec/registers.ts'],
    ['vfio/iommufd.ts', '../iommu/domain.ts'],
    ['vfio/cdev.ts', './uapi/vfio.ts'],
    ['vfio/uapi/vfio.ts', './ioctl.ts'],
    ['vfio/uapi/vfio.ts', '../../support/layout.ts'],
    ['nvme/spec/commands.ts', '../../support/layout.ts'],
    ['drivers/nvme/queue-pair.ts', '../../nvme/spec/commands.ts'],
    ['drivers/vfio/device.ts', '../../machine/pcie/spec.ts'],
    ['drivers/vfio/device.ts', '../../vfio/uapi/kernel.ts'],
    ['boards/pc.ts', '../drivers/nvme/driver.ts'],
    ['bridge/linux.ts', '../boards/pc.ts'],
    ['bridge/linux.ts', 'koffi'],
    ['index.ts', './boards/index.ts'],
    ['scenarios/queue-full.ts', '../boards/pc.ts'],
    ['cli/main.ts', '../bench/engine.ts'],
    ['cli/main.ts', 'node:fs'],
    ['bench/main.ts', 'benchmark'],
    ['test/nvme/prp.test.ts', '../../nvme/prp.ts'],
    ['test/nvme/spec/status.test.ts', '../../../nvme/controller.ts'],
  ])('%s may import %s', (file, specifier) => {
    expect(brokenRule(file, specifier)).toBeUndefined();
  });

  test.each([
    ['support/bits.ts', '../machine/clock.ts', 'support may import only support/'],
    ['support/bits.ts', 'node:assert', 'only bridge'],
    ['support/bits.ts', 'fs', 'only bridge'],
    ['support/bits.ts', '../../elsewhere.ts', 'support may import only'],
    ['machine/memory.ts', '../iommu/unit.ts', 'machine may import only support/, machine/'],
    ['machine/memory.ts', '../vfio/uapi/kernel.ts', 'machine may import only'],
    ['machine/pcie/spec.ts', './function.ts', 'a spec file may import only support/'],
    ['iommu/unit.ts', '../nvme/spec/registers.ts', 'iommu may import only support/, machine/, iommu/'],
    ['nvme/controller.ts', '../iommu/spec.ts', 'nvme may import only'],
    ['nvme/controller.ts', '../vfio/uapi/errno.ts', 'nvme may import only'],
    ['nvme/spec/commands.ts', '../controller.ts', 'a spec file'],
    ['iommu/spec.ts', '../machine/memory.ts', 'a spec file'],
    ['vfio/cdev.ts', '../nvme/spec/registers.ts', 'vfio may import only'],
    ['vfio/cdev.ts', '../drivers/vfio/device.ts', 'vfio may import only'],
    ['vfio/cdev.ts', '../boards/pc.ts', 'vfio may import only'],
    ['vfio/uapi/vfio.ts', '../cdev.ts', 'a uapi file may import only support/, vfio/uapi/'],
    ['drivers/nvme/driver.ts', '../../vfio/kernel.ts', 'drivers may import only'],
    ['drivers/nvme/driver.ts', '../../nvme/prp.ts', 'drivers may import only'],
    ['drivers/vfio/device.ts', '../../machine/pcie/function.ts', 'drivers may import only'],
    ['drivers/vfio/dma.ts', '../../iommu/spec.ts', 'drivers may import only'],
    ['drivers/vfio/device.ts', 'koffi', 'only bridge'],
    ['boards/pc.ts', '../bridge/linux.ts', 'boards may import only'],
    ['boards/pc.ts', 'node:fs', 'only bridge'],
    ['bridge/nbd-server.ts', '../cli/main.ts', 'bridge may import only'],
    ['bridge/nbd-server.ts', '../bench/engine.ts', 'bridge may import only'],
    ['scenarios/queue-full.ts', 'node:fs', 'only bridge'],
    ['index.ts', './cli/main.ts', 'index.ts may import only'],
    ['attic/old.ts', '../support/bits.ts', 'attic is not in the layer table'],
  ])('%s may not import %s', (file, specifier, rule) => {
    expect(brokenRule(file, specifier)).toContain(rule);
  });

  test('every form of import is read, comments and strings are not', () => {
    const source = `import './bare.ts';
import type { A } from './type.ts';
import b, {
  c,
} from "./several-lines.ts";
export * from './star.ts';
export { d } from './named.ts';
const e = await import('./dynamic.ts');
type F = import('./inline.ts').F;
// import './comment.ts';
/* import './comment.ts'; */
const g = "import './string.ts'";
const from = './value.ts';
export const h = './value.ts';`;
    expect(importsOf(source).map(({ line, specifier }) => `${line} ${specifier}`)).toEqual([
      '1 ./bare.ts',
      '2 ./type.ts',
      '5 ./several-lines.ts',
      '6 ./star.ts',
      '7 ./named.ts',
      '8 ./dynamic.ts',
      '9 ./inline.ts',
    ]);
  });

  test.each([
    ['const t = Date.now();', ['Date']],
    ['const t = new Date();', ['Date']],
    ['const t = globalThis.performance.now();', ['globalThis.performance']],
    ['setTimeout(run, 1); setInterval(run, 1);', ['setTimeout', 'setInterval']],
    ['const r = Math.random();', ['Math.random']],
    ['const text = `at $' + '{Date.now()}`;', ['Date']],
    ["const text = 'Date.now()'; // Math.random()", []],
    ['report.performance(machine.setTimeout, isDate, { performance: 1 });', []],
  ])('ambient time and chance in %s', (source, names) => {
    expect(ambientUses(source).map(([, name]) => name)).toEqual(names);
  });

  test('a circle is found and named, a diamond is none', () => {
    const circle = { 'a.ts': ['b.ts'], 'b.ts': ['c.ts'], 'c.ts': ['b.ts'] };
    expect(findCircle(new Map(Object.entries(circle)))).toEqual(['b.ts', 'c.ts', 'b.ts']);
    const diamond = { 'a.ts': ['b.ts', 'c.ts'], 'b.ts': ['d.ts'], 'c.ts': ['d.ts'], 'd.ts': [] };
    expect(findCircle(new Map(Object.entries(diamond)))).toBeUndefined();
  });
});
