/**
 * The admin command set: which opcode is which command, what all admin commands have in common, and what a controller
 * level reset does to them (Base 2.1 §5). The engine works on one admin command at a time, so they share one data
 * buffer. Not here: the commands, one file each; commands whose support Identify denies are refused as invalid.
 */

import { DMA_OK } from '../machine/pcie/dma-port.ts';
import type { Archive } from '../support/archive.ts';
import { assert } from '../support/assert.ts';
import { Abort, EventRequest } from './admin/abort.ts';
import type { AdminCommand, AdminParts } from './admin/command.ts';
import { Directives } from './admin/directives.ts';
import { DoorbellBuffer } from './admin/doorbell-buffer.ts';
import { Firmware } from './admin/firmware.ts';
import { Format } from './admin/format.ts';
import { GetFeatures } from './admin/get-features.ts';
import { KeepAlive } from './admin/keep-alive.ts';
import { LbaStatus } from './admin/lba-status.ts';
import { logPages } from './admin/log-pages.ts';
import { NamespaceAttachment, NamespaceManagement } from './admin/namespace-management.ts';
import { PersistentEvents } from './admin/persistent-events.ts';
import { Sanitize } from './admin/sanitize.ts';
import { SelfTest } from './admin/self-test.ts';
import { SetFeatures } from './admin/set-features.ts';
import { Telemetry } from './admin/telemetry.ts';
import { Virtualization } from './admin/virtualization.ts';
import { AdminQueues } from './admin-queues.ts';
import { writeAscii } from './ascii.ts';
import { adminEffects, type Effects } from './effects.ts';
import { Timestamp } from './feature-data.ts';
import { Features } from './features.ts';
import { Identify } from './identify.ts';
import { PERSISTENT_EVENT_BYTES } from './limits.ts';
import { Logs } from './logs.ts';
import type { HostMap } from './map/host-map.ts';
import { hasQuirk } from './quirks.ts';
import { ADMIN, CDW0, FUSE, PSDT, SQE } from './spec/commands.ts';
import { PERSISTENT_EVENT_TYPE, RESET_EVENT } from './spec/persistent-events.ts';
import { CC, CSS } from './spec/registers.ts';
import { OTHER_RETRY, STATUS } from './spec/status.ts';

/** Commands that do not use the NSID field, which must then be 0. Base 2.1 §3.2.1.2 */
const WITHOUT_NAMESPACE: readonly number[] = [
  ADMIN.DELETE_SQ,
  ADMIN.CREATE_SQ,
  ADMIN.DELETE_CQ,
  ADMIN.CREATE_CQ,
  ADMIN.ABORT,
  ADMIN.ASYNC_EVENT_REQUEST,
  ADMIN.FIRMWARE_COMMIT,
  ADMIN.FIRMWARE_DOWNLOAD,
  ADMIN.KEEP_ALIVE,
  ADMIN.DOORBELL_BUFFER_CONFIG,
  ADMIN.SANITIZE,
];

/** Commands about I/O queues, which there are none of under CC.CSS 111b. Base 2.1 §3.1.4.5 */
const OF_IO_QUEUES: readonly number[] = [ADMIN.DELETE_SQ, ADMIN.CREATE_SQ, ADMIN.DELETE_CQ, ADMIN.CREATE_CQ];

/** Commands that need the medium: refused until it is ready. Base 2.1 §3.5.4 */
const ON_MEDIA: readonly number[] = [
  ADMIN.NAMESPACE_MANAGEMENT,
  ADMIN.NAMESPACE_ATTACHMENT,
  ADMIN.FORMAT_NVM,
  ADMIN.SANITIZE,
  ADMIN.DEVICE_SELF_TEST,
  ADMIN.GET_LBA_STATUS,
];

export class AdminCommands {
  readonly features: Features;
  /** Doors for tests: failures on demand, and telemetry. */
  readonly sanitize: Sanitize;
  readonly selfTest: SelfTest;
  readonly telemetry: Telemetry;
  /** False while the medium is not ready; the controller says when. */
  isMediaReady = true;
  /** null: all of the mapping table is in the controller. */
  readonly hostMap: HostMap | null;
  readonly #parts: AdminParts;
  readonly #firmware: Firmware;
  readonly #format: Format;
  readonly #history: PersistentEvents;
  readonly #timestamp: Timestamp;
  readonly #effects: Effects;
  readonly #looksAtNsid: boolean;
  readonly #retriesFused: boolean;
  readonly #commands: Readonly<Record<number, AdminCommand>>;
  /** Device-local memory for the data of the command that is worked on. */
  readonly #buffer: number;

