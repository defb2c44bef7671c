/** Controllers to be fuzzed: the two that ship, and variations that `checkProfile` allows, at both paces. */
import { type ControllerProfile, GENERIC } from '../../nvme/profile.ts';
import { checkProfile } from '../../nvme/profile-check.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';
import type { Dice } from './dice.ts';

export function drawProfile(dice: Dice): ControllerProfile {
  const shipped = dice.once(3) ? QEMU : GENERIC;
  const timing = dice.once(2) ? null : shipped.timing;
  if (dice.once(3)) return { ...shipped, timing };
  const drawn: ControllerProfile = {
    ...shipped,
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
  };
  return checkProfile(drawn) === null ? drawn : { ...shipped, timing };
}
