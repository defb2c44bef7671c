/**
 * What a class changes is in its `archive` method, or here with the reason why a saved run is the same without it: every
 * class of the machine, the driver and the fio engine is read for it, and so are closures that keep something.
 * Not here: whether a restored run goes on as it would have (cli/fio-save.test.ts).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FORMAT } from '../support/archive-format.ts';
import { archiveFiles } from './archive-files.ts';
import { currentFormat } from './archive-format.ts';
import { archiveTexts, read, statefulIn } from './changing-fields.ts';

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

/** Parts that are handed to many: the one that archives each, who is asked for it. */
const OWNERS: Readonly<Record<string, string>> = {
  Clock: 'Machine.clock',
  Coalescing: 'AdminCommands.#parts.coalescing',
  ConfigSpace: 'PcieFunction.config',
  Context: 'NvmCommands.context',
  ContextCache: 'RequestPath.contexts',
  DataMover: 'Engine.data',
  DmaPort: 'PcieFunction.dma',
  EmulatedKernel: 'Software.kernel',
  Engine: 'NvmeController.engine',
  Events: 'NvmeController.health.events',
  FaultLog: 'IommuUnit.faults',
  Features: 'AdminCommands.features',
  FileTable: 'EmulatedKernel.files',
  Health: 'NvmeController.health',
  HostMap: 'MappedMedia.#host',
  InterruptPort: 'NvmeController.interrupts',
  InterruptRemapping: 'IommuUnit.remapping',
  Interrupts: 'Machine.interrupts',
  IommuDriver: 'Software.#iommu',
  IommuUnit: 'Hardware.iommu',
  Iotlb: 'RequestPath.iotlb',
  KeepAlive: 'Features.#parts.keepAlive',
  Memory: 'Machine.memory',
  Msi: 'InterruptPort.#parts.msi',
  Namespaces: 'NvmeController.namespaces',
  Pages: 'Software.pages',
  PrpWalker: 'Engine.prp',
  QueueClient: 'IommuDriver.#queue',
  QueuePair: 'RequestQueue.queue',
  RootComplex: 'Hardware.rootComplex',
  ShadowDoorbells: 'NvmeController.doorbells.shadow',
  Slots: 'Engine.slots',
  Subsystem: 'NvmeController.subsystem',
  Transfer: 'Context.transfer',
  WriteCache: 'Context.cache',
  ZoneMap: 'ZoneWalk.#map',
  Zones: 'Namespace.zones',
};

const HANDED = 'parts of others, which archive them';

