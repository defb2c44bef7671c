/**
 * Region 7: configuration space as user space sees it. Reads mix the copy and the hardware bit by bit, writes reach
 * what they may reach, and a few of them do something: decoding, power state, function reset, interrupt masking.
 * Not here: which bit is what (config-rules.ts, config-map.ts). Vital product data is shown but cannot be addressed.
 */
import {
  BAR,
  BAR_TYPE_64,
  COMMAND,
  CONFIG,
  DEVICE_CAPABILITIES,
  DEVICE_CONTROL,
  PCIE,
  PM,
  PM_CONTROL,
} from '../../machine/pcie/spec.ts';
import { type PciDevice, ROM_RESOURCE } from '../pci-device.ts';
import { EFAULT } from '../uapi/errno.ts';
import { ConfigMap, get, set } from './config-map.ts';

/** What a configuration write sets in motion; the device carries it out. */
export interface ConfigEffects {
  /** Moves to a PM_CONTROL.POWER_STATE. */
  setPowerState(state: number): void;
  /** Resets the function, keeping its configuration. */
  resetFunction(): void;
  /** COMMAND.INTX_DISABLE has changed in the copy. */
  disableIntx(disabled: boolean): void;
  /** Vectors that SET_IRQS has enabled on MSI; 0 when it is not the active index. */
  readonly msiVectors: number;
}

const BAR_END = CONFIG.BAR0 + 24;
const DECODE = COMMAND.IO.mask | COMMAND.MEMORY.mask;
const ROM_ENABLE = 1;
const MSI_CONTROL = 2;
const MSI_ENABLE = 1;
const MSI_QUEUE_SIZE = 0x70;
/** 4096 bytes; the codes above it are reserved. Base §7.5.3.4. */
const READ_REQUEST_MAX = 5;
const AF = { CAPABILITIES: 3, CONTROL: 4, TP_AND_FLR: 3 } as const;

const TWO_32 = 0x1_0000_0000;

type Width = 1 | 2 | 4;

export class VirtualConfig {
  readonly #device: PciDevice;
  readonly #effects: ConfigEffects;
  readonly #map: ConfigMap;
  /** BARs and ROM as hardware had them at bind. */
  readonly #bars: readonly number[];
  #barsDirty = true;
  #intxDisabled = false;

  constructor(device: PciDevice, effects: ConfigEffects) {
    this.#device = device;
    this.#effects = effects;
    this.#map = new ConfigMap(device);
    this.#bars = [0, 1, 2, 3, 4, 5].map((index) => device.read32(CONFIG.BAR0 + index * 4));
    const power = this.#map.find('power');
    if (power >= 0) {
      const { copy } = this.#map;
      copy.setUint16(power + PM.CAPABILITIES, copy.getUint16(power + PM.CAPABILITIES, true) & 0x07ff, true);
      copy.setUint16(power + PM.CONTROL, 0, true);
    }
  }

  /** Size of the region: 256 or 4096. */
  get bytes(): number {
    return this.#map.bytes;
  }

