/**
 * Get Log Page: which pages there are, which part of a page the host gets, and what reading one changes (Base 2.1
 * §5.1.12). Pages belong to the controller, but for that of changed zones.
 * Not here: what the pages hold, which those who know write (health.ts, sanitize.ts, telemetry.ts …).
 */
import { hex, u64 } from '../support/numbers.ts';
import { present } from './absences.ts';
import type { AdminCommand, AdminParts } from './admin/command.ts';
import { hasQuirk } from './quirks.ts';
import type { Refusal } from './refusal.ts';
import { DATA_TO_HOST } from './slots.ts';
import { GET_LOG_CDW10, GET_LOG_CDW11, GET_LOG_CDW14, NSID_BROADCAST, SQE } from './spec/commands.ts';
import { CSI } from './spec/identify.ts';
import { LID, SUPPORTED_LOG } from './spec/logs.ts';
import { STATUS } from './spec/status.ts';

/** One log page. LSP is the log specific field of the command. */
export interface LogPage {
  /** Bytes of the page as it is now. */
  readonly bytes: () => number;
  /** Writes the whole page, of namespace `nsid` if it has several, at byte `at` of device-local memory, which is zeroed. */
  readonly write: (at: number, nsid: number) => void;
  /** Each namespace with zones has one, and there is none of the controller. */
  readonly isOfZones?: boolean;
  /** Offset and length must be multiples of this many bytes; 4 when absent. */
  readonly granule?: number;
  /** Why the command cannot be executed now, as status and sentence; null when it can. */
  readonly problem?: (lsp: number) => { readonly status: number; readonly reason: string } | null;
  /** Acts on LSP before the page is written. */
  readonly act?: (lsp: number) => void;
  /** The host has read the page and does not want its event kept. */
  readonly release?: (nsid: number) => void;
  /** LIDSP of the Supported Log Pages page. */
  readonly parameters?: number;
}

export interface LogParts
  extends Pick<AdminParts, 'profile' | 'slots' | 'health' | 'events' | 'memory' | 'namespaces'> {
  /** All pages but 00h, by identifier. */
  readonly pages: Readonly<Record<number, LogPage>>;
  /** Largest data transfer of one command. */
  readonly maxTransfer_bytes: number;
}

const SUPPORTED_LOGS_BYTES = 1024;
const DWORD = 4;

export class Logs implements AdminCommand {
  readonly #parts: LogParts;
  readonly #pages: Readonly<Record<number, LogPage>>;
  readonly #isShort: boolean;

