/**
 * Byte layouts of the structures of a specification: a table of offsets whose total is checked when it is loaded.
 * Hot code uses the offsets as plain integers; `get` and `set` read and write through a DataView and are for cold paths.
 */
import { assert } from './assert.ts';

/** `u64` is read and written as a BigInt; a number is a run of that many raw bytes. */
export type FieldType = 'u8' | 'u16' | 'u32' | 's32' | 'u64' | number;

const WIDTHS = { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8 } as const;
const widthOf = (type: FieldType): number => (typeof type === 'number' ? type : WIDTHS[type]);

export type ValueOf<Type extends FieldType> = Type extends 'u64'
  ? bigint
  : Type extends number
    ? Uint8Array
    : number;

/** The offsets of a structure by field name, its size, and cold access to its fields. */
export type Layout<Fields extends Record<string, FieldType>> = { readonly [Name in keyof Fields]: number } & {
  readonly SIZE: number;
  /** Reads one field of the structure at byte `at` of `view`, little endian. Raw bytes come as a view, not a copy. */
  get<Name extends keyof Fields & string>(view: DataView, at: number, name: Name): ValueOf<Fields[Name]>;
  /** Writes one field; a number is accepted for a `u64`. */
  set<Name extends keyof Fields & string>(
    view: DataView,
    at: number,
    name: Name,
    value: ValueOf<Fields[Name]> | number,
  ): void;
  /** All fields as an object. */
  decode(view: DataView, at: number): { [Name in keyof Fields]: ValueOf<Fields[Name]> };
};

/**
 * Declares a structure whose fields follow one another without padding (write gaps as raw bytes).
 * Throws at load time when the fields do not add up to `size` bytes.
 */
export function layout<const Fields extends Record<string, FieldType>>(
  fields: Fields,
  size: number,
): Layout<Fields> {
  const offsets: Record<string, number> = {};
  let total = 0;
  for (const [name, type] of Object.entries<FieldType>(fields)) {
    assert(
      name !== 'SIZE' && name !== 'get' && name !== 'set' && name !== 'decode',
      `${name} is a reserved name`,
    );
    offsets[name] = total;
    total += widthOf(type);
  }
  assert(total === size, `structure adds up to ${total} bytes, not ${size}`);

  const get = (view: DataView, at: number, name: string): number | bigint | Uint8Array => {
    const type = fields[name] as FieldType;
    const offset = at + offsets[name]!;
    if (typeof type === 'number') return new Uint8Array(view.buffer, view.byteOffset + offset, type);
    if (type === 'u64') return view.getBigUint64(offset, true);
    if (type === 'u32') return view.getUint32(offset, true);
    if (type === 's32') return view.getInt32(offset, true);
    return type === 'u16' ? view.getUint16(offset, true) : view.getUint8(offset);
  };
  const set = (view: DataView, at: number, name: string, value: number | bigint | Uint8Array): void => {
    const type = fields[name] as FieldType;
    const offset = at + offsets[name]!;
    if (value instanceof Uint8Array) {
      assert(value.length === type, `${name} takes ${String(type)} bytes, got ${value.length}`);
      new Uint8Array(view.buffer, view.byteOffset + offset, value.length).set(value);
    } else if (type === 'u64') view.setBigUint64(offset, BigInt(value), true);
    else if (type === 'u32') view.setUint32(offset, Number(value), true);
    else if (type === 's32') view.setInt32(offset, Number(value), true);
    else if (type === 'u16') view.setUint16(offset, Number(value), true);
    else view.setUint8(offset, Number(value));
  };
  const decode = (view: DataView, at: number) =>
    Object.fromEntries(Object.keys(fields).map((name) => [name, get(view, at, name)]));
  return { ...offsets, SIZE: size, get, set, decode } as unknown as Layout<Fields>;
}
