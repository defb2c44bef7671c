/** Fields of a structure as lines `label : value`, the way nvme-cli prints them. */

/** A declared structure, of which only the values by name are needed. */
export interface Structure {
  decode(view: DataView, at: number): object;
}

/** How a value is printed. `hex` is C's %#x, which prints a zero without 0x; an OUI has its last byte first. */
export type Form = 'hex' | 'decimal' | 'text' | 'bytes' | 'oui' | 'uuid';

/** Label, name of the field, form. */
export type Line = readonly [label: string, field: string, form: Form];

/** 0 degrees Celsius, to whole kelvins. */
export const KELVIN = 273;

/** `37°C (310 Kelvin)` */
export const celsius = (kelvin: number): string => `${kelvin - KELVIN}°C (${kelvin} Kelvin)`;

/** C's `%#x`. */
export const alternateHex = (value: number | bigint): string =>
  value === 0 || value === 0n ? '0' : `0x${value.toString(16)}`;

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** A little-endian counter of any length. */
export const wide = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);

/** Lines for the fields of the structure at the beginning of `view`; labels are filled up to `width`, by themselves where they end in a tab. */
export function fieldLines(
  structure: Structure,
  view: DataView,
  lines: readonly Line[],
  width: number,
): string[] {
  const values = structure.decode(view, 0) as Readonly<Record<string, number | bigint | Uint8Array>>;
  return lines.map(([label, field, form]) => {
    const filled = label.endsWith('\t') ? label : label.padEnd(width);
    return `${filled}: ${valueText(values[field]!, form)}`;
  });
}

function valueText(value: number | bigint | Uint8Array, form: Form): string {
  if (!(value instanceof Uint8Array)) return form === 'hex' ? alternateHex(value) : String(value);
  if (form === 'text') return String.fromCharCode(...value).replace(/\0.*$/s, '');
  if (form === 'decimal') return String(wide(value));
  const digits = hexOf(form === 'oui' ? value.toReversed() : value);
  return form === 'uuid' ? digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') : digits;
}
