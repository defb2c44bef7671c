/**
 * Get Log Page: supported logs, errors, SMART, firmware slots, command effects; any part of a page, from any dword
 * (Base 2.1 §5.1.12). Pages belong to the controller: there are none per namespace.
 * Not here: what the pages count (health.ts, error-log.ts), events (events.ts).
 */
import type { Memory } from '../machine/memory.ts';
import { hex, u64 } from '../support/numbers.ts';
import { writeAscii } from './ascii.ts';
import { ADMIN_EFFECTS, IO_EFFECTS } from './effects.ts';
import type { Events } from './events.ts';
import type { Health } from './health.ts';
import type { ControllerProfile } from './profile.ts';
import { DATA_TO_HOST, type Slots } from './slots.ts';
import { GET_LOG_CDW10, GET_LOG_CDW11, GET_LOG_CDW14, NSID_BROADCAST, SQE } from './spec/commands.ts';
import { CSI } from './spec/identify.ts';
import { AFI, COMMAND_EFFECTS_LOG, FIRMWARE_SLOT_LOG, LID, SMART_LOG, SUPPORTED_LOG } from './spec/logs.ts';
import { STATUS } from './spec/status.ts';

const SUPPORTED_LOGS_BYTES = 1024;
const FIRMWARE_SLOT = 1;

interface Page {
  readonly bytes: number;
  /** Writes the whole page at byte `at` of device-local memory, which is zeroed. */
  readonly write: (at: number) => void;
}

export interface LogParts {
  readonly profile: ControllerProfile;
  readonly slots: Slots;
  readonly health: Health;
  readonly events: Events;
  readonly memory: Memory;
  /** Largest data transfer of one command. */
  readonly maxTransfer_bytes: number;
}

export class Logs {
  /** Size of the largest page. */
  readonly largest_bytes: number;
  readonly #slots: Slots;
  readonly #health: Health;
  readonly #events: Events;
  readonly #memory: Memory;
  readonly #maxTransfer: number;
  readonly #pages: Readonly<Record<number, Page>>;

  constructor(parts: LogParts) {
    const { profile, health, memory } = parts;
    const { view, u8 } = memory;
    this.#slots = parts.slots;
    this.#health = health;
    this.#events = parts.events;
    this.#memory = memory;
    this.#maxTransfer = parts.maxTransfer_bytes;
    this.#pages = {
      [LID.SUPPORTED_LOGS]: { bytes: SUPPORTED_LOGS_BYTES, write: (at) => this.#writeSupported(at) },
      [LID.ERROR]: { bytes: health.errors.bytes, write: (at) => health.errors.write(u8, at) },
      [LID.SMART]: { bytes: SMART_LOG.SIZE, write: (at) => health.writeSmart(view, at) },
      [LID.FIRMWARE_SLOT]: {
        bytes: FIRMWARE_SLOT_LOG.SIZE,
        write: (at) => {
          FIRMWARE_SLOT_LOG.set(view, at, 'AFI', AFI.encode({ ACTIVE: FIRMWARE_SLOT }));
          writeAscii(u8, at + FIRMWARE_SLOT_LOG.FRS1, 8, profile.firmware);
        },
      },
      [LID.COMMAND_EFFECTS]: { bytes: COMMAND_EFFECTS_LOG.SIZE, write: (at) => writeEffects(view, at) },
    };
    this.largest_bytes = Math.max(...Object.values(this.#pages).map((page) => page.bytes));
  }

  /** Refuses an unknown page or an impossible part of one; sets the data phase. Returns a status. */
  check(slot: number): number {
    const slots = this.#slots;
    const lid = this.#lid(slot);
    const page = this.#pages[lid];
    if (page === undefined) {
      const reason = `log page ${hex(lid, 2)} is not supported (Base 2.1 §5.1.12)`;
      return this.#health.explain(STATUS.INVALID_LOG_PAGE, reason, SQE.CDW10);
    }
    const nsid = slots.dword(slot, SQE.NSID);
    if (nsid !== 0 && nsid !== NSID_BROADCAST) {
      return this.#refuse('the page belongs to the controller, so NSID must be 0 or FFFFFFFFh', SQE.NSID);
    }
    const cdw14 = slots.dword(slot, SQE.CDW14);
    if (GET_LOG_CDW14.OT.get(cdw14) === 1)
      return this.#refuse('no page takes an index as offset (OT)', SQE.CDW14);
    if (lid === LID.COMMAND_EFFECTS && GET_LOG_CDW14.CSI.get(cdw14) !== CSI.NVM) {
      return this.#refuse('the only command set is NVM, CSI 0', SQE.CDW14 + 3);
    }
    const offset = this.#offset(slot);
    if ((offset & 3) !== 0) return this.#refuse(`offset ${hex(offset)} is not a multiple of 4`, SQE.CDW12);
    if (offset > page.bytes) {
      return this.#refuse(`offset ${hex(offset)} is beyond the ${page.bytes} bytes of the page`, SQE.CDW12);
    }
    const bytes = this.#length(slot);
    if (bytes > this.#maxTransfer) {
      return this.#refuse(`${bytes} bytes are more than MDTS allows (${this.#maxTransfer})`, SQE.CDW10 + 2);
    }
    slots.setData(slot, DATA_TO_HOST, bytes);
    return STATUS.SUCCESS;
  }

  /**
   * Writes what the host asked for at byte `at` of device-local memory, zeroes beyond the page's end.
   * Unless the host retains it, the event that pointed to the page is cleared.
   */
  write(slot: number, at: number): void {
    const lid = this.#lid(slot);
    const page = this.#pages[lid]!;
    const memory = this.#memory;
    memory.fill(at, 0, page.bytes);
    page.write(at);
    const offset = this.#offset(slot);
    const left = page.bytes - offset;
    const bytes = this.#length(slot);
    if (offset > 0) memory.copy(at, at + offset, left);
    if (bytes > left) memory.fill(at + left, 0, bytes - left);
    if (GET_LOG_CDW10.RAE.get(this.#slots.dword(slot, SQE.CDW10)) === 0) this.#events.clear(lid);
  }

  #lid(slot: number): number {
    return GET_LOG_CDW10.LID.get(this.#slots.dword(slot, SQE.CDW10));
  }

  /** Bytes asked for: NUMD counts dwords from 0. */
  #length(slot: number): number {
    const low = GET_LOG_CDW10.NUMDL.get(this.#slots.dword(slot, SQE.CDW10));
    const high = GET_LOG_CDW11.NUMDU.get(this.#slots.dword(slot, SQE.CDW11));
    return (high * 0x1_0000 + low + 1) * 4;
  }

  #offset(slot: number): number {
    return u64(this.#slots.dword(slot, SQE.CDW12), this.#slots.dword(slot, SQE.CDW13));
  }

  #writeSupported(at: number): void {
    for (const lid of Object.keys(this.#pages)) {
      this.#memory.view.setUint32(at + 4 * Number(lid), SUPPORTED_LOG.encode({ LSUPP: 1 }), true);
    }
  }

  #refuse(reason: string, byte: number): number {
    return this.#health.explain(STATUS.INVALID_FIELD, reason, byte);
  }
}

function writeEffects(view: DataView, at: number): void {
  const write = (table: Readonly<Record<number, number>>, to: number) => {
    for (const [opcode, effects] of Object.entries(table))
      view.setUint32(to + 4 * Number(opcode), effects, true);
  };
  write(ADMIN_EFFECTS, at + COMMAND_EFFECTS_LOG.ADMIN);
  write(IO_EFFECTS, at + COMMAND_EFFECTS_LOG.IO);
}
