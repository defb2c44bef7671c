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
  /** Where in its subsystem the controller is; alone when absent. */
  readonly place?: SubsystemPlace;
  /** Those that are attached from the beginning. */
  readonly namespaces: readonly Namespace[];
  /** NVM capacity of the drive; at least, and by default, what its namespaces take. */
  readonly capacity_bytes?: number;
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
  const media = createMappedMedia(shared, random, hostMap);
  shared.health.condition.wear = () => media.wear();
  const context = new Context({
    ...shared,
    media,
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

/** The medium, behind its mapping table where the controller does not keep all of that. */
function createMappedMedia(
  { profile, clock, trace, dma, memory, health, namespaces }: SharedParts,
  random: Random,
  host: HostMap | null,
): Media {
  const { capacity_bytes } = namespaces;
  const medium = createMedia(profile.timing?.media ?? null, {
    clock,
    random,
    capacity_bytes,
    busy: { trace, dma },
    moved: (unit) => host?.changed(Math.floor(unit / UNITS_PER_PAGE)),
  });
  if (profile.map === undefined || host === null) return medium;
  const { lookups } = health;
  return new MappedMedia({ profile: profile.map, medium, host, memory, lookups, capacity_bytes });
}

/** The namespaces of a drive: those it starts with, and stores for those that hosts create. */
export function createNamespaces(
  { profile, memory, namespaces, place, capacity_bytes = 0 }: ControllerParts,
  parts: { readonly slots: Slots; readonly engine: Engine; readonly events: Events },
): Namespaces {
  let pool: ChunkPool | undefined;
  return new Namespaces({
    ...parts,
    place,
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
