/**
 * MSI-X vectors as eventfds. Not here: INTx and MSI, and how a device is told which vector to use (its driver
 * does that).
 */
import { PAGE_SIZE } from '../../support/numbers.ts';
import type { Fd, Kernel } from '../../vfio/uapi/kernel.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK, POLLIN } from '../../vfio/uapi/mman.ts';
import {
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VfioIrqSet,
} from '../../vfio/uapi/vfio.ts';
import type { VfioDevice } from './device.ts';
import { check, type IoctlPage } from './sys.ts';

const FD_BYTES = 4;
/** As many as fit into the page that carries the request. */
const MAX_VECTORS = Math.floor((PAGE_SIZE - VfioIrqSet.SIZE) / FD_BYTES);

/** How many MSI-X vectors a driver can have of a device. */
export const vectorsOf = (device: VfioDevice): number =>
  Math.min(device.irqInfo(VFIO_PCI_MSIX_IRQ_INDEX).count, MAX_VECTORS);

/** The first vectors of a device, enabled from construction to `close`. */
export class Interrupts {
  readonly #kernel: Kernel;
  readonly #device: VfioDevice;
  readonly #ioctls: IoctlPage;
  readonly #fds: Fd[] = [];
  readonly #counter = new Uint8Array(8);

  /** Enables vectors 0 to `count - 1`. Throws SysError, or an Error when the host has fewer to give. */
  constructor(device: VfioDevice, ioctls: IoctlPage, count: number) {
    this.#kernel = device.kernel;
    this.#device = device;
    this.#ioctls = ioctls;
    for (let vector = 0; vector < count; vector++) {
      this.#fds.push(check(this.#kernel.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), 'eventfd(0)'));
    }
    try {
      this.#enable();
    } catch (error) {
      this.#closeFds();
      throw error;
    }
  }

  get count(): number {
    return this.#fds.length;
  }

  /** Descriptor of the eventfd that counts the messages of `vector`. */
  fd(vector: number): Fd {
    return this.#fds[vector]!;
  }

  #enable(): void {
    for (const [vector, fd] of this.#fds.entries()) {
      this.#ioctls.view.setInt32(VfioIrqSet.SIZE + vector * FD_BYTES, fd, true);
    }
    const count = this.count;
    const argsz = VfioIrqSet.SIZE + count * FD_BYTES;
    const available = this.#setIrqs(argsz, VFIO_IRQ_SET_DATA_EVENTFD, count);
    if (available > 0) {
      throw new Error(
        `${this.#device.bdf} asked for ${count} MSI-X vectors and the host has ${available} left`,
      );
    }
  }

  #setIrqs(argsz: number, data: number, count: number): number {
    const values = {
      argsz,
      flags: data | VFIO_IRQ_SET_ACTION_TRIGGER,
      index: VFIO_PCI_MSIX_IRQ_INDEX,
      count,
    };
    return this.#ioctls.call(this.#device.fd, 'device', VFIO_DEVICE_SET_IRQS, VfioIrqSet, values, {
      EINVAL: 'more vectors than the device has, or MSI or INTx is enabled',
      ENOSPC: 'the host has no interrupt vectors left',
    });
  }

  /**
   * Resolves with true after an interrupt on `vector`, or with false at `deadline` (ns of the kernel's
   * clock).
   */
  async wait(vector: number, deadline: number): Promise<boolean> {
    const fd = this.fd(vector);
    const events = await this.#kernel.wait(fd, POLLIN, deadline);
    if ((events & POLLIN) === 0) return false;
    this.#kernel.read(fd, this.#counter);
    return true;
  }

  /** Disables MSI-X. */
  close(): void {
    this.#setIrqs(VfioIrqSet.SIZE, VFIO_IRQ_SET_DATA_NONE, 0);
    this.#closeFds();
  }

  #closeFds(): void {
    for (const fd of this.#fds.splice(0)) this.#kernel.close(fd);
  }
}
