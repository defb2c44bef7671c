/**
 * What a machine is, as plain data: copy a board, change a line, boot it. Every field has a unit in its name or here.
 * Not here: building the machine from it (boot.ts), the shipped boards (pc.ts, workstation.ts).
 */
import type { UnitOptions } from '../iommu/capabilities.ts';
import type { HostProfile } from '../machine/timing/host.ts';
import type { LinkProfile } from '../machine/timing/link.ts';
import type { ControllerProfile } from '../nvme/profile.ts';

/** Metadata of every block of a namespace, as after Format NVM. */
export interface MetadataBoard {
  /** Per block: a power of two from 8 to 64. */
  readonly bytes: number;
  /** Hosts send them behind each block; in a buffer of their own when absent. */
  readonly isExtended?: boolean;
  /** Type of protection information, 1 to 3; 0, none, when absent. */
  readonly protection?: number;
  /** Protection information is in the first bytes; in the last when absent. */
  readonly isFirst?: boolean;
  /** Width of the guard, 16 (when absent) or 64. */
  readonly guard_bits?: number;
}

/** Zones of a namespace of the Zoned Namespace Command Set. Sizes are bytes or texts. */
export interface ZoneBoard {
  readonly zone: number | string;
  /** What of a zone can be written; all of it when absent. */
  readonly capacity?: number | string;
  /** Most zones that are open or closed, and that are open; no limit when absent. */
  readonly maxActive?: number;
  readonly maxOpen?: number;
  /** Bytes of descriptor extensions, a multiple of 64; none when absent. */
  readonly extension_bytes?: number;
  /** A read may go over the end of a zone. */
  readonly readsAcross?: boolean;
}

/** One namespace of a controller. Sizes are bytes or texts such as `64m`. */
export interface NamespaceBoard {
  readonly size: number | string;
  /** Logical block size in bytes; 512 when absent. */
  readonly block_bytes?: number;
  /** Path of an image that keeps the blocks; absent: memory that is gone at the end. Needs a host that opens files. */
  readonly image?: string;
  /** None when absent. They are kept in memory, so that blocks in an image have none. */
  readonly metadata?: MetadataBoard;
  /** A zoned namespace; one of the NVM command set when absent. */
  readonly zones?: ZoneBoard;
  /** Deallocated blocks are told from zeroes, so that the host can have reads of them fail (DULBE). Costs speed. */
  readonly tracksBlocks?: boolean;
  readonly readOnly?: boolean;
  /** EUI-64, 16 hexadecimal digits. */
  readonly eui64?: string;
}

/** One NVMe controller function. */
export interface NvmeBoard {
  readonly kind: 'nvme';
  readonly serial: string;
  readonly profile: ControllerProfile;
  readonly namespaces: readonly NamespaceBoard[];
  /**
   * Another controller of the drive that has this serial number earlier on the board: one subsystem, with its namespaces,
   * its medium and its power, so that `namespaces` is empty here and `capacity` absent.
   */
  readonly joins?: boolean;
  /** NVM capacity, for namespaces that a host creates; what the namespaces above take when absent. */
  readonly capacity?: number | string;
  /** IOMMU group; numbered in order of discovery when absent. */
  readonly group?: number;
}

/** A switch: one upstream port and a downstream port for each entry. */
export interface SwitchBoard {
  readonly kind: 'switch';
  readonly ports: readonly PortBoard[];
}

/** A root port or a downstream port with what is plugged into it. */
export interface PortBoard {
  /** Device and function on the port's own bus, as lspci prints them: `04.0`. */
  readonly at: string;
  readonly link: LinkProfile;
  readonly device: NvmeBoard | SwitchBoard | null;
}

export interface Board {
  readonly name: string;
  readonly description: string;
  /** RAM, such as `512m`. */
  readonly ram: number | string;
  /**
   * Room for written blocks of namespaces in memory, such as `1g`; what the controllers leave of their own memory, 16 MiB
   * each, serves them too. Full means WRITE_FAULT. RAM and media together stay below 4 GiB.
   */
  readonly media: number | string;
  readonly host: HostProfile;
  /** What the VT-d unit can do; absent options are those of iommu/capabilities.ts. */
  readonly iommu: Partial<UnitOptions>;
  /** The kernel remaps interrupts where the unit can, as Linux does; absent: as with `intremap=off`. */
  readonly remapsInterrupts?: boolean;
  /** First address firmware gives to a BAR. */
  readonly mmioBase?: number;
  readonly rootPorts: readonly PortBoard[];
}
