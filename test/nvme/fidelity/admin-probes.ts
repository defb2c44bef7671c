/** What each admin command must do to count as modelled: a probe uses it and looks at what has changed. */
import { firmwareImage } from '../../../nvme/admin/firmware-image.ts';
import { ADMIN } from '../../../nvme/spec/commands.ts';
import { FID } from '../../../nvme/spec/features.ts';
import { CNS } from '../../../nvme/spec/identify.ts';
import { FIRMWARE_SLOT_LOG, LID, SELF_TEST_LOG, SMART_LOG } from '../../../nvme/spec/logs.ts';
import { FIRMWARE_COMMIT, LBA_STATUS_ACTION, SANITIZE_ACTION } from '../../../nvme/spec/management.ts';
import { CSTS, REG } from '../../../nvme/spec/registers.ts';
import { STATUS } from '../../../nvme/spec/status.ts';
import { PAGE } from '../harness.ts';
import { type Bench, BROADCAST } from './bench.ts';

export type Probes = Readonly<Record<number, (bench: Bench) => boolean>>;

const QUEUE = 2 | (7 << 16);
const DWORDS = (count: number) => ((count - 1) << 16) >>> 0;
const THRESHOLDS_K = [380, 400];
const KEEP_ALIVE_MS = 1000;
const NS_PER_MS = 1_000_000;

const createCq = (bench: Bench) => bench.does({ opcode: ADMIN.CREATE_CQ, cdw10: QUEUE, cdw11: 1 });
const createSq = (bench: Bench) =>
  bench.does({ opcode: ADMIN.CREATE_SQ, prp1: bench.buffer + PAGE, cdw10: QUEUE, cdw11: 1 | (2 << 16) });
const readLog = (bench: Bench, lid: number, dwords = 128) =>
  bench.does({ opcode: ADMIN.GET_LOG_PAGE, nsid: BROADCAST, cdw10: lid | DWORDS(dwords) });

function download(bench: Bench): boolean {
  const image = firmwareImage('2.0');
  for (let offset = 0; offset < image.length; offset += PAGE) {
    bench.bytes(bench.buffer, PAGE).set(image.subarray(offset, offset + PAGE));
    const entry = { opcode: ADMIN.FIRMWARE_DOWNLOAD, cdw10: PAGE / 4 - 1, cdw11: offset / 4 };
    if (!bench.does(entry)) return false;
  }
  return true;
}

/** Puts the image that was downloaded into slot 2. */
const store = (bench: Bench): boolean =>
  bench.does({ opcode: ADMIN.FIRMWARE_COMMIT, cdw10: 2 | (FIRMWARE_COMMIT.STORE << 3) });

/** Two values one after the other are set and told. */
const setsThresholds = (bench: Bench): boolean =>
  THRESHOLDS_K.every((cdw11) => {
    const isSet = bench.does({ opcode: ADMIN.SET_FEATURES, cdw10: FID.TEMPERATURE_THRESHOLD, cdw11 });
    return isSet && bench.feature(FID.TEMPERATURE_THRESHOLD) === cdw11;
  });

/** A command about block 0 after which it reads as zeroes. */
function erases(bench: Bench, run: () => boolean): boolean {
  bench.write(0, 1, 0x5a);
  return bench.read(0)[0] === 0x5a && run() && bench.read(0)[0] === 0;
}

/** Whether the controller works after two halves and a bit of its Keep Alive time, with or without the command between. */
function livesFor(bench: Bench, isKeptAlive: boolean): boolean {
  bench.begin();
  const set = { opcode: ADMIN.SET_FEATURES, cdw10: FID.KEEP_ALIVE, cdw11: KEEP_ALIVE_MS };
  for (const entry of [set, { opcode: ADMIN.KEEP_ALIVE }]) {
    if (entry === set || isKeptAlive) bench.post(0, entry);
    bench.kick(0);
    bench.clock.advance(0.6 * KEEP_ALIVE_MS * NS_PER_MS);
  }
  return CSTS.CFS.get(bench.read32(REG.CSTS)) === 0;
}

