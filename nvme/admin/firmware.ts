/**
 * Firmware Image Download and Firmware Commit: an image comes in pieces in any order, goes into a slot, and becomes
 * active at a controller level reset or, after a pause in which no commands are taken, without one (Base 2.1 §5.1.8,
 * §5.1.9, §3.11). Slots keep revisions only.
 * Not here: what an image is (firmware-image.ts), boot partitions, which do not exist.
 */

import type { EventId, HandlerId } from '../../machine/clock.ts';
import type { Archive } from '../../support/archive.ts';
import { writeAscii } from '../ascii.ts';
import { HELD } from '../command-set.ts';
import { FIRMWARE_GRANULE } from '../limits.ts';
import { DATA_TO_CONTROLLER } from '../slots.ts';
import { FIRMWARE_COMMIT_CDW10, SQE } from '../spec/commands.ts';
import { AFI, ASYNC_EVENT, FIRMWARE_SLOT_LOG } from '../spec/logs.ts';
import { FIRMWARE_COMMIT } from '../spec/management.ts';
import { FIRMWARE_COMMIT_EVENT, PERSISTENT_EVENT_TYPE } from '../spec/persistent-events.ts';
import { STATUS } from '../spec/status.ts';
import type { AdminCommand, AdminParts, CommandParts } from './command.ts';
import { revisionOf } from './firmware-image.ts';
import type { PersistentEvents } from './persistent-events.ts';

/** Largest image. */
const IMAGE_BYTES = 1024 * 1024;
const REVISION_BYTES = 8;
const NO_SLOT_CHOSEN = 0;
const READ_ONLY_SLOT = 1;
const NO_EVENT = -1;

export interface FirmwareParts extends CommandParts {
  readonly history: PersistentEvents;
  readonly pause: AdminParts['pause'];
  /** Largest data transfer of one command. */
  readonly maxTransfer_bytes: number;
}

export class Firmware {
  readonly download: AdminCommand = {
    check: (slot) => this.#checkDownload(slot),
    execute: (slot, at) => this.#download(slot, at),
  };
  readonly commit: AdminCommand = {
    check: (slot) => this.#checkCommit(slot),
    execute: (slot) => this.#commit(slot),
  };
  readonly #parts: FirmwareParts;
  /** By slot number; index 0 is not a slot, and an empty slot is an empty text. */
  readonly #revisions: string[];
  #active = READ_ONLY_SLOT;
  /** The slot that becomes active at the next reset, or when a pause ends. */
  #next = NO_SLOT_CHOSEN;
  readonly #onActivated: HandlerId;
  #activation: EventId = NO_EVENT;
  /** The image being downloaded, and which of its granules have come; null when there is none. */
  #image: Uint8Array | null = null;
  readonly #hasGranule = new Uint8Array(IMAGE_BYTES / FIRMWARE_GRANULE);

  constructor(parts: FirmwareParts) {
    this.#parts = parts;
    this.#onActivated = parts.clock.register((slot) => this.#finish(slot));
    const { slots } = parts.profile.admin.firmware ?? { slots: 1 };
    this.#revisions = Array.from({ length: slots + 1 }, () => '');
    this.#revisions[this.#active] = parts.profile.firmware.padEnd(REVISION_BYTES);
  }

  /** Revision of the running firmware, 8 characters. */
  get revision(): string {
    return this.#revisions[this.#active]!;
  }

  /** An image waits for a reset to become active. */
  get isPending(): boolean {
    return this.#next !== NO_SLOT_CHOSEN;
  }

  /** Controller level reset: a pending image becomes active, an unfinished download is gone. */
  reset(): void {
    this.#discard();
    this.#parts.clock.cancel(this.#activation);
    this.#activation = NO_EVENT;
    this.#activate();
  }

  // ---- download -----------------------------------------------------------------------------------------------------

