/**
 * Where each command is specified and which fields its dwords have, so that a refusal can name both. NVMe Base 2.1 §5,
 * §7; NVM Command Set 1.1 §3.3, §4.2. Not here: the fields themselves (commands.ts), what is allowed in them.
 */
import type { BitField } from '../../support/bits.ts';
import {
  ABORT_CDW10,
  ADMIN,
  CDW0,
  COPY_CDW12,
  CREATE_CQ_CDW11,
  CREATE_QUEUE_CDW10,
  CREATE_SQ_CDW11,
  DELETE_QUEUE_CDW10,
  DIRECTIVE_CDW11,
  DSM_CDW10,
  DSM_CDW11,
  FIRMWARE_COMMIT_CDW10,
  FORMAT_CDW10,
  GET_FEATURES_CDW10,
  GET_LOG_CDW10,
  GET_LOG_CDW11,
  GET_LOG_CDW14,
  IDENTIFY_CDW10,
  IDENTIFY_CDW11,
  IDENTIFY_CDW14,
  NAMESPACE_ATTACHMENT_CDW10,
  NAMESPACE_MANAGEMENT_CDW10,
  NAMESPACE_MANAGEMENT_CDW11,
  NVM,
  RESERVATION_ACQUIRE_CDW10,
  RESERVATION_REGISTER_CDW10,
  RESERVATION_RELEASE_CDW10,
  RW_CDW12,
  RW_CDW13,
  RW_CDW15,
  SANITIZE_CDW10,
  SELF_TEST_CDW10,
  SET_FEATURES_CDW10,
  SQE,
  WRITE_ZEROES_CDW12,
} from './commands.ts';
import { SCT, STATUS } from './status.ts';

type Fields = object;
interface CommandFields {
  readonly section: string;
  /** Fields by the number of their dword. */
  readonly dwords?: Readonly<Record<number, Fields>>;
}

const base = (section: string, dwords: CommandFields['dwords'] = {}): CommandFields => ({
  section: `Base 2.1 §${section}`,
  dwords,
});
const nvm = (section: string, dwords: CommandFields['dwords'] = {}): CommandFields => ({
  section: `NVM Command Set 1.1 §${section}`,
  dwords,
});
const zns = (section: string): CommandFields => ({ section: `ZNS 1.2 §${section}`, dwords: {} });
const READ_WRITE = { 12: RW_CDW12, 13: RW_CDW13, 15: RW_CDW15 };

const ADMIN_FIELDS: Readonly<Record<number, CommandFields>> = {
  [ADMIN.DELETE_SQ]: base('5.2.4', { 10: DELETE_QUEUE_CDW10 }),
  [ADMIN.CREATE_SQ]: base('5.2.2', { 10: CREATE_QUEUE_CDW10, 11: CREATE_SQ_CDW11 }),
  [ADMIN.GET_LOG_PAGE]: base('5.1.12', { 10: GET_LOG_CDW10, 11: GET_LOG_CDW11, 14: GET_LOG_CDW14 }),
  [ADMIN.DELETE_CQ]: base('5.2.3', { 10: DELETE_QUEUE_CDW10 }),
  [ADMIN.CREATE_CQ]: base('5.2.1', { 10: CREATE_QUEUE_CDW10, 11: CREATE_CQ_CDW11 }),
  [ADMIN.IDENTIFY]: base('5.1.13', { 10: IDENTIFY_CDW10, 11: IDENTIFY_CDW11, 14: IDENTIFY_CDW14 }),
  [ADMIN.ABORT]: base('5.1.1', { 10: ABORT_CDW10 }),
  [ADMIN.SET_FEATURES]: base('5.1.25', { 10: SET_FEATURES_CDW10 }),
  [ADMIN.GET_FEATURES]: base('5.1.11', { 10: GET_FEATURES_CDW10 }),
  [ADMIN.ASYNC_EVENT_REQUEST]: base('5.1.2'),
  [ADMIN.NAMESPACE_MANAGEMENT]: base('5.1.21', {
    10: NAMESPACE_MANAGEMENT_CDW10,
    11: NAMESPACE_MANAGEMENT_CDW11,
  }),
  [ADMIN.FIRMWARE_COMMIT]: base('5.1.8', { 10: FIRMWARE_COMMIT_CDW10 }),
  [ADMIN.FIRMWARE_DOWNLOAD]: base('5.1.9'),
  [ADMIN.DEVICE_SELF_TEST]: base('5.1.5', { 10: SELF_TEST_CDW10 }),
  [ADMIN.NAMESPACE_ATTACHMENT]: base('5.1.20', { 10: NAMESPACE_ATTACHMENT_CDW10 }),
  [ADMIN.KEEP_ALIVE]: base('5.1.14'),
  [ADMIN.DIRECTIVE_SEND]: base('5.1.7', { 11: DIRECTIVE_CDW11 }),
  [ADMIN.DIRECTIVE_RECEIVE]: base('5.1.6', { 11: DIRECTIVE_CDW11 }),
  [ADMIN.DOORBELL_BUFFER_CONFIG]: base('5.2.5'),
  [ADMIN.FORMAT_NVM]: base('5.1.10', { 10: FORMAT_CDW10 }),
  [ADMIN.SANITIZE]: base('5.1.22', { 10: SANITIZE_CDW10 }),
  [ADMIN.GET_LBA_STATUS]: nvm('4.2.1'),
};