export const ADMIN_PROBES: Probes = {
  [ADMIN.CREATE_CQ]: (bench) => createCq(bench) && !createCq(bench),
  [ADMIN.CREATE_SQ]: (bench) => createCq(bench) && createSq(bench) && !createSq(bench),
  [ADMIN.DELETE_SQ]: (bench) => {
    const isMade = createCq(bench) && createSq(bench);
    return isMade && bench.does({ opcode: ADMIN.DELETE_SQ, cdw10: 2 }) && createSq(bench);
  },
  [ADMIN.DELETE_CQ]: (bench) =>
    createCq(bench) && bench.does({ opcode: ADMIN.DELETE_CQ, cdw10: 2 }) && createCq(bench),
  [ADMIN.GET_LOG_PAGE]: (bench) => readLog(bench, LID.SMART) && bench.byte(SMART_LOG.TEMPERATURE) !== 0xee,
  [ADMIN.IDENTIFY]: (bench) =>
    bench.does({ opcode: ADMIN.IDENTIFY, cdw10: CNS.CONTROLLER }) &&
    (bench.word(0) & 0xffff) === bench.controller.profile.vendor,
  [ADMIN.ABORT]: (bench) => {
    if (bench.ask(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST, cid: 0x123 }) !== null) return false;
    bench.post(0, { opcode: ADMIN.ABORT, cdw10: (0x123 << 16) >>> 0 });
    bench.ring(0);
    const statuses = bench.reapAll(0).map(({ status }) => status);
    return statuses.includes(STATUS.COMMAND_ABORT_REQUESTED) && statuses.includes(STATUS.SUCCESS);
  },
  [ADMIN.SET_FEATURES]: setsThresholds,
  [ADMIN.GET_FEATURES]: setsThresholds,
  [ADMIN.ASYNC_EVENT_REQUEST]: (bench) => {
    if (bench.ask(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST }) !== null) return false;
    bench.ringTail(30, 1);
    bench.settle();
    return bench.reap(0)?.status === STATUS.SUCCESS;
  },
  [ADMIN.NAMESPACE_MANAGEMENT]: (bench) => {
    bench.memory.fill(bench.buffer, 0, PAGE);
    bench.put(64, 0, 64, 0);
    const nsid = bench.ask(0, { opcode: ADMIN.NAMESPACE_MANAGEMENT })?.dw0;
    return nsid === 3 && bench.does({ opcode: ADMIN.NAMESPACE_MANAGEMENT, nsid, cdw10: 1 });
  },
  [ADMIN.NAMESPACE_ATTACHMENT]: (bench) => {
    const select = (cdw10: number) => {
      bench.put(1, 0);
      return bench.does({ opcode: ADMIN.NAMESPACE_ATTACHMENT, nsid: 1, cdw10 });
    };
    return select(1) && bench.read(0) === 'INVALID_FIELD' && select(0);
  },
  [ADMIN.FIRMWARE_DOWNLOAD]: (bench) => !store(bench) && download(bench) && store(bench),
  [ADMIN.FIRMWARE_COMMIT]: (bench) => {
    if (!download(bench) || !store(bench)) return false;
    return readLog(bench, LID.FIRMWARE_SLOT) && bench.byte(FIRMWARE_SLOT_LOG.FRS1 + 8) === '2'.charCodeAt(0);
  },
  [ADMIN.DEVICE_SELF_TEST]: (bench) =>
    bench.does({ opcode: ADMIN.DEVICE_SELF_TEST, nsid: BROADCAST, cdw10: 1 }) &&
    readLog(bench, LID.SELF_TEST) &&
    bench.byte(SELF_TEST_LOG.RESULTS) >>> 4 === 1,
  [ADMIN.KEEP_ALIVE]: (bench) => livesFor(bench, true) && !livesFor(bench, false),
  // Identify is the only directive there is, and it cannot be turned off: nothing that Send could do.
  [ADMIN.DIRECTIVE_SEND]: () => false,
  [ADMIN.DIRECTIVE_RECEIVE]: (bench) =>
    bench.does({ opcode: ADMIN.DIRECTIVE_RECEIVE, nsid: 1, cdw10: 15, cdw11: 1 }) && bench.byte(0) === 1,
  // There are no secondary controllers, and no resource is flexible: nothing that it could change.
  [ADMIN.VIRTUALIZATION_MANAGEMENT]: () => false,
  [ADMIN.DOORBELL_BUFFER_CONFIG]: (bench) => {
    bench.flush();
    return bench.does({ opcode: ADMIN.DOORBELL_BUFFER_CONFIG }) && bench.word(8) === bench.tail(1);
  },
  [ADMIN.FORMAT_NVM]: (bench) => erases(bench, () => bench.does({ opcode: ADMIN.FORMAT_NVM, nsid: 1 })),
  [ADMIN.SANITIZE]: (bench) =>
    erases(bench, () => bench.does({ opcode: ADMIN.SANITIZE, cdw10: SANITIZE_ACTION.BLOCK_ERASE })),
  [ADMIN.GET_LBA_STATUS]: (bench) => {
    const cdw13 = ((LBA_STATUS_ACTION.SCAN << 24) | 8) >>> 0;
    return bench.does({ opcode: ADMIN.GET_LBA_STATUS, nsid: 1, cdw12: 15, cdw13 }) && bench.word(0) === 0;
  },
};
