/**
 * Every I/O command that is not a plain Read or Write: which there are, and the checks they share in the order in which
 * they count (Base 2.1 §4.1, §7; NVM Command Set 1.1 §3). Slots that come here have the complement of their NSID in
 * SLOT.NAMESPACE. Not here: what each command means (its own file), plain Read and Write (../nvm.ts).
 */

import type { Archive } from '../../support/archive.ts';
import { present } from '../absences.ts';
import { HELD } from '../command-set.ts';
import type { Namespace } from '../namespace.ts';
import { hasQuirk } from '../quirks.ts';
import type { Refusal } from '../refusal.ts';
import { DATA_NONE, SLOT, type Slots } from '../slots.ts';
import { CDW0, FUSE, NSID_BROADCAST, NVM, PSDT, SQE } from '../spec/commands.ts';
import { FID } from '../spec/features.ts';
import { SGLS } from '../spec/identify.ts';
import { ASYNC_EVENT } from '../spec/logs.ts';
import { CC, CSS } from '../spec/registers.ts';
import { OTHER_RETRY, STATUS } from '../spec/status.ts';
import { ZoneAppend, ZoneManagementReceive, ZoneManagementSend } from '../zones/commands.ts';
import type { Context, IoCommand } from './command.ts';
import { Copy } from './copy.ts';
import { DatasetManagement } from './dataset.ts';
import { Flush } from './flush.ts';
import { Fused } from './fused.ts';
import { HostIdentity } from './host-identity.ts';
import { Compare, Read, Verify, Write } from './read-write.ts';
import {
  ReservationAcquire,
  ReservationRegister,
  ReservationRelease,
  ReservationReport,
} from './reservation-commands.ts';
import type { Host } from './reservations.ts';
import { WriteUncorrectable, WriteZeroes } from './zeroes.ts';

/** Bits 13:10 of CDW0. */
const RESERVED_FLAGS = 0x3c00;
const FUSE_RESERVED = 3;
const PSDT_RESERVED = 3;
/** In a slot's namespace word: a Flush of all namespaces, the complement of no NSID. */
const ALL_NAMESPACES = -1;

export class IoCommands {
  readonly #context: Context;
  readonly #slots: Slots;
  readonly #commands: Readonly<Record<number, IoCommand>>;
  /** Commands that only zoned namespaces have. */
  readonly #zoneCommands: Readonly<Record<number, IoCommand>>;
  readonly #flush: Flush;
  readonly #fused: Fused;
  readonly #identity: HostIdentity;
  readonly #isSglSupported: boolean;
  readonly #isMetadataSglSupported: boolean;
  /** The quirk of that name. */
  readonly #namespaceFirst: boolean;

