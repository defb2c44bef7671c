/** What a feature must do to count as modelled: another value is set, by number or in the buffer, and read back. */
import { MAPPED_BYTES } from '../../../nvme/map/profile.ts';
import { ADMIN } from '../../../nvme/spec/commands.ts';
import {
  FEATURE_CAPABILITIES,
  FEATURE_SELECT,
  FID,
  THERMAL_MANAGEMENT,
} from '../../../nvme/spec/features.ts';
import { CSTS, REG } from '../../../nvme/spec/registers.ts';
import { STATUS } from '../../../nvme/spec/status.ts';
import type { Entry } from '../entry.ts';
import { PAGE } from '../harness.ts';
import type { Bench, Verdict } from './bench.ts';

/** Other values than the defaults, of features with more than one. */
const VALUES: Readonly<Record<number, number>> = {
  [FID.ARBITRATION]: 0x0203_0405,
  [FID.POWER_MANAGEMENT]: 1,
  [FID.TEMPERATURE_THRESHOLD]: 390,
  [FID.ERROR_RECOVERY]: 5,
  [FID.THERMAL_MANAGEMENT]: THERMAL_MANAGEMENT.encode({ TMT1: 330, TMT2: 340 }),
  [FID.VOLATILE_WRITE_CACHE]: 0,
  [FID.INTERRUPT_COALESCING]: 0x0102,
  [FID.INTERRUPT_VECTOR]: 0x1_0001,
  [FID.WRITE_ATOMICITY]: 1,
  [FID.ASYNC_EVENT]: 0x1f,
  [FID.SANITIZE_CONFIG]: 0,
  [FID.SOFTWARE_PROGRESS]: 3,
  [FID.RESERVATION_NOTIFICATION]: 2,
  [FID.RESERVATION_PERSISTENCE]: 1,
  [FID.NAMESPACE_WRITE_PROTECTION]: 1,
};
/** Features with one value only: setting it again is all there is to do. */
const SINGLE: readonly number[] = [FID.COMMAND_SET_PROFILE];
/** Buffers to set, as words; those of the first `bytes` come back. */
const BUFFERS: Readonly<Record<number, { readonly words: readonly number[]; readonly bytes: number }>> = {
  [FID.TIMESTAMP]: { words: [0x1234, 0], bytes: 4 },
  [FID.HOST_BEHAVIOR]: { words: [1, ...Array<number>(127).fill(0)], bytes: 512 },
  [FID.HOST_IDENTIFIER]: { words: [7, 8], bytes: 8 },
};

export function featureVerdict(bench: Bench, fid: number): Verdict {
  const nsid = [0, 1].find((each) => bench.feature(fid, { nsid: each }) !== null);
  if (nsid === undefined) return 'refused';
  const capabilities = bench.feature(fid, { nsid, select: FEATURE_SELECT.CAPABILITIES })!;
  const set = (entry: Partial<Entry>) =>
    bench.admin({ opcode: ADMIN.SET_FEATURES, nsid: nsid === 0 ? 0 : 1, cdw10: fid, ...entry });
  if (FEATURE_CAPABILITIES.CHANGEABLE.get(capabilities) === 0)
    return set({}) === STATUS.FEATURE_NOT_CHANGEABLE ? 'fixed' : 'inert';
  return works(bench, fid, nsid, set) ? 'modelled' : 'inert';
}

type Set = (entry: Partial<Entry>) => number | null;

function works(bench: Bench, fid: number, nsid: number, set: Set): boolean {
  if (fid === FID.NUMBER_OF_QUEUES) return countsQueues(bench, set);
  if (fid === FID.KEEP_ALIVE) return watches(bench, set);
  if (fid === FID.HOST_MEMORY_BUFFER) return lendsMemory(bench, set);
  if (SINGLE.includes(fid)) return set({}) === STATUS.SUCCESS && bench.feature(fid, { nsid }) === 0;
  const buffer = BUFFERS[fid];
  if (buffer !== undefined) {
    bench.put(...buffer.words);
    if (set({}) !== STATUS.SUCCESS) return false;
    bench.clear();
    bench.feature(fid, { nsid });
    return buffer.words.slice(0, buffer.bytes / 4).every((word, index) => bench.word(4 * index) === word);
  }
  const cdw11 = VALUES[fid]!;
  const before = bench.feature(fid, { nsid, cdw11 });
  if (set({ cdw11 }) !== STATUS.SUCCESS) return false;
  return before !== cdw11 && bench.feature(fid, { nsid, cdw11 }) === cdw11;
}

/** It is refused while there are I/O queues, and else told in DW0. */
function countsQueues(bench: Bench, set: Set): boolean {
  const cdw11 = 0x0003_0003;
  if (set({ cdw11 }) !== STATUS.COMMAND_SEQUENCE_ERROR) return false;
  bench.disable();
  bench.enable();
  return set({ cdw11 }) === STATUS.SUCCESS && bench.feature(FID.NUMBER_OF_QUEUES) !== null;
}

/** Nobody keeps the controller alive, and so it fails. */
function watches(bench: Bench, set: Set): boolean {
  const status = set({ cdw11: 1000 });
  return status === STATUS.SUCCESS && CSTS.CFS.get(bench.read32(REG.CSTS)) === 1;
}

/** Blocks of two parts of the mapping table are read by turns: what has no room goes to the memory that was lent. */
function lendsMemory(bench: Bench, set: Set): boolean {
  const list = bench.allocate();
  const pages = 256;
  const lent = bench.allocate(pages);
  bench.memory.u32.set([lent, 0, pages, 0], list >>> 2);
  const status = set({ cdw11: 1, cdw12: pages, cdw13: list, cdw15: 1 });
  const blocks = MAPPED_BYTES / bench.block;
  for (const first of [0, blocks, 0, blocks]) bench.read(first);
  return status === STATUS.SUCCESS && bench.bytes(lent, pages * PAGE).some((byte) => byte !== 0);
}
