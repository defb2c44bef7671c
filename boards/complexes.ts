/**
 * A board's root ports dealt out to several root complexes, each with a remapping unit and an I/O APIC of its own, as
 * servers have one for every stack of root ports. What shares state stays together: everything below a root port, and
 * the controllers of one drive. Not here: the hardware of one (hardware.ts), which thread it runs in (threaded.ts).
 */

import type { Clock } from '../machine/clock.ts';
import { IO_APIC, ioApicBase } from '../machine/io-apic.ts';
import { HostBridge } from '../machine/pcie/host-bridge.ts';
import type { PciHost } from '../machine/pcie/pci-host.ts';
import type { Board } from './board.ts';
import { devfnOf } from './check.ts';
import { drivesOf } from './drives.ts';

/** Physical address of the registers of the first remapping unit; those of others follow. */
export const IOMMU_BASE = 0xfed9_0000;
/** Room for the registers of one unit, with as many fault records as there can be. */
const IOMMU_ROOM = 0x2000;
/** I/O APICs are devices of one bus. */
const MOST = 32;

/** One root complex of a board; plain data. */
export interface Complex {
  readonly index: number;
  /** Which of the board's root ports are its own. */
  readonly ports: readonly number[];
}

export const iommuBase = (index: number): number => IOMMU_BASE + index * IOMMU_ROOM;

/** All root ports below one complex. */
export const wholeBoard = ({ rootPorts }: Board): Complex => ({
  index: 0,
  ports: rootPorts.map((_, port) => port),
});

/** As many complexes as there are drives that share nothing, 32 at most. Root ports without any are the first one's. */
export function splitBoard({ rootPorts }: Board): Complex[] {
  const portOf = rootPorts.flatMap((port, index) => drivesOf([port]).map(() => index));
  /** By root port: the port whose complex it is in. */
  const homes = rootPorts.map((_, port) => (portOf.includes(port) ? port : (portOf[0] ?? 0)));
  for (const [drive, { owner }] of drivesOf(rootPorts).entries()) {
    const [from, to] = [homes[portOf[drive]!]!, homes[portOf[owner]!]!];
    for (const [port, home] of homes.entries()) if (home === from) homes[port] = to;
  }
  const found = [...new Set(homes)];
  const ports = Array.from({ length: Math.max(1, Math.min(found.length, MOST)) }, (): number[] => []);
  for (const [port, home] of homes.entries()) ports[found.indexOf(home) % MOST]!.push(port);
  return ports.map((own, index) => ({ index, ports: own }));
}

/** What tables of firmware say of several root complexes. */
export interface Complexes {
  readonly count: number;
  /** Index of the one that a function is below. */
  readonly ownerOf: (bdf: number) => number;
}

/** Complexes that the CPU reaches by `hosts`, as one; `complexes` is absent where there is but one. */
export function joinComplexes(
  { rootPorts }: Board,
  clock: Clock,
  complexes: readonly Complex[],
  hosts: readonly PciHost[],
): { readonly rootComplex: PciHost; readonly complexes?: Complexes } {
  if (hosts.length === 1) return { rootComplex: hosts[0]! };
  const parts = complexes.map(({ index, ports }) => ({
    host: hosts[index]!,
    ports: ports.map((port) => devfnOf(rootPorts[port]!.at)),
    blocks: [
      { base: iommuBase(index), bytes: IOMMU_ROOM },
      { base: ioApicBase(index), bytes: IO_APIC.SIZE },
    ],
  }));
  const bridge = new HostBridge(clock, parts);
  return { rootComplex: bridge, complexes: { count: parts.length, ownerOf: (bdf) => bridge.ownerOf(bdf) } };
}