  constructor(context: Context) {
    this.#context = context;
    this.#slots = context.slots;
    this.#identity = new HostIdentity(context.features);
    const identity = this.#identity;
    const compare = new Compare(context);
    const write = new Write(context);
    const commands = {
      [NVM.READ]: new Read(context),
      [NVM.WRITE]: write,
      [NVM.COMPARE]: compare,
      [NVM.VERIFY]: new Verify(context),
      [NVM.WRITE_ZEROES]: new WriteZeroes(context),
      [NVM.WRITE_UNCORRECTABLE]: new WriteUncorrectable(context),
      [NVM.DATASET_MANAGEMENT]: new DatasetManagement(context),
      [NVM.COPY]: new Copy(context),
      [NVM.RESERVATION_REGISTER]: new ReservationRegister(context, identity),
      [NVM.RESERVATION_ACQUIRE]: new ReservationAcquire(context, identity),
      [NVM.RESERVATION_RELEASE]: new ReservationRelease(context, identity),
      [NVM.RESERVATION_REPORT]: new ReservationReport(context, identity),
    };
    const zoneCommands = {
      [NVM.ZONE_APPEND]: new ZoneAppend(context),
      [NVM.ZONE_MANAGEMENT_SEND]: new ZoneManagementSend(context),
      [NVM.ZONE_MANAGEMENT_RECEIVE]: new ZoneManagementReceive(context),
    };
    const { profile } = context;
    this.#commands = present<IoCommand>(commands, profile.absent, 'io');
    this.#zoneCommands = present<IoCommand>(zoneCommands, profile.absent, 'io');
    this.#namespaceFirst = hasQuirk(profile, 'namespaceFirst');
    this.#flush = new Flush(context);
    this.#fused = new Fused({
      slots: context.slots,
      engine: context.engine,
      health: context.health,
      payload: context.payload,
      compare,
      write,
      maxBlocks: profile.compareAndWriteBlocks,
      isZoned: (slot) => this.#isZoned(slot),
      prepare: (slot) => this.#prepare(slot),
      proceed: (slot) => this.#proceed(slot),
    });
    for (const namespace of context.namespaces) if (namespace !== undefined) this.attach(namespace);
    this.#isSglSupported = SGLS.SUPPORT.get(profile.sgls) !== 0;
    this.#isMetadataSglSupported = SGLS.MPTR_SGL.get(profile.sgls) === 1;
  }

  /** Every command must come here, plain or not: its place in its queue matters. */
  get isWaiting(): boolean {
    return this.#fused.isWaiting;
  }

  /** Who the host is, for reservations. */
  get host(): Host {
    return this.#identity.host;
  }

  reset(): void {
    this.#fused.reset();
    for (const namespace of this.#context.namespaces) {
      if (namespace === undefined || typeof this.host !== 'symbol') continue;
      namespace.reservations.unregister(this.host);
      namespace.noteReservation();
    }
    this.#identity.reset();
  }

  /** A namespace is attached to this controller: what happens to its reservations is of interest. */
  attach(namespace: Namespace): void {
    const { nsid, reservations } = namespace;
    const { events, features } = this.#context;
    reservations.listen((host, notification, isAborting) => {
      if (host !== this.host) return;
      if (isAborting) this.#abortCommands(nsid);
      if ((features.value(FID.RESERVATION_NOTIFICATION, nsid) & (1 << notification)) !== 0) return;
      events.reservations.add(notification, nsid);
      events.raise(ASYNC_EVENT.RESERVATION_LOG_AVAILABLE);
    });
  }

  /** Preempt and Abort took the host's registration: its commands end. */
  #abortCommands(nsid: number): void {
    for (let slot = 0; slot < this.#slots.count; slot++) {
      const isMeant = this.#slots.isBusy(slot) && this.#slots.sqid(slot) !== 0;
      if (isMeant && this.#slots.dword(slot, SQE.NSID) === nsid)
        this.#context.engine.abort(slot, STATUS.ABORTED_PREEMPT);
    }
  }

  // ---- check ------------------------------------------------------------------------------------------------------

  /** Validates the entry; sets namespace, direction and bytes of the slot. Returns a status, or HELD. */
  check(slot: number): number {
    if (this.#fused.isWaiting) this.#fused.arrive(slot);
    const status = this.#checkForm(slot);
    if (status === STATUS.SUCCESS && this.#isFused(slot)) return this.#fused.check(slot);
    const prepared = status === STATUS.SUCCESS ? this.#prepare(slot) : status;
    if (prepared !== STATUS.SUCCESS || !this.#hasSgl(slot)) return prepared;
    this.#context.transfer.map(slot);
    return HELD;
  }

  /** What can be said of any entry: opcode and CDW0. */
  #checkForm(slot: number): number {
    const cdw0 = this.#slots.dword(slot, SQE.OPC);
    const opcode = CDW0.OPC.get(cdw0);
    const psdt = CDW0.PSDT.get(cdw0);
    if (this.#namespaceFirst) {
      const status = this.#checkNamespaceFirst(slot, opcode);
      if (status !== STATUS.SUCCESS) return status;
    }
    if (opcode !== NVM.FLUSH && this.#commandOf(slot) === undefined) return STATUS.INVALID_OPCODE;
    if (this.#context.ignoresReserved) return STATUS.SUCCESS;
    if ((cdw0 & RESERVED_FLAGS) !== 0) return this.#refuseFlags('bits 13:10 of CDW0 are reserved');
    if (CDW0.FUSE.get(cdw0) === FUSE_RESERVED) return this.#refuseFlags('FUSE 3 is reserved');
    if (psdt === PSDT_RESERVED) return this.#refuseFlags('PSDT 3 is reserved');
    if (psdt !== PSDT.PRP && !this.#isSglSupported) return this.#refuseFlags('SGLs are not supported');
    if (psdt === PSDT.SGL_METADATA_SGL && !this.#isMetadataSglSupported)
      return this.#refuseFlags('the metadata pointer cannot name an SGL segment');
    return STATUS.SUCCESS;
  }

  /** With the quirk `namespaceFirst` no command is fused, and Flush does not even look. */
  #isFused(slot: number): boolean {
    return !this.#namespaceFirst && CDW0.FUSE.get(this.#slots.dword(slot, SQE.OPC)) !== FUSE.NONE;
  }

  #checkNamespaceFirst(slot: number, opcode: number): number {
    const nsid = this.#slots.dword(slot, SQE.NSID);
    if (nsid !== NSID_BROADCAST) {
      const refusal = this.#context.access.refusal(nsid);
      if (refusal !== null) return this.#refuseNamespace(refusal);
    }
    if (opcode === NVM.FLUSH) return STATUS.SUCCESS;
    if (nsid === NSID_BROADCAST) return this.#context.refuse('the command is for one namespace', SQE.NSID);
    if (this.#commandOf(slot) === undefined) return STATUS.INVALID_OPCODE;
    if (CDW0.FUSE.get(this.#slots.dword(slot, SQE.OPC)) === FUSE.NONE) return STATUS.SUCCESS;
    return this.#refuseFlags('commands are not fused') | OTHER_RETRY;
  }

  #refuseFlags(reason: string): number {
    return this.#context.refuse(reason, SQE.FLAGS);
  }

  /** Checks a command that is well formed, up to its data pointer. */
  #prepare(slot: number): number {
    const nsid = this.#slots.dword(slot, SQE.NSID);
    const opcode = this.#slots.dword(slot, SQE.OPC) & 0xff;
    const place = this.#slots.at(slot) + SLOT.NAMESPACE;
    this.#slots.i32[place] = ~nsid;
    const namespace = nsid < this.#context.namespaces.length ? this.#context.namespaces[nsid] : undefined;
    if (opcode === NVM.FLUSH) {
      const { access } = this.#context;
      if (nsid === NSID_BROADCAST) this.#slots.i32[place] = ALL_NAMESPACES;
      const refusal = nsid === NSID_BROADCAST ? access.closure(nsid) : access.refusal(nsid);
      if (refusal !== null) return this.#refuseNamespace(refusal);
      if (namespace?.reservations.allows(this.host, true) === false) return STATUS.RESERVATION_CONFLICT;
      return this.#context.checkReserved(slot, this.#flush.known);
    }
    if (namespace === undefined) return this.#refuseNamespace(this.#context.access.refusal(nsid)!);
    const command = this.#commandOf(slot)!;
    let status = this.#checkAccess(command, namespace);
    if (status === STATUS.SUCCESS) status = this.#context.checkReserved(slot, command.known);
    return status === STATUS.SUCCESS ? command.check(slot, namespace) : status;
  }

  #checkAccess(command: IoCommand, namespace: Namespace): number {
    const isWrite = command.access === 'write';
    if (command.access !== 'none' && !namespace.reservations.allows(this.host, isWrite))
      return STATUS.RESERVATION_CONFLICT;
    if (command.access === 'write' && namespace.readOnly) return STATUS.NAMESPACE_WRITE_PROTECTED;
    return STATUS.SUCCESS;
  }

  /** Refuses a command whose namespace is not there, or cannot be used now. */
  #refuseNamespace({ status, reason }: Refusal): number {
    return this.#context.refuse(reason, SQE.NSID, status);
  }

  #hasSgl(slot: number): boolean {
    const hasData = this.#slots.i32[this.#slots.at(slot) + SLOT.DIRECTION] !== DATA_NONE;
    return hasData && this.#context.transfer.usesSgl(slot);
  }

  /** Goes on with a command that was held after its check. */
  #proceed(slot: number): void {
    if (this.#hasSgl(slot)) this.#context.transfer.map(slot);
    else this.#context.engine.accept(slot);
  }

  // ---- work -------------------------------------------------------------------------------------------------------

  /** Nanoseconds the medium needs. */
  delay(slot: number): number {
    const namespace = this.#namespaceOf(slot);
    const command = this.#commandOf(slot);
    return command === undefined || namespace === null ? this.#flush.delay() : command.delay(slot, namespace);
  }

  /** Returns a status, or HELD. */
  execute(slot: number): number {
    const namespace = this.#namespaceOf(slot);
    const command = this.#commandOf(slot);
    if (command === undefined || namespace === null) return this.#flush.execute(namespace);
    return this.#isFused(slot) ? this.#fused.execute(slot, namespace) : command.execute(slot, namespace);
  }

  send(slot: number): number {
    return this.#commandOf(slot)!.send!(slot, this.#namespaceOf(slot)!);
  }

  /** A command failed or was aborted before it was done. */
  drop(slot: number): void {
    this.#fused.drop(slot);
  }

  #isZoned(slot: number): boolean {
    return this.#context.namespaces[this.#slots.dword(slot, SQE.NSID)]?.zones != null;
  }

  /** Undefined for Flush, and for what the namespace does not have. */
  #commandOf(slot: number): IoCommand | undefined {
    const opcode = this.#slots.dword(slot, SQE.OPC) & 0xff;
    const common = this.#commands[opcode];
    if (common !== undefined) return common;
    const { cc } = this.#context;
    // A host that selected the NVM command set alone has no other commands (§3.1.4.5).
    return this.#isZoned(slot) && CC.CSS.get(cc()) === CSS.ALL ? this.#zoneCommands[opcode] : undefined;
  }

  /** The slot's namespace; null: all of them, or one that was detached meanwhile. */
  #namespaceOf(slot: number): Namespace | null {
    const word = this.#slots.i32[this.#slots.at(slot) + SLOT.NAMESPACE]!;
    return word === ALL_NAMESPACES ? null : (this.#context.namespaces[~word] ?? null);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.#fused.archive(a);
  }
}
