/** The commands of a job that are no reads and writes, built once. NVM Command Set 1.1 §3.3.3, Base 2.1 §7.2; ZNS 1.2 §3.4.3. */
import type { DmaBuffer } from '../../drivers/nvme/index.ts';
import { DSM_CDW11, DSM_RANGE, NVM, SQE } from '../../nvme/spec/commands.ts';
import { ZONE_ACTION, ZONE_SEND_CDW13 } from '../../nvme/spec/zones.ts';

/** What the writes of a job are. */
export interface WriteMode {
  readonly opcode: number;
  readonly hasData: boolean;
  /** Every block of the data is the first one. */
  readonly repeatsBlock: boolean;
}

/** The modes of fio's engine for SCSI (`sg_write_mode`) with what NVMe has for them. NVM Command Set 1.1 §3.3. */
export const WRITE_MODES: Readonly<Record<string, WriteMode>> = {
  write: { opcode: NVM.WRITE, hasData: true, repeatsBlock: false },
  write_same: { opcode: NVM.WRITE, hasData: true, repeatsBlock: true },
  write_same_ndob: { opcode: NVM.WRITE_ZEROES, hasData: false, repeatsBlock: false },
  verify_bytchk_00: { opcode: NVM.VERIFY, hasData: false, repeatsBlock: false },
  verify_bytchk_01: { opcode: NVM.COMPARE, hasData: true, repeatsBlock: false },
  verify_bytchk_11: { opcode: NVM.COMPARE, hasData: true, repeatsBlock: true },
};

/** Bytes that a trim transfers: one range. */
export const TRIM_BYTES = DSM_RANGE.SIZE;

export interface OtherCommands {
  readonly flush: Uint32Array;
  /** Deallocates one range. */
  readonly trim: Uint32Array;
  /** Resets a zone. */
  readonly reset: Uint32Array;
}

export function commandsOf(nsid: number): OtherCommands {
  const command = (opcode: number): Uint32Array => {
    const words = new Uint32Array(SQE.SIZE / 4);
    words[0] = opcode;
    words[SQE.NSID / 4] = nsid;
    return words;
  };
  const trim = command(NVM.DATASET_MANAGEMENT);
  trim[SQE.CDW11 / 4] = DSM_CDW11.AD.mask;
  const reset = command(NVM.ZONE_MANAGEMENT_SEND);
  reset[SQE.CDW13 / 4] = ZONE_SEND_CDW13.encode({ ZSA: ZONE_ACTION.RESET });
  return { flush: command(NVM.FLUSH), trim, reset };
}

/** The same command with another first block. */
export function withPlace(command: Uint32Array, lba: number): Uint32Array {
  command[SQE.CDW10 / 4] = lba;
  command[SQE.CDW10 / 4 + 1] = lba / 2 ** 32;
  return command;
}

/** A range for every buffer of a clone, in memory of its own, so that data stay what they are. */
export class TrimRanges {
  readonly #memory: DmaBuffer;
  readonly #words: Uint32Array;

  constructor(memory: DmaBuffer) {
    this.#memory = memory;
    const { buffer, byteOffset, length } = memory.bytes;
    this.#words = new Uint32Array(buffer, byteOffset, length / 4);
  }

  /** Describes blocks in range `index`; returns its I/O address. */
  fill(index: number, lba: number, blocks: number): number {
    const at = (index * DSM_RANGE.SIZE) / 4;
    this.#words[at + DSM_RANGE.NLB / 4] = blocks;
    this.#words[at + DSM_RANGE.SLBA / 4] = lba;
    this.#words[at + DSM_RANGE.SLBA / 4 + 1] = lba / 2 ** 32;
    return this.#memory.iova + index * DSM_RANGE.SIZE;
  }
}
