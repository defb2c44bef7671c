/** What each I/O command must do to count as modelled: a probe uses it and looks at what has changed. */
import { NVM } from '../../../nvme/spec/commands.ts';
import { RESERVATION } from '../../../nvme/spec/reservations.ts';
import { ZONE_ACTION } from '../../../nvme/spec/zones.ts';
import type { Probes } from './admin-probes.ts';
import { type Bench, BROADCAST } from './bench.ts';

const KEY = 0x77;
const ZONED = { nsid: 2 };

const holds = (bench: Bench, block: number, byte: number): boolean => bench.read(block)[0] === byte;
const isWritten = (bench: Bench, block: number, byte: number): boolean =>
  bench.write(block, 1, byte) === 'SUCCESS' && holds(bench, block, byte);

function register(bench: Bench): boolean {
  bench.put(0, 0, KEY, 0);
  const isDone = bench.doesIo({ opcode: NVM.RESERVATION_REGISTER });
  bench.put(KEY, 0, 0, 0);
  return isDone;
}

function acquire(bench: Bench): boolean {
  const cdw10 = RESERVATION.WRITE_EXCLUSIVE << 8;
  return register(bench) && bench.doesIo({ opcode: NVM.RESERVATION_ACQUIRE, cdw10 });
}

/** Type of the reservation, which a report tells with the registrants; null when there is none to be had. */
function reservation(bench: Bench): { type: number; registrants: number } | null {
  if (!bench.doesIo({ opcode: NVM.RESERVATION_REPORT, cdw10: 15 })) return null;
  return { type: bench.byte(4), registrants: bench.byte(5) };
}

const append = (bench: Bench) =>
  bench.ask(1, { ...ZONED, opcode: NVM.ZONE_APPEND, prp2: 0, cdw10: 0, cdw12: 0 });
const resetZone = (bench: Bench) =>
  bench.doesIo({ ...ZONED, opcode: NVM.ZONE_MANAGEMENT_SEND, cdw13: ZONE_ACTION.RESET });

export const IO_PROBES: Probes = {
  [NVM.FLUSH]: (bench) => bench.flush() === 'SUCCESS',
  [NVM.WRITE]: (bench) => isWritten(bench, 1, 0x11),
  [NVM.READ]: (bench) => isWritten(bench, 1, 0x12),
  [NVM.WRITE_UNCORRECTABLE]: (bench) =>
    bench.doesIo({ opcode: NVM.WRITE_UNCORRECTABLE, cdw10: 2 }) &&
    bench.read(2) === 'UNRECOVERED_READ_ERROR' &&
    isWritten(bench, 2, 0x13),
  [NVM.COMPARE]: (bench) =>
    isWritten(bench, 3, 0x14) &&
    bench.compare(3, 1, 0x14) === 'SUCCESS' &&
    bench.compare(3, 1, 0x15) === 'COMPARE_FAILURE',
  [NVM.WRITE_ZEROES]: (bench) =>
    isWritten(bench, 4, 0x16) && bench.doesIo({ opcode: NVM.WRITE_ZEROES, cdw10: 4 }) && holds(bench, 4, 0),
  [NVM.DATASET_MANAGEMENT]: (bench) =>
    isWritten(bench, 5, 0x17) && bench.deallocate([[5, 1]]) === 'SUCCESS' && holds(bench, 5, 0),
  [NVM.VERIFY]: (bench) =>
    bench.doesIo({ opcode: NVM.VERIFY }) && !bench.doesIo({ opcode: NVM.VERIFY, cdw10: BROADCAST }),
  [NVM.COPY]: (bench) => {
    if (!isWritten(bench, 6, 0x18)) return false;
    bench.memory.fill(bench.buffer, 0, 32);
    bench.put(0, 0, 6, 0);
    return bench.doesIo({ opcode: NVM.COPY, cdw10: 7 }) && holds(bench, 7, 0x18);
  },
  [NVM.RESERVATION_REGISTER]: (bench) => register(bench) && reservation(bench)?.registrants === 1,
  [NVM.RESERVATION_REPORT]: (bench) => reservation(bench)?.registrants === 0,
  [NVM.RESERVATION_ACQUIRE]: (bench) =>
    acquire(bench) && reservation(bench)?.type === RESERVATION.WRITE_EXCLUSIVE,
  [NVM.RESERVATION_RELEASE]: (bench) =>
    acquire(bench) &&
    bench.doesIo({ opcode: NVM.RESERVATION_RELEASE, cdw10: RESERVATION.WRITE_EXCLUSIVE << 8 }) &&
    reservation(bench)?.type === 0,
  [NVM.ZONE_MANAGEMENT_SEND]: (bench) =>
    append(bench) !== null && resetZone(bench) && append(bench)?.dw0 === 0,
  [NVM.ZONE_MANAGEMENT_RECEIVE]: (bench) =>
    bench.doesIo({ ...ZONED, opcode: NVM.ZONE_MANAGEMENT_RECEIVE, cdw12: 1023 }) && bench.word(0) === 8,
  [NVM.ZONE_APPEND]: (bench) => {
    if (!resetZone(bench) || append(bench)?.status !== 0) return false;
    return append(bench)?.dw0 === 1;
  },
};
