/**
 * What the tree shows of the IOMMU: registers, cached translations and walks, the interrupt remapping table, the queue
 * of invalidations and the fault records, as registers and RAM have them (VT-d 4.1 §6.5.2, §9.10, §11.4).
 * Looking changes nothing. Not here: how a walk is told (page-walk.ts).
 */
import type { Machine } from '../../boards/index.ts';
import { faultSentence, isInterruptFault } from '../../iommu/spec/faults.ts';
import {
  CAP,
  CAP_HIGH,
  FAULT_RECORD_BYTES,
  FRCD_REASON,
  FRCD_SOURCE,
  FSTS,
  GRANULARITY,
  GSTS,
  IQA,
  IQERCD,
  IRTA,
  QUEUE_ERROR,
  REG,
} from '../../iommu/spec/registers.ts';
import {
  CONTEXT_INVALIDATE,
  CONTEXT_INVALIDATE_SOURCE,
  DESCRIPTOR,
  DESCRIPTOR_BYTES,
  DESCRIPTOR_TYPE,
  INTERRUPT_ENTRY_BYTES,
  INTERRUPT_INVALIDATE,
  INTERRUPT_INVALIDATE_INDEX,
  INVALIDATION_WAIT,
  IOTLB_INVALIDATE,
  IOTLB_INVALIDATE_ADDRESS,
  IRTE,
  IRTE_DESTINATION,
  IRTE_SOURCE,
  SOURCE_CHECK,
} from '../../iommu/spec/structures.ts';
import { bdfText } from '../../machine/pcie/spec.ts';
import { hex, PAGE_SIZE, u64 } from '../../support/numbers.ts';
import { pageWalk } from './page-walk.ts';
import { type Branch, yesOrNo } from './tree.ts';

/** Descriptors before the head that are shown: they are done, and still in the ring. */
const DONE_SHOWN = 8;

/** `iovas` are those to walk besides those in the IOTLB. */
export function iommuTree(machine: Machine, iovas: readonly number[]): Branch {
  const { iommu, memory, controllers } = machine;
  const register = (offset: number): number => iommu.read32(offset) >>> 0;
  const root = u64(register(REG.RTADDR) & 0xffff_f000, register(REG.RTADDR + 4));
  const entries = iommu.iotlb.entries();
  const access = (permissions: number): string =>
    `${(permissions & 1) === 1 ? 'r' : '-'}${(permissions & 2) === 2 ? 'w' : '-'}`;
  const addresses = [...new Set([...iovas, ...entries.map(({ iova }) => iova)])];
  const walks = controllers.map(({ bdf }): [string, () => Branch] => [
    bdfText(bdf),
    () => Object.fromEntries(addresses.map((iova) => [hex(iova), () => pageWalk(memory, root, bdf, iova)])),
  ]);
  return {
    registers: () =>
      Object.fromEntries(Object.entries(REG).map(([name, at]) => [name, hex(register(at), 8)])),
    iotlb: () =>
      Object.fromEntries(
        entries.map(({ domainId, iova, bytes, frame, permissions }) => [
          `${domainId}:${hex(iova)}`,
          `${access(permissions)} ${hex(frame * PAGE_SIZE)}, leaf of ${hex(bytes)}`,
        ]),
      ),
    walk: () => Object.fromEntries(walks),
    interrupts: () => interruptTable(register, memory.u32),
    invalidations: () => invalidations(register, memory.u32),
    faults: () => faults(register),
  };
}

type ReadRegister = (offset: number) => number;

