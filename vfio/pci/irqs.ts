/**
 * SET_IRQS: the checks that all indexes share, in Linux's order, and the choice of what to do. linux-abi 2.4.
 * Not here: INTx (intx-index.ts), MSI and MSI-X (msi-index.ts).
 */
import type { Clock } from '../../machine/clock.ts';
import type { MessageSource } from '../../machine/interrupts.ts';
import type { EventFd } from '../eventfd.ts';
import type { FileTable } from '../file-table.ts';
import type { IrqLines } from '../irq-lines.ts';
import type { PciDevice } from '../pci-device.ts';
import type { Process } from '../process.ts';
import { EFAULT, EINVAL, ENODEV, ENOTTY } from '../uapi/errno.ts';
import {
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_TYPE_MASK,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_IRQ_SET_DATA_TYPE_MASK,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
  VFIO_PCI_REQ_IRQ_INDEX,
  VfioIrqSet,
} from '../uapi/vfio.ts';
import { eventfdOf } from '../virqfd.ts';
import { IntxIndex } from './intx-index.ts';
import { MsiIndex } from './msi-index.ts';
import { MsiVectors, MsixVectors } from './msi-vectors.ts';

/** What a request says, checked and copied in. Exactly one of the two arrays is used, by the kind of data. */
interface IrqRequest {
  readonly data: number;
  readonly action: number;
  readonly index: number;
  readonly start: number;
  readonly count: number;
  readonly bools: Uint8Array;
  readonly fds: Int32Array;
}

export interface IrqParts {
  readonly device: PciDevice;
  readonly clock: Clock;
  /** The messages that the function may send. */
  readonly messages: MessageSource;
  readonly process: Process;
  readonly files: FileTable;
  readonly lines: IrqLines;
}

const NO_BOOLS = new Uint8Array(0);
const NO_FDS = new Int32Array(0);

export class PciIrqs {
  readonly intx: IntxIndex;
  readonly msi: MsiIndex;
  readonly msix: MsiIndex;
  readonly #parts: IrqParts;
  /** Eventfds of ERR and REQ, by index. */
  readonly #notices = new Map<number, EventFd>();
  /** Pin of the virtual configuration space; 0 when the function has no line. Set when the device is enabled. */
  interruptPin = 0;

  constructor(parts: IrqParts) {
    const { device, clock, messages, files, lines } = parts;
    this.#parts = parts;
    this.intx = new IntxIndex(device, files, lines);
    const msix = clock.register((vector) => this.msix.signal(vector));
    this.msix = new MsiIndex(new MsixVectors(device, messages, msix), files);
    const msi = clock.register((vector) => this.msi.signal(vector));
    this.msi = new MsiIndex(new MsiVectors(device, messages, msi), files);
  }

  /** Interrupts of an index; 0 for one that the function does not have. */
  count(index: number): number {
    if (index === VFIO_PCI_INTX_IRQ_INDEX) return this.interruptPin === 0 ? 0 : 1;
    if (index === VFIO_PCI_MSI_IRQ_INDEX) return this.msi.count;
    if (index === VFIO_PCI_MSIX_IRQ_INDEX) return this.msix.count;
    if (index === VFIO_PCI_ERR_IRQ_INDEX) return this.#parts.device.pcie === 0 ? 0 : 1;
    return index === VFIO_PCI_REQ_IRQ_INDEX ? 1 : 0;
  }

  /** Tells user space through the ERR or REQ eventfd. False when it has set none. */
  notify(index: typeof VFIO_PCI_ERR_IRQ_INDEX | typeof VFIO_PCI_REQ_IRQ_INDEX): boolean {
    const eventfd = this.#notices.get(index);
    eventfd?.signal();
    return eventfd !== undefined;
  }

  /** The request at `argument`. Returns 0, a negative errno, or a positive number of vectors when there are too few. */
  set(argument: number): number {
    const request = this.#load(argument);
    if (typeof request === 'number') return request;
    const { action } = request;
    switch (request.index) {
      case VFIO_PCI_INTX_IRQ_INDEX:
        if (action === VFIO_IRQ_SET_ACTION_TRIGGER) return this.#triggerIntx(request);
        if (action === VFIO_IRQ_SET_ACTION_MASK || action === VFIO_IRQ_SET_ACTION_UNMASK) {
          return this.#maskIntx(request);
        }
        return -ENOTTY;
      case VFIO_PCI_MSI_IRQ_INDEX:
        return action === VFIO_IRQ_SET_ACTION_TRIGGER ? this.#triggerMsi(this.msi, request) : -ENOTTY;
      case VFIO_PCI_MSIX_IRQ_INDEX:
        return action === VFIO_IRQ_SET_ACTION_TRIGGER ? this.#triggerMsi(this.msix, request) : -ENOTTY;
      default:
        return action === VFIO_IRQ_SET_ACTION_TRIGGER ? this.#triggerNotice(request) : -ENOTTY;
    }
  }