  #checkDownload(slot: number): number {
    const { slots, health, maxTransfer_bytes } = this.#parts;
    const bytes = (slots.dword(slot, SQE.CDW10) + 1) * 4;
    const offset = slots.dword(slot, SQE.CDW11) * 4;
    const invalid = (reason: string, byte: number) => health.explain(STATUS.INVALID_FIELD, reason, byte);
    if (bytes > maxTransfer_bytes) {
      return invalid(`${bytes} bytes are more than MDTS allows (${maxTransfer_bytes})`, SQE.CDW10);
    }
    if ((bytes & (FIRMWARE_GRANULE - 1)) !== 0) {
      return invalid(`${bytes} bytes are not a multiple of ${FIRMWARE_GRANULE} (FWUG)`, SQE.CDW10);
    }
    if ((offset & (FIRMWARE_GRANULE - 1)) !== 0) {
      return invalid(`offset ${offset} is not a multiple of ${FIRMWARE_GRANULE} (FWUG)`, SQE.CDW11);
    }
    if (offset + bytes > IMAGE_BYTES) return invalid(`images have at most ${IMAGE_BYTES} bytes`, SQE.CDW11);
    const first = offset / FIRMWARE_GRANULE;
    const count = bytes / FIRMWARE_GRANULE;
    if (this.#hasGranule.subarray(first, first + count).includes(1)) {
      const reason = `bytes from ${offset} on overlap what was downloaded before`;
      return health.explain(STATUS.OVERLAPPING_RANGE, reason, SQE.CDW11);
    }
    slots.setData(slot, DATA_TO_CONTROLLER, bytes);
    return STATUS.SUCCESS;
  }

  #download(slot: number, at: number): number {
    const { slots, memory } = this.#parts;
    const bytes = slots.bytes(slot);
    const offset = slots.dword(slot, SQE.CDW11) * 4;
    this.#image ??= new Uint8Array(IMAGE_BYTES);
    this.#image.set(memory.u8.subarray(at, at + bytes), offset);
    const first = offset / FIRMWARE_GRANULE;
    this.#hasGranule.fill(1, first, first + bytes / FIRMWARE_GRANULE);
    return STATUS.SUCCESS;
  }

  #discard(): void {
    this.#image = null;
    this.#hasGranule.fill(0);
  }

  /** The revision of the downloaded image, or null when nothing complete was downloaded. */
  #downloaded(): string | null {
    if (this.#image === null) return null;
    const missing = this.#hasGranule.indexOf(0);
    return revisionOf(this.#image, missing === -1 ? IMAGE_BYTES : missing * FIRMWARE_GRANULE);
  }

  // ---- commit -------------------------------------------------------------------------------------------------------

  #checkCommit(slot: number): number {
    const { slots, health, profile } = this.#parts;
    const { FS, CA } = FIRMWARE_COMMIT_CDW10.decode(slots.dword(slot, SQE.CDW10));
    const explain = (status: number, reason: string) => health.explain(status, reason, SQE.CDW10);
    if (CA > FIRMWARE_COMMIT.ACTIVATE_NOW) {
      return explain(STATUS.INVALID_FIELD, `commit action ${CA} is reserved or needs boot partitions`);
    }
    const last = this.#revisions.length - 1;
    if (FS > last)
      return explain(STATUS.INVALID_FIRMWARE_SLOT, `there is no slot ${FS}, the last is ${last}`);
    const stores = this.#stores(CA);
    if (stores && FS === READ_ONLY_SLOT && profile.admin.firmware!.isFirstReadOnly) {
      return explain(STATUS.INVALID_FIRMWARE_SLOT, 'slot 1 is read-only');
    }
    if (stores && this.#downloaded() === null) {
      this.#discard();
      return explain(STATUS.INVALID_FIRMWARE_IMAGE, 'no complete image of this drive was downloaded');
    }
    if (!stores && this.#revisions[this.#target(FS)] === '') {
      return explain(STATUS.INVALID_FIRMWARE_IMAGE, `slot ${this.#target(FS)} is empty`);
    }
    return STATUS.SUCCESS;
  }

  #commit(slot: number): number {
    const { slots, health, profile, events } = this.#parts;
    const { FS, CA } = FIRMWARE_COMMIT_CDW10.decode(slots.dword(slot, SQE.CDW10));
    const target = this.#target(FS);
    const old = this.revision;
    if (this.#stores(CA)) this.#revisions[target] = this.#downloaded()!;
    this.#discard();
    let status: number = STATUS.SUCCESS;
    if (CA === FIRMWARE_COMMIT.ACTIVATE_NOW && profile.admin.firmware!.activatesNow) {
      events.raise(ASYNC_EVENT.FIRMWARE_ACTIVATION_STARTING);
      this.#next = target;
      status = this.#begin(slot);
    } else if (CA !== FIRMWARE_COMMIT.STORE) {
      this.#next = target;
      if (CA === FIRMWARE_COMMIT.ACTIVATE_NOW) {
        const reason = 'the image is committed, but this drive activates at a reset only (FRMW.FAWR)';
        status = health.explain(STATUS.FIRMWARE_NEEDS_CONTROLLER_RESET, reason, SQE.CDW10);
      }
    }
    this.#record(old, this.#revisions[target]!, CA, target, status === HELD ? STATUS.SUCCESS : status);
    return status;
  }

  /** No commands are taken until the image is active; then the command completes. Returns a status, or HELD. */
  #begin(slot: number): number {
    const { profile, clock, pause } = this.#parts;
    const activation_ns = profile.timing?.operations.activation_ns ?? 0;
    if (activation_ns === 0) {
      this.#activate();
      return STATUS.SUCCESS;
    }
    pause(true);
    this.#activation = clock.after(activation_ns, this.#onActivated, slot);
    return HELD;
  }

  #activate(): void {
    if (this.isPending) this.#active = this.#next;
    this.#next = NO_SLOT_CHOSEN;
  }

  #finish(slot: number): void {
    this.#activation = NO_EVENT;
    this.#activate();
    this.#parts.pause(false);
    this.#parts.engine.complete(slot, STATUS.SUCCESS);
  }

  /** Whether the action writes the downloaded image into a slot. Activating at once also takes a stored one. */
  #stores(action: number): boolean {
    if (action === FIRMWARE_COMMIT.ACTIVATE_NOW) return this.#image !== null;
    return action !== FIRMWARE_COMMIT.ACTIVATE;
  }

  /** The slot that FS names; 0 leaves it to the drive, which takes the first that is neither read-only nor active. */
  #target(slot: number): number {
    if (slot !== 0) return slot;
    const first = this.#parts.profile.admin.firmware!.isFirstReadOnly ? READ_ONLY_SLOT + 1 : READ_ONLY_SLOT;
    for (let free = first; free < this.#revisions.length; free++) if (free !== this.#active) return free;
    return first;
  }

  #record(old: string, revision: string, action: number, slot: number, status: number): void {
    const bytes = (text: string) => {
      const result = new Uint8Array(REVISION_BYTES);
      writeAscii(result, 0, REVISION_BYTES, text);
      return result;
    };
    this.#parts.history.add(PERSISTENT_EVENT_TYPE.FIRMWARE_COMMIT, FIRMWARE_COMMIT_EVENT, {
      OLD: bytes(old),
      NEW: bytes(revision),
      ACTION: action,
      SLOT: slot,
      SCT: status >>> 8,
      SC: status & 0xff,
    });
  }

  /** Writes the Firmware Slot Information page at byte `at` of device-local memory. Base 2.1 §5.1.12.1.4 */
  writeLog(at: number): void {
    const { view, u8 } = this.#parts.memory;
    FIRMWARE_SLOT_LOG.set(view, at, 'AFI', AFI.encode({ ACTIVE: this.#active, NEXT: this.#next }));
    const { slotRevision } = this.#parts.profile;
    this.#revisions.forEach((own, slot) => {
      const revision = slot === READ_ONLY_SLOT ? (slotRevision ?? own) : own;
      const to = at + FIRMWARE_SLOT_LOG.FRS1 + (slot - 1) * REVISION_BYTES;
      if (revision !== '') writeAscii(u8, to, REVISION_BYTES, revision);
    });
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    a.contents(this.#revisions, this.#hasGranule);
    this.#active = a.value(this.#active);
    this.#next = a.value(this.#next);
    this.#image = a.value(this.#image);
    this.#activation = a.value(this.#activation);
  }
}
