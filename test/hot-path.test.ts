/**
 * What one I/O runs through allocates nothing and computes in small numbers: the source of every function below is read
 * for what would break that (docs/performance.md), and a read is timed against the copy of its bytes.
 * Not here: how fast it is (bench/).
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseSync } from 'oxc-parser';
import { describe, expect, test } from 'vitest';
import { isNode, type Node } from './syntax.ts';

/** The functions that run for every I/O, every doorbell, every translation or every event. */
const HOT: Readonly<Record<string, readonly string[]>> = {
  'drivers/nvme/queue-pair.ts': [
    'post',
    'postAt',
    'prepare',
    '#write',
    'ring',
    'reap',
    '#release',
    '#ready',
    '#take',
  ],
  'drivers/nvme/prp.ts': ['buildPrps', 'store'],
  'vfio/mapping.ts': ['check'],
  'vfio/pci/bar-mapping.ts': ['write32', '#reach'],
  'machine/clock.ts': ['after', 'at', 'cancel', 'step', 'runUntil', 'idle'],
  'machine/event-queue.ts': [
    'add',
    'take',
    'cancel',
    '#link',
    '#remove',
    '#empty',
    '#findFirst',
    '#search',
    '#look',
  ],
  'machine/pcie/host-bridge.ts': ['write32', '#hostAt'],
  'machine/threads/cpu-port.ts': ['send'],
  'machine/threads/hardware-loop.ts': ['#look', '#take'],
  'machine/threads/remote-pci.ts': ['write32'],
  'machine/pcie/root-complex.ts': ['write32', '#deliver', '#rangeAt', '#rangeOf', '#lookUp'],
  'machine/pcie/dma-port.ts': [
    'read',
    'write',
    'readAt',
    'writeAt',
    'write16',
    '#pages',
    '#frame',
    '#frameAt',
    '#known',
    '#isOwn',
  ],
  'machine/pcie/msix.ts': ['raise', '#send', '#deliver', '#isMasked', '#setPending', '#sendPending'],
  'machine/timing/link.ts': [
    'write',
    'follow',
    'read',
    'store',
    '#slipUp',
    '#slipDown',
    '#wait',
    '#up',
    '#down',
    '#last',
    '#busy',
  ],
  'iommu/unit.ts': ['frame', 'known'],
  'iommu/request-path.ts': [
    'frame',
    'known',
    '#miss',
    'cost_ns',
    '#costOfMiss',
    '#loadContext',
    '#readContext',
  ],
  'iommu/iotlb.ts': ['insert', 'findLarge', 'holds'],
  'iommu/leaf-cache.ts': ['insert', 'permissions', 'frame', '#at', '#leafAt'],
  'iommu/walk.ts': ['walkSecondStage'],
  'nvme/arbiter.ts': ['add', 'pass', 'next', 'charge', '#rank'],
  'nvme/completer.ts': ['post', 'released', '#emit', '#wait', 'interrupt'],
  'nvme/controller.ts': ['barWrite32'],
  'nvme/doorbells.ts': ['ring', '#submissionTail', '#completionHead'],
  'nvme/data-mover.ts': ['move'],
  'nvme/engine.ts': [
    '#begin',
    '#runThrough',
    '#decoded',
    'accept',
    '#mapped',
    '#executed',
    '#sent',
    '#post',
    '#decode',
    '#execute',
    '#later',
    '#emit',
    'complete',
    'mapped',
    '#goOn',
  ],
  'nvme/fetcher.ts': [
    'ring',
    'pump',
    '#fetch',
    '#list',
    '#allowance',
    '#take',
    '#later',
    '#arrived',
    '#promised',
  ],
  'nvme/nvm.ts': ['check', 'plain', 'receive', 'execute', 'send'],
  'nvme/prp.ts': ['walk', '#walkList'],
  'nvme/queues.ts': ['release', 'isFull', 'at'],
  'nvme/short-way.ts': ['run', '#runOne', '#room', '#move', '#moveOne', '#postEach', '#post'],
  'nvme/slots.ts': ['take', 'give', 'nextFree', 'freeRun'],
  'nvme/sparse-store.ts': ['load', 'stage', '#take'],
};

/** The nodes below a node, from top to bottom. Types are no code. */
function* nodes(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (!isNode(child) || child.type.startsWith('TSType')) continue;
      yield child;
      yield* nodes(child);
    }
  }
}

/** Names of things that hold references or 64-bit integers. */
const HEAVY = /^(?:BigInt|BigU?Int64Array|Map|Set|WeakMap|WeakSet|Promise)$/;
const BIG_ACCESS = /^[gs]etBigU?[iI]nt64$/;

