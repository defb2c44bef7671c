/** `nvme get-feature` in nvme-cli's layout (2.3); with -H also the fields of the value by their names. */
import {
  ARBITRATION,
  ASYNC_EVENT_CONFIG,
  ERROR_RECOVERY,
  FEATURES,
  FID,
  INTERRUPT_COALESCING,
  INTERRUPT_VECTOR,
  NUMBER_OF_QUEUES,
  POWER_MANAGEMENT,
  TEMPERATURE_THRESHOLD,
  VOLATILE_WRITE_CACHE,
  WRITE_ATOMICITY,
} from '../../nvme/spec/features.ts';
import { hex } from '../../support/numbers.ts';
import type { Word } from './fields.ts';

const FIELDS: Readonly<Record<number, Word>> = {
  [FID.ARBITRATION]: ARBITRATION,
  [FID.POWER_MANAGEMENT]: POWER_MANAGEMENT,
  [FID.TEMPERATURE_THRESHOLD]: TEMPERATURE_THRESHOLD,
  [FID.ERROR_RECOVERY]: ERROR_RECOVERY,
  [FID.VOLATILE_WRITE_CACHE]: VOLATILE_WRITE_CACHE,
  [FID.NUMBER_OF_QUEUES]: NUMBER_OF_QUEUES,
  [FID.INTERRUPT_COALESCING]: INTERRUPT_COALESCING,
  [FID.INTERRUPT_VECTOR]: INTERRUPT_VECTOR,
  [FID.WRITE_ATOMICITY]: WRITE_ATOMICITY,
  [FID.ASYNC_EVENT]: ASYNC_EVENT_CONFIG,
};

/** C's `%#010x`, which prints a zero as eight digits. */
const value32 = (value: number): string =>
  value === 0 ? '00000000' : `0x${(value >>> 0).toString(16).padStart(8, '0')}`;

/** What `nvme get-feature` prints of a feature; `withFields` (`-H`) adds one line for each field of the value. */
export function getFeature(fid: number, value: number, withFields: boolean): string[] {
  const name = FEATURES[fid]?.name ?? 'Unknown';
  const line = `get-feature:${hex(fid, 2)} (${name}), Current value:${value32(value)}`;
  const fields = withFields ? FIELDS[fid] : undefined;
  if (fields === undefined) return [line];
  return [line, ...Object.entries(fields.decode(value)).map(([field, bits]) => `\t${field}: ${bits}`)];
}
