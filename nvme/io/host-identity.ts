/**
 * Who the host of this controller is, for reservations: its Host Identifier, or as long as that is 0 a host of its own
 * that ends with the next controller level reset (Base 2.1 §5.1.25.1.28).
 */
import type { Features } from '../features.ts';
import type { Host } from './reservations.ts';

export class HostIdentity {
  readonly #features: Features;
  #anonymous = Symbol('host without identifier');

  constructor(features: Features) {
    this.#features = features;
  }

  get host(): Host {
    const { hostId } = this;
    if (hostId.every((byte) => byte === 0)) return this.#anonymous;
    return Array.from(hostId, (byte) => byte.toString(16).padStart(2, '0')).join('');
  }

  /** 16 bytes; a 64-bit identifier fills the first 8. */
  get hostId(): Uint8Array {
    return this.#features.host.identifier.slice();
  }

  /** The identifier has 128 bits. */
  get isExtended(): boolean {
    return this.#features.host.isExtended;
  }

  /** Controller level reset: a host without an identifier is another one from now on. */
  reset(): void {
    this.#anonymous = Symbol('host without identifier');
  }
}
