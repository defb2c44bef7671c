/**
 * What a class changes is in its `archive` method, or here with the reason why a saved run is the same without it: every
 * class of the machine, the driver and the fio engine is read for it, and so are closures that keep something.
 * Not here: whether a restored run goes on as it would have (cli/fio-save.test.ts).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseSync } from 'oxc-parser';
import { describe, expect, test } from 'vitest';

const ROOMS = ['machine', 'iommu', 'vfio', 'nvme', 'drivers', 'boards', 'cli/fio', 'support'];

/** Files of which a run that can be saved has nothing. */
const APART: Readonly<Record<string, string>> = {
  'machine/threads/': 'of the threaded pace, which cannot be saved',
  'boards/threaded.ts': 'of the threaded pace, which cannot be saved',
  'machine/pcie/enumerate.ts': 'firmware: over before the kernel boots',
  'vfio/legacy/': 'VFIO groups and containers: a job opens its drives through cdev and iommufd',
  'vfio/iommufd/': 'changed by ioctl(2) alone, which a job does not call while it runs',
  'cli/fio/interrupt.ts': "the host's signals",
  'support/archive.ts': 'the archive itself',
  'support/byte-stream.ts': 'the archive itself',
};

const CALLS = 'changed by system calls alone, of which a running job makes read(2) of an eventfd';
const MADE = 'what the same constructors and calls have made, registered and handed out';
const VIEW = "a view of memory or registers, which their owner's `archive` has";
const SCRATCH = 'holds nothing between two events';

