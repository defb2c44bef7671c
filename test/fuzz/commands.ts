/**
 * A command as the host knows it from the entry that it wrote: what the ledger needs to tell its fate.
 * Not here: making entries (entries.ts), what becomes of them (ledger.ts).
 */
import { ADMIN, CDW0, FUSE, SQE } from '../../nvme/spec/commands.ts';
import { AREA, areaOf, PAGE, type World } from './world.ts';

export const AREA_BYTES = AREA.PAGES * PAGE;
/** Areas of the two shadow doorbell buffers. */
export const SHADOW_AREA = AREA.COUNT - 2;
export const baseOf = (area: number): number => AREA.BASE + area * AREA.BYTES;

/** A command that was submitted and has not completed. */
export interface Pending {
  readonly cid: number;
  readonly opcode: number;
  readonly isFusedFirst: boolean;
  readonly cdw10: number;
  readonly cdw11: number;
  readonly mptr: number;
  readonly prp1: number;
  readonly prp2: number;
}

/** The command whose entry is at `iova`. */
export function readCommand(world: World, iova: number): Pending {
  const at = world.at(iova) >>> 2;
  const { u32 } = world.memory;
  const cdw0 = u32[at]!;
  return {
    cid: CDW0.CID.get(cdw0),
    opcode: CDW0.OPC.get(cdw0),
    isFusedFirst: CDW0.FUSE.get(cdw0) === FUSE.FIRST,
    cdw10: u32[at + (SQE.CDW10 >>> 2)]!,
    cdw11: u32[at + (SQE.CDW11 >>> 2)]!,
    mptr: address(u32, at + (SQE.MPTR >>> 2)),
    prp1: address(u32, at + (SQE.PRP1 >>> 2)),
    prp2: address(u32, at + (SQE.PRP2 >>> 2)),
  };
}

export const isCreate = (opcode: number): boolean => opcode === ADMIN.CREATE_CQ || opcode === ADMIN.CREATE_SQ;

const address = (u32: Uint32Array, word: number): number => u32[word]! + u32[word + 1]! * 0x1_0000_0000;

/** Whether a command aims data at memory of queues, or moves the doorbells to a place that the host does not know. */
export function mayDisturb(qid: number, { opcode, mptr, prp1, prp2 }: Pending): boolean {
  if (qid === 0 && opcode === ADMIN.DOORBELL_BUFFER_CONFIG)
    return prp1 !== baseOf(SHADOW_AREA) || prp2 !== baseOf(SHADOW_AREA + 1);
  if (qid === 0 && isCreate(opcode)) return false;
  return [prp1, prp2, mptr].some((iova) => areaOf(iova) >= 0);
}
