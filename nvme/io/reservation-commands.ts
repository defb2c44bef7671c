/**
 * Reservation Register, Acquire, Release and Report: their data and their checks (Base 2.1 §7.5 to §7.8). The host of a
 * controller is who its Host Identifier says.
 * Not here: what registrations and reservations mean (reservations.ts).
 */
import type { Namespace } from '../namespace.ts';
import { DATA_TO_CONTROLLER, DATA_TO_HOST } from '../slots.ts';
import {
  RESERVATION_ACQUIRE_CDW10,
  RESERVATION_REGISTER_CDW10,
  RESERVATION_RELEASE_CDW10,
  SQE,
} from '../spec/commands.ts';
import {
  CPTPL,
  RACQA,
  REGISTRANT,
  REGISTRANT_EXTENDED,
  RELEASE_BYTES,
  REPORT_CDW11,
  REPORT_HEADER,
  REPORT_HEADER_EXTENDED_BYTES,
  RESERVATION,
  RESERVATION_KEYS,
  RREGA,
  RRELA,
} from '../spec/reservations.ts';
import { STATUS } from '../spec/status.ts';
import type { Access, Context, IoCommand } from './command.ts';
import type { HostIdentity } from './host-identity.ts';
import type { Reservations } from './reservations.ts';

const REST_RESERVED = [SQE.CDW11, SQE.CDW12, SQE.CDW13, SQE.CDW14, SQE.CDW15].map(
  (offset) => [offset, 0] as const,
);

abstract class ReservationCommand {
  readonly access: Access = 'none';
  protected readonly context: Context;
  protected readonly identity: HostIdentity;

  constructor(context: Context, identity: HostIdentity) {
    this.context = context;
    this.identity = identity;
  }

  delay(): number {
    return 0;
  }

  protected cdw10(slot: number): number {
    return this.context.dword(slot, SQE.CDW10);
  }

  protected refuseAction(action: number): number {
    return this.context.refuse(`action ${action} is reserved`, SQE.CDW10);
  }

  /** A key of the command's data, which `fetch` brought. */
  protected key(name: 'CRKEY' | 'SECOND'): bigint {
    return RESERVATION_KEYS.get(this.context.memory.view, this.context.data, name);
  }

  /** Whether the command's CRKEY is that of its host. */
  protected isEntitled(reservations: Reservations, ignoresKey: boolean): boolean {
    const { host } = this.identity;
    return ignoresKey ? reservations.isRegistered(host) : reservations.matches(host, this.key('CRKEY'));
  }

  /** Plain Read and Write look at reservations only as long as there is one. */
  protected settle(namespace: Namespace, status: number): number {
    namespace.noteReservation();
    return status;
  }
}

export class ReservationRegister extends ReservationCommand implements IoCommand {
  readonly known = [
    [SQE.CDW10, RESERVATION_REGISTER_CDW10.encode({ RREGA: 7, IEKEY: 1, CPTPL: 3 })] as const,
    ...REST_RESERVED,
  ];

  check(slot: number): number {
    const { RREGA: action, CPTPL: persistence } = RESERVATION_REGISTER_CDW10.decode(this.cdw10(slot));
    if (action > RREGA.REPLACE) return this.refuseAction(action);
    if (persistence === CPTPL.RESERVED) return this.context.refuse('CPTPL 1 is reserved', SQE.CDW10 + 3);
    return this.context.setData(slot, DATA_TO_CONTROLLER, RESERVATION_KEYS.SIZE);
  }

  execute(slot: number, namespace: Namespace): number {
    const fetched = this.context.transfer.fetch(slot, this.context.data);
    if (fetched !== STATUS.SUCCESS) return fetched;
    const { CPTPL: persistence } = RESERVATION_REGISTER_CDW10.decode(this.cdw10(slot));
    const { reservations } = namespace;
    const status = this.#change(slot, reservations);
    if (status === STATUS.SUCCESS && persistence !== CPTPL.KEEP)
      reservations.persists = persistence === CPTPL.SET;
    return this.settle(namespace, status);
  }

  #change(slot: number, reservations: Reservations): number {
    const { RREGA: action, IEKEY } = RESERVATION_REGISTER_CDW10.decode(this.cdw10(slot));
    const { host, hostId } = this.identity;
    const ignoresKey = IEKEY === 1;
    const registrant = { host, hostId, controller: this.context.access.place.id, key: this.key('SECOND') };
    if (action === RREGA.REGISTER) return reservations.register(registrant, ignoresKey);
    if (action === RREGA.REPLACE) return reservations.replace(registrant, this.key('CRKEY'), ignoresKey);
    const isEntitled = this.isEntitled(reservations, ignoresKey);
    return isEntitled ? reservations.unregister(host) : STATUS.RESERVATION_CONFLICT;
  }
}

export class ReservationAcquire extends ReservationCommand implements IoCommand {
  readonly known = [
    [SQE.CDW10, RESERVATION_ACQUIRE_CDW10.encode({ RACQA: 7, IEKEY: 1, RTYPE: 0xff })] as const,
    ...REST_RESERVED,
  ];