const IO_FIELDS: Readonly<Record<number, CommandFields>> = {
  [NVM.FLUSH]: base('7.2'),
  [NVM.WRITE]: nvm('3.3.6', READ_WRITE),
  [NVM.READ]: nvm('3.3.4', READ_WRITE),
  [NVM.WRITE_UNCORRECTABLE]: nvm('3.3.7', READ_WRITE),
  [NVM.COMPARE]: nvm('3.3.1', READ_WRITE),
  [NVM.WRITE_ZEROES]: nvm('3.3.8', { ...READ_WRITE, 12: WRITE_ZEROES_CDW12 }),
  [NVM.DATASET_MANAGEMENT]: nvm('3.3.3', { 10: DSM_CDW10, 11: DSM_CDW11 }),
  [NVM.VERIFY]: nvm('3.3.5', READ_WRITE),
  [NVM.COPY]: nvm('3.3.2', { 12: COPY_CDW12 }),
  [NVM.RESERVATION_REGISTER]: base('7.6', { 10: RESERVATION_REGISTER_CDW10 }),
  [NVM.RESERVATION_REPORT]: base('7.8'),
  [NVM.RESERVATION_ACQUIRE]: base('7.5', { 10: RESERVATION_ACQUIRE_CDW10 }),
  [NVM.RESERVATION_RELEASE]: base('7.7', { 10: RESERVATION_RELEASE_CDW10 }),
  [NVM.ZONE_APPEND]: zns('3.4.1'),
  [NVM.ZONE_MANAGEMENT_RECEIVE]: zns('3.4.2'),
  [NVM.ZONE_MANAGEMENT_SEND]: zns('3.4.3'),
};

/** Where a command is specified; for unknown ones, where the commands of its queue are. */
export function sectionOf(isAdmin: boolean, opcode: number): string {
  const known = (isAdmin ? ADMIN_FIELDS : IO_FIELDS)[opcode];
  return known?.section ?? (isAdmin ? 'Base 2.1 §5' : 'Base 2.1 §7');
}

/** A field of a submission entry: its name, where its dword is, and its bits in it. */
export interface EntryField {
  readonly name: string;
  readonly offset: number;
  readonly mask: number;
  readonly low: number;
  /** Whether the dword after it has its upper half. */
  readonly is64: boolean;
}

/** Two words each; the upper half is in the second one. */
const POINTERS: Readonly<Record<number, string>> = {
  [SQE.MPTR]: 'MPTR',
  [SQE.PRP1]: 'PRP1',
  [SQE.PRP2]: 'PRP2',
};

