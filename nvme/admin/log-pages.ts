/**
 * The log pages of this controller: who writes each, how long it is, and what its reading does. A profile leaves out
 * the pages of commands that it does not have. Not here: the command (logs.ts), page 00h, which it writes itself.
 */

import { present } from '../absences.ts';
import { adminEffects, type Effects, ioEffects, ZONE_EFFECTS } from '../effects.ts';
import type { Features } from '../features.ts';
import type { LogPage } from '../logs.ts';
import { hasQuirk } from '../quirks.ts';
import { FEATURES } from '../spec/features.ts';
import { IDENTIFY_SIZE } from '../spec/identify.ts';
import {
  ASYNC_EVENT,
  COMMAND_EFFECTS_LOG,
  EFFECTS_BYTES,
  FEATURE_EFFECTS,
  FEATURE_SCOPE,
  FIRMWARE_SLOT_LOG,
  LID,
  RESERVATION_NOTIFICATION_LOG,
  SANITIZE_LOG,
  SELF_TEST_LOG,
  SMART_LOG,
} from '../spec/logs.ts';
import { VERSION } from '../spec/registers.ts';
import { STATUS } from '../spec/status.ts';
import { CHANGED_ZONES } from '../spec/zones.ts';
import type { AdminParts } from './command.ts';
import type { Firmware } from './firmware.ts';
import type { PersistentEvents } from './persistent-events.ts';
import type { Sanitize } from './sanitize.ts';
import type { SelfTest } from './self-test.ts';
import { TELEMETRY_BLOCK, type Telemetry } from './telemetry.ts';

export interface PageParts
  extends Pick<AdminParts, 'profile' | 'memory' | 'health' | 'events' | 'namespaces'> {
  readonly features: Features;
  readonly firmware: Firmware;
  readonly selfTest: SelfTest;
  readonly telemetry: Telemetry;
  readonly history: PersistentEvents;
  readonly sanitize: Sanitize;
}

/** LSP of page 07h: take a new picture. */
const CREATE_TELEMETRY = 1;
/** LIDSP of page 0Dh: the header can be read while the context is established. */
const HEADER_WITH_CONTEXT = 1;
const LAST_PERSISTENT_ACTION = 3;
/** SMART counts in 128 bits. */
const COUNTER_BYTES = 16;

type Pages = Readonly<Record<number, LogPage>>;

export function logPages(parts: PageParts): Pages {
  const { admin, absent, version } = parts.profile;
  const pages: Pages = {
    ...mandatoryPages(parts),
    ...(admin.namespaceManagement || admin.format ? changedPage(parts) : {}),
    ...(admin.selfTest ? selfTestPage(parts) : {}),
    ...(admin.telemetry ? telemetryPages(parts) : {}),
    ...(admin.persistentEvents ? persistentEventPage(parts) : {}),
    ...(version >= VERSION.V2_0 ? effectPages(parts) : {}),
    ...(admin.sanitize.length > 0 ? sanitizePage(parts) : {}),
    ...reservationPage(parts),
    ...(parts.namespaces.hasZones ? zonesPage(parts) : {}),
  };
  return present(pages, absent, 'logs');
}

const fixed = (bytes: number, write: (at: number) => void): LogPage => ({ bytes: () => bytes, write });

function mandatoryPages({ profile, memory, health, firmware, namespaces }: PageParts): Pages {
  const { view, u8 } = memory;
  return {
    [LID.ERROR]: fixed(health.errors.bytes, (at) => {
      if (!hasQuirk(profile, 'keepsNoErrors')) health.errors.write(u8, at);
    }),
    [LID.SMART]: fixed(SMART_LOG.SIZE, (at) => {
      health.writeSmart(view, at);
      if (hasQuirk(profile, 'countsLittle')) leaveOut(u8, at);
    }),
    [LID.FIRMWARE_SLOT]: fixed(FIRMWARE_SLOT_LOG.SIZE, (at) => firmware.writeLog(at)),
    [LID.COMMAND_EFFECTS]: fixed(COMMAND_EFFECTS_LOG.SIZE, (at) => {
      writeWords(view, at + COMMAND_EFFECTS_LOG.ADMIN, adminEffects(profile));
      writeWords(view, at + COMMAND_EFFECTS_LOG.IO, ioEffects(profile));
      if (namespaces.hasZones) writeWords(view, at + COMMAND_EFFECTS_LOG.IO, ZONE_EFFECTS);
    }),
  };
}

