/**
 * From the reason that a command gives to the words of tracepoint `nvme.reject`, and from those to one sentence.
 * Not here: who refuses and why (the commands), what is kept of it (health.ts, boards/hardware.ts).
 */
import type { Rejection } from '../machine/trace.ts';
import { hex } from '../support/numbers.ts';
import { statusName } from './spec/status.ts';

/** A reason as the commands give it: it may open with `FIELD = 0xVALUE ` and end with ` (SECTION)`. */
const REASON =
  /^(?<rule>(?:(?<field>[\w ]+) = 0x(?<value>[0-9a-f]+) )?.*?)(?: \((?<section>[^()]*§[^()]*)\))?$/s;

/** Completes a rejection from a reason; what the reason does not say is taken from `known`. */
export function rejection(
  reason: string,
  known: Pick<Rejection, 'what' | 'status' | 'field' | 'value' | 'section'>,
): Rejection {
  const { field, value, rule = reason, section } = REASON.exec(reason)?.groups ?? {};
  const at = field === undefined ? {} : { field, value: Number(`0x${value}`) };
  return { ...known, ...at, rule, section: section ?? known.section };
}

/** How sentences begin that tell why the controller fails: a field or an entry of a queue, and a number. */
const FATAL = /^(?<field>(?:CC|AQA)\.\w+|ASQ|ACQ)(?: is)? (?<value>0x[0-9a-f]+|\d+)/;
const ENTRY = /^entry (?<value>\d+) of (?<queue>(?:submission|completion) queue \d+)/;

/** The field that a reason to fail is about; where there is none, what tells the host of the failure. */
export function fatalField(reason: string): Pick<Rejection, 'field' | 'value'> {
  const field = FATAL.exec(reason)?.groups;
  if (field !== undefined) return { field: field.field!, value: Number(field.value) };
  const entry = ENTRY.exec(reason)?.groups;
  if (entry !== undefined) return { field: `entry of ${entry.queue}`, value: Number(entry.value) };
  return { field: 'CSTS.CFS', value: 1 };
}

/** One sentence on a rejection. */
export function rejectionSentence({ what, status, field, value, rule, section }: Rejection): string {
  const isSaid =
    status === 'fatal' || rule.startsWith(`${field} = `) || what.endsWith(`${field} ${hex(value)}`);
  const where = isSaid ? section : `${field} = ${hex(value)}, ${section}`;
  return `${[what, status, rule].filter((part) => part !== '').join(': ')} (${where})`;
}

const SPELLED: Readonly<Record<string, string>> = { IO: 'I/O', OR: 'or', AND: 'and', FOR: 'for', OF: 'of' };
const ACRONYMS: readonly string[] = [
  'PRP',
  'SGL',
  'LBA',
  'SQ',
  'AER',
  'CMB',
  'PMR',
  'ANA',
  'FDP',
  'ZRWA',
  'ID',
];

/** A status by its name as people write it: `PRP Offset Invalid`. */
export function statusTitle(status: number): string {
  const word = (name: string) =>
    SPELLED[name] ?? (ACRONYMS.includes(name) ? name : name.charAt(0) + name.slice(1).toLowerCase());
  const name = statusName(status);
  return name.includes(' ') ? name : name.split('_').map(word).join(' ');
}
