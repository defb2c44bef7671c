/**
 * The kernel's fault interrupt: reads the fault registers, clears them, and prints what Linux prints, word for word
 * (drivers/iommu/intel/dmar.c `dmar_fault`). The last faults stay as data for whoever explains them.
 * Not here: how hardware records a fault (fault-log.ts), the sentences (spec/faults.ts).
 */

import type { Clock } from '../machine/clock.ts';
import type { RegisterBlock } from '../machine/pcie/root-complex.ts';
import type { Archive } from '../support/archive.ts';
import { hex, u64 } from '../support/numbers.ts';
import type { Capabilities } from './capabilities.ts';
import { faultSentence, isInterruptFault } from './spec/faults.ts';
import { FAULT_RECORD_BYTES, FRCD_REASON, FRCD_SOURCE, FSTS, REG } from './spec/registers.ts';

/** One blocked request as software found it. */
export interface FaultReport {
  /** Bus << 8 | devfn. */
  readonly requester: number;
  /** Page address; for a blocked interrupt its index in the remapping table. */
  readonly address: number;
  readonly reason: number;
  readonly isWrite: boolean;
  /** Simulated time the handler ran, not the time of the request. */
  readonly time_ns: number;
  /** The line Linux prints. */
  readonly line: string;
}

/** At most `burst` fault lines in `interval_ns`; Linux has 10 in 5 s. */
export interface RateLimit {
  readonly burst: number;
  readonly interval_ns: number;
}

const REPORTS_MAX = 64;
const TWO_48 = 0x1_0000_0000_0000;

/** A requester id as `lspci` writes it, without the segment. */
export const formatRequester = (requester: number): string => {
  const bus = (requester >>> 8).toString(16).padStart(2, '0');
  return `${bus}:${((requester >>> 3) & 31).toString(16).padStart(2, '0')}.${requester & 7}`;
};

/** The line of one fault. */
export function formatFault(requester: number, address: number, reason: number, isWrite: boolean): string {
  const device = `Request device [${formatRequester(requester)}]`;
  const cause = `[fault reason 0x${reason.toString(16).padStart(2, '0')}] ${faultSentence(reason)}`;
  if (isInterruptFault(reason)) return `DMAR: [INTR-REMAP] ${device} fault index ${hex(address)} ${cause}`;
  return `DMAR: [DMA ${isWrite ? 'Write' : 'Read'} NO_PASID] ${device} fault addr ${hex(address)} ${cause}`;
}

export class FaultHandler {
  /** The last faults, oldest first. */
  readonly reports: FaultReport[] = [];
  readonly #registers: RegisterBlock;
  readonly #clock: Clock;
  readonly #recordsAt: number;
  readonly #records: number;
  readonly #dmesg: (line: string) => void;
  readonly #limit: RateLimit | null;
  #windowStart_ns = Number.NEGATIVE_INFINITY;
  #printed = 0;
  #suppressed = 0;

  constructor(
    registers: RegisterBlock,
    clock: Clock,
    capabilities: Capabilities,
    dmesg: (line: string) => void,
    limit: RateLimit | null,
  ) {
    this.#registers = registers;
    this.#clock = clock;
    this.#recordsAt = capabilities.faultRecordsAt;
    this.#records = capabilities.faultRecords;
    this.#dmesg = dmesg;
    this.#limit = limit;
  }

  /** The interrupt. */
  run(): void {
    const status = this.#registers.read32(REG.FSTS);
    if (status !== 0 && this.#mayPrint())
      this.#dmesg(`DMAR: DRHD: handling fault status reg ${status.toString(16)}`);
    if (FSTS.PPF.get(status) === 0) return;
    let index = FSTS.FRI.get(status);
    for (;;) {
      // Linux asks its limiter before it knows whether there is a record, so the empty one costs a token too.
      const mayPrint = this.#mayPrint();
      const at = this.#recordsAt + index * FAULT_RECORD_BYTES;
      const word3 = this.#registers.read32(at + 12);
      if (FRCD_REASON.F.get(word3) === 0) break;
      const report = this.#read(at, word3);
      this.#registers.write32(at + 12, FRCD_REASON.F.mask);
      if (mayPrint) this.#dmesg(report.line);
      if (this.reports.push(report) > REPORTS_MAX) this.reports.shift();
      index = index + 1 === this.#records ? 0 : index + 1;
    }
    this.#registers.write32(REG.FSTS, FSTS.PFO.mask | FSTS.PPF.mask | FSTS.PRO.mask);
  }

  /** Lines of the faults that the unit has recorded and whose interrupt has not been served yet. */
  pending(): string[] {
    const status = this.#registers.read32(REG.FSTS);
    const lines: string[] = [];
    if (FSTS.PPF.get(status) === 0) return lines;
    let index = FSTS.FRI.get(status);
    while (lines.length < this.#records) {
      const at = this.#recordsAt + index * FAULT_RECORD_BYTES;
      const word3 = this.#registers.read32(at + 12);
      if (FRCD_REASON.F.get(word3) === 0) break;
      lines.push(this.#read(at, word3).line);
      index = index + 1 === this.#records ? 0 : index + 1;
    }
    return lines;
  }

  #read(at: number, word3: number): FaultReport {
    const low = this.#registers.read32(at);
    const high = this.#registers.read32(at + 4);
    const requester = FRCD_SOURCE.SID.get(this.#registers.read32(at + 8));
    const reason = FRCD_REASON.FR.get(word3);
    const isWrite = FRCD_REASON.T1.get(word3) === 0;
    const whole = u64(low, high);
    const address = isInterruptFault(reason) ? Math.floor(whole / TWO_48) : whole;
    const line = formatFault(requester, address, reason, isWrite);
    return { requester, address, reason, isWrite, time_ns: this.#clock.now, line };
  }

  #mayPrint(): boolean {
    if (this.#limit === null) return true;
    if (this.#clock.now - this.#windowStart_ns >= this.#limit.interval_ns) {
      if (this.#suppressed > 0) this.#dmesg(`dmar_fault: ${this.#suppressed} callbacks suppressed`);
      this.#windowStart_ns = this.#clock.now;
      this.#printed = 0;
      this.#suppressed = 0;
    }
    if (this.#printed < this.#limit.burst) {
      this.#printed++;
      return true;
    }
    this.#suppressed++;
    return false;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.reports);
    this.#windowStart_ns = a.value(this.#windowStart_ns);
    this.#printed = a.value(this.#printed);
    this.#suppressed = a.value(this.#suppressed);
  }
}