/** What the quirk `countsLittle` has no numbers for. */
function leaveOut(u8: Uint8Array, at: number): void {
  const { AVAILABLE_SPARE, SPARE_THRESHOLD, POWER_CYCLES, ERROR_LOG_ENTRIES } = SMART_LOG;
  u8.fill(0, at + AVAILABLE_SPARE, at + SPARE_THRESHOLD + 1);
  u8.fill(0, at + POWER_CYCLES, at + POWER_CYCLES + COUNTER_BYTES);
  u8.fill(0, at + ERROR_LOG_ENTRIES, at + ERROR_LOG_ENTRIES + COUNTER_BYTES);
}

/** Page 12h, and page 13h, which is empty: there is no management interface. */
function effectPages({ memory, features }: PageParts): Pages {
  const write = (at: number) => {
    for (const fid of features.supported) {
      const { scope } = FEATURES[fid]!;
      const kind = scope === 'namespace' ? 'NAMESPACE' : scope === 'subsystem' ? 'SUBSYSTEM' : 'CONTROLLER';
      const word = FEATURE_EFFECTS.encode({ FSUPP: 1, FSP: FEATURE_SCOPE[kind] });
      memory.view.setUint32(at + 4 * fid, word, true);
    }
  };
  return {
    [LID.FEATURE_EFFECTS]: fixed(EFFECTS_BYTES.FEATURES, write),
    [LID.MI_EFFECTS]: fixed(EFFECTS_BYTES.MANAGEMENT, () => {}),
  };
}

function changedPage({ memory, namespaces }: PageParts): Pages {
  return {
    [LID.CHANGED_NAMESPACES]: {
      ...fixed(IDENTIFY_SIZE, (at) => namespaces.writeChanged(memory.view, at)),
      release: () => namespaces.clearChanged(),
    },
  };
}

function selfTestPage({ memory, selfTest }: PageParts): Pages {
  return { [LID.SELF_TEST]: fixed(SELF_TEST_LOG.SIZE, (at) => selfTest.writeLog(memory.view, at)) };
}

function telemetryPages({ memory, telemetry }: PageParts): Pages {
  const page = (lid: number): LogPage => ({
    bytes: () => telemetry.bytes(lid),
    write: (at) => telemetry.writeLog(memory.view, at, lid),
    granule: TELEMETRY_BLOCK,
  });
  return {
    [LID.TELEMETRY_HOST]: {
      ...page(LID.TELEMETRY_HOST),
      act: (lsp) => {
        if ((lsp & CREATE_TELEMETRY) !== 0) telemetry.captureForHost();
      },
    },
    [LID.TELEMETRY_CONTROLLER]: {
      ...page(LID.TELEMETRY_CONTROLLER),
      release: () => telemetry.release(),
    },
  };
}

function persistentEventPage({ memory, history }: PageParts): Pages {
  return {
    [LID.PERSISTENT_EVENTS]: {
      bytes: () => history.bytes,
      write: (at) => history.writeLog(memory.u8, at),
      problem: (lsp) => {
        if (lsp > LAST_PERSISTENT_ACTION) {
          return { status: STATUS.INVALID_FIELD, reason: `action ${lsp} is reserved` };
        }
        const reason = history.problem(lsp);
        return reason === null ? null : { status: STATUS.COMMAND_SEQUENCE_ERROR, reason };
      },
      act: (lsp) => history.act(lsp),
      parameters: HEADER_WITH_CONTEXT,
    },
  };
}

function sanitizePage({ memory, sanitize }: PageParts): Pages {
  return { [LID.SANITIZE_STATUS]: fixed(SANITIZE_LOG.SIZE, (at) => sanitize.writeLog(memory.view, at)) };
}

/** Notifications come one at a time; the next one is announced when the host has read the one before. */
function reservationPage({ memory, events }: PageParts): Pages {
  const { reservations } = events;
  return {
    [LID.RESERVATION_NOTIFICATION]: {
      ...fixed(RESERVATION_NOTIFICATION_LOG.SIZE, (at) => reservations.write(memory.view, at)),
      release: () => {
        reservations.take();
        if (!reservations.isEmpty) events.raise(ASYNC_EVENT.RESERVATION_LOG_AVAILABLE);
      },
    },
  };
}

/** The list of each namespace; the next one is announced when the host has read the one before. */
function zonesPage({ memory, events }: PageParts): Pages {
  const { zones } = events;
  return {
    [LID.CHANGED_ZONES]: {
      bytes: () => CHANGED_ZONES.SIZE,
      write: (at, nsid) => zones.write(memory.view, at, nsid),
      isOfZones: true,
      release: (nsid) => {
        zones.clear(nsid);
        if (!zones.isTold) events.raise(ASYNC_EVENT.ZONE_DESCRIPTOR_CHANGED);
      },
    },
  };
}

function writeWords(view: DataView, at: number, words: Effects): void {
  for (const [index, word] of Object.entries(words)) view.setUint32(at + 4 * Number(index), word, true);
}
