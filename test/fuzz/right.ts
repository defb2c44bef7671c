/**
 * Commands of the fuzzer's host with nothing wrong in them: they succeed unless something else has happened to the
 * drive, its namespaces or the memory that they name. Not here: everything else (entries.ts).
 */
import { ADMIN, NVM, SQE } from '../../nvme/spec/commands.ts';
import { FID, HOST_MEMORY_BUFFER } from '../../nvme/spec/features.ts';
import { CNS } from '../../nvme/spec/identify.ts';
import { LID } from '../../nvme/spec/logs.ts';
import type { Dice } from './dice.ts';
import { dataAddress } from './pointers.ts';
import { DATA, PAGE, type World } from './world.ts';

const PRP1 = SQE.PRP1 >>> 2;
const CDW10 = SQE.CDW10 >>> 2;
const CDW11 = SQE.CDW11 >>> 2;
const CDW12 = SQE.CDW12 >>> 2;
const CDW13 = SQE.CDW13 >>> 2;
const CDW15 = SQE.CDW15 >>> 2;
const USUAL = [NVM.READ, NVM.READ, NVM.WRITE, NVM.WRITE, NVM.WRITE_ZEROES, NVM.FLUSH, NVM.DATASET_MANAGEMENT];
const ADMIN_USUAL = [ADMIN.IDENTIFY, ADMIN.GET_LOG_PAGE, ADMIN.GET_FEATURES, ADMIN.SET_FEATURES] as const;
const READABLE_FEATURES = [
  FID.ARBITRATION,
  FID.POWER_MANAGEMENT,
  FID.TEMPERATURE_THRESHOLD,
  FID.NUMBER_OF_QUEUES,
  FID.INTERRUPT_COALESCING,
  FID.ASYNC_EVENT,
] as const;
/** Blocks that both plain namespaces have. */
const BLOCKS = 500;
const BROADCAST = 0xffff_ffff;
/** Pages of the host are up to 64 KiB; a piece of the host memory buffer is two of them. */
const PIECE_BYTES = 131_072;
const PIECES = (DATA.PAGES * PAGE) / PIECE_BYTES;

/** Fills in `words` all but the command identifier. */
export function rightCommand(dice: Dice, world: World, words: Uint32Array, isAdmin: boolean): void {
  words.fill(0);
  if (isAdmin) administer(dice, world, words);
  else transfer(dice, world, words);
}

function transfer(dice: Dice, world: World, words: Uint32Array): void {
  const nsid = 1 + dice.below(2);
  const opcode = dice.pick(USUAL);
  words[0] = opcode;
  words[1] = nsid;
  if (opcode === NVM.FLUSH) return;
  const address = dataAddress(dice);
  words[PRP1] = address;
  if (opcode === NVM.DATASET_MANAGEMENT) {
    words[CDW11] = 4;
    for (const [index, value] of [0, 1 + dice.below(8), dice.below(BLOCKS), 0].entries())
      world.poke(address + 4 * index, value);
    return;
  }
  words[CDW10] = dice.below(BLOCKS);
  // One page: eight blocks of the first namespace, one of the second.
  words[CDW12] = nsid === 1 ? dice.below(8) : 0;
}

function administer(dice: Dice, world: World, words: Uint32Array): void {
  if (world.controller.profile.map !== undefined && dice.once(4))
    return hostMemoryCommand(dice, world, words, dice.once(2));
  const opcode = dice.pick(ADMIN_USUAL);
  words[0] = opcode;
  words[PRP1] = dataAddress(dice);
  switch (opcode) {
    case ADMIN.IDENTIFY:
      words[CDW10] = dice.pick([CNS.NAMESPACE, CNS.CONTROLLER]);
      words[1] = words[CDW10] === CNS.NAMESPACE ? 1 + dice.below(2) : 0;
      return;
    case ADMIN.GET_LOG_PAGE:
      words[1] = BROADCAST;
      words[CDW10] = dice.pick([LID.ERROR, LID.SMART, LID.FIRMWARE_SLOT]) | (127 << 16);
      return;
    case ADMIN.GET_FEATURES:
      words[CDW10] = dice.pick(READABLE_FEATURES);
      return;
    default:
      setFeature(dice, world, words);
  }
}

function setFeature(dice: Dice, world: World, words: Uint32Array): void {
  const states = world.controller.profile.power?.states.length ?? 1;
  const [fid, value] = dice.pick([
    [FID.POWER_MANAGEMENT, dice.below(states)],
    [FID.TEMPERATURE_THRESHOLD, 290 + dice.below(60)],
    [FID.ASYNC_EVENT, dice.below(4)],
    [FID.ARBITRATION, dice.below(8)],
  ] as const);
  words[CDW10] = fid;
  words[CDW11] = value;
}

/** Gives the controller one or two pieces of host memory, or takes them back. */
export function hostMemoryCommand(dice: Dice, world: World, words: Uint32Array, isGiven: boolean): void {
  words.fill(0);
  words[0] = ADMIN.SET_FEATURES;
  words[CDW10] = FID.HOST_MEMORY_BUFFER;
  if (!isGiven) return;
  words[CDW11] = HOST_MEMORY_BUFFER.encode({ EHM: 1, MR: dice.below(2) });
  const count = 1 + dice.below(2);
  const list = dataAddress(dice);
  const first = dice.below(PIECES - 1);
  for (let index = 0; index < count; index++) {
    const piece = [DATA.BASE + (first + index) * PIECE_BYTES, 0, 2, 0];
    for (const [word, value] of piece.entries()) world.poke(list + 16 * index + 4 * word, value);
  }
  words[CDW12] = 2 * count;
  words[CDW13] = list;
  words[CDW15] = count;
}
