/**
 * What a controller lacks although this model has it and the options of its profile (admin/profile.ts) would bring it:
 * commands, features, log pages and Identify structures by their names in spec/. What is absent is refused as unknown,
 * and Identify and the log pages do not announce it. Not here: what departs from the specification (quirks.ts).
 */
import { ADMIN, NVM } from './spec/commands.ts';
import { FID } from './spec/features.ts';
import { CNS } from './spec/identify.ts';
import { LID } from './spec/logs.ts';

export interface Absences {
  readonly admin: readonly (keyof typeof ADMIN)[];
  readonly io: readonly (keyof typeof NVM)[];
  readonly features: readonly (keyof typeof FID)[];
  readonly logs: readonly (keyof typeof LID)[];
  readonly identify: readonly (keyof typeof CNS)[];
}

export const NOTHING_ABSENT: Absences = { admin: [], io: [], features: [], logs: [], identify: [] };

/** The numbers behind the names of each kind. */
export const NAMES = { admin: ADMIN, io: NVM, features: FID, logs: LID, identify: CNS } as const;

/** A drive without reservations lacks all of this. */
export const RESERVATIONS = {
  admin: [],
  io: ['RESERVATION_REGISTER', 'RESERVATION_REPORT', 'RESERVATION_ACQUIRE', 'RESERVATION_RELEASE'],
  features: ['RESERVATION_NOTIFICATION', 'RESERVATION_PERSISTENCE'],
  logs: ['RESERVATION_NOTIFICATION'],
  identify: [],
} as const satisfies Absences;

export const hasReservations = (absent: Absences): boolean => !absent.io.includes('RESERVATION_REGISTER');

const KINDS = Object.keys(NAMES) as (keyof Absences)[];

/** What no I/O controller may lack. Base 2.1 §3.1.3.4 to §3.1.3.6 */
const MANDATORY: Absences = {
  admin: [
    'DELETE_SQ',
    'CREATE_SQ',
    'GET_LOG_PAGE',
    'DELETE_CQ',
    'CREATE_CQ',
    'IDENTIFY',
    'ABORT',
    'SET_FEATURES',
    'GET_FEATURES',
    'ASYNC_EVENT_REQUEST',
  ],
  io: ['FLUSH', 'WRITE', 'READ'],
  features: ['ARBITRATION', 'POWER_MANAGEMENT', 'TEMPERATURE_THRESHOLD', 'NUMBER_OF_QUEUES', 'ASYNC_EVENT'],
  logs: ['ERROR', 'SMART', 'FIRMWARE_SLOT'],
  identify: ['NAMESPACE', 'CONTROLLER', 'ACTIVE_NAMESPACES'],
};

/** `entries`, which go by number, without those whose names are absent. */
export function present<Entry>(
  entries: Readonly<Record<number, Entry>>,
  absent: Absences,
  kind: keyof Absences,
): Readonly<Record<number, Entry>> {
  const names: Readonly<Record<string, number>> = NAMES[kind];
  const gone = absent[kind].map((name) => String(names[name]));
  return Object.fromEntries(Object.entries(entries).filter(([number]) => !gone.includes(number)));
}

/** One sentence naming the first absence that cannot be, or null. */
export function checkAbsences(absent: Absences): string | null {
  for (const kind of KINDS) {
    const mandatory: readonly string[] = MANDATORY[kind];
    const missed = absent[kind].find((name) => mandatory.includes(name));
    if (missed !== undefined) return `absent.${kind} names ${missed}, which every I/O controller has`;
  }
  const isGone = (kind: keyof Absences) => (name: string) =>
    (absent[kind] as readonly string[]).includes(name);
  for (const kind of KINDS) {
    const kept: readonly string[] = RESERVATIONS[kind].filter((name) => !isGone(kind)(name));
    const isAny = KINDS.some((each) => RESERVATIONS[each].some(isGone(each)));
    if (isAny && kept.length > 0)
      return `absent names a part of reservations and keeps ${kept.join(', ')} in ${kind}; they are there all or none`;
  }
  return null;
}
