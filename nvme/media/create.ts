/** Which model of a medium a profile asks for. */
import type { Media, MediaParts } from '../media.ts';
import { NandMedia } from './nand.ts';
import type { MediaProfile } from './profile.ts';
import { UniformMedia } from './uniform.ts';

const IMMEDIATE: Media = {
  free: true,
  read: () => 0,
  write: () => 0,
  update: () => 0,
  flush: () => 0,
  discard: () => {},
  wear: () => 0,
  place: (unit) => unit,
  archive: () => {},
};

/** The model for `profile`; null: everything is ready at once. */
export function createMedia(profile: MediaProfile, parts: MediaParts): Media {
  if (profile === null) return IMMEDIATE;
  return profile.kind === 'uniform' ? new UniformMedia(profile, parts) : new NandMedia(profile, parts);
}