  check(slot: number): number {
    const { RACQA: action, RTYPE } = RESERVATION_ACQUIRE_CDW10.decode(this.cdw10(slot));
    if (action > RACQA.PREEMPT_AND_ABORT) return this.refuseAction(action);
    if (RTYPE === RESERVATION.NONE || RTYPE > RESERVATION.EXCLUSIVE_ACCESS_ALL)
      return this.context.refuse(`reservation type ${RTYPE} is reserved`, SQE.CDW10 + 1);
    return this.context.setData(slot, DATA_TO_CONTROLLER, RESERVATION_KEYS.SIZE);
  }

  execute(slot: number, namespace: Namespace): number {
    const fetched = this.context.transfer.fetch(slot, this.context.data);
    if (fetched !== STATUS.SUCCESS) return fetched;
    const { RACQA: action, IEKEY, RTYPE } = RESERVATION_ACQUIRE_CDW10.decode(this.cdw10(slot));
    const { reservations } = namespace;
    const { host } = this.identity;
    if (!this.isEntitled(reservations, IEKEY === 1)) return STATUS.RESERVATION_CONFLICT;
    const isAborting = action === RACQA.PREEMPT_AND_ABORT;
    const status =
      action === RACQA.ACQUIRE
        ? reservations.acquire(host, RTYPE)
        : reservations.preempt(host, RTYPE, this.key('SECOND'), isAborting);
    return this.settle(namespace, status);
  }
}

export class ReservationRelease extends ReservationCommand implements IoCommand {
  readonly known = [
    [SQE.CDW10, RESERVATION_RELEASE_CDW10.encode({ RRELA: 7, IEKEY: 1, RTYPE: 0xff })] as const,
    ...REST_RESERVED,
  ];

  check(slot: number): number {
    const { RRELA: action } = RESERVATION_RELEASE_CDW10.decode(this.cdw10(slot));
    if (action > RRELA.CLEAR) return this.refuseAction(action);
    return this.context.setData(slot, DATA_TO_CONTROLLER, RELEASE_BYTES);
  }

  execute(slot: number, namespace: Namespace): number {
    const fetched = this.context.transfer.fetch(slot, this.context.data);
    if (fetched !== STATUS.SUCCESS) return fetched;
    const { RRELA: action, IEKEY, RTYPE } = RESERVATION_RELEASE_CDW10.decode(this.cdw10(slot));
    const { reservations } = namespace;
    const { host } = this.identity;
    if (!this.isEntitled(reservations, IEKEY === 1)) return STATUS.RESERVATION_CONFLICT;
    const status = action === RRELA.CLEAR ? reservations.clear(host) : reservations.release(host, RTYPE);
    return this.settle(namespace, status);
  }
}

export class ReservationReport extends ReservationCommand implements IoCommand {
  readonly known = [
    [SQE.CDW11, REPORT_CDW11.EDS.mask] as const,
    ...REST_RESERVED.filter(([offset]) => offset !== SQE.CDW11),
  ];

  check(slot: number): number {
    if (this.identity.isExtended && !this.#isExtended(slot)) {
      const reason = 'the host has a 128-bit identifier, so the report must be extended (EDS)';
      return this.context.refuse(reason, SQE.CDW11, STATUS.HOST_IDENTIFIER_INCONSISTENT);
    }
    return this.context.setData(slot, DATA_TO_HOST, (this.cdw10(slot) + 1) * 4);
  }

  execute(): number {
    return STATUS.SUCCESS;
  }

  /** The structure as far as the host's buffer goes, zeroes behind it. */
  send(slot: number, namespace: Namespace): number {
    const { data, memory, transfer, maxTransfer } = this.context;
    memory.fill(data, 0, maxTransfer);
    this.#write(memory.view, data, namespace.reservations, this.#isExtended(slot));
    return transfer.deliver(slot, data);
  }

  #write(view: DataView, at: number, reservations: Reservations, isExtended: boolean): void {
    const { registrants, type, generation, persists } = reservations;
    const record = isExtended ? REGISTRANT_EXTENDED : REGISTRANT;
    const first = at + (isExtended ? REPORT_HEADER_EXTENDED_BYTES : REPORT_HEADER.SIZE);
    const fits = registrants.slice(0, Math.floor((this.context.maxTransfer - (first - at)) / record.SIZE));
    REPORT_HEADER.set(view, at, 'GEN', generation >>> 0);
    REPORT_HEADER.set(view, at, 'RTYPE', type);
    view.setUint16(at + REPORT_HEADER.REGSTRNT, registrants.length, true);
    REPORT_HEADER.set(view, at, 'PTPLS', persists ? 1 : 0);
    for (const [index, { host, hostId, controller, key }] of fits.entries()) {
      const to = first + index * record.SIZE;
      record.set(view, to, 'CNTLID', controller);
      record.set(view, to, 'RCSTS', reservations.isHolder(host) ? 1 : 0);
      record.set(view, to, 'HOSTID', isExtended ? hostId : hostId.subarray(0, 8));
      record.set(view, to, 'RKEY', key);
    }
  }

  #isExtended(slot: number): boolean {
    return REPORT_CDW11.EDS.get(this.context.dword(slot, SQE.CDW11)) === 1;
  }
}