  constructor(parts: LogParts) {
    this.#parts = parts;
    this.#isShort = hasQuirk(parts.profile, 'shortLogs');
    const supported = { bytes: () => SUPPORTED_LOGS_BYTES, write: (at: number) => this.#writeSupported(at) };
    this.#pages = present({ ...parts.pages, [LID.SUPPORTED_LOGS]: supported }, parts.profile.absent, 'logs');
  }

  /** Refuses an unknown page or an impossible part of one; sets the data phase. Returns a status. */
  check(slot: number): number {
    const { slots, health, maxTransfer_bytes } = this.#parts;
    const lid = this.#lid(slot);
    const page = this.#pages[lid];
    if (this.#isShort) return this.#checkShort(slot, lid, page);
    if (page === undefined) {
      const reason = `log page ${hex(lid, 2)} is not supported (Base 2.1 §5.1.12)`;
      return health.explain(STATUS.INVALID_LOG_PAGE, reason, SQE.CDW10);
    }
    const nsid = slots.dword(slot, SQE.NSID);
    if (page.isOfZones === true) {
      const problem = this.#zonesProblem(nsid);
      if (problem !== null) return health.explain(problem.status, problem.reason, SQE.NSID);
    } else if (nsid !== 0 && nsid !== NSID_BROADCAST) {
      return this.#refuse('the page belongs to the controller, so NSID must be 0 or FFFFFFFFh', SQE.NSID);
    }
    const cdw14 = slots.dword(slot, SQE.CDW14);
    if (GET_LOG_CDW14.OT.get(cdw14) === 1)
      return this.#refuse('no page takes an index as offset (OT)', SQE.CDW14);
    if (lid === LID.COMMAND_EFFECTS && GET_LOG_CDW14.CSI.get(cdw14) !== CSI.NVM) {
      return this.#refuse('the only command set is NVM, CSI 0', SQE.CDW14 + 3);
    }
    const bytes = this.#length(slot);
    if (bytes > maxTransfer_bytes) {
      return this.#refuse(`${bytes} bytes are more than MDTS allows (${maxTransfer_bytes})`, SQE.CDW10 + 2);
    }
    let status = this.#checkPart(page, this.#offset(slot), bytes);
    if (status === STATUS.SUCCESS) status = this.#checkAction(slot, page);
    if (status === STATUS.SUCCESS) slots.setData(slot, DATA_TO_HOST, bytes);
    return status;
  }

  #zonesProblem(nsid: number): Refusal | null {
    const namespace = this.#parts.namespaces.attached(nsid);
    const status = STATUS.INVALID_NAMESPACE_OR_FORMAT;
    if (namespace === undefined)
      return { status, reason: `the page is of a namespace, and ${hex(nsid)} is none` };
    if (namespace.zones !== null) return null;
    return { status: STATUS.INVALID_LOG_PAGE, reason: `namespace ${nsid} has no zones` };
  }

  /** The quirk `shortLogs`. */
  #checkShort(slot: number, lid: number, page: LogPage | undefined): number {
    const { slots, health, namespaces, maxTransfer_bytes } = this.#parts;
    if (this.#length(slot) > maxTransfer_bytes) return this.#refuse('more than MDTS allows', SQE.CDW10 + 2);
    if (page === undefined) return this.#refuse(`log page ${hex(lid, 2)} is not supported`, SQE.CDW10);
    const left = page.bytes() - this.#offset(slot);
    if ((this.#offset(slot) & 3) !== 0) return this.#refuse('the offset is not a whole dword', SQE.CDW12);
    if (left <= 0) return this.#refuse('the offset is beyond the end of the page', SQE.CDW12);
    const nsid = slots.dword(slot, SQE.NSID);
    if (lid === LID.SMART && nsid !== NSID_BROADCAST && namespaces.attached(nsid) === undefined) {
      const reason = `there is no namespace ${hex(nsid)}`;
      return health.explain(STATUS.INVALID_NAMESPACE_OR_FORMAT, reason, SQE.NSID);
    }
    const status = this.#checkAction(slot, page);
    if (status === STATUS.SUCCESS) slots.setData(slot, DATA_TO_HOST, Math.min(this.#length(slot), left));
    return status;
  }

  /** What LSP asks of the page cannot be done now. */
  #checkAction(slot: number, page: LogPage): number {
    const problem = page.problem?.(this.#lsp(slot)) ?? null;
    if (problem === null) return STATUS.SUCCESS;
    return this.#parts.health.explain(problem.status, problem.reason, SQE.CDW10 + 1);
  }

  #checkPart(page: LogPage, offset: number, bytes: number): number {
    const granule = page.granule ?? DWORD;
    if ((offset & (granule - 1)) !== 0) {
      return this.#refuse(`offset ${hex(offset)} is not a multiple of ${granule}`, SQE.CDW12);
    }
    if ((bytes & (granule - 1)) !== 0) {
      return this.#refuse(`${bytes} bytes are not a multiple of ${granule}`, SQE.CDW10 + 2);
    }
    if (offset > page.bytes()) {
      return this.#refuse(`offset ${hex(offset)} is beyond the ${page.bytes()} bytes of the page`, SQE.CDW12);
    }
    return STATUS.SUCCESS;
  }

  /**
   * Writes what the host asked for at byte `at` of device-local memory, zeroes beyond the page's end.
   * Unless the host retains it, the event that pointed to the page is cleared.
   */
  execute(slot: number, at: number): number {
    const { memory, slots, events } = this.#parts;
    const lid = this.#lid(slot);
    const page = this.#pages[lid]!;
    page.act?.(this.#lsp(slot));
    const whole = page.bytes();
    memory.fill(at, 0, whole);
    const nsid = slots.dword(slot, SQE.NSID);
    page.write(at, nsid);
    const offset = Math.min(this.#offset(slot), whole);
    const left = whole - offset;
    const bytes = this.#length(slot);
    if (offset > 0) memory.copy(at, at + offset, left);
    if (bytes > left) memory.fill(at + left, 0, bytes - left);
    if (GET_LOG_CDW10.RAE.get(slots.dword(slot, SQE.CDW10)) === 0) {
      events.clear(lid);
      page.release?.(nsid);
    }
    return STATUS.SUCCESS;
  }

  #lid(slot: number): number {
    return GET_LOG_CDW10.LID.get(this.#parts.slots.dword(slot, SQE.CDW10));
  }

  #lsp(slot: number): number {
    return GET_LOG_CDW10.LSP.get(this.#parts.slots.dword(slot, SQE.CDW10));
  }

  /** Bytes asked for: NUMD counts dwords from 0. */
  #length(slot: number): number {
    const { slots } = this.#parts;
    const low = GET_LOG_CDW10.NUMDL.get(slots.dword(slot, SQE.CDW10));
    const high = GET_LOG_CDW11.NUMDU.get(slots.dword(slot, SQE.CDW11));
    return (high * 0x1_0000 + low + 1) * DWORD;
  }

  #offset(slot: number): number {
    const { slots } = this.#parts;
    return u64(slots.dword(slot, SQE.CDW12), slots.dword(slot, SQE.CDW13));
  }

  #writeSupported(at: number): void {
    for (const [lid, page] of Object.entries(this.#pages)) {
      const word = SUPPORTED_LOG.encode({ LSUPP: 1, LIDSP: page.parameters ?? 0 });
      this.#parts.memory.view.setUint32(at + DWORD * Number(lid), word, true);
    }
  }

  #refuse(reason: string, byte: number): number {
    return this.#parts.health.explain(STATUS.INVALID_FIELD, reason, byte);
  }
}
