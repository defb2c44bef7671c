/**
 * The map of a function's configuration space at bind: which capability owns each byte, the copy that virtual bits are
 * served from, and the two masks of config-rules.ts spread over all bytes. Hidden capabilities are unlinked in the copy.
 * Not here: accesses (config.ts).
 */
import { CONFIG, EXTENDED_HEADER, STATUS } from '../../machine/pcie/spec.ts';
import type { PciDevice } from '../pci-device.ts';
import {
  type BitRule,
  type CapabilityKind,
  type CapabilityRule,
  EXTENDED,
  HEADER_BYTES,
  HEADER_RULES,
  STANDARD,
} from './config-rules.ts';

/** A stretch of configuration space with rules of its own. */
export interface ConfigPart {
  readonly kind: CapabilityKind;
  readonly start: number;
}

/** Bytes that no visible capability claims: passed through in both directions. */
const UNASSIGNED: ConfigPart = { kind: 'raw', start: 0 };
const LIST_MAX = 48;

export class ConfigMap {
  readonly bytes: number;
  /** The copy, refreshed from hardware at bind only. */
  readonly copy: DataView;
  readonly #virtual: DataView;
  readonly #writable: DataView;
  readonly #owner: Uint8Array;
  readonly #parts: ConfigPart[] = [UNASSIGNED];
  readonly #device: PciDevice;

  constructor(device: PciDevice) {
    this.#device = device;
    this.bytes = device.configBytes;
    this.copy = new DataView(new ArrayBuffer(this.bytes));
    this.#virtual = new DataView(new ArrayBuffer(this.bytes));
    this.#writable = new DataView(new Uint8Array(this.bytes).fill(0xff).buffer);
    this.#owner = new Uint8Array(this.bytes);
    this.#add('header', 0, HEADER_BYTES, HEADER_RULES);
    this.#addStandard();
    if (this.bytes > CONFIG.EXTENDED) this.#addExtended();
  }

  /** Bits of `size` bytes at `offset` that the copy serves. */
  virtual(offset: number, size: 1 | 2 | 4): number {
    return get(this.#virtual, offset, size);
  }

  writable(offset: number, size: 1 | 2 | 4): number {
    return get(this.#writable, offset, size);
  }

  partAt(offset: number): ConfigPart {
    return this.#parts[this.#owner[offset]!]!;
  }

  /** Start of the part of this kind, or -1 when the function has none. */
  find(kind: CapabilityKind): number {
    return this.#parts.find((part) => part !== UNASSIGNED && part.kind === kind)?.start ?? -1;
  }

  /** Width of the next access when `count` bytes are left at `offset`: aligned, and inside one part. */
  widthAt(offset: number, count: number): 1 | 2 | 4 {
    const owner = this.#owner[offset]!;
    const shares = (width: number) =>
      this.#owner.subarray(offset, offset + width).every((other) => other === owner);
    if (count >= 4 && (offset & 3) === 0 && shares(4)) return 4;
    return count >= 2 && (offset & 1) === 0 && shares(2) ? 2 : 1;
  }

  /** Walks the list; `previous` is where the pointer to the next visible capability is kept in the copy. */
  #addStandard(): void {
    const device = this.#device;
    const hasList = STATUS.CAPABILITIES.get(device.read16(CONFIG.STATUS)) === 1;
    let at = hasList ? device.read8(CONFIG.CAPABILITIES) & ~3 : 0;
    let previous: number = CONFIG.CAPABILITIES;
    let visible = 0;
    this.copy.setUint8(previous, 0);
    for (let seen = 0; at >= HEADER_BYTES && seen < LIST_MAX; seen++) {
      const known = STANDARD.get(device.read8(at));
      if (known !== undefined) {
        this.#addCapability(known, at, 1);
        this.copy.setUint8(previous, at);
        previous = at + 1;
        this.copy.setUint8(previous, 0);
        visible++;
      }
      at = device.read8(at + 1) & ~3;
    }
    if (visible > 0) return;
    this.copy.setUint16(
      CONFIG.STATUS,
      this.copy.getUint16(CONFIG.STATUS, true) & ~STATUS.CAPABILITIES.mask,
      true,
    );
  }

  /** The first extended capability cannot be unlinked: hidden or absent, it keeps its place with no id. */
  #addExtended(): void {
    const device = this.#device;
    let at: number = CONFIG.EXTENDED;
    let previous = 0;
    for (let seen = 0; at >= CONFIG.EXTENDED && seen < LIST_MAX; seen++) {
      const header = device.read32(at);
      const known = EXTENDED.get(EXTENDED_HEADER.ID.get(header));
      const isFirst = at === CONFIG.EXTENDED;
      if (known !== undefined || isFirst) {
        if (known === undefined)
          this.#add('plain', at, 4, [{ offset: 0, size: 4, virtual: -1, writable: 0 }]);
        else this.#addCapability(known, at, 4);
        this.copy.setUint32(at, known === undefined ? 0 : EXTENDED_HEADER.NEXT.set(header, 0), true);
        if (previous !== 0) this.#link(previous, at);
        previous = at;
      }
      at = EXTENDED_HEADER.NEXT.get(header) & ~3;
    }
  }

  #link(previous: number, at: number): void {
    this.copy.setUint32(previous, EXTENDED_HEADER.NEXT.set(this.copy.getUint32(previous, true), at), true);
  }

  /** `linkSize` is 1 for the next pointer of a standard capability, 4 for the header of an extended one. */
  #addCapability(known: CapabilityRule, at: number, linkSize: 1 | 4): void {
    const bytes = Math.min(known.bytes(this.#device, at), this.bytes - at);
    const rules = typeof known.rules === 'function' ? known.rules(this.#device, at) : known.rules;
    const link: BitRule = { offset: linkSize === 1 ? 1 : 0, size: linkSize, virtual: -1, writable: 0 };
    this.#add(known.kind, at, bytes, known.kind === 'raw' && linkSize === 1 ? [] : [link, ...rules]);
  }

  /** A new part: nothing in it is virtual, and only a raw one is writable, except as `rules` say. */
  #add(kind: CapabilityKind, start: number, bytes: number, rules: readonly BitRule[]): void {
    this.#owner.fill(this.#parts.push({ kind, start }) - 1, start, start + bytes);
    for (let offset = start; offset < start + bytes; offset++) {
      this.copy.setUint8(offset, this.#device.read8(offset));
      if (kind !== 'raw') this.#writable.setUint8(offset, 0);
    }
    for (const { offset, size, virtual, writable } of rules) {
      if (offset + size > bytes) continue;
      set(this.#virtual, start + offset, size, virtual);
      set(this.#writable, start + offset, size, writable);
    }
  }
}

/** `size` bytes at `offset`, unsigned. */
export function get(view: DataView, offset: number, size: 1 | 2 | 4): number {
  if (size === 4) return view.getUint32(offset, true);
  return size === 2 ? view.getUint16(offset, true) : view.getUint8(offset);
}

export function set(view: DataView, offset: number, size: 1 | 2 | 4, value: number): void {
  if (size === 4) view.setUint32(offset, value, true);
  else if (size === 2) view.setUint16(offset, value, true);
  else view.setUint8(offset, value);
}
