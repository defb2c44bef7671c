/**
 * One builder per command: the sixteen dwords of a submission queue entry without its command identifier.
 * NVMe Base 2.1 §5; NVM Command Set 1.1 §3.3. For cold paths; the hot ones are written in place
 * (queue-pair.ts). Data pointers are filled in by the queue pair unless the builder takes an address itself.
 */
import {
  ABORT_CDW10,
  ADMIN,
  CREATE_CQ_CDW11,
  CREATE_QUEUE_CDW10,
  CREATE_SQ_CDW11,
  DELETE_QUEUE_CDW10,
  DSM_CDW10,
  DSM_CDW11,
  GET_FEATURES_CDW10,
  GET_LOG_CDW10,
  GET_LOG_CDW11,
  IDENTIFY_CDW10,
  IDENTIFY_CDW11,
  NVM,
  RW_CDW12,
  SET_FEATURES_CDW10,
  SQE,
  WRITE_ZEROES_CDW12,
} from '../../nvme/spec/commands.ts';
import { FID, HOST_MEMORY_BUFFER } from '../../nvme/spec/features.ts';
import { ZONE_SEND_CDW13 } from '../../nvme/spec/zones.ts';
import { assert } from '../../support/assert.ts';
import { highWord, lowWord, PAGE_SIZE } from '../../support/numbers.ts';

/** The dwords of one submission queue entry; the command identifier in CDW0 is left 0. */
export type Command = Uint32Array;

const SQE_WORDS = SQE.SIZE / 4;
/** Indexes of dwords in a command. */
export const WORD = {
  NSID: SQE.NSID / 4,
  PRP1: SQE.PRP1 / 4,
  PRP2: SQE.PRP2 / 4,
  CDW10: SQE.CDW10 / 4,
  CDW11: SQE.CDW11 / 4,
  CDW12: SQE.CDW12 / 4,
  CDW13: SQE.CDW13 / 4,
} as const;
/** Most blocks that NLB, a 0's based field of 16 bits, can name. */
export const MAX_BLOCKS = 0x1_0000;

function command(opcode: number, nsid = 0, cdw10 = 0, cdw11 = 0, cdw12 = 0, cdw13 = 0): Command {
  const words = new Uint32Array(SQE_WORDS);
  words[0] = opcode;
  words[WORD.NSID] = nsid;
  words[WORD.CDW10] = cdw10;
  words[WORD.CDW11] = cdw11;
  words[WORD.CDW12] = cdw12;
  words[WORD.CDW13] = cdw13;
  return words;
}

function withPrp1(words: Command, iova: number): Command {
  words[WORD.PRP1] = lowWord(iova);
  words[WORD.PRP1 + 1] = highWord(iova);
  return words;
}

// ---- admin ------------------------------------------------------------------------------------------------

/** Of which command set and controller a structure is; 0 when absent. */
export interface IdentifyOf {
  readonly csi?: number;
  readonly cntid?: number;
}

/** Data: 4096 bytes. */
export const identify = (cns: number, nsid = 0, { csi = 0, cntid = 0 }: IdentifyOf = {}): Command =>
  command(
    ADMIN.IDENTIFY,
    nsid,
    IDENTIFY_CDW10.encode({ CNS: cns, CNTID: cntid }),
    IDENTIFY_CDW11.encode({ CSI: csi }),
  );

/**
 * `vector` -1 makes a queue that never interrupts. The queue's memory is contiguous at `iova`, on a page
 * boundary.
 */
export const createCompletionQueue = (qid: number, entries: number, iova: number, vector: number): Command =>
  withPrp1(
    command(
      ADMIN.CREATE_CQ,
      0,
      CREATE_QUEUE_CDW10.encode({ QID: qid, QSIZE: entries - 1 }),
      CREATE_CQ_CDW11.encode(vector < 0 ? { PC: 1 } : { PC: 1, IEN: 1, IV: vector }),
    ),
    iova,
  );

/** Its completions go to completion queue `cqid`. */
export const createSubmissionQueue = (qid: number, entries: number, iova: number, cqid: number): Command =>
  withPrp1(
    command(
      ADMIN.CREATE_SQ,
      0,
      CREATE_QUEUE_CDW10.encode({ QID: qid, QSIZE: entries - 1 }),
      CREATE_SQ_CDW11.encode({ PC: 1, CQID: cqid }),
    ),
    iova,
  );

export const deleteSubmissionQueue = (qid: number): Command =>
  command(ADMIN.DELETE_SQ, 0, DELETE_QUEUE_CDW10.encode({ QID: qid }));

/** Its submission queues must be gone. */
export const deleteCompletionQueue = (qid: number): Command =>
  command(ADMIN.DELETE_CQ, 0, DELETE_QUEUE_CDW10.encode({ QID: qid }));

/** `value` is CDW11; data depends on the feature. */
export const setFeatures = (fid: number, value: number, nsid = 0): Command =>
  command(ADMIN.SET_FEATURES, nsid, SET_FEATURES_CDW10.encode({ FID: fid }), value);

