/** Links that boards share, by generation and lanes, and where their figures come from. */
import { type LinkProfile, USUAL_LINK } from '../machine/timing/link.ts';

/** A link as desktop and server boards set it up: 256-byte payloads, 512-byte read requests. */
export const linkOf = (
  generation: LinkProfile['generation'],
  lanes: LinkProfile['lanes'],
): Required<LinkProfile> => ({
  generation,
  lanes,
  maxPayload_bytes: 256,
  readRequest_bytes: 512,
  propagation_ns: 175,
  completion_bytes: 256,
  ...USUAL_LINK,
});

export const GEN3_X4: Required<LinkProfile> = linkOf(3, 4);
export const GEN4_X4: Required<LinkProfile> = linkOf(4, 4);
export const GEN5_X4: Required<LinkProfile> = linkOf(5, 4);

/** Where each knob of a link comes from. */
export const LINK_SOURCES: Readonly<Record<keyof LinkProfile, string>> = {
  generation: "the device's data sheet",
  lanes: "the device's data sheet",
  maxPayload_bytes: 'what root ports of current platforms offer (numbers.md §3)',
  readRequest_bytes: 'default of PCIe Device Control (Base 6.0 §7.5.3.4)',
  propagation_ns:
    'half of the 547 ns of a 64-byte DMA read (pcie-bench, numbers.md §4), without root complex and DRAM',
  completion_bytes: 'CplD of the payload size: 92.8 % at 256 bytes, where 64 would be 76 % (numbers.md §3)',
  writeCredits: 'enough for gen 5 x16 over the loop of a credit; few are a fault to look for',
  readCredits: 'enough for gen 5 x16 over the round trip of a read',
  creditReturn_ns: 'of the order of the port latency; none is published',
  jitter_ns: 'none: pcie-bench gives medians; set it to see what chance does',
  hop_ns: 'a root port: no switch in between',
};