/** By class: fields that change and are not archived, and why. */
const EXEMPT: readonly (readonly [name: string, fields: string, why: string])[] = [
  ['Hardware', 'controllers #groups #subsystems', MADE],
  ['Machine', 'controllers', MADE],
  ['Subsystem', 'namespaces', MADE],
  ['AdminCommands', '#timestamp', 'archived among the features with data'],
  ['Coalescing', '#completer', 'follows from what Coalescing archives'],
  ['Firmware', '#parts', 'its history is archived by the admin commands'],
  ['NamespaceManagement', '#parts', HANDED],
  ['InterruptTable', '#parts', 'entries are in RAM; other parts have owners'],
  ['Logs', '#parts', HANDED],
  ['Link', 'parent path', 'each bridge archives its own link'],
  ['Clone', 'stats', 'archived by the run (saved-state.ts)'],
  ['Recorder', 'stats', 'archived by the run (saved-state.ts)'],
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
  ['HeaderBlocks', '#pattern', 'fills the same buffer'],
  ['SharedIo', '#io', 'its requests are archived'],
  ['ZoneWrites', '#line #settling', 'empty and null while nobody waits for a command'],
  ['NvmeDriver', '#buffers #namespaces #hostMemory #info #commandSets #interrupts #isClosed', MADE],
  ['NvmeDriver', '#recovery', MADE],
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
  ['VfioDevice', '#ioctls', SCRATCH],
  ['DmaBuffer', 'bytes', VIEW],
  ['DmaBuffer', '#isFree', MADE],
  ['DmaPool', '#free #waiting', 'all pieces are free while nobody waits for a command'],
  ['Interrupts', '#fds', MADE],
  ['Interrupts', '#ioctls', SCRATCH],
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
  ['NvmCommands', 'media namespaces', SHARED],
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
  ['VirtualConfig', '#barsDirty #intxDisabled #map', CALLS],
  ['VfioPciDevice', '#saved #canReset #ioeventfds #regions irqs', CALLS],
  ['Virqfd', '#eventfd', 'archived among the open files'],
  ['BarVma', 'file', 'archived among the open files'],
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
  'HEADER of nvme/admin/firmware-image.ts': 'a layout: `set` changes what it is given',
  'TOKEN of cli/fio/pattern.ts': SCRATCH,
  'blocks of cli/fio/verify.ts': 'writes into the buffer of the clone',
  'buffer of cli/fio/verify.ts': VIEW,
  'config of machine/pcie/capabilities.ts': 'archived by its function',
  'crcWord of cli/fio/verify.ts': SCRATCH,
  'data of drivers/nvme/block-device.ts': SCRATCH,
  'errors of cli/fio/tables.ts': 'of the documentation',
  'flows of cli/fio/stage.ts': "archived by each clone's parts",
  'mix of support/random.ts': 'the streams are seeded by then',
  'record of machine/trace.ts': SCRATCH,
  'recorders of cli/fio/stage.ts': 'archived by their clones',
  'report of cli/fio/tables.ts': 'of the documentation',
  'state of cli/fio/saved-run.ts': 'says that the run was saved',
  'targets of iommu/interrupt-table.ts': CALLS,
  'view of nvme/health.ts': SCRATCH,
  'view of nvme/identify-controller.ts': SCRATCH,
  'view of nvme/identify-namespace.ts': SCRATCH,
  'view of nvme/namespaces.ts': SCRATCH,
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

const files = archiveFiles().filter((file) => !Object.keys(APART).some((apart) => file.startsWith(apart)));

const texts = files.map((file) => readFileSync(file, 'utf8'));

/** Classes and interfaces with an `archive`, which whoever has one has to call. */
const STATEFUL = new Set(texts.flatMap((text) => statefulIn(text)));

const sources = files.map((file, index) => ({ file, ...read(texts[index]!, STATEFUL) }));

const archivedChains = sources.flatMap(({ archived }) => archived);

/** `class.field` of everything that changes and is not archived, `variable of file` for variables. */
const missing = sources.flatMap(({ file, classes, variables }) => [
  ...[...classes].flatMap(([name, fields]) =>
    fields
      .filter(({ isArchived, part }) => !isArchived && !Object.hasOwn(OWNERS, part ?? ''))
      .map((field) => `${name}.${field.name}`),
  ),
  ...variables.map((name) => `${name} of ${file}`),
]);

describe('what changes is archived', () => {
  test('or has its reason here, and no reason is left over', () => {
    const exempt = EXEMPT.flatMap(([name, fields]) => fields.split(' ').map((field) => `${name}.${field}`));
    expect([...new Set(missing)].sort()).toEqual([...exempt, ...Object.keys(EXEMPT_VARIABLES)].sort());
  });

  test.each(Object.entries(OWNERS))('%s is archived by its owner, %s', (_, owner) => {
    expect(archivedChains).toContain(`${owner}.archive`);
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
    ['class A { readonly b: Child; }', 'A.b'],
    ['class A { readonly b: Child | null; }', 'A.b'],
    ['class A { readonly b: Child; archive(a) { this.b.c.archive(a); } }', 'A.b'],
    ['class A { readonly b: ReadonlyMap<number, Child>; }', 'A.b'],
    ['class A { readonly #b: Sums; count() { this.#b.all++; } }', 'A.#b'],
    ['class A { readonly #b: Sums; count() { Object.assign(this.#b, {}); } }', 'A.#b'],
    ['function f() { let b = 0; return { next: () => b++ }; }', 'b'],
    ['function f() { const b = []; return { next: () => { b[0] = 1; } }; }', 'b'],
    ['function f() { const b = new Map(); return { put: () => b.set(1, 2) }; }', 'b'],
    ['function f() { const b = {}; return { put: () => { b.c = 1; } }; }', 'b'],
    ['function f() { let b = 0; const archive = () => {}; return { next: () => b++, archive }; }', 'b'],
  ])('%s: %s is missed', (text, what) => {
    const { classes, variables } = read(text, new Set(['Child', 'Random']));
    const fields = [...classes].flatMap(([name, all]) =>
      all.filter(({ isArchived }) => !isArchived).map((field) => `${name}.${field.name}`),
    );
    expect([...fields, ...variables]).toEqual([what]);
  });

  test.each([
    'class A { readonly b: number; readonly c: readonly number[] = [1]; static d = 0; }',
    'class A { #b = 0; archive(a) { this.#b = a.value(this.#b); } }',
    'class A { readonly b = new Child(); archive(a) { this.b.archive(a); } }',
    'function f() { let b = 0; const archive = (a) => { b = a.value(b); }; return { next: () => b++, archive }; }',
    'function f() { let b = 0; b++; return () => { let c = 0; c++; return b + c; }; }',
  ])('%s: nothing is missed', (text) => {
    const { classes, variables } = read(text, new Set(['Child', 'Random']));
    expect([...classes.values()].flat().every(({ isArchived }) => isArchived)).toBe(true);
    expect(variables).toEqual([]);
  });
});

describe('the format of saved state', () => {
  test('is that of the sources; `npm run archive:format` renews it', () => {
    expect(FORMAT).toBe(currentFormat());
  });

  test('is another one when something else is archived, not when a comment or the layout changes', () => {
    const text = 'class A { archive(a: Archive): void { a.value(this.b); } c = 0; }';
    const [known] = [archiveTexts(text)];
    expect(known.length).toBeGreaterThan(0);
    const commented = text.replace('a.value(', '// Why.\n a.value( ').replace('c = 0', 'c = 1');
    expect(archiveTexts(commented)).toEqual(known);
    expect(archiveTexts(text.replace('this.b', 'this.c'))).not.toEqual(known);
    expect(archiveTexts(text.replace('class A', 'class B'))).not.toEqual(known);
  });
});
