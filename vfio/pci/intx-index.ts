/**
 * SET_IRQS on the INTx index: one level-triggered line that is masked when it fires and unmasked by user space.
 * linux-abi 2.4. Masking is COMMAND.INTX_DISABLE, which every function since PCI 2.3 has.
 * Not here: how a line reaches the CPU (irq-lines.ts).
 */
import { COMMAND, CONFIG, STATUS } from '../../machine/pcie/spec.ts';
import type { EventFd } from '../eventfd.ts';
import type { FileTable } from '../file-table.ts';
import type { IrqLines } from '../irq-lines.ts';
import type { PciDevice } from '../pci-device.ts';
import { EBUSY, ENOSPC } from '../uapi/errno.ts';
import { eventfdOf, Virqfd } from '../virqfd.ts';

export class IntxIndex {
  readonly #device: PciDevice;
  readonly #files: FileTable;
  readonly #lines: IrqLines;
  readonly #onLine = (): void => this.#fire();
  #trigger: EventFd | null = null;
  #unmaskBy: Virqfd | null = null;
  #masked = false;
  /** COMMAND.INTX_DISABLE as user space set it: nothing is delivered meanwhile. */
  #disabled = false;
  enabled = false;

  constructor(device: PciDevice, files: FileTable, lines: IrqLines) {
    this.#device = device;
    this.#files = files;
    this.#lines = lines;
  }

  /** Sets the eventfd, enabling the index if it was not; a negative `fd` leaves it without one. */
  setTrigger(fd: number): number {
    const eventfd = fd < 0 ? null : eventfdOf(this.#files, fd);
    if (typeof eventfd === 'number') return eventfd;
    if (!this.enabled && !this.#lines.request(this.#device, this.#onLine)) return -ENOSPC;
    eventfd?.hold();
    this.#trigger?.drop();
    this.#trigger = eventfd;
    if (this.enabled) return 0;
    this.enabled = true;
    this.#masked = this.#disabled;
    this.#setLine(!this.#masked);
    return 0;
  }

  /** Installs or removes (negative `fd`) the eventfd through which user space unmasks. */
  setUnmask(fd: number): number {
    if (fd < 0) {
      this.#unmaskBy?.release();
      this.#unmaskBy = null;
      return 0;
    }
    const eventfd = eventfdOf(this.#files, fd);
    if (typeof eventfd === 'number') return eventfd;
    if (this.#unmaskBy !== null) return -EBUSY;
    this.#unmaskBy = new Virqfd(eventfd, () => this.unmask());
    return 0;
  }

  /** The line is asserted: masks it, then signals, unless it was another function that shares the line. */
  #fire(): void {
    if (this.#masked || STATUS.INTERRUPT.get(this.#device.read16(CONFIG.STATUS)) === 0) return;
    this.mask();
    this.signal();
  }

  /** Signals without the line, as user space asks for when it tests itself. */
  signal(): void {
    if (!this.#disabled) this.#trigger?.signal();
  }

  mask(): void {
    this.#masked = true;
    this.#setLine(false);
  }

  /** Unmasks, unless the line is still asserted: then it signals again and stays masked. */
  unmask(): void {
    if (!this.#masked || this.#disabled) return;
    if (STATUS.INTERRUPT.get(this.#device.read16(CONFIG.STATUS)) === 1) {
      this.signal();
      return;
    }
    this.#masked = false;
    this.#setLine(true);
  }

  /** Follows COMMAND.INTX_DISABLE of the virtual configuration space. */
  setDisabled(disabled: boolean): void {
    if (!this.enabled) this.#setLine(!disabled);
    else if (disabled) this.mask();
    this.#disabled = disabled;
    if (this.enabled && !disabled) this.unmask();
  }

  /** The end of the device's use: nothing of it is left to the next one. */
  end(): void {
    if (this.enabled) this.disable();
    this.#disabled = false;
  }

  disable(): void {
    this.setUnmask(-1);
    this.#trigger?.drop();
    this.#trigger = null;
    this.#lines.free(this.#device, this.#onLine);
    this.#setLine(false);
    this.#masked = false;
    this.enabled = false;
  }

  #setLine(open: boolean): void {
    this.#device.updateCommand(COMMAND.INTX_DISABLE.mask, open ? 0 : COMMAND.INTX_DISABLE.mask);
  }
}
