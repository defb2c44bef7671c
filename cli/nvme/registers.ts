/** `nvme show-regs`: the controller's registers in nvme-cli's layout and order, with fields by name for -H. */
import {
  AQA,
  CAP_HI,
  CAP_LO,
  CC,
  CMBLOC,
  CMBSZ,
  CRTO,
  CSTS,
  PMRCAP,
  PMRCTL,
  PMRSTS,
  REG,
  VS,
} from '../../nvme/spec/registers.ts';
import type { Word } from './fields.ts';

/** Reads a 32-bit register. */
export type ReadRegister = (offset: number) => number;

interface Register {
  readonly label: string;
  readonly offset: number;
  /** 64 bits, the high word behind the low one. */
  readonly isWide?: boolean;
  /** Fields of the low and of the high word. */
  readonly fields?: readonly Word[];
}

const REGISTERS: readonly Register[] = [
  { label: 'cap', offset: REG.CAP, isWide: true, fields: [CAP_LO, CAP_HI] },
  { label: 'version', offset: REG.VS, fields: [VS] },
  { label: 'intms', offset: REG.INTMS },
  { label: 'intmc', offset: REG.INTMC },
  { label: 'cc', offset: REG.CC, fields: [CC] },
  { label: 'csts', offset: REG.CSTS, fields: [CSTS] },
  { label: 'nssr', offset: REG.NSSR },
  { label: 'crto', offset: REG.CRTO, fields: [CRTO] },
  { label: 'aqa', offset: REG.AQA, fields: [AQA] },
  { label: 'asq', offset: REG.ASQ, isWide: true },
  { label: 'acq', offset: REG.ACQ, isWide: true },
  { label: 'cmbloc', offset: REG.CMBLOC, fields: [CMBLOC] },
  { label: 'cmbsz', offset: REG.CMBSZ, fields: [CMBSZ] },
  { label: 'bpinfo', offset: REG.BPINFO },
  { label: 'bprsel', offset: REG.BPRSEL },
  { label: 'bpmbl', offset: REG.BPMBL, isWide: true },
  { label: 'cmbmsc', offset: REG.CMBMSC, isWide: true },
  { label: 'cmbsts', offset: REG.CMBSTS },
  { label: 'pmrcap', offset: REG.PMRCAP, fields: [PMRCAP] },
  { label: 'pmrctl', offset: REG.PMRCTL, fields: [PMRCTL] },
  { label: 'pmrsts', offset: REG.PMRSTS, fields: [PMRSTS] },
  { label: 'pmrebs', offset: REG.PMREBS },
  { label: 'pmrswtp', offset: REG.PMRSWTP },
  { label: 'pmrmscl', offset: REG.PMRMSCL },
  { label: 'pmrmscu', offset: REG.PMRMSCU },
];

/** A line for every register, and for each of its fields where they are asked for. */
export function showRegs(read: ReadRegister, withFields: boolean): string[] {
  return REGISTERS.flatMap(({ label, offset, isWide, fields = [] }) => {
    const words = isWide === true ? [read(offset), read(offset + 4)] : [read(offset)];
    const value = words.reduceRight((high, word) => (high << 32n) | BigInt(word >>> 0), 0n);
    const line = `${label.padEnd(8)}: ${value.toString(16)}`;
    return withFields ? [line, ...fields.flatMap((field, word) => fieldsOf(field, words[word]!))] : [line];
  });
}

const fieldsOf = (field: Word, word: number): string[] =>
  Object.entries(field.decode(word)).map(([name, value]) => `\t${name.padEnd(8)}: ${value}`);