  constructor(parts: AdminParts) {
    const { profile, memory, health } = parts;
    const maxTransfer_bytes = 4096 << (profile.mdts + profile.pageMin);
    const largestPage = Math.max(PERSISTENT_EVENT_BYTES, Telemetry.largest_bytes, health.errors.bytes);
    this.#buffer = memory.reserve(Math.max(maxTransfer_bytes, largestPage), 4096);
    assert(this.#buffer >= 0, 'device memory holds one admin transfer');
    this.#parts = parts;
    this.hostMap = parts.hostMap;
    this.#effects = adminEffects(profile);
    this.#looksAtNsid = !hasQuirk(profile, 'ignoresUnusedNsid');
    this.#retriesFused = hasQuirk(profile, 'retriesFusedAdmin');
    const timestamp = new Timestamp(parts.clock);
    const history = new PersistentEvents({ ...parts, timestamp });
    const keepAlive = new KeepAlive(parts);
    const featureParts = { ...parts, timestamp, history, keepAlive };
    const features = new Features(featureParts);
    const selfTest = new SelfTest(parts);
    const firmware = new Firmware({ ...parts, history, maxTransfer_bytes });
    const managed = { ...parts, history, selfTest };
    const sanitize = new Sanitize({ ...managed, features, firmware });
    const format = new Format({ ...managed, features });
    const telemetry = new Telemetry({ ...parts, history });
    const pages = logPages({
      ...parts,
      features,
      firmware,
      selfTest,
      telemetry,
      history,
      sanitize,
    });
    const queues = new AdminQueues({ ...parts, features });
    const directives = new Directives({ ...parts, maxTransfer_bytes });
    this.features = features;
    this.sanitize = sanitize;
    this.selfTest = selfTest;
    this.telemetry = telemetry;
    this.#firmware = firmware;
    this.#format = format;
    this.#history = history;
    this.#timestamp = timestamp;
    this.#commands = {
      [ADMIN.DELETE_SQ]: queues.deleteSq,
      [ADMIN.CREATE_SQ]: queues.createSq,
      [ADMIN.GET_LOG_PAGE]: new Logs({ ...parts, pages, maxTransfer_bytes }),
      [ADMIN.DELETE_CQ]: queues.deleteCq,
      [ADMIN.CREATE_CQ]: queues.createCq,
      [ADMIN.IDENTIFY]: new Identify({ ...parts, firmware }),
      [ADMIN.ABORT]: new Abort(parts),
      [ADMIN.SET_FEATURES]: new SetFeatures(featureParts, features),
      [ADMIN.GET_FEATURES]: new GetFeatures(featureParts, features),
      [ADMIN.ASYNC_EVENT_REQUEST]: new EventRequest(parts),
      [ADMIN.NAMESPACE_MANAGEMENT]: new NamespaceManagement({ ...managed, features }),
      [ADMIN.NAMESPACE_ATTACHMENT]: new NamespaceAttachment(parts),
      [ADMIN.FIRMWARE_COMMIT]: firmware.commit,
      [ADMIN.FIRMWARE_DOWNLOAD]: firmware.download,
      [ADMIN.DEVICE_SELF_TEST]: selfTest,
      [ADMIN.KEEP_ALIVE]: keepAlive,
      [ADMIN.DIRECTIVE_SEND]: directives.send,
      [ADMIN.DIRECTIVE_RECEIVE]: directives.receive,
      [ADMIN.VIRTUALIZATION_MANAGEMENT]: new Virtualization(parts),
      [ADMIN.DOORBELL_BUFFER_CONFIG]: new DoorbellBuffer(parts),
      [ADMIN.FORMAT_NVM]: format,
      [ADMIN.SANITIZE]: sanitize,
      [ADMIN.GET_LBA_STATUS]: new LbaStatus({ ...parts, maxTransfer_bytes }),
    };
    this.reset();
  }

  /** Controller level reset: events and requests are gone, features are at saved or default values, and so on. */
  reset(): void {
    const { events, health, shadow, coalescing } = this.#parts;
    events.reset();
    health.reset();
    shadow.reset();
    coalescing.reset();
    this.#format.reset();
    this.selfTest.reset();
    this.#firmware.reset();
    this.features.reset();
    this.#history.reset();
    this.#recordReset();
  }