/** By class: fields that change and are not archived, and why. */
const EXEMPT: readonly (readonly [name: string, fields: string, why: string])[] = [
  ['Hardware', 'controllers #groups', MADE],
  ['AdminQueue', 'queue requests', 'archived by the driver'],
  ['Doorbells', 'shadow', 'archived by the controller'],
  ['Features', 'host behavior', 'archived among the features with data'],
  ['Iotlb', '#large #huge', 'archived as #leaves'],
  ['Clone', 'after', MADE],
  ['TrimRanges', '#words', VIEW],
  ['ZoneMap', 'opener', 'archived by each walk that opens zones'],
  ['HeaderBlocks', '#buffer #words', VIEW],
  ['NvmeDriver', '#blockIo', 'its requests are archived'],
  ['NvmeDriver', '#buffers #namespaces #info #commandSets #interrupts #isClosed', MADE],
  ['QueuePair', 'onComplete onStale checksSqid', MADE],
  ['QueuePair', 'sq sqPairs cq #lists', VIEW],
  ['RequestQueue', '#isServing #isFlushPending', 'false while nothing but background requests is under way'],
  ['RequestQueue', '#release', 'of a recovery under way, which is refused'],
  ['IoQueues', 'max doorbells canInterrupt', MADE],
  ['Recovery', 'admin isOn #held', MADE],
  [
    'Recovery',
    '#resetting #isRestarting #aborting #reason #end',
    'nobody is rescued while only requests for events are under way',
  ],
  ['VfioDevice', '#mappings', MADE],
  ['DmaBuffer', 'bytes', VIEW],
  ['DmaBuffer', '#isFree', MADE],
  ['DmaPool', '#free #waiting', 'all pieces are free while nobody waits for a command'],
  ['Interrupts', '#fds', MADE],
  ['Interrupts', '#counter', SCRATCH],
  ['IoctlPage', 'view', VIEW],
  ['Domain', 'id attached', CALLS],
  ['EventMessage', '#registers', VIEW],
  ['FaultLog', '#registers', VIEW],
  ['InvalidationQueue', '#registers', VIEW],
  ['InvalidationQueue', '#running', SCRATCH],
  ['PageTable', '#retired', CALLS],
  ['RequestPath', 'domainIds entries', VIEW],
  ['TableCache', 'table level allowed', SCRATCH],
  ['Memory', 'u16 u32 i32 f64 view', VIEW],
  ['ConfigSpace', '#bytes #halves', VIEW],
  ['ConfigSpace', '#resetValues #writable #clear #sticky #claimed #hooks #listeners', MADE],
  ['DmaPort', 'link', MADE],
  ['PcieFunction', 'devfn wire', MADE],
  ['RootComplex', 'translator onWire #blocks', MADE],
  ['RootComplex', '#stale #pages', 'follows from configuration space, and is decoded anew'],
  ['Link', 'trace port', MADE],
  ['Trace', 'on #listeners #rejectionListeners', 'who listens is no state of the machine'],
  ['Completer', 'interrupts', 'follows from what Coalescing archives'],
  ['Engine', 'admin nvm', MADE],
  ['Fetcher', '#isPumping', SCRATCH],
  ['Health', 'events', MADE],
  ['Condition', 'events wear', MADE],
  ['HostMap', 'contents', MADE],
  ['HostIdentity', '#anonymous', 'nobody knows it: reservations of a host without identifier are refused'],
  ['ReservationRegister', 'known', MADE],
  ['ReservationAcquire', 'known', MADE],
  ['ReservationRelease', 'known', MADE],
  ['ReservationReport', 'known', MADE],
  ['Reservations', '#listeners', MADE],
  ['ShortWay', 'nvm', MADE],
  ['SglWalker', 'pieces reason #left_bytes #descriptors #isToHost #lengthStatus #next', SCRATCH],
  ['Namespaces', 'active', 'follows from what is attached and closed'],
  ['Namespaces', 'onErased #allocated', MADE],
  ['PrpWalker', 'reason', SCRATCH],
  ['QueueRecords', 'i32', VIEW],
  ['Slots', 'i32 u32 f64', VIEW],
  ['Crc64', '#low #high', SCRATCH],
  ['CdevFile', 'granted', CALLS],
  ['Dmesg', 'onLine', MADE],
  ['EventFd', '#listeners', MADE],
  ['AttributeFile', '#content', MADE],
  ['IommuGroup', 'requesters nodeOpen cdevUsers #owner #claims', CALLS],
  ['IrqLines', '#lines', CALLS],
  ['EmulatedKernel', 'onCall', 'who listens is no state of the machine'],
  ['LockedPages', 'pages', CALLS],
  ['Vma', '#length', CALLS],
  ['Extent', 'pages #references', CALLS],
  ['MemoryVma', '#bytes', VIEW],
  ['MemoryFile', '#extent #size', CALLS],
  ['PciPower', 'state #beforeSleep', CALLS],
  ['ConfigMap', 'copy #virtual #writable #owner #parts', CALLS],
  ['VirtualConfig', '#barsDirty #intxDisabled', CALLS],
  ['VfioPciDevice', '#saved #canReset', CALLS],
  [
    'IntxIndex',
    '#trigger #unmaskBy #masked #disabled enabled',
    'by wire: the driver of the drives takes MSI-X',
  ],
  ['Ioeventfds', '#entries', CALLS],
  ['PciIrqs', '#notices interruptPin', CALLS],
  ['LowPower', '#wakeup engaged', CALLS],
  ['MsiIndex', '#triggers enabled', CALLS],
  ['MsixVectors', '#messages #unmasked #enabled', CALLS],
  ['MsiVectors', '#message', CALLS],
  ['PciRegions', 'config', CALLS],
  ['PinnedPages', '#released', CALLS],
  ['Process', '#vmas memlockLimit_pages', CALLS],
  ['Process', '#found', 'a shortcut to a mapping, which is found without it too'],
  ['Registration', '#references #onEnd', CALLS],
  ['VfioDevice', '#binding #container #openCount #cdevOpened', CALLS],
];

/** Variables of functions that other functions change, in files where no `archive` has them, and why. */
const EXEMPT_VARIABLES: Readonly<Record<string, string>> = {
  'isAttached of cli/fio/targets.ts': SCRATCH,
  'expected of cli/fio/verify.ts': 'made anew for every block',
  'left of nvme/admin/host-memory.ts': SCRATCH,
  'pool of nvme/command-sets.ts': 'of namespaces that a host creates, which are refused',
  'next of nvme/identify-namespace.ts': SCRATCH,
  'target of vfio/pci/bar-access.ts': SCRATCH,
  'flags of vfio/pci/hot-reset.ts': SCRATCH,
  'target of vfio/process.ts': SCRATCH,
  'nonzero of vfio/process.ts': SCRATCH,
};

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

function* nodes(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (!isNode(child)) continue;
      yield child;
      yield* nodes(child);
    }
  }
}

const nameOf = (key: Node): string => `${key.type === 'PrivateIdentifier' ? '#' : ''}${key.name}`;

