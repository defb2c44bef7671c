/** The steps of a case that touch memory: single accesses, patterns and hashes as the recordings define them. */
import type { Mapping } from '../../vfio/uapi/kernel.ts';
import type { MemoryStep } from './cases.ts';

/** What such a step answers. */
export interface MemoryAnswer {
  readonly ret: number;
  readonly bytes_read?: string;
  readonly value_read?: bigint;
}

/** Runs a step on the memory or the registers that it names. */
export function accessMemory(mapping: Mapping, step: MemoryStep): MemoryAnswer {
  switch (step.do) {
    case 'peek':
      return { ret: 0, value_read: peek(mapping, step.offset, step.width) };
    case 'poke':
      poke(mapping, step.offset, step.width, BigInt(step.value!));
      return { ret: 0 };
    default: {
      const bytes = mapping.bytes!.subarray(step.offset, step.offset + step.length);
      if (step.do === 'dump') return { ret: 0, bytes_read: toHex(bytes) };
      if (step.do === 'fnv') return { ret: 0, value_read: BigInt(fnv(bytes)) };
      if (step.do === 'fill') bytes.fill(step.value);
      else pattern(bytes, step.seed);
      return { ret: 0 };
    }
  }
}

function peek(mapping: Mapping, offset: number, width: number): bigint {
  if (width === 8) return mapping.read64(offset);
  if (width === 4) return BigInt(mapping.read32(offset));
  return BigInt(width === 2 ? mapping.read16(offset) : mapping.read8(offset));
}

function poke(mapping: Mapping, offset: number, width: number, value: bigint): void {
  if (width === 8) mapping.write64(offset, value);
  else if (width === 4) mapping.write32(offset, Number(value));
  else if (width === 2) mapping.write16(offset, Number(value));
  else mapping.write8(offset, Number(value));
}

/** FNV-1a, 32 bits. */
function fnv(bytes: Uint8Array): number {
  let hash = 0x811c_9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return hash >>> 0;
}

/** The linear congruential generator of the recordings: the top byte of each state. */
function pattern(bytes: Uint8Array, seed: number): void {
  let state = seed;
  for (let index = 0; index < bytes.length; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
}

export const toHex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

export const fromHex = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