/** The interrupt remapping table: whether it counts, and the entries that are present. */
export function interruptTable(register: ReadRegister, ram: Uint32Array): Branch {
  const low = register(REG.IRTA);
  const table = u64(low & IRTA.BASE.mask, register(REG.IRTA + 4));
  const size = table === 0 ? 0 : 2 ** (IRTA.S.get(low) + 1);
  const status = register(REG.GSTS);
  const isOn = GSTS.IRES.get(status) === 1;
  const present: [string, string][] = [];
  for (let index = 0; index < size; index++) {
    const at = (table + index * INTERRUPT_ENTRY_BYTES) >>> 2;
    if (IRTE.P.get(ram[at] ?? 0) === 1)
      present.push([String(index), interruptEntry(ram.subarray(at, at + 4))]);
  }
  return {
    enabled: yesOrNo(isOn),
    'other messages': isOn && GSTS.CFIS.get(status) === 0 ? 'are blocked' : 'pass',
    table: size === 0 ? 'none' : `${size} entries at ${hex(table)}`,
    present: Object.fromEntries(present),
  };
}

const DELIVERY = ['fixed', 'lowest priority', 'SMI', 'mode 3', 'NMI', 'INIT', 'mode 6', 'ExtINT'];
/** Function number bits that are not compared, by SQ. */
const LOOSE = [
  '',
  ' (its function bit 2 is not compared)',
  ' (its function bits 2:1 are not compared)',
  ' (any function of it)',
];

/** `vector 0x30 to APIC 0 (fixed, edge), from 01:00.0 alone` */
function interruptEntry(words: Uint32Array): string {
  const [word0, word1, word2] = words as unknown as readonly [number, number, number];
  const { DM, RH, TM, DLM, V, FPD } = IRTE.decode(word0);
  const logical = DM === 1 ? 'logical APIC' : 'APIC';
  const redirected = RH === 1 ? ', redirection hint' : '';
  const silent = FPD === 1 ? ', its faults are not recorded' : '';
  const how = `${DELIVERY[DLM]}, ${TM === 1 ? 'level' : 'edge'}${redirected}`;
  return `vector ${hex(V, 2)} to ${logical} ${IRTE_DESTINATION.DST.get(word1)} (${how}), ${sources(word2)}${silent}`;
}

function sources(word2: number): string {
  const { SID, SQ, SVT } = IRTE_SOURCE.decode(word2);
  if (SVT === SOURCE_CHECK.NONE) return 'from anywhere (not checked)';
  if (SVT === SOURCE_CHECK.REQUESTER) return `from ${bdfText(SID)} alone${LOOSE[SQ]}`;
  if (SVT === SOURCE_CHECK.BUS_RANGE) return `from buses ${hex(SID >>> 8, 2)} to ${hex(SID & 0xff, 2)}`;
  return `from nowhere (SVT ${SVT} is reserved)`;
}

/** The ring of invalidations: registers, what waits between head and tail, and what was done last. */
export function invalidations(register: ReadRegister, ram: Uint32Array): Branch {
  const low = register(REG.IQA);
  const base = u64(low & IQA.BASE.mask, register(REG.IQA + 4));
  const count = (PAGE_SIZE << IQA.QS.get(low)) / DESCRIPTOR_BYTES;
  const [head, tail] = [register(REG.IQH) / DESCRIPTOR_BYTES, register(REG.IQT) / DESCRIPTOR_BYTES];
  const error = IQERCD.IQEI.get(register(REG.IQERCD));
  const isStopped = FSTS.IQE.get(register(REG.FSTS)) === 1;
  const reason = Object.entries(QUEUE_ERROR).find(([, code]) => code === error)?.[0] ?? String(error);
  const shown = (first: number, many: number): Branch =>
    Object.fromEntries(
      Array.from({ length: many }, (_, offset) => (first + offset + count) % count).flatMap((index) => {
        const at = (base + index * DESCRIPTOR_BYTES) >>> 2;
        const words = ram.subarray(at, at + 4);
        return words.every((word) => word === 0) ? [] : [[String(index), descriptor(words)]];
      }),
    );
  return {
    enabled: yesOrNo(GSTS.QIES.get(register(REG.GSTS)) === 1),
    ring: `${count} descriptors at ${hex(base)}`,
    head: String(head),
    tail: String(tail),
    stopped: isStopped ? `yes: ${reason}` : 'no',
    waiting: shown(head, (tail - head + count) % count),
    done: shown(head - DONE_SHOWN, DONE_SHOWN),
  };
}

