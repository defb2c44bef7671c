/**
 * What every admin command is made of, and the parts of the controller that admin commands share.
 * Not here: which opcode is which command (admin.ts), the commands themselves (the other files of this folder).
 */
import type { Clock } from '../../machine/clock.ts';
import type { Memory } from '../../machine/memory.ts';
import type { Coalescing } from '../coalescing.ts';
import type { Engine } from '../engine.ts';
import type { Events } from '../events.ts';
import type { Health } from '../health.ts';
import type { InterruptPort } from '../interrupt-port.ts';
import type { HostMap } from '../map/host-map.ts';
import type { Namespaces } from '../namespaces.ts';
import type { ControllerProfile } from '../profile.ts';
import type { CompletionQueues, SubmissionQueues } from '../queues.ts';
import type { ShadowDoorbells } from '../shadow-doorbells.ts';
import type { Slots } from '../slots.ts';
import type { Subsystem } from '../subsystem.ts';

/** One admin command. Both methods take its slot and return a status. */
export interface AdminCommand {
  /** Refuses what can be refused before data move; sets the data phase. */
  check(slot: number): number;
  /** Does the work, or keeps the command (HELD). Its data are at byte `at` of device-local memory, whichever way they go. */
  execute(slot: number, at: number): number;
}

export interface AdminParts {
  readonly profile: ControllerProfile;
  readonly serial: string;
  readonly clock: Clock;
  readonly memory: Memory;
  readonly slots: Slots;
  readonly sqs: SubmissionQueues;
  readonly cqs: CompletionQueues;
  readonly engine: Engine;
  readonly health: Health;
  readonly events: Events;
  readonly namespaces: Namespaces;
  readonly subsystem: Subsystem;
  readonly shadow: ShadowDoorbells;
  readonly coalescing: Coalescing;
  readonly interrupts: InterruptPort;
  /** null: the controller has no use for host memory. */
  readonly hostMap: HostMap | null;
  /** The CC register. */
  readonly cc: () => number;
  /** The controller cannot go on: CSTS.CFS. */
  readonly fatal: (reason: string) => void;
  /** Commands are not taken for a while: CSTS.PP. */
  readonly pause: (isPaused: boolean) => void;
}

/** What all of one drive's management commands need besides their own state. */
export type CommandParts = Pick<
  AdminParts,
  'profile' | 'clock' | 'memory' | 'slots' | 'engine' | 'health' | 'events' | 'namespaces'
>;
