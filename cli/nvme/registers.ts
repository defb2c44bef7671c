/**
 * `nvme show-regs`: the controller's registers in nvme-cli's layout and order (2.3).
 * Not here: their fields for -H (register-fields.ts).
 */
import { REG } from '../../nvme/spec/registers.ts';
import { FIELDS, WITHOUT_GAP } from './register-fields.ts';

/** Reads a 32-bit register. */
export type ReadRegister = (offset: number) => number;

/** Label, offset; 64 bits where the high word is behind the low one. */
const REGISTERS: readonly (readonly [label: string, offset: number, isWide?: boolean])[] = [
  ['cap     ', REG.CAP, true],
  ['version ', REG.VS],
  ['cc      ', REG.CC],
  ['csts    ', REG.CSTS],
  ['nssr    ', REG.NSSR],
  ['crto    ', REG.CRTO],
  ['intms   ', REG.INTMS],
  ['intmc   ', REG.INTMC],
  ['aqa     ', REG.AQA],
  ['asq     ', REG.ASQ, true],
  ['acq     ', REG.ACQ, true],
  ['cmbloc  ', REG.CMBLOC],
  ['cmbsz   ', REG.CMBSZ],
  ['bpinfo  ', REG.BPINFO],
  ['bprsel  ', REG.BPRSEL],
  ['bpmbl   ', REG.BPMBL, true],
  ['cmbmsc\t', REG.CMBMSC, true],
  ['cmbsts\t', REG.CMBSTS],
  ['pmrcap  ', REG.PMRCAP],
  ['pmrctl  ', REG.PMRCTL],
  ['pmrsts  ', REG.PMRSTS],
  ['pmrebs  ', REG.PMREBS],
  ['pmrswtp ', REG.PMRSWTP],
  ['pmrmscl\t', REG.PMRMSCL],
  ['pmrmscu\t', REG.PMRMSCU],
];

/** A line for every register, and for each of its fields where they are asked for. */
export function showRegs(read: ReadRegister, withFields: boolean): string[] {
  return REGISTERS.flatMap(([label, offset, isWide]) => {
    const words = { low: read(offset) >>> 0, high: isWide === true ? read(offset + 4) >>> 0 : 0 };
    const value = (BigInt(words.high) << 32n) | BigInt(words.low);
    const line = `${label}: ${value.toString(16)}`;
    const fields = withFields ? FIELDS[offset] : undefined;
    if (fields === undefined) return [line];
    const gap = WITHOUT_GAP.includes(offset) ? [] : [''];
    return [line, ...fields(words, value).map((field) => `\t${field}`), ...gap];
  });
}
