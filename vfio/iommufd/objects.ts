/**
 * The objects of one iommufd context: one space of ids for all types, the lowest free one first, and user counts that
 * keep an object from being destroyed while something depends on it (linux-abi §3.2, §3.3).
 * Not here: what each type does (ioas.ts, hwpt.ts, device.ts, faults.ts).
 */
import { assert } from '../../support/assert.ts';
import { EBUSY, ENOENT } from '../uapi/errno.ts';
import type { IommufdObjectType } from '../uapi/iommufd.ts';

export abstract class IommufdObject {
  abstract readonly type: IommufdObjectType;
  /** Set when the object enters its context; 0 before. */
  id = 0;
  /** Who depends on this object. An object with users cannot be destroyed. */
  users = 0;

  /** Gives up everything the object holds. It is out of the id space already. */
  abstract destroy(): void;
}

export class ObjectTable {
  /** Index is the id; 0 is never used. */
  readonly #objects: (IommufdObject | undefined)[] = [undefined];
  /** No id below this one is free. */
  #lowestFree = 1;
  #count = 0;

  get empty(): boolean {
    return this.#count === 0;
  }

  /** The object of an id, or undefined. */
  get(id: number): IommufdObject | undefined {
    return this.#objects[id];
  }

  /** All objects, by id. */
  *[Symbol.iterator](): Generator<IommufdObject> {
    for (const object of this.#objects) if (object !== undefined) yield object;
  }

  /** Gives `object` the lowest free id and returns it. */
  add(object: IommufdObject): number {
    let id = this.#lowestFree;
    while (this.#objects[id] !== undefined) id++;
    this.#objects[id] = object;
    this.#lowestFree = id + 1;
    this.#count++;
    object.id = id;
    return id;
  }

  /** Takes `object` out of the table and destroys it. Nothing may depend on it any more. */
  remove(object: IommufdObject): void {
    assert(object.users === 0, `object ${object.id} is destroyed while ${object.users} depend on it`);
    assert(this.#objects[object.id] === object, `object ${object.id} is destroyed twice`);
    this.#objects[object.id] = undefined;
    this.#lowestFree = Math.min(this.#lowestFree, object.id);
    this.#count--;
    object.destroy();
  }

  /** IOMMU_DESTROY: ENOENT for an id that is not there, EBUSY while something depends on it. */
  destroy(id: number): number {
    const object = this.#objects[id];
    if (object === undefined) return -ENOENT;
    if (object.users > 0) return -EBUSY;
    this.remove(object);
    return 0;
  }

  /** Destroys everything, what nothing depends on first. */
  clear(): void {
    while (this.#count > 0) {
      const before = this.#count;
      for (const object of this) if (object.users === 0) this.remove(object);
      assert(this.#count < before, 'objects depend on one another in a circle');
    }
  }
}
