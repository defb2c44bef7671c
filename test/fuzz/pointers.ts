/**
 * Data pointers of entries and what they lead to: PRP lists and SGL segments in host memory, of any length, chained,
 * with loops, with holes, with garbage. Not here: the rest of the entry (entries.ts).
 */
import { SGL_TYPE, SQE } from '../../nvme/spec/commands.ts';
import type { Dice } from './dice.ts';
import { BUFFER, DATA, PAGE, type World } from './world.ts';

const PRP1 = SQE.PRP1 >>> 2;
const PRP2 = SQE.PRP2 >>> 2;
const LIST_ENTRIES = PAGE / 8;
const DESCRIPTORS = 24;

/** The address of a data page. */
export const dataAddress = (dice: Dice): number => DATA.BASE + dice.below(DATA.PAGES) * PAGE;

/** An address that data may have: mostly a page, sometimes inside one, rarely nonsense. */
function anyAddress(dice: Dice): number {
  const kind = dice.below(40);
  if (kind === 0) return dice.u32() * 2 ** dice.below(22);
  if (kind === 1) return dice.pick([0, 0xfee0_0000, 0xfee0_0ffc, 0xfe80_1000, 2 ** 52, DATA.BASE - PAGE]);
  if (kind < 6) return dataAddress(dice) + 4 * dice.below(PAGE / 4);
  if (kind === 6) return dataAddress(dice) + dice.below(PAGE);
  if (kind === 7) return BUFFER + dice.below(512) * PAGE;
  return dataAddress(dice);
}

function set(words: Uint32Array, at: number, address: number): void {
  words[at] = address >>> 0;
  words[at + 1] = Math.floor(address / 0x1_0000_0000);
}

/** PRP1 and PRP2; half of the time PRP2 names a list that was just written. */
export function pointPrp(dice: Dice, world: World, words: Uint32Array): void {
  set(words, PRP1, anyAddress(dice));
  if (dice.once(2)) {
    set(words, PRP2, anyAddress(dice));
    return;
  }
  const list = dataAddress(dice);
  const first = dice.once(3) ? LIST_ENTRIES - 1 - dice.below(8) : 0;
  writePrpList(dice, world, list, first);
  set(words, PRP2, list + 8 * first);
}

/** Entries up to the end of the page; the last one may chain to another list, or to this one. */
function writePrpList(dice: Dice, world: World, list: number, first: number): void {
  const end = Math.min(LIST_ENTRIES, first + 20);
  for (let index = first; index < end; index++) pokeAddress(world, list + 8 * index, anyAddress(dice));
  if (first > 0) pokeAddress(world, list + PAGE - 8, dice.once(2) ? list : dataAddress(dice));
}

/** SGL1: a data block, or a segment that was just written. */
export function pointSgl(dice: Dice, world: World, words: Uint32Array): void {
  const address = anyAddress(dice);
  set(words, PRP1, address);
  if (dice.once(2)) {
    words[PRP2] = lengthOfData(dice);
    words[PRP2 + 1] = typeOf(dice, SGL_TYPE.DATA_BLOCK);
    return;
  }
  const segment = dataAddress(dice) + 16 * dice.below(8);
  const count = 1 + dice.below(DESCRIPTORS);
  set(words, PRP1, segment);
  words[PRP2] = dice.once(10) ? dice.odd32() : 16 * count;
  words[PRP2 + 1] = typeOf(dice, dice.once(2) ? SGL_TYPE.LAST_SEGMENT : SGL_TYPE.SEGMENT);
  for (let index = 0; index < count - 1; index++) writeData(dice, world, segment + 16 * index);
  const last = segment + 16 * (count - 1);
  if (dice.once(3)) writeData(dice, world, last);
  else writeLink(dice, world, last, segment, count);
}

function writeData(dice: Dice, world: World, at: number): void {
  pokeAddress(world, at, anyAddress(dice));
  world.poke(at + 8, lengthOfData(dice));
  world.poke(at + 12, typeOf(dice, dice.once(6) ? SGL_TYPE.BIT_BUCKET : SGL_TYPE.DATA_BLOCK));
}

/** A descriptor of the next segment: this very one, or one anywhere. */
function writeLink(dice: Dice, world: World, at: number, segment: number, count: number): void {
  pokeAddress(world, at, dice.once(2) ? segment : anyAddress(dice));
  world.poke(at + 8, dice.once(8) ? dice.odd32() : 16 * count);
  world.poke(at + 12, typeOf(dice, dice.pick([SGL_TYPE.SEGMENT, SGL_TYPE.LAST_SEGMENT])));
}

const lengthOfData = (dice: Dice): number =>
  dice.once(20) ? dice.odd32() : dice.once(6) ? 0 : 512 * (1 + dice.below(8));

/** The last dword of a descriptor: its type in the top bits. */
const typeOf = (dice: Dice, type: number): number => (dice.once(40) ? dice.u32() : (type << 28) >>> 0);

function pokeAddress(world: World, at: number, address: number): void {
  world.poke(at, address >>> 0);
  world.poke(at + 4, Math.floor(address / 0x1_0000_0000));
}