  /** COMMAND.MEMORY as user space last set it: what gates its access to memory BARs. */
  get memoryEnabled(): boolean {
    return COMMAND.MEMORY.get(this.#map.copy.getUint16(CONFIG.COMMAND, true)) === 1;
  }

  get interruptPin(): number {
    return this.#map.copy.getUint8(CONFIG.INTERRUPT_PIN);
  }

  /** Returns the bytes read, or -EFAULT when any part lies outside. */
  read(target: Uint8Array, position: number): number {
    if (position + target.length > this.bytes) return -EFAULT;
    for (let done = 0; done < target.length; ) {
      const width = this.#map.widthAt(position + done, target.length - done);
      const value = this.#readPart(position + done, width);
      for (let byte = 0; byte < width; byte++) target[done++] = value >>> (byte * 8);
    }
    return target.length;
  }

  /** Returns the bytes written, also where none may be changed, or -EFAULT when any part lies outside. */
  write(source: Uint8Array, position: number): number {
    if (position + source.length > this.bytes) return -EFAULT;
    for (let done = 0; done < source.length; ) {
      const width = this.#map.widthAt(position + done, source.length - done);
      let value = 0;
      for (let byte = 0; byte < width; byte++) value |= source[done + byte]! << (byte * 8);
      this.#writePart(position + done, width, value >>> 0);
      done += width;
    }
    return source.length;
  }

  #readPart(offset: number, width: Width): number {
    if (isBar(offset)) this.#fixBars();
    const virtual = this.#map.virtual(offset, width);
    const hardware = this.#hardware(offset, width);
    return ((hardware & ~virtual) | (get(this.#map.copy, offset, width) & virtual)) >>> 0;
  }

  #writePart(offset: number, width: Width, value: number): void {
    const { kind, start } = this.#map.partAt(offset);
    if (kind === 'header') this.#writeHeader(offset, width, value);
    else if (kind === 'power') this.#writePower(offset, width, value, start);
    else if (kind === 'pcie') this.#writePcie(offset, width, value, start);
    else if (kind === 'msi') this.#writeMsi(offset, width, value, start);
    else if (kind === 'af') this.#writeAf(offset, width, value, start);
    else this.#store(offset, width, value);
  }

  /** Writable bits go to the copy where they are virtual, to hardware where they are not. */
  #store(offset: number, width: Width, value: number): void {
    const writable = this.#map.writable(offset, width);
    const virtual = this.#map.virtual(offset, width);
    const toCopy = writable & virtual;
    const toHardware = writable & ~virtual;
    const merge = (old: number, mask: number): number => (old & ~mask) | (value & mask);
    if (toCopy !== 0) set(this.#map.copy, offset, width, merge(get(this.#map.copy, offset, width), toCopy));
    if (toHardware !== 0) {
      this.#setHardware(offset, width, merge(this.#hardware(offset, width), toHardware) >>> 0);
    }
  }

  #writeHeader(offset: number, width: Width, value: number): void {
    const { copy } = this.#map;
    if (offset === CONFIG.COMMAND) {
      const known = copy.getUint16(CONFIG.COMMAND, true);
      const lost = value & known & ~this.#device.read16(CONFIG.COMMAND) & DECODE;
      if (lost !== 0 || this.#barsMoved()) this.#restoreBars();
    }
    this.#store(offset, width, value);
    if (offset === CONFIG.COMMAND) {
      copy.setUint16(
        CONFIG.COMMAND,
        (copy.getUint16(CONFIG.COMMAND, true) & ~DECODE) | (value & DECODE),
        true,
      );
    }
    if (offset === CONFIG.COMMAND || offset === CONFIG.COMMAND + 1) this.#followIntxDisable();
    if (isBar(offset)) this.#barsDirty = true;
  }

  #followIntxDisable(): void {
    const disabled = COMMAND.INTX_DISABLE.get(this.#map.copy.getUint16(CONFIG.COMMAND, true)) === 1;
    if (disabled === this.#intxDisabled) return;
    this.#intxDisabled = disabled;
    this.#effects.disableIntx(disabled);
  }

  #writePower(offset: number, width: Width, value: number, start: number): void {
    this.#store(offset, width, value);
    if (offset === start + PM.CONTROL) this.#effects.setPowerState(PM_CONTROL.POWER_STATE.get(value));
  }

  /** The maximum payload is scratch; the read request size is applied, but never below the real payload. */
  #writePcie(offset: number, width: Width, value: number, start: number): void {
    const { copy } = this.#map;
    const at = start + PCIE.DEVICE_CONTROL;
    const readRequest = DEVICE_CONTROL.MAX_READ_REQUEST;
    const before = readRequest.get(copy.getUint16(at, true));
    this.#store(offset, width, value);
    const control = copy.getUint16(at, true);
    if (DEVICE_CONTROL.INITIATE_FLR.get(control) === 1) {
      copy.setUint16(at, control & ~DEVICE_CONTROL.INITIATE_FLR.mask, true);
      const capabilities = this.#device.read32(start + PCIE.DEVICE_CAPABILITIES);
      if (DEVICE_CAPABILITIES.FLR.get(capabilities) === 1) this.#effects.resetFunction();
    }
    const wanted = readRequest.get(control);
    if (wanted === before || wanted > READ_REQUEST_MAX) return;
    const real = this.#device.read16(at);
    const floor = DEVICE_CONTROL.MAX_PAYLOAD.get(real);
    this.#device.write16(at, readRequest.set(real, Math.max(wanted, floor)));
  }

  /** MSI is enabled by SET_IRQS alone, and says it has as many vectors as were enabled. */
  #writeMsi(offset: number, width: Width, value: number, start: number): void {
    this.#store(offset, width, value);
    const control = start + MSI_CONTROL;
    if (offset > control || offset + width <= control) return;
    const { msiVectors } = this.#effects;
    let flags = this.#map.copy.getUint16(control, true);
    if (msiVectors === 0) flags &= ~MSI_ENABLE;
    const largest = msiVectors === 0 ? 0 : Math.ceil(Math.log2(msiVectors)) << 4;
    if ((flags & MSI_QUEUE_SIZE) > largest) flags = (flags & ~MSI_QUEUE_SIZE) | largest;
    this.#map.copy.setUint16(control, flags, true);
    this.#device.write16(control, flags);
  }

