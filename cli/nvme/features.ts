/**
 * `nvme get-feature` in nvme-cli's layout (2.3): value and data, or with -H what they mean (feature-fields.ts).
 */
import type { FeatureValue } from '../../drivers/nvme/index.ts';
import { FEATURE_CAPABILITIES, FEATURE_SELECT, FEATURES, FID } from '../../nvme/spec/features.ts';
import { hex } from '../../support/numbers.ts';
import { FIELDS } from './feature-fields.ts';

/** Where nvme-cli has another name than the specification. */
const NAMES: Readonly<Record<number, string>> = {
  [FID.ASYNC_EVENT]: 'Async Event Configuration',
  [FID.READ_RECOVERY_LEVEL]: 'Read Recovery Level',
  [FID.LBA_STATUS_INTERVAL]: 'LBA Status Interval',
  [FID.HOST_BEHAVIOR]: 'Host Behavior',
  [FID.SANITIZE_CONFIG]: 'Sanitize',
  [FID.ENDURANCE_GROUP_EVENT]: 'Endurance Event Group Configuration',
  [FID.SOFTWARE_PROGRESS]: 'Software Progress',
  [FID.NAMESPACE_WRITE_PROTECTION]: 'Namespace Write Protect',
};

/** What was asked for, by SEL. */
const SELECTED = ['Current', 'Default', 'Saved', 'Supported capabilities'];
const CAPABILITIES = [
  ['SAVEABLE', 'Feature is saveable'],
  ['NAMESPACE_SPECIFIC', 'Feature is per-namespace'],
  ['CHANGEABLE', 'Feature is changeable'],
] as const;
/** The short form of a host identifier, which nvme-cli asks for. */
const HOST_IDENTIFIER_BYTES = 8;
const ROW_BYTES = 16;

/** C's `%#010x`, which prints a zero as eight digits. */
const value32 = (value: number): string =>
  value === 0 ? '00000000' : `0x${(value >>> 0).toString(16).padStart(8, '0')}`;

/** What `nvme get-feature` prints of a feature; `withFields` (`-H`) puts its fields in place of its data. */
export function getFeature(
  fid: number,
  select: number,
  { value, data }: FeatureValue,
  withFields: boolean,
): string[] {
  const name = NAMES[fid] ?? FEATURES[fid]?.name ?? 'Unknown';
  const line = `get-feature:${hex(fid, 2)} (${name}), ${SELECTED[select]} value:${value32(value)}`;
  if (select === FEATURE_SELECT.CAPABILITIES) {
    const has = FEATURE_CAPABILITIES.decode(value);
    return [line, ...CAPABILITIES.flatMap(([field, text]) => (has[field] === 0 ? [] : [`  ${text}`]))];
  }
  const used = fid === FID.HOST_IDENTIFIER ? data.subarray(0, HOST_IDENTIFIER_BYTES) : data;
  const fields = withFields ? FIELDS[fid] : undefined;
  if (fields !== undefined) {
    const view = new DataView(used.buffer, used.byteOffset, used.length);
    return [line, ...fields(value, view).map((field) => `\t${field}`)];
  }
  return used.length === 0 ? [line] : [line, ...dump(used)];
}

/** Rows of sixteen bytes, with their characters. */
function dump(bytes: Uint8Array): string[] {
  const head = `     ${Array.from({ length: ROW_BYTES }, (_, at) => `  ${at.toString(16)}`).join('')}`;
  const rows = Array.from({ length: Math.ceil(bytes.length / ROW_BYTES) }, (_, index) => {
    const row = bytes.subarray(index * ROW_BYTES, (index + 1) * ROW_BYTES);
    const digits = Array.from(row, (byte) => ` ${byte.toString(16).padStart(2, '0')}`).join('');
    const text = Array.from(row, (byte) => (byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
    const at = (index * ROW_BYTES).toString(16).padStart(4, '0');
    return `${at}:${row.length < ROW_BYTES ? digits.padEnd(3 * ROW_BYTES + 1) : digits} "${text.join('')}"`;
  });
  return [head, ...rows];
}