/** One descriptor of the ring in words. */
function descriptor(words: Uint32Array): string {
  const [word0, word1, word2, word3] = words as unknown as readonly [number, number, number, number];
  switch (DESCRIPTOR.TYPE.get(word0)) {
    case DESCRIPTOR_TYPE.CONTEXT: {
      const of = CONTEXT_INVALIDATE.G.get(word0);
      const sid = CONTEXT_INVALIDATE_SOURCE.SID.get(word1);
      const domain = CONTEXT_INVALIDATE.DID.get(word0);
      return `context cache: ${scope(of, domain, `${bdfText(sid)} of domain ${domain}`)}`;
    }
    case DESCRIPTOR_TYPE.IOTLB: {
      const address = u64(word2 & IOTLB_INVALIDATE_ADDRESS.ADDR.mask, word3);
      const { AM, IH } = IOTLB_INVALIDATE_ADDRESS.decode(word2);
      const domain = IOTLB_INVALIDATE.DID.get(word0);
      const pages = `${2 ** AM} pages from ${hex(address)} of domain ${domain}${IH === 1 ? ', leaves only' : ''}`;
      return `IOTLB: ${scope(IOTLB_INVALIDATE.G.get(word0), domain, pages)}`;
    }
    case DESCRIPTOR_TYPE.INTERRUPT: {
      if (INTERRUPT_INVALIDATE.G.get(word0) === 0) return 'interrupt entry cache: all';
      const count = 2 ** INTERRUPT_INVALIDATE.IM.get(word0);
      return `interrupt entry cache: ${count} from ${INTERRUPT_INVALIDATE_INDEX.IIDX.get(word1)}`;
    }
    case DESCRIPTOR_TYPE.WAIT: {
      const { IF, SW } = INVALIDATION_WAIT.decode(word0);
      const writes = SW === 1 ? `writes ${hex(word1)} to ${hex(u64(word2, word3))}` : 'writes nothing';
      return `wait: ${writes}${IF === 1 ? ', then interrupts' : ''}`;
    }
    default:
      return `no descriptor: type ${DESCRIPTOR.TYPE.get(word0)}`;
  }
}

function scope(granularity: number, domain: number, selected: string): string {
  if (granularity === GRANULARITY.GLOBAL) return 'all';
  return granularity === GRANULARITY.DOMAIN ? `domain ${domain}` : selected;
}

/** The fault status, and the fault recording registers that hold one. */
export function faults(register: ReadRegister): Branch {
  const status = FSTS.decode(register(REG.FSTS));
  const at = 16 * ((CAP_HIGH.FRO_HIGH.get(register(REG.CAP + 4)) << 8) | CAP.FRO_LOW.get(register(REG.CAP)));
  const count = CAP_HIGH.NFR.get(register(REG.CAP + 4)) + 1;
  const records = Array.from({ length: count }, (_, index) => index).flatMap((index) => {
    const word = (number: number): number => register(at + index * FAULT_RECORD_BYTES + 4 * number);
    return FRCD_REASON.F.get(word(3)) === 0 ? [] : [[String(index), faultRecord(word)] as const];
  });
  return {
    pending: yesOrNo(status.PPF === 1),
    overflow: yesOrNo(status.PFO === 1),
    'first record': String(status.FRI),
    records: records.length === 0 ? `${count}, all free` : Object.fromEntries(records),
  };
}

function faultRecord(word: (number: number) => number): string {
  const reason = FRCD_REASON.FR.get(word(3));
  const from = bdfText(FRCD_SOURCE.SID.get(word(2)));
  const why = `${faultSentence(reason)} (${hex(reason, 2)})`;
  if (isInterruptFault(reason)) return `interrupt of ${from}, entry ${word(1) >>> 16}: ${why}`;
  const verb = FRCD_REASON.T1.get(word(3)) === 1 ? 'read' : 'write';
  return `${verb} by ${from} at IOVA ${hex(u64(word(0) & 0xffff_f000, word(1)))}: ${why}`;
}
