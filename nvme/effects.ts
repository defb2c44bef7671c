/**
 * Which commands this controller executes and what they change, as log page 05h reports it (Base 2.1 §5.1.12.1.6).
 * An opcode that is not here is refused as invalid. Not here: what the commands do (admin.ts, nvm.ts).
 */
import { ADMIN, NVM } from './spec/commands.ts';
import { ONCS } from './spec/identify.ts';
import { COMMAND_EFFECTS } from './spec/logs.ts';

const SUPPORTED = COMMAND_EFFECTS.encode({ CSUPP: 1 });
const CHANGES_BLOCKS = COMMAND_EFFECTS.encode({ CSUPP: 1, LBCC: 1 });

export const ADMIN_EFFECTS: Readonly<Record<number, number>> = {
  [ADMIN.DELETE_SQ]: SUPPORTED,
  [ADMIN.CREATE_SQ]: SUPPORTED,
  [ADMIN.GET_LOG_PAGE]: SUPPORTED,
  [ADMIN.DELETE_CQ]: SUPPORTED,
  [ADMIN.CREATE_CQ]: SUPPORTED,
  [ADMIN.IDENTIFY]: SUPPORTED,
  [ADMIN.ABORT]: SUPPORTED,
  [ADMIN.SET_FEATURES]: SUPPORTED,
  [ADMIN.GET_FEATURES]: SUPPORTED,
  [ADMIN.ASYNC_EVENT_REQUEST]: SUPPORTED,
};

export const IO_EFFECTS: Readonly<Record<number, number>> = {
  [NVM.FLUSH]: SUPPORTED,
  [NVM.WRITE]: CHANGES_BLOCKS,
  [NVM.READ]: SUPPORTED,
  [NVM.COMPARE]: SUPPORTED,
  [NVM.WRITE_UNCORRECTABLE]: CHANGES_BLOCKS,
  [NVM.WRITE_ZEROES]: CHANGES_BLOCKS,
  [NVM.VERIFY]: SUPPORTED,
  [NVM.COPY]: CHANGES_BLOCKS,
  [NVM.RESERVATION_REGISTER]: SUPPORTED,
  [NVM.RESERVATION_REPORT]: SUPPORTED,
  [NVM.RESERVATION_ACQUIRE]: SUPPORTED,
  [NVM.RESERVATION_RELEASE]: SUPPORTED,
  [NVM.DATASET_MANAGEMENT]: CHANGES_BLOCKS,
};

const has = (opcode: number): number => (IO_EFFECTS[opcode] === undefined ? 0 : 1);

/** Optional NVM Command Support of Identify, from the table above; saving and timestamps are features.ts. */
export const OPTIONAL_COMMANDS = ONCS.encode({
  COMPARE: has(NVM.COMPARE),
  WRITE_UNCORRECTABLE: has(NVM.WRITE_UNCORRECTABLE),
  DATASET_MANAGEMENT: has(NVM.DATASET_MANAGEMENT),
  WRITE_ZEROES: has(NVM.WRITE_ZEROES),
  ZEROES_DEALLOCATE: has(NVM.WRITE_ZEROES),
  RESERVATIONS: has(NVM.RESERVATION_REGISTER),
  VERIFY: has(NVM.VERIFY),
  COPY: has(NVM.COPY),
  SAVE_SELECT: 1,
  TIMESTAMP: 1,
});