/** The controller may use the `bytes` of memory that one descriptor, at `list`, names. */
export function lendHostMemory(list: number, bytes: number): Command {
  const words = setFeatures(FID.HOST_MEMORY_BUFFER, HOST_MEMORY_BUFFER.encode({ EHM: 1 }));
  words[WORD.CDW12] = bytes / PAGE_SIZE;
  words[WORD.CDW13] = lowWord(list);
  words[WORD.CDW13 + 1] = highWord(list);
  words[WORD.CDW13 + 2] = 1;
  return words;
}

/** `select` is one of FEATURE_SELECT; the value comes back in DW0. */
export const getFeatures = (fid: number, select = 0, nsid = 0): Command =>
  command(ADMIN.GET_FEATURES, nsid, GET_FEATURES_CDW10.encode({ FID: fid, SEL: select }));

/**
 * Data: `bytes` bytes, a multiple of four, from byte `offset` of the page. Reading it clears the event (RAE
 * 0).
 */
export function getLogPage(lid: number, bytes: number, nsid = 0, offset = 0): Command {
  assert(bytes > 0 && (bytes & 3) === 0, `a log page is read in dwords, got ${bytes} bytes`);
  const dwords = bytes / 4 - 1;
  return command(
    ADMIN.GET_LOG_PAGE,
    nsid,
    GET_LOG_CDW10.encode({ LID: lid, NUMDL: dwords & 0xffff }),
    GET_LOG_CDW11.encode({ NUMDU: dwords >>> 16 }),
    lowWord(offset),
    highWord(offset),
  );
}

/** The pages of indexes and of event indexes are at these addresses. */
export function doorbellBufferConfig(indexes: number, events: number): Command {
  const words = withPrp1(command(ADMIN.DOORBELL_BUFFER_CONFIG), indexes);
  words[WORD.PRP2] = lowWord(events);
  words[WORD.PRP2 + 1] = highWord(events);
  return words;
}

/** Stays outstanding until the controller has something to tell. */
export const asyncEventRequest = (): Command => command(ADMIN.ASYNC_EVENT_REQUEST);

export const abort = (sqid: number, cid: number): Command =>
  command(ADMIN.ABORT, 0, ABORT_CDW10.encode({ SQID: sqid, CID: cid }));

// ---- I/O --------------------------------------------------------------------------------------------------

/**
 * Read, Write, Compare or Verify of `blocks` blocks (1 to MAX_BLOCKS); `control` holds other bits of
 * RW_CDW12.
 */
export const transfer = (opcode: number, nsid: number, slba: number, blocks: number, control = 0): Command =>
  command(opcode, nsid, lowWord(slba), highWord(slba), RW_CDW12.NLB.set(control, blocks - 1));

export const flush = (nsid: number): Command => command(NVM.FLUSH, nsid);

/** Zeroes `blocks` blocks (1 to MAX_BLOCKS), and deallocates them if the controller likes to. */
export const writeZeroes = (nsid: number, slba: number, blocks: number, deallocate: boolean): Command =>
  command(
    NVM.WRITE_ZEROES,
    nsid,
    lowWord(slba),
    highWord(slba),
    WRITE_ZEROES_CDW12.encode({ NLB: blocks - 1, DEAC: deallocate ? 1 : 0 }),
  );

/** Deallocates. Data: `ranges` structures DSM_RANGE, 1 to 256. */
export const deallocate = (nsid: number, ranges: number): Command =>
  command(NVM.DATASET_MANAGEMENT, nsid, DSM_CDW10.encode({ NR: ranges - 1 }), DSM_CDW11.encode({ AD: 1 }));

/** Does `action`, one of ZONE_ACTION, on the zone that begins at block `slba`, or on all that it can be done on. */
export const zoneSend = (nsid: number, slba: number, action: number, all = false): Command =>
  command(
    NVM.ZONE_MANAGEMENT_SEND,
    nsid,
    lowWord(slba),
    highWord(slba),
    0,
    ZONE_SEND_CDW13.encode({ ZSA: action, ALL: all ? 1 : 0 }),
  );

/** Data: `bytes` bytes of a report of the zones from the one with block `slba` on. */
export const zoneReport = (nsid: number, slba: number, bytes: number): Command =>
  command(NVM.ZONE_MANAGEMENT_RECEIVE, nsid, lowWord(slba), highWord(slba), bytes / 4 - 1);

/** I/O commands whose CDW10 to CDW12 name a range of blocks. */
const WITH_RANGE: ReadonlySet<number> = new Set([
  NVM.READ,
  NVM.WRITE,
  NVM.COMPARE,
  NVM.VERIFY,
  NVM.WRITE_ZEROES,
  NVM.WRITE_UNCORRECTABLE,
  NVM.ZONE_APPEND,
]);

export const opcodeOf = (words: Command): number => words[0]! & 0xff;

/** Blocks of the range of an I/O command, 0 when it has none. */
export const blocksOf = (words: Command): number =>
  WITH_RANGE.has(opcodeOf(words)) ? RW_CDW12.NLB.get(words[WORD.CDW12]!) + 1 : 0;
