/** Commands and completions as the bytes that a host writes and reads. Not here: where in a queue they are (harness.ts). */
import { CQE, SQE } from '../../nvme/spec/commands.ts';
import { statusOf } from '../../nvme/spec/status.ts';

/** A submission entry: what is absent is 0, and the command identifier counts up. */
export interface Entry {
  readonly opcode: number;
  readonly flags?: number;
  readonly cid?: number;
  readonly nsid?: number;
  readonly prp1?: number;
  readonly prp2?: number;
  /** Low and high word in the place of `prp2`: the second half of an SGL descriptor. */
  readonly descriptor?: readonly [low: number, high: number];
  readonly mptr?: number;
  readonly cdw2?: number;
  readonly cdw3?: number;
  readonly cdw10?: number;
  readonly cdw11?: number;
  readonly cdw12?: number;
  readonly cdw13?: number;
  readonly cdw14?: number;
  readonly cdw15?: number;
}

export interface Completion {
  readonly dw0: number;
  readonly dw1: number;
  readonly sqhd: number;
  readonly sqid: number;
  readonly cid: number;
  /** 11-bit code, SCT << 8 | SC. */
  readonly status: number;
  readonly dnr: boolean;
}

/** Writes a submission entry at the start of `view`, over zeroes. */
export function writeEntry(view: DataView, cid: number, entry: Entry): void {
  view.setUint32(0, (entry.opcode | ((entry.flags ?? 0) << 8) | (cid << 16)) >>> 0, true);
  view.setUint32(SQE.NSID, entry.nsid ?? 0, true);
  view.setBigUint64(SQE.PRP1, BigInt(entry.prp1 ?? 0), true);
  view.setBigUint64(SQE.PRP2, BigInt(entry.prp2 ?? 0), true);
  entry.descriptor?.forEach((word, index) => {
    view.setUint32(SQE.PRP2 + 4 * index, word >>> 0, true);
  });
  view.setUint32(SQE.CDW2, entry.cdw2 ?? 0, true);
  view.setUint32(SQE.CDW3, entry.cdw3 ?? 0, true);
  view.setBigUint64(SQE.MPTR, BigInt(entry.mptr ?? 0), true);
  const { cdw10 = 0, cdw11 = 0, cdw12 = 0, cdw13 = 0, cdw14 = 0, cdw15 = 0 } = entry;
  [cdw10, cdw11, cdw12, cdw13, cdw14, cdw15].forEach((word, index) => {
    view.setUint32(SQE.CDW10 + 4 * index, word >>> 0, true);
  });
}

/** The completion at the start of `view`, or null where its phase tag is not `phase`. */
export function readCompletion(view: DataView, phase: number): Completion | null {
  const field = view.getUint16(CQE.STATUS, true);
  if ((field & 1) !== phase) return null;
  return {
    dw0: view.getUint32(CQE.DW0, true),
    dw1: view.getUint32(CQE.DW1, true),
    sqhd: view.getUint16(CQE.SQHD, true),
    sqid: view.getUint16(CQE.SQID, true),
    cid: view.getUint16(CQE.CID, true),
    status: statusOf(field),
    dnr: field >>> 15 === 1,
  };
}
