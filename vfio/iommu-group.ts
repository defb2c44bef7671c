/**
 * An iommu group as the kernel sees it: functions that the hardware cannot keep apart, and who may do DMA through them.
 * Ownership is claimed by identity: every iommufd context and every container is an owner of its own.
 * Not here: page tables and attachment (iommufd/), which functions share a group (the board says).
 */
import { assert } from '../support/assert.ts';
import { EPERM } from './uapi/errno.ts';

export class IommuGroup {
  /** The number in /sys/kernel/iommu_groups and /dev/vfio. */
  readonly id: number;
  /** Requester ids of the functions in the group. */
  readonly requesters: number[] = [];
  #owner: object | null = null;
  #claims = 0;

  constructor(id: number) {
    this.id = id;
  }

  /** Who owns the group's DMA, or null when nobody does. */
  get owner(): object | null {
    return this.#owner;
  }

  /** Takes or shares the ownership. Returns 0, or -EPERM when another owner has it. */
  claim(owner: object): number {
    if (this.#claims > 0 && this.#owner !== owner) return -EPERM;
    this.#owner = owner;
    this.#claims++;
    return 0;
  }

  /** Gives back one claim. */
  release(): void {
    assert(this.#claims > 0, `iommu group ${this.id} is released without a claim`);
    if (--this.#claims === 0) this.#owner = null;
  }
}
