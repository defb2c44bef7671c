/**
 * Puts together what a controller's commands need: namespaces with their stores, media, features, the admin and the I/O
 * command set. Not here: registers, queues and the engine that runs them (controller.ts).
 */
import type { Clock } from '../machine/clock.ts';
import type { Memory } from '../machine/memory.ts';
import type { PcieDescription } from '../machine/pcie/capabilities.ts';
import type { DmaPort } from '../machine/pcie/dma-port.ts';
import type { Jitter } from '../machine/timing/jitter.ts';
import type { Trace } from '../machine/trace.ts';
import type { Random } from '../support/random.ts';
import type { AdminParts } from './admin/command.ts';
import { AdminCommands } from './admin.ts';
import { ChunkPool } from './chunk-pool.ts';
import { Coalescing } from './coalescing.ts';
import type { Engine } from './engine.ts';
import type { Events } from './events.ts';
import { Context } from './io/command.ts';
import type { SubsystemPlace } from './limits.ts';
import { MappedMedia } from './map/cache.ts';
import { HostMap } from './map/host-map.ts';
import { UNITS_PER_PAGE } from './map/profile.ts';
import { createMedia } from './media/create.ts';
import type { Media } from './media.ts';
import type { Namespace } from './namespace.ts';
import { Namespaces } from './namespaces.ts';
import { NvmCommands } from './nvm.ts';
import type { ControllerProfile } from './profile.ts';
import type { Slots } from './slots.ts';
import { SparseStore } from './sparse-store.ts';
import type { Subsystem } from './subsystem.ts';

/** What a board gives a controller. */
export interface ControllerParts {
  readonly name: string;
  readonly profile: ControllerProfile;
  readonly serial: string;
  readonly clock: Clock;
  readonly memory: Memory;
  readonly trace: Trace;
  readonly dma: DmaPort;
  /** What the link registers of configuration space tell. */
  readonly link: PcieDescription['link'];
  readonly random: Random;
  /** Chance in what the firmware takes for a command (`firmwareJitter_ns`). */
  readonly firmware?: Jitter | null;
  /** The drive that it is a controller of. */
  readonly subsystem: Subsystem;
}

/** The parts of the controller that commands share. */
export interface SharedParts extends Omit<AdminParts, 'serial' | 'coalescing' | 'hostMap'> {
  readonly trace: Trace;
  readonly dma: DmaPort;
  readonly maxTransfer_bytes: number;
}

/** The command sets of a controller; each has the other's state where it needs it. */
export function createCommandSets(
  { serial, random }: ControllerParts,
  shared: SharedParts,
): { admin: AdminCommands; nvm: NvmCommands } {
  const { profile, clock, engine, interrupts, namespaces } = shared;
  const hostMap = profile.map === undefined ? null : new HostMap(shared);
  const coalescing = new Coalescing({
    clock,
    completer: engine.completer,
    target: interrupts,
    vectors: profile.msixVectors,
  });
  const admin = new AdminCommands({ ...shared, serial, coalescing, hostMap });
  const medium = createMedium(shared, random);
  const map = hostMap === null ? null : createMap(shared, medium, hostMap);
  const media = map ?? medium;
  shared.health.condition.wear = () => media.wear();
  const context = new Context({
    ...shared,
    media,
    map,
    features: admin.features,
    namespaces: namespaces.active,
    access: namespaces,
  });
  namespaces.onErased = (namespace) => {
    context.cache?.flush(namespace);
    media.discard(namespace.mediaBase, namespace.store.bytes);
  };
  return { admin, nvm: new NvmCommands(context) };
}

/** The medium, which is that of the first controller of the drive. What keeps it busy is told as done by that one. */
function createMedium(
  { profile, clock, trace, dma, namespaces, subsystem }: SharedParts,
  random: Random,
): Media {
  return subsystem.medium(() =>
    createMedia(profile.timing?.media ?? null, {
      clock,
      random,
      capacity_bytes: namespaces.capacity_bytes,
      busy: { trace, dma },
      moved: (unit) => subsystem.mapChanged(Math.floor(unit / UNITS_PER_PAGE)),
    }),
  );
}

/** The mapping table of a controller that does not keep all of it. */
function createMap(
  { profile, memory, health, namespaces, subsystem }: SharedParts,
  medium: Media,
  host: HostMap,
): MappedMedia {
  subsystem.listenToMap((page) => host.changed(page));
  return new MappedMedia({
    profile: profile.map!,
    medium,
    host,
    memory,
    lookups: health.lookups,
    capacity_bytes: namespaces.capacity_bytes,
    changed: (page) => subsystem.mapChanged(page),
  });
}

/** The namespaces of a drive: those it starts with, and stores for those that hosts create. */
export function createNamespaces(
  { profile, memory, subsystem }: ControllerParts,
  parts: {
    readonly place: SubsystemPlace;
    readonly slots: Slots;
    readonly engine: Engine;
    readonly events: Events;
  },
): Namespaces {
  const { namespaces, capacity_bytes } = subsystem;
  let pool: ChunkPool | undefined;
  return new Namespaces({
    ...parts,
    largest: profile.maxNamespaces,
    initial: namespaces,
    formats: profile.formats,
    capacity_bytes,
    createStore: (bytes) => {
      pool ??= new ChunkPool(memory, largestMedium(capacity_bytes, namespaces));
      return new SparseStore(memory, bytes, pool);
    },
  });
}

/** Bytes of the largest medium that may be made: metadata take less than their blocks. */
const largestMedium = (capacity_bytes: number, namespaces: readonly Namespace[]): number =>
  Math.max(capacity_bytes, ...namespaces.map(({ store }) => store.bytes));
