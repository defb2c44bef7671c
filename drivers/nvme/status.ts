/**
 * What goes wrong between driver and controller, as errors that name the command, the status and the probable
 * cause.
 * Not here: status codes and their sentences (nvme/spec/status.ts), failed system calls
 * (drivers/vfio/sys.ts).
 */

import { ADMIN, NSID_BROADCAST, NVM, opcodeName } from '../../nvme/spec/commands.ts';
import {
  CQE_STATUS,
  STATUS,
  type StatusName,
  statusName,
  statusOf,
  statusSentence,
} from '../../nvme/spec/status.ts';
import { hex } from '../../support/numbers.ts';

/**
 * What a driver usually did to get a status; the sentences of the specification say what the status means.
 */
const CAUSES: Readonly<Partial<Record<StatusName, string>>> = {
  DATA_TRANSFER_ERROR:
    'the buffer is not mapped in the address space of the device, is mapped without the needed permission, ' +
    'or bus master is off; the kernel log has the fault',
  PRP_OFFSET_INVALID:
    'a buffer is not aligned to four bytes, or a later page of it does not start at a page boundary',
  INVALID_FIELD:
    'the namespace is not active (NSID), a field has a value that this controller does not take, or a reserved one is not zero',
  INVALID_NAMESPACE_OR_FORMAT:
    'there is no namespace with this number (NSID), or its format does not allow the command',
  ZONE_INVALID_WRITE: 'the write does not begin at the write pointer of its zone, which a report tells',
  ZONE_BOUNDARY_ERROR: 'the blocks go over the end of what can be written or read at once in the zone',
  ZONE_IS_FULL: 'the zone must be reset before it is written again',
  TOO_MANY_OPEN_ZONES: 'finish, close or reset another zone first',
  TOO_MANY_ACTIVE_ZONES: 'finish or reset another zone first',
  INVALID_QUEUE_SIZE: 'the queue has more entries than CAP.MQES allows',
  INVALID_QUEUE_IDENTIFIER: 'the controller granted fewer queues, or the queue exists already',
  INVALID_QUEUE_DELETION: 'a submission queue still uses this completion queue',
  ABORTED_BY_HOST: 'the driver had to reset the controller, and says why through onWarning',
};

/** What INVALID_FIELD means of an admin command that asks for something by its number. */
const FIELD_CAUSES: Readonly<Record<number, string>> = {
  [ADMIN.IDENTIFY]: 'the controller lacks this structure (CNS), or the namespace is not active',
  [ADMIN.GET_FEATURES]: 'the controller lacks this feature (FID), or not for this namespace',
  [ADMIN.SET_FEATURES]:
    'the controller lacks this feature (FID), not for this namespace, or the value is not one it takes',
  [ADMIN.GET_LOG_PAGE]:
    'the controller lacks this log page (LID), or keeps it for all namespaces together (NSID FFFFFFFFh)',
};

/** I/O commands whose length MDTS limits. */
const TRANSFERS: readonly number[] = [NVM.READ, NVM.WRITE, NVM.COMPARE, NVM.ZONE_APPEND];
const TRANSFER_CAUSE =
  'the namespace is not active (NSID), the transfer exceeds MDTS, or a reserved field is not zero';

function causeOf({ qid, opcode }: FailedCommand, code: string): string | undefined {
  if (code !== 'INVALID_FIELD') return CAUSES[code as StatusName];
  const asked = qid === 0 ? FIELD_CAUSES[opcode] : TRANSFERS.includes(opcode) ? TRANSFER_CAUSE : undefined;
  return asked ?? CAUSES[code];
}

/** Failures of many causes, of which the emulated machine knows the one. */
const POINTS_ON: readonly string[] = ['INVALID_FIELD', 'INVALID_NAMESPACE_OR_FORMAT'];
/** What messages then say to those who have the machine at hand: a program, and not the user of a shell. */
export const POINTER = '; machine.explain() tells which';

/** A command as far as an error needs it. */
export interface FailedCommand {
  readonly qid: number;
  readonly cid: number;
  readonly opcode: number;
  readonly nsid: number;
  /** First block; `blocks` is 0 for a command without a range. */
  readonly slba: number;
  readonly blocks: number;
}

/** A command as the subject of a sentence; with `iova` above 0 it says where its data are. */
export function subject({ qid, cid, opcode, nsid, slba, blocks }: FailedCommand, iova = 0): string {
  const range =
    blocks === 0 ? '' : blocks === 1 ? ` of block ${slba}` : ` of blocks ${slba} to ${slba + blocks - 1}`;
  const namespace = nsid === 0 ? '' : nsid === NSID_BROADCAST ? ' (all namespaces)' : ` in namespace ${nsid}`;
  const queue = qid === 0 ? 'the admin queue' : `queue ${qid}`;
  const data = iova === 0 ? '' : `, data at IOVA ${hex(iova)}`;
  return `${opcodeName(qid === 0, opcode)}${range}${namespace} (${queue}, command ${hex(cid, 4)}${data})`;
}

/** A command that completed with a status other than success. */
export class NvmeError extends Error {
  override readonly name = 'NvmeError';
  readonly command: FailedCommand;
  /** `(SCT << 8) | SC`, as in STATUS. */
  readonly status: number;
  /** Do Not Retry: the same command would fail again. */
  readonly dnr: boolean;
  /** Command Retry Delay: 1 to 3 name CRDT1 to CRDT3 of Identify Controller, 0 none. */
  readonly crd: number;

  /** `field` is the 16-bit status field of the completion, its phase tag included. */
  constructor(command: FailedCommand, field: number) {
    const status = statusOf(field);
    const dnr = CQE_STATUS.DNR.get(field) === 1;
    const code = statusName(status);
    const cause = causeOf(command, code);
    const hint = POINTS_ON.includes(code) ? POINTER : '';
    super(
      `${subject(command)} failed with ${code} (${status >>> 8}/${hex(status & 0xff, 2)}): ${statusSentence(status)}` +
        `${cause === undefined ? '' : ` Probable cause: ${cause}${hint}.`}${dnr ? ' Do not retry (DNR).' : ' It may be retried.'}`,
    );
    this.command = command;
    this.status = status;
    this.dnr = dnr;
    this.crd = CQE_STATUS.CRD.get(field);
  }
}

/** True for the one failure that answers a question: Compare found a difference. */
export const isMiscompare = (error: unknown): boolean =>
  error instanceof NvmeError && error.status === STATUS.COMPARE_FAILURE;

/**
 * A controller that does not do what its registers promise: no answer in time, a fatal state, or no answer at
 * all.
 */
export class ControllerError extends Error {
  override readonly name = 'ControllerError';
}

/** A command that was cut off, by a reset, an abort or a failure, and not sent again. Nobody knows whether it took effect. */
export class CutOffError extends ControllerError {
  /** How the controller says that it failed; null: it was aborted, or a reset ended it. */
  readonly answer: NvmeError | null;
  /** How long the controller wants the host to wait before it sends the command again. */
  readonly delay_ns: number;

  constructor(sentence: string, answer: NvmeError | null, delay_ns: number) {
    super(sentence);
    this.answer = answer;
    this.delay_ns = delay_ns;
  }
}
