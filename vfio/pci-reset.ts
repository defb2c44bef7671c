/**
 * Power states and resets of one PCI function, as the kernel's PCI core does them: save what software set, reset by the
 * best method the function has, wait as long as the specification asks, put everything back.
 * Not here: when user space may ask (pci/device.ts), MSI-X table contents (pci/msi.ts puts them back after `restore`).
 */
import {
  BRIDGE,
  BRIDGE_CONTROL,
  CAPABILITY,
  COMMAND,
  CONFIG,
  DEVICE_CAPABILITIES,
  DEVICE_CONTROL,
  PCIE,
  PM,
  PM_CAPABILITIES,
  PM_CONTROL,
  POWER_STATE,
} from '../machine/pcie/spec.ts';
import type { PciDevice } from './pci-device.ts';
import { EIO, ENOTTY } from './uapi/errno.ts';

/** PCIe Base §6.6.2: a function may take this long after a function level reset; §5.9: after leaving D3hot. */
const FLR_WAIT_NS = 100_000_000;
const D3HOT_WAIT_NS = 10_000_000;
/** Advanced features, PCI ECN: its own FLR for conventional functions. */
const AF_ID = 0x13;
const AF = { CAPABILITIES: 3, CONTROL: 4, TP_AND_FLR: 3 } as const;
const HEADER_DWORDS = 16;
const PCIE_CONTROLS = [PCIE.DEVICE_CONTROL, PCIE.LINK_CONTROL, PCIE.DEVICE_CONTROL_2, PCIE.LINK_CONTROL_2];

/** What a reset would lose. */
export interface SavedState {
  readonly header: readonly number[];
  readonly pcie: readonly number[];
}

export type ResetMethod = 'flr' | 'af_flr' | 'pm' | 'bus' | null;

export class PciPower {
  readonly #device: PciDevice;
  readonly #pm: number;
  readonly #af: number;
  /** D0 to D3hot, as last set. */
  state: number = POWER_STATE.D0;
  #beforeSleep: SavedState | null = null;
  /** How this function is reset; null when it cannot be. */
  readonly method: ResetMethod;

  /** `alone`: no other function shares its bus, so that a bus reset hits nobody else. */
  constructor(device: PciDevice, alone: boolean) {
    this.#device = device;
    this.#pm = device.capability(CAPABILITY.POWER_MANAGEMENT);
    this.#af = device.capability(AF_ID);
    this.method = this.#bestMethod(alone);
  }

  /** True when the function forgets its registers on the way from D3hot to D0. */
  get losesStateInD3(): boolean {
    return this.#pm !== 0 && PM_CONTROL.NO_SOFT_RESET.get(this.#device.read16(this.#pm + PM.CONTROL)) === 0;
  }

