/**
 * A PCI function leaves while programs may be using it: its driver delists it, asks its users to let go, and waits for
 * the last of them (vfio_unregister_group_dev); then the function is gone from the group and from sysfs.
 * Not here: taking the hardware away. To the kernel an orderly removal and a pulled card begin in the same way.
 */

import type { Clock, EventId, HandlerId } from '../machine/clock.ts';
import type { Archive } from '../support/archive.ts';
import type { FileTree } from './file-tree.ts';
import type { VfioGroup } from './legacy/group.ts';
import type { PciDevice } from './pci-device.ts';
import { removePciDevice, removeVfioDevice } from './sysfs.ts';
import type { VfioDevice } from './vfio-device.ts';

/** Time between two requests to the users of a device. */
const REQUEST_INTERVAL_NS = 10_000_000_000;

/** One function and everything that the kernel knows it by. */
export interface RemovableDevice {
  readonly pci: PciDevice;
  readonly vfio: VfioDevice;
  readonly group: VfioGroup;
}

interface Pending extends RemovableDevice {
  /** Who is told when the last user is gone. */
  readonly waiters: (() => void)[];
  /** How often its users were asked. */
  count: number;
  event: EventId | null;
}

export class Removals {
  readonly #clock: Clock;
  readonly #tree: FileTree;
  readonly #onGone: (pci: PciDevice) => void;
  readonly #onInterval: HandlerId;
  /** By the number of the device. */
  readonly #pending = new Map<number, Pending>();

  /** `onGone` is told of every function that has left. */
  constructor(clock: Clock, tree: FileTree, onGone: (pci: PciDevice) => void) {
    this.#onGone = onGone;
    this.#clock = clock;
    this.#tree = tree;
    this.#onInterval = clock.register((index) => this.#ask(this.#pending.get(index)!));
  }

  /**
   * Nobody can open the device from here on. Resolves when its last user is gone, which may be at once. Of a device that
   * is leaving already, this is the same removal.
   */
  remove(device: RemovableDevice): Promise<void> {
    return new Promise((resolve) => {
      const leaving = this.#pending.get(device.vfio.index);
      if (leaving === undefined) this.#begin({ ...device, waiters: [resolve], count: 0, event: null });
      else leaving.waiters.push(resolve);
    });
  }

  #begin(pending: Pending): void {
    const { vfio, group, pci } = pending;
    this.#pending.set(vfio.index, pending);
    group.delist(vfio);
    removeVfioDevice(this.#tree, pci, vfio.name);
    vfio.registration.end(() => this.#finish(pending));
    if (this.#pending.has(vfio.index)) this.#ask(pending);
  }

  #ask(pending: Pending): void {
    pending.vfio.request(pending.count++);
    pending.event = this.#clock.after(REQUEST_INTERVAL_NS, this.#onInterval, pending.vfio.index);
  }

  #finish({ pci, vfio, group, event, waiters }: Pending): void {
    if (event !== null) this.#clock.cancel(event);
    this.#pending.delete(vfio.index);
    group.remove();
    if (!group.alive) this.#tree.remove(`/dev/vfio/${group.iommuGroup.id}`);
    group.iommuGroup.forget(pci.bdf);
    removePciDevice(this.#tree, pci, group.iommuGroup);
    this.#onGone(pci);
    for (const settle of waiters) settle();
  }

  /** Nothing changes here while a function is not being removed, and while one is, nothing can be saved. */
  archive(a: Archive): void {
    a.require(this.#pending.size === 0, 'a function is being removed from the kernel');
  }
}
