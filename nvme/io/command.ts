/**
 * What an I/O command is to the dispatcher (commands.ts), and what all of them work with. A command is checked when it
 * is decoded, executed when its data and the medium are ready, and sends its data last. Every step works on controller
 * SRAM in one go, so that no other command comes in between. Not here: the commands.
 */

import type { Clock } from '../../machine/clock.ts';
import type { Memory } from '../../machine/memory.ts';
import type { DmaPort } from '../../machine/pcie/dma-port.ts';
import type { Archive } from '../../support/archive.ts';
import { hex, u64 } from '../../support/numbers.ts';
import type { Engine } from '../engine.ts';
import type { Events } from '../events.ts';
import type { Features } from '../features.ts';
import type { Health } from '../health.ts';
import type { MappedMedia } from '../map/cache.ts';
import type { Media } from '../media.ts';
import type { Namespace, NamespaceAccess } from '../namespace.ts';
import type { ControllerProfile } from '../profile.ts';
import { hasQuirk } from '../quirks.ts';
import type { Refusal } from '../refusal.ts';
import { SLOT, type Slots } from '../slots.ts';
import { RW_CDW12, SQE } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import { Blocks } from './blocks.ts';
import { limitBytes } from './limits.ts';
import { Payload } from './payload.ts';
import type { Buffer } from './protection.ts';
import { Transfer } from './transfer.ts';
import { WriteCache } from './write-cache.ts';

/** What a command does with the blocks, for reservations and write protection. */
export type Access = 'none' | 'read' | 'write';

/** Bits that a command knows of the dwords that it does not use in full, by byte offset in the entry. */
export type KnownBits = readonly (readonly [offset: number, mask: number])[];

export interface IoCommand {
  readonly access: Access;
  readonly known: KnownBits;
  /** Refuses what can be refused before data move; sets the data phase. Returns a status. */
  check(slot: number, namespace: Namespace): number;
  /** Nanoseconds the medium needs. */
  delay(slot: number, namespace: Namespace): number;
  /** Does the work. Returns a status, or HELD. */
  execute(slot: number, namespace: Namespace): number;
  /** Sends what the command reads. Returns a status. */
  send?(slot: number, namespace: Namespace): number;
}

export interface ContextParts {
  readonly profile: ControllerProfile;
  readonly clock: Clock;
  readonly memory: Memory;
  readonly dma: DmaPort;
  readonly slots: Slots;
  readonly engine: Engine;
  readonly media: Media;
  /** The mapping table in front of the medium, where there is one. */
  readonly map: MappedMedia | null;
  readonly health: Health;
  readonly features: Features;
  readonly events: Events;
  /** The CC register. */
  readonly cc: () => number;
  /** By nsid, those that may be used now; index 0 and holes are undefined. */
  readonly namespaces: readonly (Namespace | undefined)[];
  /** Says why one is missing. */
  readonly access: NamespaceAccess;
  /** Largest data transfer of one command. */
  readonly maxTransfer_bytes: number;
}

export class Context {
  readonly profile: ControllerProfile;
  readonly memory: Memory;
  readonly slots: Slots;
  readonly engine: Engine;
  readonly media: Media;
  readonly map: MappedMedia | null;
  readonly health: Health;
  readonly features: Features;
  readonly events: Events;
  readonly cc: () => number;
  readonly blocks: Blocks;
  readonly transfer: Transfer;
  readonly payload: Payload;
  /** What a power cut takes back; null: nothing. */
  readonly cache: WriteCache | null;
  readonly namespaces: readonly (Namespace | undefined)[];
  readonly access: NamespaceAccess;
  readonly maxTransfer: number;
  /** The quirk of that name. */
  readonly ignoresReserved: boolean;
  /** SRAM for the blocks of one transfer; valid within one step of one command. */
  readonly here: Buffer;
  /** A second one: what is compared. */
  readonly there: Buffer;

  constructor(parts: ContextParts) {
    this.profile = parts.profile;
    this.memory = parts.memory;
    this.slots = parts.slots;
    this.engine = parts.engine;
    this.media = parts.media;
    this.map = parts.map;
    this.health = parts.health;
    this.features = parts.features;
    this.events = parts.events;
    this.cc = parts.cc;
    const { dirty_bytes } = parts.profile;
    this.cache = dirty_bytes > 0 ? new WriteCache(parts.memory, dirty_bytes) : null;
    this.transfer = new Transfer(parts);
    this.payload = new Payload({ ...parts, transfer: this.transfer });
    this.blocks = new Blocks({ ...parts, protection: this.payload.protection, cache: this.cache });
    this.namespaces = parts.namespaces;
    this.access = parts.access;
    this.maxTransfer = parts.maxTransfer_bytes;
    this.ignoresReserved = hasQuirk(parts.profile, 'ignoresReserved');
    this.here = this.payload.createBuffer();
    this.there = this.payload.createBuffer();
  }

