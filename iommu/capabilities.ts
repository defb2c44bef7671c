/**
 * What one remapping unit can do: the options a board writes, the CAP and ECAP words they become, and what software
 * reads back out of those words. Legacy mode only: the scalable-mode capabilities stay zero.
 */
import { assert } from '../support/assert.ts';
import { CAP, CAP_HIGH, ECAP, ECAP_HIGH, FAULT_RECORD_BYTES } from './spec/registers.ts';

export interface UnitOptions {
  /** Physical address bits of the platform (HAW); entries with higher address bits set are invalid. */
  readonly hostAddressBits: number;
  /** Widest input address (MGAW). */
  readonly guestAddressBits: number;
  /** Bits of a domain id (ND): 4 to 16, even. */
  readonly domainIdBits: number;
  /** Supported widths of second-stage tables: 39, 48 and 57 bits are three, four and five levels. */
  readonly tableBits: readonly (39 | 48 | 57)[];
  readonly leaf2M: boolean;
  readonly leaf1G: boolean;
  /** Caching mode (CM): software must invalidate after not-present to present changes too. */
  readonly cachingMode: boolean;
  readonly passThrough: boolean;
  /** Bit 11 of a leaf is allowed (SC). */
  readonly snoopControl: boolean;
  readonly interruptRemapping: boolean;
  /** Fault recording registers, 1 to 256. */
  readonly faultRecords: number;
  /** Largest address mask of a page-selective invalidation (MAMV): 2^18 pages are 1 GiB. */
  readonly addressMaskMax: number;
  /** Translations the IOTLB holds, a power of two. */
  readonly iotlbEntries: number;
}

/** The unit that QEMU shows with `intremap=on,aw-bits=48,caching-mode=on`: the one most driver authors have met. */
export const DEFAULT_UNIT: UnitOptions = {
  hostAddressBits: 48,
  guestAddressBits: 48,
  domainIdBits: 16,
  tableBits: [39, 48],
  leaf2M: true,
  leaf1G: true,
  cachingMode: true,
  passThrough: true,
  snoopControl: false,
  interruptRemapping: true,
  faultRecords: 1,
  addressMaskMax: 18,
  iotlbEntries: 512,
};

/** CAP and ECAP as registers hold them. */
export interface CapabilityWords {
  readonly capLow: number;
  readonly capHigh: number;
  readonly ecapLow: number;
  readonly ecapHigh: number;
}

/** Where the unit places its IOTLB and fault recording registers, in units of 16 bytes. */
const IOTLB_REGISTER_OFFSET = 0x0f;
const FAULT_RECORD_OFFSET = 0x22;
const HANDLE_MASK_MAX = 15;

/** CAP and ECAP of a unit with these options. */
export function encodeCapabilities(options: UnitOptions): CapabilityWords {
  assert(
    options.faultRecords >= 1 && options.faultRecords <= 256,
    'a unit has 1 to 256 fault recording registers',
  );
  assert(
    options.hostAddressBits >= 32 && options.hostAddressBits <= 52,
    'host address width is 32 to 52 bits',
  );
  const sagaw = options.tableBits.reduce((mask, width) => mask | (1 << ((width - 30) / 9)), 0);
  return {
    capLow: CAP.encode({
      ND: (options.domainIdBits - 4) / 2,
      CM: Number(options.cachingMode),
      SAGAW: sagaw,
      MGAW: options.guestAddressBits - 1,
      FRO_LOW: FAULT_RECORD_OFFSET,
    }),
    capHigh: CAP_HIGH.encode({
      SSLPS: Number(options.leaf2M) | (Number(options.leaf1G) << 1),
      PSI: 1,
      NFR: options.faultRecords - 1,
      MAMV: options.addressMaskMax,
      DWD: 1,
      DRD: 1,
    }),
    ecapLow: ECAP.encode({
      QI: 1,
      IR: Number(options.interruptRemapping),
      PT: Number(options.passThrough),
      SC: Number(options.snoopControl),
      IRO: IOTLB_REGISTER_OFFSET,
      MHMV: HANDLE_MASK_MAX,
    }),
    ecapHigh: ECAP_HIGH.encode({}),
  };
}

/** What both sides read out of the capability words. */
export interface Capabilities {
  /** Bit AW is set when tables of AW + 2 levels are supported. */
  readonly widths: number;
  readonly guestAddressBits: number;
  /** Highest level that may hold a leaf: 1, 2 (2 MiB) or 3 (1 GiB). */
  readonly leafLevelMax: 1 | 2 | 3;
  readonly cachingMode: boolean;
  readonly interruptRemapping: boolean;
  readonly pageSelective: boolean;
  readonly addressMaskMax: number;
  readonly domainCount: number;
  readonly drainReads: boolean;
  readonly drainWrites: boolean;
  /** Offset of the first fault recording register, and how many there are. */
  readonly faultRecordsAt: number;
  readonly faultRecords: number;
  /** Offset of the invalidate address register; the IOTLB register follows it. */
  readonly iotlbRegistersAt: number;
}

/** Reads capability words as software does. */
export function decodeCapabilities(words: CapabilityWords): Capabilities {
  const { capLow, capHigh, ecapLow } = words;
  const largePages = CAP_HIGH.SSLPS.get(capHigh);
  return {
    widths: CAP.SAGAW.get(capLow),
    guestAddressBits: CAP.MGAW.get(capLow) + 1,
    leafLevelMax: (largePages & 1) === 0 ? 1 : (largePages & 2) === 0 ? 2 : 3,
    cachingMode: CAP.CM.get(capLow) === 1,
    pageSelective: CAP_HIGH.PSI.get(capHigh) === 1,
    addressMaskMax: CAP_HIGH.MAMV.get(capHigh),
    domainCount: 1 << (4 + 2 * CAP.ND.get(capLow)),
    drainReads: CAP_HIGH.DRD.get(capHigh) === 1,
    drainWrites: CAP_HIGH.DWD.get(capHigh) === 1,
    faultRecordsAt: ((CAP_HIGH.FRO_HIGH.get(capHigh) << 8) | CAP.FRO_LOW.get(capLow)) * FAULT_RECORD_BYTES,
    faultRecords: CAP_HIGH.NFR.get(capHigh) + 1,
    interruptRemapping: ECAP.IR.get(ecapLow) === 1,
    iotlbRegistersAt: ECAP.IRO.get(ecapLow) * 16,
  };
}
