/**
 * Which commands and features this controller has and what they change, as log pages 05h and 12h report it (Base 2.1
 * §5.1.12.1.6, §5.1.12.1.18). An opcode that is not here is refused as invalid.
 * Not here: what the commands do (admin/, nvm.ts).
 */
import { present } from './absences.ts';
import { isDatasetLimited } from './io/limits.ts';
import type { ControllerProfile } from './profile.ts';
import { hasQuirk } from './quirks.ts';
import { ADMIN, NVM } from './spec/commands.ts';
import { ONCS } from './spec/identify.ts';
import { COMMAND_EFFECTS, EXCLUSIVE } from './spec/logs.ts';

/** Effects by opcode. */
export type Effects = Readonly<Record<number, number>>;

const SUPPORTED = COMMAND_EFFECTS.encode({ CSUPP: 1 });
const CHANGES_BLOCKS = COMMAND_EFFECTS.encode({ CSUPP: 1, LBCC: 1 });
const CHANGES_CONTROLLER = COMMAND_EFFECTS.encode({ CSUPP: 1, CCC: 1 });
const CHANGES_INVENTORY = COMMAND_EFFECTS.encode({ CSUPP: 1, NIC: 1 });
const FORMATS = COMMAND_EFFECTS.encode({ CSUPP: 1, LBCC: 1, NCC: 1, CSE: EXCLUSIVE.NAMESPACE });
const ERASES = COMMAND_EFFECTS.encode({ CSUPP: 1, LBCC: 1, CSE: EXCLUSIVE.ALL });

const MANDATORY: Effects = {
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

/** `effects` with the words that the profile has of its own, by name. */
const withOwn = (
  effects: Effects,
  own: Readonly<Record<string, number>>,
  names: Readonly<Record<string, number>>,
): Effects => ({
  ...effects,
  ...Object.fromEntries(Object.entries(own).map(([name, word]) => [names[name]!, word])),
});

/** Admin commands of a profile. */
export function adminEffects({ admin, absent, effects }: ControllerProfile): Effects {
  const all: Effects = {
    ...MANDATORY,
    ...(admin.namespaceManagement
      ? { [ADMIN.NAMESPACE_MANAGEMENT]: CHANGES_INVENTORY, [ADMIN.NAMESPACE_ATTACHMENT]: CHANGES_INVENTORY }
      : {}),
    ...(admin.firmware === null
      ? {}
      : { [ADMIN.FIRMWARE_COMMIT]: CHANGES_CONTROLLER, [ADMIN.FIRMWARE_DOWNLOAD]: SUPPORTED }),
    ...(admin.selfTest ? { [ADMIN.DEVICE_SELF_TEST]: SUPPORTED } : {}),
    ...(admin.keepAlive_ms > 0 ? { [ADMIN.KEEP_ALIVE]: SUPPORTED } : {}),
    ...(admin.directives ? { [ADMIN.DIRECTIVE_SEND]: SUPPORTED, [ADMIN.DIRECTIVE_RECEIVE]: SUPPORTED } : {}),
    ...(admin.virtualization ? { [ADMIN.VIRTUALIZATION_MANAGEMENT]: SUPPORTED } : {}),
    ...(admin.doorbellBuffer ? { [ADMIN.DOORBELL_BUFFER_CONFIG]: SUPPORTED } : {}),
    ...(admin.format ? { [ADMIN.FORMAT_NVM]: FORMATS } : {}),
    ...(admin.sanitize.length > 0 ? { [ADMIN.SANITIZE]: ERASES } : {}),
    ...(admin.lbaStatus ? { [ADMIN.GET_LBA_STATUS]: SUPPORTED } : {}),
  };
  return withOwn(present(all, absent, 'admin'), effects.admin, ADMIN);
}

const IO_EFFECTS: Effects = {
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

/** I/O commands of a profile for namespaces of the NVM command set. */
export const ioEffects = ({ absent, effects }: ControllerProfile): Effects =>
  withOwn(present(IO_EFFECTS, absent, 'io'), effects.io, NVM);

/** What a drive with zoned namespaces has besides. */
export const ZONE_EFFECTS: Effects = {
  [NVM.ZONE_MANAGEMENT_SEND]: CHANGES_BLOCKS,
  [NVM.ZONE_MANAGEMENT_RECEIVE]: SUPPORTED,
  [NVM.ZONE_APPEND]: CHANGES_BLOCKS,
};

/**
 * Optional NVM Command Support of Identify, from the table above: a command whose size limit binds is not in it.
 * Saving and timestamps are features.ts.
 */
export function optionalCommands(profile: ControllerProfile): number {
  const { limits } = profile;
  const effects = ioEffects(profile);
  const has = (opcode: number): number => (effects[opcode] === undefined ? 0 : 1);
  const announced = (opcode: number, limit: number | boolean): number => (limit ? 0 : has(opcode));
  const isLimited = isDatasetLimited(limits) && !hasQuirk(profile, 'ignoresRangeLimit');
  return ONCS.encode({
    COMPARE: has(NVM.COMPARE),
    WRITE_UNCORRECTABLE: announced(NVM.WRITE_UNCORRECTABLE, limits.uncorrectable),
    DATASET_MANAGEMENT: announced(NVM.DATASET_MANAGEMENT, isLimited),
    WRITE_ZEROES: announced(NVM.WRITE_ZEROES, limits.zeroes),
    ZEROES_DEALLOCATE: profile.zeroesDeallocate ? has(NVM.WRITE_ZEROES) : 0,
    RESERVATIONS: has(NVM.RESERVATION_REGISTER),
    VERIFY: announced(NVM.VERIFY, limits.verify),
    COPY: has(NVM.COPY),
    SAVE_SELECT: 1,
    TIMESTAMP: profile.absent.features.includes('TIMESTAMP') ? 0 : 1,
  });
}
