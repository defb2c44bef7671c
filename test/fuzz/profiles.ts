/** Controllers to be fuzzed: the two that ship, and variations with any quirks that `checkProfile` allows, at both paces. */
import { samsung970pro } from '../../boards/devices/samsung-970pro.ts';
import { type ControllerProfile, GENERIC } from '../../nvme/profile.ts';
import { checkProfile } from '../../nvme/profile-check.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import { QUIRK_NAMES } from '../../nvme/quirks.ts';
import type { Dice } from './dice.ts';

/** Any two pages of host memory are enough. */
const hostMemory = {
  preferred_bytes: 65_536,
  minimum_bytes: 8192,
  descriptorMinimum_bytes: 4096,
  maxDescriptors: 8,
};

export function drawProfile(dice: Dice): ControllerProfile {
  const shipped = dice.once(3) ? QEMU : GENERIC;
  const media = dice.once(2) ? samsung970pro.controller.timing : shipped.timing;
  const timing = dice.once(2) ? null : media;
  if (dice.once(3)) return { ...shipped, timing };
  const quirks = QUIRK_NAMES.filter(() => dice.once(2));
  const drawn: ControllerProfile = {
    ...shipped,
    quirks,
    compareAndWriteBlocks: quirks.includes('namespaceFirst') ? 0 : shipped.compareAndWriteBlocks,
    timing,
    maxQueuePairs: 1 + dice.below(64),
    doorbellStride: dice.once(4) ? 1 : 0,
    msixTable: 0x3000,
    msixPba: 0x5000,
    bar_bytes: 0x8000,
    mdts: 1 + dice.below(5),
    commandSlots: 8 + dice.below(64),
    dirty_bytes: dice.once(2) ? 65_536 : 0,
    pageMax: dice.below(5),
    strict: dice.once(2),
    ...(dice.once(2)
      ? { map: { cachedPages: dice.once(4) ? 2 : 1 }, admin: { ...shipped.admin, hostMemory } }
      : {}),
  };
  return checkProfile(drawn).length === 0 ? drawn : { ...shipped, timing };
}