  /**
   * Moves to D0..D3hot; a function that forgets its configuration on the way back to D0 gets it back.
   * Returns 0, or -EIO when it has no such state.
   */
  setState(state: number): number {
    if (state === this.state) return 0;
    if (this.#pm === 0) return -EIO;
    const capabilities = this.#device.read16(this.#pm + PM.CAPABILITIES);
    if (state === POWER_STATE.D1 && PM_CAPABILITIES.D1.get(capabilities) === 0) return -EIO;
    if (state === POWER_STATE.D2 && PM_CAPABILITIES.D2.get(capabilities) === 0) return -EIO;
    const control = this.#device.read16(this.#pm + PM.CONTROL);
    const wasAsleep = this.state === POWER_STATE.D3HOT;
    if (state === POWER_STATE.D3HOT && this.losesStateInD3) this.#beforeSleep = this.save();
    this.#device.write16(this.#pm + PM.CONTROL, PM_CONTROL.POWER_STATE.set(control, state));
    this.state = state;
    if (wasAsleep || state === POWER_STATE.D3HOT) this.#wait(D3HOT_WAIT_NS);
    if (state === POWER_STATE.D0 && this.#beforeSleep !== null) {
      this.restore(this.#beforeSleep);
      this.#beforeSleep = null;
    }
    return 0;
  }

  save(): SavedState {
    const device = this.#device;
    const header = Array.from({ length: HEADER_DWORDS }, (_, index) => device.read32(index * 4));
    const pcie = device.pcie === 0 ? [] : PCIE_CONTROLS.map((offset) => device.read16(device.pcie + offset));
    return { header, pcie };
  }

  /** Writes back what differs; the header from its end, so that BARs are in place before decoding is on. */
  restore(saved: SavedState): void {
    const device = this.#device;
    saved.pcie.forEach((value, index) => {
      device.write16(device.pcie + PCIE_CONTROLS[index]!, value);
    });
    for (let index = HEADER_DWORDS - 1; index > 0; index--) {
      const value = saved.header[index]!;
      if (index * 4 === CONFIG.COMMAND) device.updateCommand(0xffff, value & 0xffff);
      else if (device.read32(index * 4) !== value) device.write32(index * 4, value);
    }
  }

  /** Saves, resets, restores. Returns 0, or -ENOTTY when the function has no way to be reset. */
  reset(): number {
    if (this.method === null) return -ENOTTY;
    this.setState(POWER_STATE.D0);
    const saved = this.save();
    this.#device.write16(CONFIG.COMMAND, COMMAND.INTX_DISABLE.mask);
    const result = this.#resetBy(this.method);
    this.restore(saved);
    return result;
  }

  #bestMethod(alone: boolean): ResetMethod {
    const device = this.#device;
    const flags = device.pcie === 0 ? 0 : device.read32(device.pcie + PCIE.DEVICE_CAPABILITIES);
    if (DEVICE_CAPABILITIES.FLR.get(flags) === 1) return 'flr';
    if (this.#af !== 0 && (device.read8(this.#af + AF.CAPABILITIES) & AF.TP_AND_FLR) === AF.TP_AND_FLR) {
      return 'af_flr';
    }
    if (this.losesStateInD3) return 'pm';
    return alone && device.bridge !== null ? 'bus' : null;
  }

  #resetBy(method: Exclude<ResetMethod, null>): number {
    const device = this.#device;
    if (method === 'bus') return resetSecondaryBus(device.bridge!);
    if (method === 'pm') {
      this.setState(POWER_STATE.D3HOT);
      return this.setState(POWER_STATE.D0);
    }
    if (method === 'af_flr') device.write8(this.#af + AF.CONTROL, 1);
    else {
      const control = device.read16(device.pcie + PCIE.DEVICE_CONTROL);
      device.write16(device.pcie + PCIE.DEVICE_CONTROL, control | DEVICE_CONTROL.INITIATE_FLR.mask);
    }
    this.#wait(FLR_WAIT_NS);
    return 0;
  }

  #wait(duration_ns: number): void {
    this.#device.rc.clock.advance(duration_ns);
  }
}

/** Time the reset bit stays set, and the time a link may take to train again. PCIe Base §6.6.1. */
const BUS_RESET_NS = 2_000_000;
const LINK_TRAINING_NS = 100_000_000;
const LINK_ACTIVE_REPORTING = 1 << 20;

/**
 * Resets everything behind a bridge. Returns 0, or -ENOTTY when the port cannot tell that the link came back: it then
 * has reset the devices, but nobody may rely on it.
 */
export function resetSecondaryBus(bridge: PciDevice): number {
  const control = bridge.read16(BRIDGE.CONTROL);
  bridge.write16(BRIDGE.CONTROL, control | BRIDGE_CONTROL.BUS_RESET.mask);
  bridge.rc.clock.advance(BUS_RESET_NS);
  bridge.write16(BRIDGE.CONTROL, control & ~BRIDGE_CONTROL.BUS_RESET.mask);
  bridge.rc.clock.advance(LINK_TRAINING_NS);
  const capabilities = bridge.pcie === 0 ? 0 : bridge.read32(bridge.pcie + PCIE.LINK_CAPABILITIES);
  return (capabilities & LINK_ACTIVE_REPORTING) === 0 ? -ENOTTY : 0;
}
