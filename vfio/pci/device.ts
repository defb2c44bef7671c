/**
 * vfio-pci: one PCI function in the hands of user space (drivers/vfio/pci/vfio_pci_core.c). Enable and disable, the
 * table of requests, and what resets and power states mean for everything else.
 * Not here: the requests themselves (info.ts, irqs.ts, hot-reset.ts, ioeventfds.ts, low-power.ts), regions.ts.
 */
import type { Clock } from '../../machine/clock.ts';
import type { MessageSource } from '../../machine/interrupts.ts';
import { COMMAND, CONFIG, POWER_STATE } from '../../machine/pcie/spec.ts';
import { hex } from '../../support/numbers.ts';
import type { Dmesg } from '../dmesg.ts';
import type { MmapRequest, OpenFile } from '../file.ts';
import type { FileTable } from '../file-table.ts';
import type { IommuGroup } from '../iommu-group.ts';
import type { IrqLines } from '../irq-lines.ts';
import type { PciDevice } from '../pci-device.ts';
import { type PciPower, resetSecondaryBus, type SavedState } from '../pci-reset.ts';
import type { Process } from '../process.ts';
import { EINVAL, ENOTTY } from '../uapi/errno.ts';
import {
  VFIO_DEVICE_FEATURE,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_IOEVENTFD,
  VFIO_DEVICE_PCI_HOT_RESET,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_PCI_REQ_IRQ_INDEX,
} from '../uapi/vfio.ts';
import { VfioDevice } from '../vfio-device.ts';
import { VirtualConfig } from './config.ts';
import { getHotResetInfo, hotReset, type ResetMate } from './hot-reset.ts';
import { getInfo, getIrqInfo, getRegionInfo } from './info.ts';
import { Ioeventfds } from './ioeventfds.ts';
import { PciIrqs } from './irqs.ts';
import { LowPower } from './low-power.ts';
import { matchPciName } from './name.ts';
import { PciRegions } from './regions.ts';

/** Of the requests to leave, one in this many is logged. */
const REQUESTS_PER_LINE = 10;

export interface VfioPciParts {
  readonly clock: Clock;
  /** The messages that the function may send. */
  readonly messages: MessageSource;
  readonly lines: IrqLines;
  readonly process: Process;
  readonly files: FileTable;
  readonly dmesg: Dmesg;
  readonly group: IommuGroup;
  /** Every function on the bus of this one, itself included. */
  readonly mates: () => readonly ResetMate[];
}

export class VfioPciDevice extends VfioDevice {
  readonly pci: PciDevice;
  readonly group: IommuGroup;
  readonly coherent = true;
  readonly isolatedMsi = true;
  readonly irqs: PciIrqs;
  readonly #parts: VfioPciParts;
  readonly #power: PciPower;
  readonly #regions: PciRegions;
  readonly #ioeventfds: Ioeventfds;
  readonly #lowPower: LowPower;
  /** Configuration as it was right after the reset at enable. */
  #saved: SavedState | null = null;
  #canReset = false;

  constructor(index: number, pci: PciDevice, power: PciPower, parts: VfioPciParts) {
    super(index);
    const { process, files } = parts;
    this.pci = pci;
    this.group = parts.group;
    this.#parts = parts;
    this.#power = power;
    this.irqs = new PciIrqs({ ...parts, device: pci });
    this.#regions = new PciRegions(pci, process);
    this.#ioeventfds = new Ioeventfds(pci.rc, this.#regions, process, files);
    this.#lowPower = new LowPower(process, files, () => this.#updateGates());
  }

  get requester(): number {
    return this.pci.bdf;
  }

  get process(): Process {
    return this.#parts.process;
  }

  get files(): FileTable {
    return this.#parts.files;
  }

  get mates(): readonly ResetMate[] {
    return this.#parts.mates();
  }

  match(name: string): number {
    return matchPciName(this.pci.name, name);
  }

  /** Through the REQ eventfd; a user that set none is not told, only the log is. */
  request(count: number): void {
    const { dmesg } = this.#parts;
    if (this.irqs.notify(VFIO_PCI_REQ_IRQ_INDEX)) {
      if (count % REQUESTS_PER_LINE === 0) {
        dmesg.log(`vfio-pci ${this.pci.name}: Relaying device request to user (#${count})`);
      }
    } else if (count === 0) {
      dmesg.log(
        `vfio-pci ${this.pci.name}: No device request channel registered, blocked until released by user`,
      );
    }
  }