  #writeAf(offset: number, width: Width, value: number, start: number): void {
    this.#store(offset, width, value);
    const { copy } = this.#map;
    if ((copy.getUint8(start + AF.CONTROL) & 1) === 0) return;
    copy.setUint8(start + AF.CONTROL, 0);
    const capabilities = this.#device.read8(start + AF.CAPABILITIES);
    if ((capabilities & AF.TP_AND_FLR) === AF.TP_AND_FLR) this.#effects.resetFunction();
  }

  /** After a write, each BAR reads as hardware would: its size in ones, its type in the low bits. Base §7.5.1.2.1. */
  #fixBars(): void {
    if (!this.#barsDirty) return;
    this.#barsDirty = false;
    const { copy } = this.#map;
    const { resources } = this.#device;
    for (let index = 0; index < ROM_RESOURCE; index++) {
      const at = CONFIG.BAR0 + index * 4;
      const resource = resources[index];
      if (resource == null || resource.start === 0) {
        copy.setUint32(at, 0, true);
        continue;
      }
      const { bytes, is64 } = resource;
      copy.setUint32(at, (copy.getUint32(at, true) & sizeMask(bytes)) | barKind(resource), true);
      if (!is64) continue;
      index++;
      copy.setUint32(at + 4, copy.getUint32(at + 4, true) & sizeMask(bytes / TWO_32), true);
    }
    const rom = resources[ROM_RESOURCE];
    const mask = rom != null && rom.start !== 0 ? sizeMask(rom.bytes) | ROM_ENABLE : 0;
    copy.setUint32(CONFIG.ROM, copy.getUint32(CONFIG.ROM, true) & mask, true);
  }

  #barsMoved(): boolean {
    return this.#bars.some((value, index) => this.#device.read32(CONFIG.BAR0 + index * 4) !== value);
  }

  /** Something reset the function behind our back: its BARs are put where they were. */
  #restoreBars(): void {
    this.#bars.forEach((value, index) => {
      this.#device.write32(CONFIG.BAR0 + index * 4, value);
    });
  }

  #hardware(offset: number, width: Width): number {
    if (width === 4) return this.#device.read32(offset);
    return width === 2 ? this.#device.read16(offset) : this.#device.read8(offset);
  }

  #setHardware(offset: number, width: Width, value: number): void {
    if (width === 4) this.#device.write32(offset, value);
    else if (width === 2) this.#device.write16(offset, value);
    else this.#device.write8(offset, value);
  }
}

const isBar = (offset: number): boolean =>
  (offset >= CONFIG.BAR0 && offset < BAR_END) || (offset >= CONFIG.ROM && offset < CONFIG.ROM + 4);

/** Address bits that a BAR of this size decodes, in one word: all of them below a size of one, none from 4 GiB on. */
const sizeMask = (bytes: number): number => (bytes < 1 ? -1 : bytes >= TWO_32 ? 0 : -bytes);

/** The read-only low bits of a BAR. */
const barKind = (resource: { io: boolean; prefetchable: boolean; is64: boolean }): number =>
  resource.io
    ? BAR.IO.mask
    : BAR.encode({ PREFETCHABLE: Number(resource.prefetchable), TYPE: resource.is64 ? BAR_TYPE_64 : 0 });