  /** Tears the active index down, at the end of the device's use. */
  disable(): void {
    this.intx.end();
    if (this.msi.enabled > 0) this.msi.disable();
    if (this.msix.enabled > 0) this.msix.disable();
    for (const eventfd of this.#notices.values()) eventfd.drop();
    this.#notices.clear();
  }

  /** Puts back what a reset of the function erased. */
  restore(): void {
    this.msi.restore();
    this.msix.restore();
  }

  #load(argument: number): IrqRequest | number {
    const { process } = this.#parts;
    const header = process.load(argument, VfioIrqSet.SIZE);
    if (header === null) return -EFAULT;
    const { argsz, flags, index, start, count } = VfioIrqSet.decode(header, 0);
    const known = VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK;
    if (argsz < VfioIrqSet.SIZE || index >= VFIO_PCI_NUM_IRQS || (flags & ~known) !== 0) return -EINVAL;
    const limit = this.count(index);
    if (count >= 0xffff_ffff - start || start >= limit || start + count > limit) return -EINVAL;
    const data = flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
    const width = DATA_WIDTH[data];
    if (width === undefined || argsz - VfioIrqSet.SIZE < count * width) return -EINVAL;
    const bytes = process.load(argument + VfioIrqSet.SIZE, count * width);
    if (bytes === null) return -EFAULT;
    return {
      data,
      action: flags & VFIO_IRQ_SET_ACTION_TYPE_MASK,
      index,
      start,
      count,
      bools: data === VFIO_IRQ_SET_DATA_BOOL ? new Uint8Array(bytes.buffer) : NO_BOOLS,
      fds: data === VFIO_IRQ_SET_DATA_EVENTFD ? new Int32Array(bytes.buffer) : NO_FDS,
    };
  }

  #triggerIntx({ data, start, count, bools, fds }: IrqRequest): number {
    const { intx } = this;
    if (intx.enabled && count === 0 && data === VFIO_IRQ_SET_DATA_NONE) {
      intx.disable();
      return 0;
    }
    if (start !== 0 || count !== 1 || this.msi.enabled > 0 || this.msix.enabled > 0) return -EINVAL;
    if (data === VFIO_IRQ_SET_DATA_EVENTFD) {
      return this.interruptPin === 0 ? -ENODEV : intx.setTrigger(fds[0]!);
    }
    if (!intx.enabled) return -EINVAL;
    if (data === VFIO_IRQ_SET_DATA_NONE || bools[0] !== 0) intx.signal();
    return 0;
  }

  #maskIntx({ data, action, start, count, bools, fds }: IrqRequest): number {
    const { intx } = this;
    if (!intx.enabled || start !== 0 || count !== 1) return -EINVAL;
    if (data === VFIO_IRQ_SET_DATA_EVENTFD) {
      return action === VFIO_IRQ_SET_ACTION_UNMASK ? intx.setUnmask(fds[0]!) : -ENOTTY;
    }
    if (data === VFIO_IRQ_SET_DATA_BOOL && bools[0] === 0) return 0;
    if (action === VFIO_IRQ_SET_ACTION_UNMASK) intx.unmask();
    else intx.mask();
    return 0;
  }

  #triggerMsi(index: MsiIndex, { data, start, count, bools, fds }: IrqRequest): number {
    const active = index.enabled > 0;
    if (active && count === 0 && data === VFIO_IRQ_SET_DATA_NONE) {
      index.disable();
      return 0;
    }
    const other = index === this.msi ? this.msix : this.msi;
    if (this.intx.enabled || other.enabled > 0) return -EINVAL;
    if (data === VFIO_IRQ_SET_DATA_EVENTFD) {
      return active ? index.assign(start, fds) : index.enable(start, fds);
    }
    if (!active) return -EINVAL;
    for (let at = 0; at < count; at++) {
      if (data === VFIO_IRQ_SET_DATA_NONE || bools[at] !== 0) index.signal(start + at);
    }
    return 0;
  }

  /** ERR and REQ have one eventfd each that the kernel, or user space for a test, signals. */
  #triggerNotice({ index, data, count, bools, fds }: IrqRequest): number {
    const current = this.#notices.get(index);
    if (data === VFIO_IRQ_SET_DATA_NONE) {
      if (current === undefined) return -EINVAL;
      if (count === 0) this.#setNotice(index, null);
      else current.signal();
      return 0;
    }
    if (count === 0) return -EINVAL;
    if (data === VFIO_IRQ_SET_DATA_BOOL) {
      if (bools[0] !== 0) current?.signal();
      return 0;
    }
    const fd = fds[0]!;
    if (fd < -1) return -EINVAL;
    const eventfd = fd === -1 ? null : eventfdOf(this.#parts.files, fd);
    if (typeof eventfd === 'number') return eventfd;
    this.#setNotice(index, eventfd);
    return 0;
  }

  #setNotice(index: number, eventfd: EventFd | null): void {
    eventfd?.hold();
    this.#notices.get(index)?.drop();
    if (eventfd === null) this.#notices.delete(index);
    else this.#notices.set(index, eventfd);
  }
}

/** Bytes of one element, for the requests that have exactly one kind of data. */
const DATA_WIDTH: Readonly<Record<number, number>> = {
  [VFIO_IRQ_SET_DATA_NONE]: 0,
  [VFIO_IRQ_SET_DATA_BOOL]: 1,
  [VFIO_IRQ_SET_DATA_EVENTFD]: 4,
};