  /** Memory decoding on, bus master off, freshly reset, no interrupts. linux-abi 1.7. */
  protected override enable(): number {
    const { pci } = this;
    pci.updateCommand(COMMAND.BUS_MASTER.mask, 0);
    this.#power.setState(POWER_STATE.D0);
    this.#enableDecode();
    this.#canReset = this.#power.reset() === 0;
    this.#saved = this.#power.save();
    pci.updateCommand(COMMAND.INTX_DISABLE.mask, 0);
    const config = new VirtualConfig(pci, this.#effects());
    this.#regions.config = config;
    this.irqs.interruptPin = config.interruptPin;
    this.#updateGates();
    return 0;
  }

  protected override disable(): void {
    this.#lowPower.exit();
    this.#power.setState(POWER_STATE.D0);
    this.pci.updateCommand(COMMAND.BUS_MASTER.mask, 0);
    this.irqs.disable();
    this.#ioeventfds.clear();
    this.#regions.config = null;
    this.#updateGates();
    this.#power.restore(this.#saved!);
    this.pci.updateCommand(COMMAND.INTX_DISABLE.mask, COMMAND.INTX_DISABLE.mask);
    this.#power.reset();
    this.pci.updateCommand(COMMAND.BUS_MASTER.mask, 0);
  }

  resume(): void {
    this.#lowPower.resume();
  }

  ioctl(request: number, argument: number): number {
    const { process } = this;
    switch (request) {
      case VFIO_DEVICE_GET_INFO:
        return getInfo(process, argument, this.#regions, this.#canReset);
      case VFIO_DEVICE_GET_REGION_INFO:
        return getRegionInfo(process, argument, this.#regions);
      case VFIO_DEVICE_GET_IRQ_INFO:
        return getIrqInfo(process, argument, this.irqs);
      case VFIO_DEVICE_SET_IRQS:
        return this.irqs.set(argument);
      case VFIO_DEVICE_RESET:
        return this.#canReset ? this.#reset() : -EINVAL;
      case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
        return getHotResetInfo(this, argument);
      case VFIO_DEVICE_PCI_HOT_RESET:
        return hotReset(this, argument);
      case VFIO_DEVICE_IOEVENTFD:
        return this.#ioeventfds.set(argument);
      case VFIO_DEVICE_FEATURE:
        return this.#lowPower.feature(argument);
      default:
        return -ENOTTY;
    }
  }

  pread(target: Uint8Array, offset: number): number {
    if (target.length === 0) return 0;
    this.resume();
    return this.#regions.read(target, offset);
  }

  pwrite(source: Uint8Array, offset: number): number {
    if (source.length === 0) return 0;
    this.resume();
    const done = this.#regions.write(source, offset);
    this.#updateGates();
    return done;
  }

  mmap(file: OpenFile, request: MmapRequest): number {
    return this.#regions.map(file, request);
  }

  /** Resets the bus this function is on; every vfio function on it is closed to accesses meanwhile. */
  resetBus(): number {
    const users = this.mates.flatMap(({ vfio }) =>
      vfio instanceof VfioPciDevice && vfio.openCount > 0 ? [vfio] : [],
    );
    const saved = users.map((user) => user.#power.save());
    const result = resetSecondaryBus(this.pci.bridge!);
    users.forEach((user, index) => {
      user.#power.restore(saved[index]!);
      user.irqs.restore();
    });
    return result;
  }

  /** pci_enable_device: decoding on for the kinds of BARs there are. */
  #enableDecode(): void {
    const { pci } = this;
    const placed = pci.resources.slice(0, 6).filter((resource) => resource !== null && resource.start !== 0);
    const io = placed.some((resource) => resource?.io) ? COMMAND.IO.mask : 0;
    const memory = placed.some((resource) => !resource?.io) ? COMMAND.MEMORY.mask : 0;
    const before = pci.updateCommand(io | memory, io | memory);
    const after = pci.read16(CONFIG.COMMAND);
    if (after === before) return;
    const text = [before, after].map((value) => hex(value, 4).slice(2)).join(' -> ');
    this.#parts.dmesg.log(`vfio-pci ${pci.name}: enabling device (${text})`);
  }

  /** Registers go to their defaults, configuration and interrupts stay. */
  #reset(): number {
    const result = this.#power.reset();
    this.irqs.restore();
    this.#updateGates();
    return result;
  }

  #effects() {
    const { irqs } = this;
    return {
      setPowerState: (state: number) => this.#setPowerState(state),
      resetFunction: () => void this.#reset(),
      disableIntx: (disabled: boolean) => irqs.intx.setDisabled(disabled),
      get msiVectors() {
        return irqs.msi.enabled;
      },
    };
  }

  /** A function that forgets its registers in D3hot has forgotten its vectors too. */
  #setPowerState(state: number): void {
    const wakes = this.#power.state === POWER_STATE.D3HOT && state === POWER_STATE.D0;
    this.#power.setState(state);
    if (wakes && this.#power.losesStateInD3) this.irqs.restore();
  }

  #updateGates(): void {
    const { config, access, mapped } = this.#regions;
    access.open = config?.memoryEnabled === true && this.#power.state < POWER_STATE.D3HOT;
    mapped.open = access.open && !this.#lowPower.engaged;
  }
}
