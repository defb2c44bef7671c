/**
 * The choice of an LBA format and its protection, as Format NVM and Namespace Management make it (NVM Command Set 1.1
 * §4.1.5.1; Base 2.1 §5.1.10). Not here: the commands.
 */
import type { Features } from '../features.ts';
import { PROTECTION, tupleBytes } from '../io/metadata.ts';
import { isExtendedFormat } from '../lba-format.ts';
import type { Namespaces } from '../namespaces.ts';
import type { Refusal } from '../refusal.ts';
import { STATUS } from '../spec/status.ts';

/** Why a host cannot have a format with a type of protection information, or null. */
export function formatRefusal(
  namespaces: Namespaces,
  features: Features,
  index: number,
  protection: number,
): Refusal | null {
  const format = namespaces.formats[index];
  if (format === undefined) {
    const reason = `there is no format ${index}, the last is ${namespaces.formats.length - 1}`;
    return { status: STATUS.INVALID_FORMAT, reason };
  }
  if (isExtendedFormat(format) && !features.behavior.takesExtendedFormats) {
    const reason = `format ${index} has a ${format.guard_bits}-bit guard, which the host has not enabled (LBAFEE)`;
    return { status: STATUS.INVALID_NAMESPACE_OR_FORMAT, reason };
  }
  if (protection > PROTECTION.TYPE3)
    return { status: STATUS.INVALID_FIELD, reason: `PI ${protection} is reserved` };
  if (protection === PROTECTION.NONE || format.metadata_bytes >= tupleBytes(format)) return null;
  const reason = `format ${index} has no metadata for protection information`;
  return { status: STATUS.INVALID_FORMAT, reason };
}