  /** SRAM for a transfer that is not blocks, in the place of `here`. */
  get data(): number {
    return this.here.data;
  }

  // ---- the entry --------------------------------------------------------------------------------------------------

  dword(slot: number, offset: number): number {
    return this.slots.dword(slot, offset);
  }

  /** First block: CDW11:CDW10. Above 2^53 it is not exact, but larger than any namespace. */
  first(slot: number): number {
    return u64(this.dword(slot, SQE.CDW10), this.dword(slot, SQE.CDW11));
  }

  /** Number of blocks: CDW12.NLB counts from 0. */
  count(slot: number): number {
    return (this.dword(slot, SQE.CDW12) & 0xffff) + 1;
  }

  /** CDW12.FUA. */
  isForced(slot: number): boolean {
    return RW_CDW12.FUA.get(this.dword(slot, SQE.CDW12)) === 1;
  }

  /** CDW12.LR. */
  isLimited(slot: number): boolean {
    return RW_CDW12.LR.get(this.dword(slot, SQE.CDW12)) === 1;
  }

  /** Says which data phase the command has. Returns the status of its limit, MDTS. */
  setData(slot: number, direction: number, bytes: number): number {
    this.slots.setData(slot, direction, bytes);
    if (bytes <= this.maxTransfer) return STATUS.SUCCESS;
    return this.refuse(`${bytes} bytes are more than MDTS allows (${this.maxTransfer})`, SQE.CDW12);
  }

  /** Refuses more blocks than a size limit allows, log2 of smallest pages (VSL and its kin). Returns a status. */
  checkSize(namespace: Namespace, count: number, limit: number): number {
    const most = limitBytes(this.profile.pageMin, limit);
    const bytes = count * namespace.block_bytes;
    if (bytes <= most) return STATUS.SUCCESS;
    return this.refuse(`${bytes} bytes are more than the size limit of the command (${most})`, SQE.CDW12);
  }

  /** Where on the medium the command works, for its timing and the error log. */
  setPlace(slot: number, offset_bytes: number): void {
    this.slots.f64[(this.slots.at(slot) + SLOT.OFFSET) >>> 1] = offset_bytes;
  }

  /** Nanoseconds until `count` blocks from CDW11:CDW10 on, given now, are safe. */
  writeTime(slot: number, namespace: Namespace, count = this.count(slot)): number {
    const { block_bytes, mediaBase } = namespace;
    return this.media.write(mediaBase + this.first(slot) * block_bytes, count * block_bytes);
  }

  // ---- common refusals --------------------------------------------------------------------------------------------

  /** Invalid Field, with the byte of the entry that is wrong. */
  refuse(reason: string, byte: number, status: number = STATUS.INVALID_FIELD): number {
    return this.health.explain(status, reason, byte);
  }

  /** Refuses blocks beyond the end of the namespace. */
  checkRange(namespace: Namespace, first: number, count: number): number {
    if (first + count <= namespace.blocks) return STATUS.SUCCESS;
    const reason = `block ${first + count - 1} is beyond the last one, ${namespace.blocks - 1}`;
    return this.refuse(reason, SQE.CDW10, STATUS.LBA_OUT_OF_RANGE);
  }

  /** Refuses what a zone refuses; null is none. Returns a status. */
  checkZone(problem: Refusal | null | undefined): number {
    return problem ? this.refuse(problem.reason, SQE.CDW10, problem.status) : STATUS.SUCCESS;
  }

  /** Refuses bits that the command does not know. */
  checkReserved(slot: number, known: KnownBits): number {
    if (this.ignoresReserved) return STATUS.SUCCESS;
    for (const [offset, mask] of known) {
      const unknown = (this.dword(slot, offset) & ~mask) >>> 0;
      if (unknown === 0) continue;
      const dword = `CDW${offset >>> 2}`;
      const bit = 31 - Math.clz32(unknown & -unknown);
      const reason = `bits ${hex(unknown, 8)} of ${dword} are reserved or not supported`;
      return this.health.explain(STATUS.INVALID_FIELD, reason, offset + (bit >>> 3), bit & 7);
    }
    return STATUS.SUCCESS;
  }

  /** Saves or loads what changes while the machine runs (support/archive.ts). */
  archive(a: Archive): void {
    this.transfer.archive(a);
    this.map?.archive(a);
    this.cache?.archive(a, this.namespaces);
  }
}
