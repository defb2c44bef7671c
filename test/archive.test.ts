/**
 * What a class changes is in its `archive` method, or here with the reason why a saved run is the same without it: every
 * class of the machine, the driver and the fio engine is read for it, and so are closures that keep something.
 * Not here: whether a restored run goes on as it would have (cli/fio-save.test.ts).
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { read } from './changing-fields.ts';

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

/** cli/fio-save.test.ts shows that a running job makes no other. */
const CALLS = 'changed by system calls alone, of which a running job makes read(2) of an eventfd';
const MADE = 'what the same constructors and calls have made, registered and handed out';
const VIEW = "a view of memory or registers, which their owner's `archive` has";
const SCRATCH = 'holds nothing between two events';
const SHARED = "archived by the subsystem, or as the commands' map";

/** By class: fields that change and are not archived, and why. */
const EXEMPT: readonly (readonly [name: string, fields: string, why: string])[] = [
  ['Hardware', 'controllers #groups #subsystems', MADE],
  ['AdminQueue', 'queue requests', 'archived by the driver'],
  ['Doorbells', 'shadow', 'archived by the controller'],
  ['Features', 'host behavior', 'archived among the features with data'],
  ['Iotlb', '#large #huge', 'archived as #leaves'],
  ['Clone', 'after', MADE],
  ['TrimRanges', '#words', VIEW],
  ['ZoneMap', 'opener', 'archived by each clone that opens zones'],
  ['JobStats', 'steady', 'archived by its clone'],
  ['SteadyState', '#members', MADE],
  ['HeaderBlocks', '#buffer #words', VIEW],
  ['SharedIo', '#io', 'its requests are archived'],
  ['ZoneWrites', '#line #settling', 'empty and null while nobody waits for a command'],
  ['NvmeDriver', '#buffers #namespaces #hostMemory #info #commandSets #interrupts #isClosed', MADE],
  ['QueuePair', 'onComplete onStale checksSqid', MADE],
  ['QueuePair', 'sq sqPairs cq #lists', VIEW],
  ['RequestQueue', '#isServing #isFlushPending', 'false while nothing but background requests is under way'],
  ['RequestQueue', '#release', 'of a recovery under way, which is refused'],
  ['IoQueues', 'max canInterrupt', MADE],
  ['ShadowDoorbells', '#indexes #events', VIEW],
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
  ['DmaPort', 'link onPoison', MADE],
  ['Poison', 'listeners', MADE],
  ['PcieFunction', 'devfn wire', MADE],
  ['RootComplex', 'translator onWire #blocks', MADE],
  ['RootComplex', '#stale #pages', 'follows from configuration space, and is decoded anew'],
  ['Link', 'trace port', MADE],
  ['Trace', 'on #listeners #rejectionListeners', 'who listens is no state of the machine'],
  ['Completer', 'interrupts', 'follows from what Coalescing archives'],
  ['Engine', 'admin nvm', MADE],
  ['Zones', '#watchers', MADE],
  ['Blocks', '#media', SHARED],
  ['NvmCommands', 'media', SHARED],
  ['Context', 'media', SHARED],
  ['MappedMedia', '#medium', SHARED],
  ['Pacer', '#random', "the workload's"],
  ['Places', '#chance', "the workload's"],
  ['Workload', '#dueAt', "the pacer's"],
  ['Health', 'events', MADE],
  ['Condition', 'events wear onSleep', MADE],
  ['HostMap', 'contents', MADE],
  ['HostIdentity', '#anonymous', 'nobody knows it: reservations of a host without identifier are refused'],
  ['ReservationRegister', 'known', MADE],
  ['ReservationAcquire', 'known', MADE],
  ['ReservationRelease', 'known', MADE],
  ['ReservationReport', 'known', MADE],
  ['Reservations', '#listeners', MADE],
  ['ShortWay', 'nvm', MADE],
  ['ShortWay', '#refusal #refusedAt', SCRATCH],
  ['SglWalker', 'pieces reason #left_bytes #descriptors #isToHost #lengthStatus #next', SCRATCH],
  ['Namespaces', 'active', 'follows from what is attached and closed'],
  ['Namespaces', 'onErased #allocated', MADE],
  ['PrpWalker', 'reason', SCRATCH],
  ['Subsystem', '#isReset', SCRATCH],
  ['Subsystem', '#mapListeners', MADE],
  ['QueueRecords', 'i32', VIEW],
  ['Slots', 'i32 u32 f64', VIEW],
  ['Crc64', '#low #high', SCRATCH],
  ['CdevFile', 'granted', CALLS],
  ['Dmesg', 'onLine', MADE],
  ['EventFd', '#listeners', MADE],
  ['AttributeFile', '#content', MADE],
  ['IommuGroup', 'requesters nodeOpen cdevUsers #owner #claims', CALLS],
  ['IrqLines', '#lines', CALLS],
  ['EmulatedKernel', '#leaving', 'functions on their way out, with which nothing is saved'],
  ['MachineInventory', 'pci vfio #groups #vfioGroups', 'the functions have to be the same'],
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

const sources = files.map((file) => ({ file, ...read(readFileSync(file, 'utf8'), STATEFUL) }));

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
    ['class A { readonly #b: Random | null; }', 'A.#b'],
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