/** The field that holds bit `bit` of byte `byte` of an entry. */
export function fieldAt(isAdmin: boolean, opcode: number, byte: number, bit: number): EntryField {
  const offset = byte & ~3;
  const whole = { offset, mask: 0xffff_ffff, low: 0, is64: false };
  const pointer = POINTERS[offset & ~7];
  if (pointer !== undefined) return { ...whole, name: pointer, offset: offset & ~7, is64: true };
  if (offset === SQE.NSID) return { ...whole, name: 'NSID' };
  const known = (isAdmin ? ADMIN_FIELDS : IO_FIELDS)[opcode]?.dwords?.[offset >>> 2];
  const name = `CDW${offset >>> 2}`;
  const fields = Object.entries(offset === 0 ? CDW0 : (known ?? {})) as [string, Partial<BitField>][];
  const at = 1 << ((byte & 3) * 8 + bit);
  const found = fields.find(([, field]) => ((field.mask ?? 0) & at) !== 0);
  if (found === undefined) return { ...whole, name };
  return { ...whole, name: `${name}.${found[0]}`, mask: found[1].mask!, low: found[1].low! };
}

const whole64 = (name: string, offset: number): EntryField => ({
  name,
  offset,
  mask: 0xffff_ffff,
  low: 0,
  is64: true,
});
const ofCdw0 = (name: string, { mask, low }: BitField): EntryField => ({
  name: `CDW0.${name}`,
  offset: 0,
  mask,
  low,
  is64: false,
});
const FIRST_BLOCK = whole64('SLBA', SQE.CDW10);
const IDENTIFIER = ofCdw0('CID', CDW0.CID);
const FUSION = ofCdw0('FUSE', CDW0.FUSE);
const NAMESPACE: EntryField = { ...FIRST_BLOCK, name: 'NSID', offset: SQE.NSID, is64: false };

/** Statuses whose cause is one field of the entry, whatever the command. */
const FIELD_OF_STATUS: Readonly<Record<number, EntryField>> = {
  [STATUS.COMMAND_ID_CONFLICT]: IDENTIFIER,
  [STATUS.ABORTED_FAILED_FUSED]: FUSION,
  [STATUS.ABORTED_MISSING_FUSED]: FUSION,
  [STATUS.RESERVATION_CONFLICT]: NAMESPACE,
  [STATUS.NAMESPACE_NOT_READY]: NAMESPACE,
};
const ABOUT_POINTERS: readonly number[] = [
  STATUS.DATA_TRANSFER_ERROR,
  STATUS.INVALID_SGL_SEGMENT_DESCRIPTOR,
  STATUS.INVALID_SGL_DESCRIPTOR_COUNT,
  STATUS.DATA_SGL_LENGTH_INVALID,
  STATUS.METADATA_SGL_LENGTH_INVALID,
  STATUS.SGL_DESCRIPTOR_TYPE_INVALID,
  STATUS.SGL_OFFSET_INVALID,
];

/**
 * The field that a refusal is about which names none: by the status, and of data pointers the one that `reason` speaks
 * of. What is wrong with no field in particular is wrong with the command: its opcode.
 */
export function impliedField(status: number, reason: string, hasSgl: boolean): EntryField {
  const known = FIELD_OF_STATUS[status];
  if (known !== undefined) return known;
  if (status >>> 8 === SCT.MEDIA) return FIRST_BLOCK;
  if (!ABOUT_POINTERS.includes(status)) return ofCdw0('OPC', CDW0.OPC);
  if (reason.includes('metadata')) return whole64('MPTR', SQE.MPTR);
  if (hasSgl) return whole64('SGL1', SQE.PRP1);
  return /^(the )?PRP(2| list)/.test(reason) ? whole64('PRP2', SQE.PRP2) : whole64('PRP1', SQE.PRP1);
}