/** Names of things that change although the field that holds them does not. */
const CONTAINER =
  /^(?:(?:Ui|I)nt(?:8|16|32)|Float64|Shared)?(?:Array|ArrayBuffer)$|^(?:Map|Set|DataView|Uint8Array)$/;

/** Whether a field that is assigned once can change nevertheless: its type, or what it is made of, says so. */
function isContainer(field: Node): boolean {
  const annotation = field.typeAnnotation as Node | null;
  const type = annotation?.typeAnnotation as Node | undefined;
  if (type !== undefined) {
    if (type.type === 'TSArrayType') return true;
    return type.type === 'TSTypeReference' && CONTAINER.test(String((type.typeName as Node).name));
  }
  const value = field.value as Node | null;
  const made = value?.type === 'CallExpression' ? ((value.callee as Node).object as Node) : value;
  if (made?.type === 'ArrayExpression') return true;
  const maker = made?.type === 'NewExpression' ? (made.callee as Node) : made;
  return maker?.type === 'Identifier' && CONTAINER.test(String(maker.name));
}

interface Field {
  readonly name: string;
  readonly isArchived: boolean;
}

/** The fields that hold what the class has made itself, of the classes named. */
function childrenMade(members: readonly Node[], stateful: ReadonlySet<string>): Set<string> {
  const isMade = (value: unknown): boolean =>
    isNode(value) && value.type === 'NewExpression' && stateful.has(String((value.callee as Node).name));
  const made = new Set(members.filter(({ value }) => isMade(value)).map(({ key }) => nameOf(key as Node)));
  const maker = members.find(({ kind }) => kind === 'constructor');
  for (const { type, left, right } of maker === undefined ? [] : nodes(maker)) {
    if (type !== 'AssignmentExpression' || !isMade(right)) continue;
    const target = left as Node;
    if ((target.object as Node | undefined)?.type === 'ThisExpression')
      made.add(nameOf(target.property as Node));
  }
  return made;
}

/** The fields of a class that change, and whether `archive` names them. */
function changingFields(body: Node, stateful: ReadonlySet<string>): Field[] {
  const members = (body.body as Node[]).filter((member) => member.static !== true);
  const archive = members.find(
    (member) => member.type === 'MethodDefinition' && nameOf(member.key as Node) === 'archive',
  );
  const named = new Set(
    [...nodes(archive ?? { type: '', start: 0, end: 0 })]
      .filter(({ type, object }) => type === 'MemberExpression' && (object as Node).type === 'ThisExpression')
      .map(({ property }) => nameOf(property as Node)),
  );
  const made = childrenMade(members, stateful);
  return members
    .filter(({ type }) => type === 'PropertyDefinition')
    .filter(
      (member) => member.readonly !== true || isContainer(member) || made.has(nameOf(member.key as Node)),
    )
    .map((member) => nameOf(member.key as Node))
    .map((name) => ({ name, isArchived: named.has(name) }));
}

const isFunction = ({ type }: Node): boolean => /^(?:Function|Arrow)/.test(type);

/** What one function declares, and whether it gives out an `archive` that can reach it. */
interface Scope {
  readonly names: Set<string>;
  readonly isArchived: boolean;
}

/** The variable that an assignment changes, or whose elements it changes; null for fields. */
function changedVariable({ type, left, argument }: Node): string | null {
  const target = type === 'AssignmentExpression' ? left : type === 'UpdateExpression' ? argument : null;
  if (!isNode(target)) return null;
  const held =
    target.type === 'MemberExpression' && target.computed === true ? (target.object as Node) : target;
  return held.type === 'Identifier' ? String(held.name) : null;
}

/** Adds the variables that outlive a call: those of a function that a function inside it changes. */
function collectKept(node: Node, scopes: readonly Scope[], kept: Set<string>): void {
  const inner = scopes.at(-1)!;
  if (node.type === 'VariableDeclaration')
    for (const { id } of node.declarations as Node[]) inner.names.add(String((id as Node).name));
  const name = changedVariable(node);
  const owner = name === null ? undefined : scopes.findLast(({ names }) => names.has(name));
  if (owner !== undefined && owner !== inner && !owner.isArchived) kept.add(name!);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (!isNode(child)) continue;
      collectKept(child, isFunction(child) ? [...scopes, scopeOf(child)] : scopes, kept);
    }
  }
}

