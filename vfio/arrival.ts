/**
 * A function that has come to a slot while the machine runs: its BARs get addresses in the window that firmware opened
 * for the slot, next to those that are taken (pci_assign_unassigned_bridge_resources). No window, no addresses.
 * Not here: telling that a card has come (the caller knows), its driver and its nodes (boot.ts).
 */
import type { PciHost } from '../machine/pcie/pci-host.ts';
import { BRIDGE, BRIDGE_WINDOW_UNIT, CONFIG } from '../machine/pcie/spec.ts';
import { alignUp } from '../support/numbers.ts';
import { PciDevice, type Resource } from './pci-device.ts';

const NOBODY = 0xffff;
const WINDOW_BITS = 0xfff0;

/** A memory BAR that waits for an address. */
interface Claim {
  readonly index: number;
  readonly resource: Resource;
}

/**
 * The function at `devfn` below `bridge`, with addresses; null when nothing answers there, or when the window has no room.
 * `taken` is what other functions of the bus decode.
 */
export function readArrival(
  rc: PciHost,
  bridge: PciDevice,
  devfn: number,
  taken: readonly Resource[],
): PciDevice | null {
  const bus = bridge.read8(BRIDGE.SECONDARY);
  if (rc.configRead(bus, devfn, CONFIG.VENDOR, 2) === NOBODY) return null;
  const found = new PciDevice(rc, bus, devfn, bridge);
  const claims = found.resources
    .map((resource, index) => ({ index, resource }))
    .filter((claim): claim is Claim => claim.resource !== null && !claim.resource.io && claim.index < 6)
    .sort((left, right) => right.resource.bytes - left.resource.bytes);
  const used = [...taken];
  for (const { index, resource } of claims) {
    const start = placeOf(bridge, resource.bytes, used);
    if (start === null) return null;
    used.push({ ...resource, start });
    found.write32(CONFIG.BAR0 + 4 * index, start);
    if (resource.is64) found.write32(CONFIG.BAR0 + 4 * index + 4, 0);
  }
  return new PciDevice(rc, bus, devfn, bridge);
}

/** The lowest free place for `bytes` bytes in the memory window of a bridge, or null. */
function placeOf(bridge: PciDevice, bytes: number, used: readonly Resource[]): number | null {
  const base = (bridge.read16(BRIDGE.MEMORY_BASE) & WINDOW_BITS) * 0x1_0000;
  const limit = (bridge.read16(BRIDGE.MEMORY_LIMIT) & WINDOW_BITS) * 0x1_0000 + BRIDGE_WINDOW_UNIT;
  for (let start = alignUp(base, bytes); start + bytes <= limit; start += bytes) {
    const isFree = used.every((other) => start + bytes <= other.start || start >= other.start + other.bytes);
    if (isFree) return start;
  }
  return null;
}
