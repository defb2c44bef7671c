/**
 * A PCI-to-PCI bridge as PCI Express has it: root port, switch upstream port or switch downstream port. Bus numbers
 * and memory windows are what software programmed; the secondary bus is a map of functions.
 * PCI Express Base 6.0 §7.5.1.3, PCI-to-PCI Bridge 1.2 §3.2.5. There is no VGA routing and no I/O window: its registers are
 * read-only zeroes (§3.2.5.6), which `lspci -v` takes for 0000-0fff and Linux for none.
 * Whether a request from below is forwarded is pushed down when a bus-master bit changes and ends up in each DmaPort's
 * own flag, so bridges cost nothing per request. Not here: routing by address (root-complex.ts), numbering (enumerate.ts).
 */
import type { Archive } from '../../support/archive.ts';
import { assert } from '../../support/assert.ts';
import { u64 } from '../../support/numbers.ts';
import type { Link, LinkProfile } from '../timing/link.ts';
import { configSpace, type FunctionDescription, type PcieDescription } from './capabilities.ts';
import { PcieFunction } from './function.ts';
import {
  BRIDGE,
  BRIDGE_CONTROL,
  BRIDGE_WINDOW_UNIT,
  CAPABILITY,
  CLASS,
  LINK_STATUS,
  PCIE,
  PCIE_CAPABILITIES,
  PORT_TYPE,
  STATUS_ERRORS,
} from './spec.ts';

export type PortKind = 'ROOT_PORT' | 'UPSTREAM' | 'DOWNSTREAM';

/** Addresses that a bridge forwards downstream, both ends included. Closed when `limit` is below `base`. */
export interface Window {
  readonly base: number;
  readonly limit: number;
}

/** Identities that `lspci` knows by name: QEMU's root port and the two sides of a TI XIO3130 switch. */
const IDENTITIES = {
  ROOT_PORT: { vendor: 0x1b36, device: 0x000c, revision: 0 },
  UPSTREAM: { vendor: 0x104c, device: 0x8232, revision: 2 },
  DOWNSTREAM: { vendor: 0x104c, device: 0x8233, revision: 2 },
} as const;

/** The description of a port whose link registers tell of `link`. Spread it to change an identity or add capabilities. */
export function portDescription(port: PortKind, link: PcieDescription['link']): FunctionDescription {
  return {
    ...IDENTITIES[port],
    class: CLASS.PCI_BRIDGE,
    headerType: 1,
    interruptPin: 1,
    capabilities: [
      { kind: 'pcie', offset: 0x40, port, link, flr: false, maxPayload_bytes: 512 },
      { kind: 'powerManagement', offset: 0x80, noSoftReset: true },
    ],
  };
}

const WINDOW_BITS = 0xfff0;
/** Low bits of the prefetchable base and limit: 64-bit addresses. */
const IS_64 = 1;

export class Bridge extends PcieFunction {
  /** Functions on the secondary bus by devfn. */
  readonly children: Map<number, PcieFunction> = new Map();
  /** The link below this port; null for the internal bus of a switch. */
  readonly link: Link | null;
  #isEmptied = false;

  constructor(name: string, description: FunctionDescription, link: Link | null) {
    assert(description.headerType === 1, `${name} is a bridge and needs a type 1 header`);
    super(name, configSpace(description), null);
    this.link = link;
    const { config } = this;
    for (const register of [BRIDGE.PRIMARY, BRIDGE.SECONDARY, BRIDGE.SUBORDINATE]) {
      config.register(register, 1, { writable: 0xff });
    }
    config.register(BRIDGE.SECONDARY_STATUS, 2, { clear: STATUS_ERRORS });
    for (const register of [BRIDGE.MEMORY_BASE, BRIDGE.MEMORY_LIMIT]) {
      config.register(register, 2, { writable: WINDOW_BITS });
    }
    for (const register of [BRIDGE.PREFETCHABLE_BASE, BRIDGE.PREFETCHABLE_LIMIT]) {
      config.register(register, 2, { value: IS_64, writable: WINDOW_BITS });
    }
    for (const register of [BRIDGE.PREFETCHABLE_BASE_HI, BRIDGE.PREFETCHABLE_LIMIT_HI]) {
      config.register(register, 4, { writable: -1 });
    }
    const windows = [
      BRIDGE.MEMORY_BASE,
      BRIDGE.PREFETCHABLE_BASE,
      BRIDGE.PREFETCHABLE_BASE_HI,
      BRIDGE.PREFETCHABLE_LIMIT_HI,
    ];
    for (const dword of windows) config.onWrite(dword, () => config.notify('decode'));
    const control = BRIDGE_CONTROL.encode({ PARITY: 1, SERR: 1, BUS_RESET: 1 });
    config.register(BRIDGE.CONTROL, 2, { writable: control });
    config.onWrite(BRIDGE.CONTROL, (now, old) => {
      if (((now & ~old) >>> 16) & BRIDGE_CONTROL.BUS_RESET.mask) this.#resetBelow();
    });
  }

