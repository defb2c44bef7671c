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
  /** Its node in /dev/vfio is open: none of its devices can be bound through a cdev. */
  nodeOpen = false;
  /** Devices bound through their cdevs: the node cannot be opened. */
  cdevUsers = 0;
  #owner: object | null = null;
  #claims = 0;

  constructor(id: number) {
    this.id = id;
  }

  /** Who owns the group's DMA, or null when nobody does. */
  get owner(): object | null {
    return this.#owner;
  }

  /** Somebody owns the group's DMA. */
  get claimed(): boolean {
    return this.#claims > 0;
  }

  /** Takes or shares the ownership. Returns 0, or -EPERM when another owner has it. */
  claim(owner: object): number {
    if (this.#claims > 0 && this.#owner !== owner) return -EPERM;
    this.#owner = owner;
    this.#claims++;
    return 0;
  }

  /** A function has left the machine. */
  forget(requester: number): void {
    this.requesters.splice(this.requesters.indexOf(requester), 1);
  }

  /** Gives back one claim. */
  release(): void {
    assert(this.#claims > 0, `iommu group ${this.id} is released without a claim`);
    if (--this.#claims === 0) this.#owner = null;
  }
}