function scopeOf(fn: Node): Scope {
  const names = new Set((fn.params as Node[]).map(({ name }) => String(name)));
  const isArchived = [...nodes(fn.body as Node)].some(
    ({ type, id, key }) =>
      (type === 'VariableDeclarator' && (id as Node).name === 'archive') ||
      (type === 'Property' && (key as Node).name === 'archive'),
  );
  return { names, isArchived };
}

interface Source {
  readonly classes: ReadonlyMap<string, readonly Field[]>;
  readonly variables: readonly string[];
}

const files = execFileSync('git', ['ls-files', ...ROOMS.map((room) => `${room}/*.ts`)], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && !file.endsWith('.d.ts') && !/\/(?:spec|uapi)\//.test(file))
  .filter((file) => !Object.keys(APART).some((apart) => file.startsWith(apart)));

/** Classes with an `archive`, which whoever makes one has to call. */
const STATEFUL = new Set(
  files.flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return text.includes('archive(a: Archive')
      ? [...text.matchAll(/^export class (\w+)/gm)].map(([, name]) => name!)
      : [];
  }),
);

function read(source: string, stateful: ReadonlySet<string> = STATEFUL): Source {
  const { program, errors } = parseSync('source.ts', source);
  expect(errors).toEqual([]);
  const root = program as unknown as Node;
  const kept = new Set<string>();
  collectKept(root, [{ names: new Set(), isArchived: false }], kept);
  const classes = [...nodes(root)]
    .filter(({ type }) => type === 'ClassDeclaration')
    .map(({ id, body }) => [String((id as Node).name), changingFields(body as Node, stateful)] as const);
  return { classes: new Map(classes), variables: [...kept] };
}

const sources = files.map((file) => ({ file, ...read(readFileSync(file, 'utf8')) }));

/** `class.field` of everything that changes and is not archived, `variable of file` for variables. */
const missing = sources.flatMap(({ file, classes, variables }) => [
  ...[...classes].flatMap(([name, fields]) =>
    fields.filter(({ isArchived }) => !isArchived).map((field) => `${name}.${field.name}`),
  ),
  ...variables.map((name) => `${name} of ${file}`),
]);

describe('what changes is archived', () => {
  test('or has its reason here, and no reason is left over', () => {
    const exempt = EXEMPT.flatMap(([name, fields]) => fields.split(' ').map((field) => `${name}.${field}`));
    expect([...new Set(missing)].sort()).toEqual([...exempt, ...Object.keys(EXEMPT_VARIABLES)].sort());
  });

  test('everything that could have state is read', () => {
    const archived = sources
      .flatMap(({ classes }) => [...classes.values()].flat())
      .filter((field) => field.isArchived);
    expect(archived.length).toBeGreaterThan(250);
  });

  test.each([
    ['class A { b = 0; }', 'A.b'],
    ['class A { #b = 0; archive(a) { a.value(this.b); } }', 'A.#b'],
    ['class A { readonly b: Int32Array; }', 'A.b'],
    ['class A { readonly #b = new Map(); }', 'A.#b'],
    ['class A { readonly b: number[] = []; }', 'A.b'],
    ['class A { readonly b = new Child(); }', 'A.b'],
    ['class A { readonly b: Child; constructor() { this.b = new Child(); } }', 'A.b'],
    ['function f() { let b = 0; return { next: () => b++ }; }', 'b'],
    ['function f() { const b = []; return { next: () => { b[0] = 1; } }; }', 'b'],
  ])('%s: %s is missed', (text, what) => {
    const { classes, variables } = read(text, new Set(['Child']));
    const fields = [...classes].flatMap(([name, all]) =>
      all.filter(({ isArchived }) => !isArchived).map((field) => `${name}.${field.name}`),
    );
    expect([...fields, ...variables]).toEqual([what]);
  });

  test.each([
    'class A { readonly b: number; readonly c: readonly number[] = [1]; static d = 0; }',
    'class A { #b = 0; archive(a) { this.#b = a.value(this.#b); } }',
    'class A { readonly b = new Child(); archive(a) { this.b.archive(a); } }',
    'function f() { let b = 0; const archive = () => {}; return { next: () => b++, archive }; }',
    'function f() { let b = 0; b++; return () => { let c = 0; c++; return b + c; }; }',
  ])('%s: nothing is missed', (text) => {
    const { classes, variables } = read(text, new Set(['Child']));
    expect([...classes.values()].flat().every(({ isArchived }) => isArchived)).toBe(true);
    expect(variables).toEqual([]);
  });
});
