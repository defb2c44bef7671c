/** Links that boards share, by generation and lanes, and where their figures come from. */
import type { LinkProfile } from '../machine/timing/link.ts';

/** A link as desktop and server boards set it up: 256-byte payloads, 512-byte read requests. */
export const linkOf = (generation: LinkProfile['generation'], lanes: LinkProfile['lanes']): LinkProfile => ({
  generation,
  lanes,
  maxPayload_bytes: 256,
  readRequest_bytes: 512,
  propagation_ns: 175,
});

export const GEN3_X4: LinkProfile = linkOf(3, 4);
export const GEN4_X4: LinkProfile = linkOf(4, 4);
export const GEN5_X4: LinkProfile = linkOf(5, 4);

/** Where each knob of a link comes from. */
export const LINK_SOURCES: Readonly<Record<keyof LinkProfile, string>> = {
  generation: "the device's data sheet",
  lanes: "the device's data sheet",
  maxPayload_bytes: 'what root ports of current platforms offer (numbers.md §3)',
  readRequest_bytes: 'default of PCIe Device Control (Base 6.0 §7.5.3.4)',
  propagation_ns:
    'half of the 547 ns of a 64-byte DMA read (pcie-bench, numbers.md §4), without root complex and DRAM',
};
