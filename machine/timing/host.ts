/**
 * What the host side costs, in nanoseconds, by name. A board carries one `HostProfile`; `FREE_HOST` is the functional
 * pace. Sources: HOST_SOURCES, by knob; pcie-bench is Neugebauer and others, SIGCOMM 2018.
 */

export interface HostProfile {
  /** Root complex: request decode to the memory controller and back. */
  readonly rootComplex_ns: number;
  /** One DRAM access by a DMA read or a page walk. */
  readonly memory_ns: number;
  /** A translation found in the IOTLB. */
  readonly iotlbHit_ns: number;
  /** One page-table read of a walk. */
  readonly walkRead_ns: number;
  /** How long a posted register store keeps the CPU. */
  readonly store_ns: number;
  /** What a register load costs in the CPU, beside the link's and the root complex's part of its round trip. */
  readonly load_ns: number;
  /** A system call without the work it does. */
  readonly syscall_ns: number;
  /** From the message's arrival at the CPU to the interrupt handler. */
  readonly interrupt_ns: number;
  /** How much more or less `interrupt_ns` may be, evenly; none when absent. */
  readonly interruptJitter_ns?: number;
  /** From the handler's eventfd signal to the woken thread. */
  readonly wakeup_ns: number;
  /** Driver software to build and post one command. */
  readonly submit_ns: number;
  /** Driver software to take one completion. */
  readonly complete_ns: number;
}

export const FREE_HOST: HostProfile = {
  rootComplex_ns: 0,
  memory_ns: 0,
  iotlbHit_ns: 0,
  walkRead_ns: 0,
  store_ns: 0,
  load_ns: 0,
  syscall_ns: 0,
  interrupt_ns: 0,
  wakeup_ns: 0,
  submit_ns: 0,
  complete_ns: 0,
};

/** A current server: 64-byte DMA read about 550 ns, IOTLB miss about 330 ns more, MSI-X to woken thread about 4 µs. */
export const SERVER_HOST: HostProfile = {
  rootComplex_ns: 60,
  memory_ns: 90,
  iotlbHit_ns: 5,
  walkRead_ns: 80,
  store_ns: 60,
  load_ns: 300,
  syscall_ns: 200,
  interrupt_ns: 1200,
  interruptJitter_ns: 0,
  wakeup_ns: 2500,
  submit_ns: 150,
  complete_ns: 100,
};

/** Where each knob of SERVER_HOST comes from. */
export const HOST_SOURCES: Readonly<Record<keyof HostProfile, string>> = {
  rootComplex_ns: '64-byte DMA read of 547 ns (pcie-bench), less link, DRAM and IOTLB',
  memory_ns: 'one DRAM access; a hit in the last-level cache is about 70 ns faster (pcie-bench)',
  iotlbHit_ns: 'small beside a walk: a hit is not seen in pcie-bench',
  walkRead_ns: 'IOTLB miss of +330 ns for four levels (pcie-bench)',
  store_ns: '50-300 ns between posted stores (Intel forum, measured)',
  load_ns: 'MMIO read round trip of 0.5-1 us (two measured pages), less link and root complex',
  syscall_ns: 'entry and exit with mitigations; the work itself is not included',
  interrupt_ns: 'MSI-X post to handler of 1-1.5 us, less the TLP',
  interruptJitter_ns: 'none: published figures are means; set it to see what chance does',
  wakeup_ns: 'handler to woken thread of 2-4 us',
  submit_ns: 'SPDK takes 72-96 ns of CPU per I/O altogether; a plain driver about twice that',
  complete_ns: 'SPDK takes 72-96 ns of CPU per I/O altogether; a plain driver about twice that',
};