  /** Power is lost: what the controller knew of host memory too. */
  losePower(): void {
    this.hostMap?.forget();
  }

  #recordReset(): void {
    const { health, clock } = this.#parts;
    const revision = new Uint8Array(8);
    writeAscii(revision, 0, revision.length, this.#firmware.revision);
    this.#history.add(PERSISTENT_EVENT_TYPE.POWER_ON_OR_RESET, RESET_EVENT, {
      REVISION: revision,
      POWER_CYCLES: health.powerCycles,
      POWER_ON_MS: Math.floor(clock.now / 1_000_000),
      TIMESTAMP: this.#timestamp.now(),
    });
  }

  /** Refuses what can be refused before data move; sets the data phase. Returns a status. */
  check(slot: number): number {
    const { slots, health } = this.#parts;
    const cdw0 = slots.dword(slot, SQE.OPC);
    const opcode = CDW0.OPC.get(cdw0);
    const isForIo = CC.CSS.get(this.#parts.cc()) === CSS.ADMIN_ONLY && OF_IO_QUEUES.includes(opcode);
    if (this.#effects[opcode] === undefined || isForIo) {
      return health.explain(STATUS.INVALID_OPCODE, 'this controller does not have the command', SQE.OPC);
    }
    const form = this.#checkForm(cdw0);
    if (form !== STATUS.SUCCESS) return form;
    const gate = this.sanitize.gate(slot, opcode);
    if (gate !== STATUS.SUCCESS) return gate;
    if (!this.isMediaReady && ON_MEDIA.includes(opcode)) {
      return health.explain(STATUS.ADMIN_MEDIA_NOT_READY, 'the medium is not ready yet');
    }
    const isBound = this.#looksAtNsid && WITHOUT_NAMESPACE.includes(opcode);
    if (isBound && slots.dword(slot, SQE.NSID) !== 0) {
      return this.#refuse('the command does not use NSID, which must be 0', SQE.NSID);
    }
    return this.#commands[opcode]!.check(slot);
  }

  /** FUSE and PSDT. */
  #checkForm(cdw0: number): number {
    const hasSgl = CDW0.PSDT.get(cdw0) !== PSDT.PRP;
    if (CDW0.FUSE.get(cdw0) !== FUSE.NONE && !(this.#retriesFused && hasSgl)) {
      const status = this.#refuse('admin commands are never fused (FUSE)', SQE.FLAGS);
      return this.#retriesFused ? status | OTHER_RETRY : status;
    }
    if (!hasSgl) return STATUS.SUCCESS;
    return this.#refuse('admin commands on PCI Express use PRPs (PSDT 0)', SQE.FLAGS, 6);
  }

  /** Does the work; data for the host stay in the buffer. Returns a status, or HELD. */
  execute(slot: number): number {
    const opcode = CDW0.OPC.get(this.#parts.slots.dword(slot, SQE.OPC));
    return this.#commands[opcode]!.execute(slot, this.#buffer);
  }

  /** Brings the host's data into the buffer. */
  receive(slot: number): number {
    return this.#move(slot, false);
  }

  /** Sends the buffer to the host. */
  send(slot: number): number {
    return this.#move(slot, true);
  }

  #move(slot: number, isToHost: boolean): number {
    const { slots, engine } = this.#parts;
    let local = this.#buffer;
    for (let index = 0; index < slots.segments(slot); index++) {
      const bytes = slots.segmentBytes(slot, index);
      const result = engine.data.move(isToHost, slots.segmentAddress(slot, index), local, bytes);
      if (result !== DMA_OK) return STATUS.DATA_TRANSFER_ERROR;
      local += bytes;
    }
    return STATUS.SUCCESS;
  }

  #refuse(reason: string, byte: number, bit = 0): number {
    return this.#parts.health.explain(STATUS.INVALID_FIELD, reason, byte, bit);
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.features.archive(a);
    this.sanitize.archive(a);
    this.selfTest.archive(a);
    this.telemetry.archive(a);
    this.#firmware.archive(a);
    this.#format.archive(a);
    this.#history.archive(a);
    this.#parts.coalescing.archive(a);
    this.isMediaReady = a.value(this.isMediaReady);
  }
}
