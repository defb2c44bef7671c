/**
 * FEATURE: low power entry and exit, and the answers for everything else that a plain PCI function does not offer.
 * linux-abi 2.9. Not here: migration and dirty logging, which need a driver of their own kind (ENOTTY here).
 */
import type { EventFd } from '../eventfd.ts';
import type { FileTable } from '../file-table.ts';
import type { Process } from '../process.ts';
import { EFAULT, EINVAL, ENOTTY } from '../uapi/errno.ts';
import {
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
  VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
  VFIO_DEVICE_FEATURE_MASK,
  VFIO_DEVICE_FEATURE_PROBE,
  VFIO_DEVICE_FEATURE_SET,
  VfioDeviceFeature,
  VfioDeviceLowPowerEntryWithWakeup,
} from '../uapi/vfio.ts';
import { eventfdOf } from '../virqfd.ts';

/** Bytes of data that follow the header, for the features a function offers; all of them can only be set. */
const OFFERED: Readonly<Record<number, number>> = {
  [VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY]: 0,
  [VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP]: VfioDeviceLowPowerEntryWithWakeup.SIZE,
  [VFIO_DEVICE_FEATURE_LOW_POWER_EXIT]: 0,
};

export class LowPower {
  readonly #process: Process;
  readonly #files: FileTable;
  readonly #changed: () => void;
  #wakeup: EventFd | null = null;
  /** User space has promised not to touch the mappings, and the function may sleep. */
  engaged = false;

  /** `changed` runs whenever `engaged` has changed. */
  constructor(process: Process, files: FileTable, changed: () => void) {
    this.#process = process;
    this.#files = files;
    this.#changed = changed;
  }

  /** The FEATURE request at `argument`. */
  feature(argument: number): number {
    const header = this.#process.load(argument, VfioDeviceFeature.SIZE);
    if (header === null) return -EFAULT;
    const argsz = VfioDeviceFeature.get(header, 0, 'argsz');
    const flags = VfioDeviceFeature.get(header, 0, 'flags');
    if (argsz < VfioDeviceFeature.SIZE) return -EINVAL;
    const operations = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;
    if ((flags & ~(VFIO_DEVICE_FEATURE_MASK | operations | VFIO_DEVICE_FEATURE_PROBE)) !== 0) return -EINVAL;
    const isProbe = (flags & VFIO_DEVICE_FEATURE_PROBE) !== 0;
    if (!isProbe && (flags & operations) === operations) return -EINVAL;

    const feature = flags & VFIO_DEVICE_FEATURE_MASK;
    const bytes = OFFERED[feature];
    if (bytes === undefined) return -ENOTTY;
    if ((flags & VFIO_DEVICE_FEATURE_GET) !== 0) return -EINVAL;
    if (isProbe) return 0;
    if ((flags & VFIO_DEVICE_FEATURE_SET) === 0 || argsz - VfioDeviceFeature.SIZE < bytes) return -EINVAL;
    if (feature === VFIO_DEVICE_FEATURE_LOW_POWER_EXIT) return this.exit();
    return feature === VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY
      ? this.#enter(null)
      : this.#enterWithWakeup(argument + VfioDeviceFeature.SIZE);
  }

  /** Any access wakes the function; an entry with wakeup is over then, and its eventfd tells. */
  resume(): void {
    if (this.#wakeup === null) return;
    this.#wakeup.signal();
    this.exit();
  }

  /** Leaves low power, if it was engaged. Returns 0. */
  exit(): number {
    this.#wakeup?.drop();
    this.#wakeup = null;
    this.#set(false);
    return 0;
  }

  #enterWithWakeup(argument: number): number {
    const entry = this.#process.load(argument, VfioDeviceLowPowerEntryWithWakeup.SIZE);
    if (entry === null) return -EFAULT;
    const fd = VfioDeviceLowPowerEntryWithWakeup.get(entry, 0, 'wakeup_eventfd');
    if (fd < 0) return -EINVAL;
    const eventfd = eventfdOf(this.#files, fd);
    return typeof eventfd === 'number' ? eventfd : this.#enter(eventfd);
  }

  #enter(wakeup: EventFd | null): number {
    if (this.engaged) return -EINVAL;
    wakeup?.hold();
    this.#wakeup = wakeup;
    this.#set(true);
    return 0;
  }

  #set(engaged: boolean): void {
    this.engaged = engaged;
    this.#changed();
  }
}
