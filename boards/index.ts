/** The door of the boards room: descriptions of machines, and `boot`. */

export { firmwareImage } from '../nvme/admin/firmware-image.ts';
export { Archive, ArchiveError } from '../support/archive.ts';
export type {
  Board,
  MetadataBoard,
  NamespaceBoard,
  NvmeBoard,
  PortBoard,
  SwitchBoard,
  ZoneBoard,
} from './board.ts';
export { type BootOptions, boot, Machine, type Pace } from './boot.ts';
export { BoardError } from './check.ts';
export { conformance } from './conformance.ts';
export {
  boardWith,
  DEVICES,
  type Device,
  deviceNamed,
  MEASURES,
  type Measure,
  type Published,
} from './devices/index.ts';
export { drivesOf, type PlacedDrive } from './drives.ts';
export { linkOf } from './links.ts';
export { pc } from './pc.ts';
export { completeBoard } from './personality.ts';
export { workstation } from './workstation.ts';
export { zns } from './zns.ts';