/** Why a node does not belong on the hot path, or null. */
function objection(node: Node): string | null {
  switch (node.type) {
    case 'Literal':
      return typeof node.bigint === 'string' ? 'BigInt' : null;
    case 'BinaryExpression':
    case 'AssignmentExpression':
      return node.operator === '%' || node.operator === '%=' ? '%' : null;
    case 'Identifier': {
      const name = node.name as string;
      if (HEAVY.test(name)) return name;
      return BIG_ACCESS.test(name) ? 'BigInt' : null;
    }
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
    case 'FunctionDeclaration':
    case 'ClassExpression':
      return 'a closure';
    case 'NewExpression':
    case 'ObjectExpression':
    case 'ArrayExpression':
    case 'ArrayPattern':
    case 'SpreadElement':
    case 'RestElement':
      return 'an allocation';
    case 'TemplateLiteral':
      return (node.expressions as unknown[]).length > 0 ? 'a string that is built' : null;
    case 'AwaitExpression':
    case 'YieldExpression':
      return 'a suspension';
    default:
      return null;
  }
}

/** Bodies of the methods and functions of a source by name; a private method has its `#`. */
function functionsOf(source: string): Map<string, Node> {
  const { program, errors } = parseSync('source.ts', source);
  expect(errors).toEqual([]);
  const found = new Map<string, Node>();
  for (const node of nodes(program as unknown as Node)) {
    const key = node.key as Node | undefined;
    const id = node.id as Node | null | undefined;
    if (node.type === 'MethodDefinition' && key !== undefined) {
      const body = (node.value as Node).body;
      if (isNode(body)) found.set(`${key.type === 'PrivateIdentifier' ? '#' : ''}${key.name}`, body);
    } else if (node.type === 'FunctionDeclaration' && isNode(id))
      found.set(id.name as string, node.body as Node);
  }
  return found;
}

/** Objections to the named functions of a source: `12: name: what`. A name that is not there is one too. */
function objections(source: string, names: readonly string[]): string[] {
  const functions = functionsOf(source);
  return names.flatMap((name) => {
    const body = functions.get(name);
    if (body === undefined) return [`${name} is not there`];
    return [...nodes(body)].flatMap((node) => {
      const what = objection(node);
      return what === null ? [] : [`${source.slice(0, node.start).split('\n').length}: ${name}: ${what}`];
    });
  });
}

describe('hot functions', () => {
  test.each(Object.entries(HOT))('%s', (file, names) => {
    const source = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
    expect(objections(source, names)).toEqual([]);
  });

  const BUILT = ['`a is $', '{a}`'].join('');

  test.each([
    ['return 1n;', 'BigInt'],
    ['return BigInt(a);', 'BigInt'],
    ['view.getBigUint64(a);', 'BigInt'],
    ['return a % 4096;', '%'],
    ['a %= 4096;', '%'],
    ['const known = new Map();', 'an allocation'],
    ['return Map;', 'Map'],
    ['return () => a;', 'a closure'],
    ['return { a };', 'an allocation'],
    ['return [a];', 'an allocation'],
    ['const [b] = a;', 'an allocation'],
    ['f(...a);', 'an allocation'],
    [`if (a < 0) assert(false, ${BUILT});`, 'a string that is built'],
  ])('%s is refused', (statement, what) => {
    const source = `class A {\n  #hot(a: number): number {\n    ${statement}\n  }\n}`;
    expect(objections(source, ['#hot'])).toContain(`3: #hot: ${what}`);
  });

  test('what costs nothing is allowed, and a function that is gone is missed', () => {
    const source =
      'function hot(a: Map<number, bigint>): void { const { size } = a; use(size & 4095, `text`); }';
    expect(objections(source, ['hot', 'gone'])).toEqual(['gone is not there']);
  });
});

describe('speed', () => {
  /** The best times of rows of the benchmark in a process of their own, in their order. */
  const nanoseconds = (...variants: string[]): number[] => {
    const program = `
      import '${new URL('../bridge/host.ts', import.meta.url)}';
      import { VARIANTS } from '${new URL('../bench/variants.ts', import.meta.url)}';
      const best = [];
      for (const name of process.argv.slice(2)) best.push((await VARIANTS[name].run())[0].value);
      console.log(JSON.stringify(best));`;
    const argv = ['--import', 'tsx', '--input-type=module', '-e', program, '--', '--quick', ...variants];
    const child = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    expect(child.status, child.stderr).toBe(0);
    return JSON.parse(child.stdout) as number[];
  };

  /** A quiet host needs 2.1 times the copy; this finds a lost inlining or an allocation, not a few nanoseconds. */
  const MOST = 6;

  test('a read of 4 KiB at depth 32 takes no more than six times the copy of its bytes', () => {
    const [copy, read] = nanoseconds('copy.4096', 'functional.read.4096.qd32');
    expect(read! / copy!).toBeLessThan(MOST);
  });
});
