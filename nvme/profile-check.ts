/**
 * Finds what is impossible in a controller profile: memory and BAR0 that do not fit, and, from profile-rules.ts, what the
 * specification rules out. Not here: what each key may hold alone (boards/shapes.ts).
 */
import { formatSize, hex, MIB, PAGE_SIZE } from '../support/numbers.ts';
import { checkAdmin } from './admin/profile.ts';
import { checkPower, USUAL_POWER } from './condition/profile.ts';
import { checkMetadata, LARGEST_METADATA } from './io/metadata.ts';
import { checkMedia } from './media/profile.ts';
import { CONTROLLER_BYTES, type ControllerProfile } from './profile.ts';
import { checkRules } from './profile-rules.ts';
import { SEGMENT, SLOT } from './slots.ts';
import { SQE } from './spec/commands.ts';
import { CAP_CRMS, VERSION } from './spec/registers.ts';

/** Transfers that a controller holds: admin data, blocks as the host has them, and read, compared and fused ones. */
const TRANSFER_BUFFERS = 5;
/** Of those, the ones with room for metadata. */
const METADATA_BUFFERS = 3;
const MOST_FORMATS = 64;
const SMALLEST_BLOCK = 512;

/** A sentence for each impossible combination, the first of its kind. What a key may hold alone is not looked at. */
export function checkProfile(profile: ControllerProfile): string[] {
  const { admin, power = USUAL_POWER, timing } = profile;
  const misfits = [
    checkVersion(profile),
    checkFormats(profile),
    checkAdmin(admin),
    checkPower(power),
    ...checkRules(profile),
    checkRegisters(profile),
    checkSlots(profile),
    timing === null ? null : checkMedia(timing.media),
  ];
  return misfits.filter((misfit) => misfit !== null);
}

/** Pages, and what lies in BAR0 beside each other. */
function checkRegisters(profile: ControllerProfile): string | null {
  const { maxQueuePairs, doorbellStride, pageMin, pageMax } = profile;
  const { bar_bytes, msixVectors, msixTable, msixPba } = profile;
  const doorbellEnd = 0x1000 + 2 * (maxQueuePairs + 1) * (4 << doorbellStride);
  const tableEnd = msixTable + 16 * msixVectors;
  const pbaEnd = msixPba + Math.ceil(msixVectors / 64) * 8;
  if (pageMax < pageMin)
    return `pageMax is ${pageMax} and pageMin ${pageMin}: the largest page is the smaller one`;
  if (msixTable % 8 !== 0 || msixPba % 8 !== 0)
    return `msixTable at ${msixTable} and msixPba at ${msixPba} must be multiples of 8`;
  if (doorbellEnd > Math.min(msixTable, msixPba)) {
    return (
      `${maxQueuePairs} queue pairs put doorbells up to ${doorbellEnd}, over the MSI-X table at ${msixTable} or the ` +
      `pending bits at ${msixPba}; move them or lower maxQueuePairs`
    );
  }
  if (tableEnd > msixPba && pbaEnd > msixTable)
    return `the MSI-X table of ${msixVectors} vectors at ${msixTable} runs into msixPba at ${msixPba}`;
  if (Math.max(tableEnd, pbaEnd) > bar_bytes)
    return `bar_bytes is ${bar_bytes}, too small for the MSI-X table and pending bits`;
  return null;
}

/** Commands under way at one time, and the memory that they take. */
function checkSlots(profile: ControllerProfile): string | null {
  const leastSlots = profile.asyncEvents + 2;
  if (profile.commandSlots < leastSlots) {
    return (
      `${profile.asyncEvents} asyncEvents, an admin and an I/O command at a time need ${leastSlots} commandSlots, ` +
      `got ${profile.commandSlots}`
    );
  }
  const needed = memoryOf(profile);
  if (needed <= CONTROLLER_BYTES) return null;
  return (
    `${profile.commandSlots} commandSlots for transfers of mdts ${profile.mdts} need ${formatSize(needed)} of ` +
    `controller memory, and there are ${formatSize(CONTROLLER_BYTES)}; lower one of them`
  );
}

/** What the version of the specification demands or does not know yet. */
function checkVersion({ version, readyModes, memoryBuffer_bytes }: ControllerProfile): string | null {
  if (readyModes === CAP_CRMS.READY_INDEPENDENT_OF_MEDIA)
    return 'readyModes is 2, but a controller that is ready without media is also ready with them: 3';
  if (version >= VERSION.V2_0 && readyModes === 0)
    return 'readyModes is 0, and controllers of version 2.0 are at least ready with media (CAP.CRMS): 1';
  if (version < VERSION.V1_4 && memoryBuffer_bytes > 0)
    return `memoryBuffer_bytes is ${memoryBuffer_bytes}, and version ${hex(version)} has no CMBMSC to enable it with: 0`;
  if (version < VERSION.V2_0 && readyModes !== 0)
    return `readyModes is ${readyModes}, and version ${hex(version)} does not know them yet: 0`;
  return null;
}

function checkFormats({ formats }: ControllerProfile): string | null {
  const texts = formats.map((format) => JSON.stringify(format));
  const twice = texts.findIndex((text, index) => texts.indexOf(text) !== index);
  if (twice !== -1) return `formats[${twice}] is there already: ${texts[twice]}`;
  for (const [index, { block_bytes, metadata_bytes, guard_bits }] of formats.entries()) {
    if (metadata_bytes === 0) continue;
    const problem = checkMetadata(metadata_bytes, guard_bits, block_bytes);
    if (problem !== null) return `formats[${index}]: ${problem}`;
  }
  return formats.length <= MOST_FORMATS
    ? null
    : `${formats.length} formats are more than Identify holds, ${MOST_FORMATS}`;
}

/** Command slots with their segments, transfer buffers, and room for queue records and a PRP list. */
function memoryOf({ commandSlots, mdts, pageMin, memoryBuffer_bytes }: ControllerProfile): number {
  const pages = 2 ** (mdts + pageMin);
  const slot_bytes = SQE.SIZE + SLOT.WORDS * 4 + (pages + 1) * SEGMENT.WORDS * 4;
  const metadata_bytes = ((pages * PAGE_SIZE) / SMALLEST_BLOCK) * LARGEST_METADATA;
  const buffers = TRANSFER_BUFFERS * pages * PAGE_SIZE + METADATA_BUFFERS * metadata_bytes;
  return commandSlots * slot_bytes + buffers + memoryBuffer_bytes + MIB;
}
