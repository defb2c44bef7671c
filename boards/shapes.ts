/**
 * The shape of a board: every key that its parts have and what each may hold alone. A key that an interface gains has
 * no shape here and does not compile. Not here: controller profiles (profile-shapes.ts), rules between keys and places
 * (check.ts).
 */
import type { UnitOptions } from '../iommu/capabilities.ts';
import type { HostProfile } from '../machine/timing/host.ts';
import type { LinkProfile } from '../machine/timing/link.ts';
import { PAGE_SIZE, parseSize } from '../support/numbers.ts';
import {
  ascii,
  fields,
  flag,
  list,
  must,
  oneOf,
  optional,
  orNull,
  type Shape,
  text,
  whole,
} from '../support/shape.ts';
import type {
  Board,
  MetadataBoard,
  NamespaceBoard,
  NvmeBoard,
  PortBoard,
  SwitchBoard,
  ZoneBoard,
} from './board.ts';

import { duration, guardBits, metadataBytes, PROFILE, powerOfTwo } from './profile-shapes.ts';

/** Bytes of a size that a board gives as a number or a text; NaN when it is neither. */
export const bytesOf = (size: unknown): number =>
  typeof size === 'string' ? parseSize(size) : typeof size === 'number' ? size : Number.NaN;

const size = must("a size, such as 65536 or '64m'", (value) => {
  const bytes = bytesOf(value);
  return Number.isSafeInteger(bytes) && bytes > 0;
});
/** Firmware places BARs between RAM and the chipset's own registers. */
const mmioBase = must('a multiple of 4096 from 0xc0000000 to 0xfebff000', (value) => {
  const base = value as number;
  return Number.isInteger(base / PAGE_SIZE) && base >= 0xc000_0000 && base < 0xfec0_0000;
});

const HOST = fields<HostProfile>({
  rootComplex_ns: duration,
  memory_ns: duration,
  iotlbHit_ns: duration,
  walkRead_ns: duration,
  store_ns: duration,
  load_ns: duration,
  syscall_ns: duration,
  interrupt_ns: duration,
  interruptJitter_ns: optional(duration),
  wakeup_ns: duration,
  submit_ns: duration,
  complete_ns: duration,
});

const LINK = fields<LinkProfile>({
  generation: oneOf(1, 2, 3, 4, 5),
  lanes: oneOf(1, 2, 4, 8, 16),
  maxPayload_bytes: powerOfTwo(128, 4096),
  readRequest_bytes: powerOfTwo(128, 4096),
  propagation_ns: duration,
  completion_bytes: optional(powerOfTwo(64, 4096)),
  writeCredits: optional(whole(1, 65_536)),
  readCredits: optional(whole(1, 65_536)),
  creditReturn_ns: optional(duration),
  hop_ns: optional(duration),
  jitter_ns: optional(duration),
});

const UNIT = fields<Partial<UnitOptions>>({
  hostAddressBits: optional(whole(32, 52)),
  guestAddressBits: optional(whole(39, 57)),
  domainIdBits: optional(oneOf(4, 6, 8, 10, 12, 14, 16)),
  tableBits: optional(list(oneOf(39, 48, 57), 1)),
  leaf2M: optional(flag),
  leaf1G: optional(flag),
  cachingMode: optional(flag),
  passThrough: optional(flag),
  snoopControl: optional(flag),
  interruptRemapping: optional(flag),
  faultRecords: optional(whole(1, 256)),
  addressMaskMax: optional(whole(0, 63)),
  iotlbEntries: optional(powerOfTwo(1, 65_536)),
});

const NAMESPACE = fields<NamespaceBoard>({
  size,
  block_bytes: optional(powerOfTwo(512, 65_536)),
  image: optional(text),
  metadata: optional(
    fields<MetadataBoard>({
      bytes: metadataBytes,
      isExtended: optional(flag),
      protection: optional(whole(0, 3)),
      isFirst: optional(flag),
      guard_bits: optional(guardBits),
    }),
  ),
  zones: optional(
    fields<ZoneBoard>({
      zone: size,
      capacity: optional(size),
      maxActive: optional(whole(0, 0xffff_ffff)),
      maxOpen: optional(whole(0, 0xffff_ffff)),
      extension_bytes: optional(
        must('a multiple of 64', (value) => Number.isInteger((value as number) / 64)),
      ),
      readsAcross: optional(flag),
    }),
  ),
  tracksBlocks: optional(flag),
  readOnly: optional(flag),
  eui64: optional(must('16 hexadecimal digits', (value) => /^[0-9a-f]{16}$/i.test(String(value)))),
});

const NVME = fields<NvmeBoard>({
  kind: oneOf('nvme'),
  serial: ascii(20),
  profile: PROFILE,
  namespaces: list(NAMESPACE),
  joins: optional(flag),
  capacity: optional(size),
  group: optional(whole(0, 0xffff)),
});

const device: Shape = (value, path) => {
  const kind = (value as { kind?: unknown } | undefined)?.kind;
  if (kind === 'nvme') return NVME(value, path);
  if (kind === 'switch') return SWITCH(value, path);
  return [{ path, problem: "must be null or have a kind, 'nvme' or 'switch'" }];
};

const PORT = fields<PortBoard>({ at: text, link: LINK, device: orNull(device) });
const SWITCH = fields<SwitchBoard>({ kind: oneOf('switch'), ports: list(PORT) });

export const BOARD = fields<Board>({
  name: text,
  description: text,
  ram: size,
  media: size,
  host: HOST,
  iommu: UNIT,
  remapsInterrupts: optional(flag),
  mmioBase: optional(mmioBase),
  rootPorts: list(PORT, 1),
});