  /** Puts a function on the secondary bus. A port that is one end of a link has device 0 only below it. */
  plug(devfn: number, fn: PcieFunction): void {
    assert(!this.children.has(devfn), `${this.name}: devfn ${devfn} is taken`);
    assert(
      !this.#endsLink || devfn < 8,
      `${this.name}: only device 0 exists below a root or downstream port`,
    );
    fn.devfn = devfn;
    if (fn.dma !== null && this.link !== null) fn.dma.link = this.link;
    this.children.set(devfn, fn);
    fn.config.listen((change) => {
      if (change === 'decode') this.config.notify('decode');
    });
    fn.wire = (pin, isAsserted) => this.wire(swizzle(pin, devfn), isAsserted);
    fn.setForwarded(this.isForwarded);
    this.config.notify('decode');
  }

  /**
   * Takes the function at `devfn` out: from here on nothing answers there, and nothing it sends arrives. Software is not
   * told; a slot with hot-plug registers would be. Returns the function, or null when there was none.
   */
  unplug(devfn: number): PcieFunction | null {
    const fn = this.children.get(devfn) ?? null;
    if (fn === null) return null;
    this.children.delete(devfn);
    this.#isEmptied = true;
    fn.setForwarded(false);
    this.config.notify('decode');
    return fn;
  }

  /** The link below this port comes back with another speed and width, after `down_ns`; both its ends show that. */
  retrain(generation: LinkProfile['generation'], lanes: LinkProfile['lanes'], down_ns: number): void {
    this.link?.retrain(generation, lanes, down_ns);
    for (const { config } of [this, ...this.children.values()]) {
      const capability = config.findCapability(CAPABILITY.PCIE);
      if (capability === 0) continue;
      const at = capability + PCIE.LINK_STATUS;
      const status = LINK_STATUS.SPEED.set(config.half(at), generation);
      config.set(at, 2, LINK_STATUS.WIDTH.set(status, lanes));
    }
  }

  /** The function below this bridge that answers for `bus` and `devfn`; null while the secondary bus is held in reset. */
  functionAt(bus: number, devfn: number): PcieFunction | null {
    const { secondary, subordinate } = this;
    if (secondary === 0 || bus < secondary || bus > subordinate || this.#isBusInReset) return null;
    if (bus === secondary) return this.children.get(devfn) ?? null;
    for (const child of this.children.values()) {
      const found = child instanceof Bridge ? child.functionAt(bus, devfn) : null;
      if (found !== null) return found;
    }
    return null;
  }

  /** The bus right below; 0 until firmware has numbered it. */
  get secondary(): number {
    return this.config.read(BRIDGE.SECONDARY, 1);
  }

  /** The highest bus number below. */
  get subordinate(): number {
    return this.config.read(BRIDGE.SUBORDINATE, 1);
  }

  get memoryWindow(): Window {
    const base = windowAddress(this.config.read(BRIDGE.MEMORY_BASE, 2), 0);
    const limit = windowAddress(this.config.read(BRIDGE.MEMORY_LIMIT, 2), 0);
    return { base, limit: limit + BRIDGE_WINDOW_UNIT - 1 };
  }

  get prefetchableWindow(): Window {
    const { config } = this;
    const high = config.read(BRIDGE.PREFETCHABLE_LIMIT_HI, 4);
    const limit = windowAddress(config.read(BRIDGE.PREFETCHABLE_LIMIT, 2), high);
    return {
      base: windowAddress(
        config.read(BRIDGE.PREFETCHABLE_BASE, 2),
        config.read(BRIDGE.PREFETCHABLE_BASE_HI, 4),
      ),
      limit: limit + BRIDGE_WINDOW_UNIT - 1,
    };
  }

  /** A reset of the port is a reset of everything below it. Base §6.6.1. */
  override reset(): void {
    super.reset();
    this.#resetBelow();
  }

  /** Ports have no BARs of their own. */
  override barRead32(): number {
    return 0;
  }

  override barWrite32(): void {}

  protected override masterChanged(): void {
    super.masterChanged();
    for (const child of this.children.values()) child.setForwarded(this.isForwarded);
  }

  get #isBusInReset(): boolean {
    return (this.config.half(BRIDGE.CONTROL) & BRIDGE_CONTROL.BUS_RESET.mask) !== 0;
  }

  get #endsLink(): boolean {
    const capability = this.config.findCapability(CAPABILITY.PCIE);
    if (capability === 0) return false;
    const type = PCIE_CAPABILITIES.PORT_TYPE.get(this.config.half(capability + PCIE.CAPABILITIES));
    return type === PORT_TYPE.ROOT_PORT || type === PORT_TYPE.DOWNSTREAM;
  }

  #resetBelow(): void {
    for (const child of this.children.values()) child.reset();
  }

  /** Saves or loads the port, its link and everything below it: what changes while the machine runs (support/archive.ts). */
  override archive(a: Archive): void {
    super.archive(a);
    this.link?.archive(a);
    a.require(!this.#isEmptied, `what was plugged into ${this.name} has been pulled out`);
    a.same([...this.children.keys()].join(), `what is plugged into ${this.name}`);
    for (const child of this.children.values()) child.archive(a);
  }
}

/** The pin above a bridge that a pin of a device below it becomes. Bridge §9.1. */
export const swizzle = (pin: number, devfn: number): number => ((pin - 1 + (devfn >>> 3)) & 3) + 1;

const windowAddress = (register: number, high: number): number => u64((register & WINDOW_BITS) << 16, high);
