/**
 * Submission entries: half of them right, the others plausible ones of every command, of which some are then damaged, and
 * the structures in host memory that they point to. Not here: what is right (right.ts), where entries go (fuzzer.ts).
 */
import { ADMIN, NVM, SQE } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { CNS } from '../../nvme/spec/identify.ts';
import { LID } from '../../nvme/spec/logs.ts';
import { baseOf, SHADOW_AREA } from './commands.ts';
import type { Dice } from './dice.ts';
import type { Ledger } from './ledger.ts';
import { dataAddress, pointPrp, pointSgl } from './pointers.ts';
import { hostMemoryCommand, rightCommand } from './right.ts';
import { DATA, PAGE, type World } from './world.ts';

const ADMIN_OPCODES = Object.values(ADMIN);
const IO_OPCODES = Object.values(NVM);
/** Commands that take much of the drive out of service: rarer than the others. */
const RARE: readonly number[] = [
  ADMIN.SANITIZE,
  ADMIN.FORMAT_NVM,
  ADMIN.DELETE_SQ,
  ADMIN.DELETE_CQ,
  ADMIN.NAMESPACE_MANAGEMENT,
  ADMIN.NAMESPACE_ATTACHMENT,
];
const USUAL_IO = [NVM.READ, NVM.WRITE, NVM.READ, NVM.WRITE, NVM.COMPARE, NVM.WRITE_ZEROES, NVM.COPY] as const;
/** Pages of the host are up to 64 KiB. */
const LARGEST_PAGE = 65_536;
/** CDW10 of Delete, Create and most features has identifiers up to here in use. */
const QUEUES = 7;

const CDW10 = SQE.CDW10 >>> 2;
const CDW11 = SQE.CDW11 >>> 2;
const CDW12 = SQE.CDW12 >>> 2;
const CDW13 = SQE.CDW13 >>> 2;

export class Entries {
  readonly #dice: Dice;
  readonly #world: World;
  readonly #ledger: Ledger;
  /** The entry being made. */
  readonly words = new Uint32Array(16);
  #cid = 0;

  constructor(dice: Dice, world: World, ledger: Ledger) {
    this.#dice = dice;
    this.#world = world;
    this.#ledger = ledger;
  }

  /** The next entry for a queue, in `words`. */
  next(qid: number): Uint32Array {
    const dice = this.#dice;
    const { words } = this;
    if (dice.once(2)) {
      rightCommand(dice, this.#world, words, qid === 0);
      return this.#named(qid);
    }
    for (let word = 2; word < 16; word++) words[word] = dice.once(200) ? dice.odd32() : 0;
    words[1] = this.#nsid();
    const opcode = this.#opcode(qid === 0);
    words[0] = opcode;
    const isSgl = qid !== 0 && dice.once(4);
    if (isSgl) {
      words[0] |= dice.once(3) ? 0x8000 : 0x4000;
      pointSgl(dice, this.#world, words);
    } else pointPrp(dice, this.#world, words);
    if (qid === 0) this.#administer(opcode);
    else this.#transfer(opcode);
    if (dice.once(10)) this.#damage();
    return this.#named(qid);
  }

  /** Gives the controller memory of the host. */
  giveMemory(): Uint32Array {
    hostMemoryCommand(this.#dice, this.#world, this.words, true);
    return this.#named(0);
  }

  /** The entry being made, with a command identifier. */
  #named(qid: number): Uint32Array {
    const { words } = this;
    words[0] = ((words[0]! & 0xffff) | (this.#nextCid(qid) << 16)) >>> 0;
    return words;
  }

  /** A Create with nothing wrong, so that there are queues to work with. */
  create(isCompletion: boolean, qid: number, area: number, entries: number, cqid: number): Uint32Array {
    const { words } = this;
    words.fill(0);
    words[0] = (isCompletion ? ADMIN.CREATE_CQ : ADMIN.CREATE_SQ) | (this.#nextCid(0) << 16);
    this.#setAddress(SQE.PRP1 >>> 2, baseOf(area));
    words[CDW10] = qid | ((entries - 1) << 16);
    words[CDW11] = isCompletion ? this.#dice.below(4) | 1 : 1 | (this.#dice.below(4) << 1) | (cqid << 16);
    return words;
  }

  #opcode(isAdmin: boolean): number {
    const dice = this.#dice;
    if (dice.once(60)) return dice.below(256);
    if (!isAdmin) return dice.once(3) ? dice.pick(IO_OPCODES) : dice.pick(USUAL_IO);
    const opcode = dice.pick(ADMIN_OPCODES);
    return RARE.includes(opcode) && !dice.once(6) ? ADMIN.IDENTIFY : opcode;
  }

  #nsid(): number {
    const dice = this.#dice;
    return dice.once(12) ? dice.pick([0, 5, 6, 255, 256, 257, 0xffff_ffff, dice.u32()]) : 1 + dice.below(4);
  }

  /** Counts up, so that it is unique in its queue; now and then one that is taken. */
  #nextCid(qid: number): number {
    this.#cid = this.#cid + 1 === 0xffff ? 0 : this.#cid + 1;
    const dice = this.#dice;
    if (!dice.once(400)) return this.#cid;
    const taken = this.#ledger.sqs.get(qid)?.pending.keys().next().value;
    return taken ?? this.#cid;
  }

  /** Flips bits or replaces words, but never those of the identifier. */
  #damage(): void {
    const dice = this.#dice;
    const flips = 1 + dice.below(3);
    for (let flip = 0; flip < flips; flip++) {
      const word = dice.below(16);
      if (dice.once(3)) this.words[word] = dice.odd32();
      else this.words[word]! ^= 1 << dice.below(32);
    }
  }

  // ---- admin --------------------------------------------------------------------------------------------------------

  #administer(opcode: number): void {
    const dice = this.#dice;
    const { words } = this;
    const needsNoNamespace = !dice.once(20);
    words[CDW10] = dice.below(16);
    words[CDW11] = dice.once(3) ? dice.odd32() : 0;
    switch (opcode) {
      case ADMIN.CREATE_CQ:
      case ADMIN.CREATE_SQ:
        this.#createQueue(opcode === ADMIN.CREATE_CQ);
        break;
      case ADMIN.DELETE_CQ:
      case ADMIN.DELETE_SQ:
        words[CDW10] = dice.below(QUEUES);
        break;
      case ADMIN.IDENTIFY:
        words[CDW10] = dice.pick(Object.values(CNS)) | (dice.below(3) << 16);
        words[CDW11] = dice.once(3) ? dice.below(4) << 24 : 0;
        return;
      case ADMIN.GET_LOG_PAGE:
        this.#getLog();
        return;
      case ADMIN.SET_FEATURES:
      case ADMIN.GET_FEATURES:
        this.#feature(opcode === ADMIN.SET_FEATURES);
        return;
      case ADMIN.ABORT:
        words[CDW10] = dice.below(QUEUES) | (Math.max(0, this.#cid - dice.below(20)) << 16);
        break;
      case ADMIN.DOORBELL_BUFFER_CONFIG:
        // Doorbells elsewhere leave the host's book without a meaning.
        if (dice.once(40)) break;
        this.#setAddress(SQE.PRP1 >>> 2, baseOf(SHADOW_AREA));
        this.#setAddress(SQE.PRP2 >>> 2, baseOf(SHADOW_AREA + 1));
        break;
      case ADMIN.NAMESPACE_MANAGEMENT:
      case ADMIN.NAMESPACE_ATTACHMENT:
      case ADMIN.FORMAT_NVM:
      case ADMIN.DEVICE_SELF_TEST:
      case ADMIN.GET_LBA_STATUS:
        words[CDW10] = dice.pick([0, 1, 2, 3, 15]);
        this.#describe(opcode);
        return;
      default:
    }
    if (needsNoNamespace) words[1] = 0;
  }

  #createQueue(isCompletion: boolean): void {
    const dice = this.#dice;
    const { words } = this;
    words[CDW10] = dice.below(QUEUES) | ((dice.once(10) ? dice.below(0x1_0000) : 1 + dice.below(40)) << 16);
    words[CDW11] = isCompletion
      ? dice.below(4) | (dice.below(70) << 16)
      : 1 | (dice.below(4) << 1) | (dice.below(QUEUES) << 16);
    const area = this.#ledger.freeArea();
    if (area >= 0) this.#setAddress(SQE.PRP1 >>> 2, baseOf(area));
  }

  #getLog(): void {
    const dice = this.#dice;
    const { words } = this;
    const dwords = dice.once(5) ? dice.below(0x8000) : dice.below(1024);
    const lid = dice.once(20) ? dice.below(256) : dice.pick(Object.values(LID));
    words[CDW10] = lid | (dice.below(3) << 8) | (dice.below(2) << 15) | (dwords << 16);
    words[CDW12] = dice.once(4) ? dice.below(600) * 4 : 0;
    if (dice.once(3)) words[1] = dice.pick([0, 0xffff_ffff]);
  }

  #feature(isSet: boolean): void {
    const dice = this.#dice;
    const { words } = this;
    const usual = dice.once(isSet ? 2 : 8) ? FID.HOST_MEMORY_BUFFER : dice.pick(Object.values(FID));
    const fid = dice.once(20) ? dice.below(256) : usual;
    words[CDW10] = fid | (isSet ? (dice.once(6) ? 0x8000_0000 : 0) : dice.below(5) << 8);
    words[CDW11] = dice.odd32();
    // A timer that fires at once would stop the controller again and again.
    if (isSet && fid === FID.KEEP_ALIVE && !dice.once(10)) words[CDW11] = 0;
    if (dice.once(2)) words[1] = 0;
    if (isSet && fid === FID.HOST_MEMORY_BUFFER) this.#giveMemory();
  }

  /** Pages that the controller may use, which commands and remapping then disturb. */
  #giveMemory(): void {
    const dice = this.#dice;
    const { words } = this;
    const list = dataAddress(dice);
    const pieces = 1 + dice.below(4);
    words[CDW11] = dice.once(12) ? dice.odd32() : dice.below(4);
    if (!dice.once(10)) words[1] = 0;
    words[CDW12] = 2 * pieces;
    words[CDW12 + 3] = pieces;
    this.#setAddress(CDW13, list);
    for (let word = 0; word < 4 * pieces; word += 4) {
      const address = DATA.BASE + LARGEST_PAGE * dice.below(16) + (dice.once(10) ? PAGE : 0);
      const image = [address, 0, dice.once(20) ? dice.odd32() : 2 + dice.below(2), 0];
      for (const [index, value] of image.entries()) this.#world.poke(list + 4 * (word + index), value);
    }
  }

  /** Data of commands that manage namespaces: sizes, formats and lists of controllers that may be right. */
  #describe(opcode: number): void {
    const dice = this.#dice;
    if (opcode === ADMIN.FORMAT_NVM || dice.once(4)) return;
    const at = dataAddress(dice);
    this.#setAddress(SQE.PRP1 >>> 2, at);
    const isList = opcode === ADMIN.NAMESPACE_ATTACHMENT;
    const blocks = dice.below(4096);
    const image = isList ? [1, dice.below(2)] : [blocks, 0, dice.once(8) ? dice.odd32() : blocks, 0];
    for (let word = 0; word < 96; word++) this.#world.poke(at + 4 * word, image[word] ?? 0);
  }

  // ---- I/O ----------------------------------------------------------------------------------------------------------

  /** Starts of zones, actions and reports that may be right. */
  #zone(opcode: number): void {
    const dice = this.#dice;
    const { words } = this;
    if (!dice.once(8)) words[CDW10] = 64 * dice.below(32);
    if (opcode === NVM.ZONE_APPEND) return;
    const isReport = opcode === NVM.ZONE_MANAGEMENT_RECEIVE;
    words[CDW12] = isReport ? 15 + dice.below(600) : 0;
    words[CDW13] = isReport
      ? dice.below(2) | (dice.below(10) << 8) | (dice.below(2) << 16)
      : dice.pick([1, 2, 3, 4, 4, 5, 0x10, 0x11]) | (dice.once(8) ? 0x100 : 0);
  }

  #transfer(opcode: number): void {
    const dice = this.#dice;
    const { words } = this;
    const blocks = 1024;
    words[CDW10] = dice.once(20) ? dice.odd32() : dice.below(blocks);
    words[CDW12] = dice.once(20) ? dice.odd32() : dice.below(dice.pick([1, 8, 8, 40]));
    if (dice.once(8)) words[CDW12]! |= 1 << (24 + dice.below(8));
    if (dice.once(6)) this.#setAddress(SQE.MPTR >>> 2, dataAddress(dice) + 4 * dice.below(1024));
    if (dice.once(12)) words[0]! |= (1 + dice.below(3)) << 8;
    if (opcode >= NVM.ZONE_MANAGEMENT_SEND) this.#zone(opcode);
    const hasList = opcode === NVM.DATASET_MANAGEMENT || opcode === NVM.COPY;
    if (opcode >= NVM.RESERVATION_REGISTER && opcode < NVM.COPY) {
      words[CDW10] = dice.below(4) | (dice.below(2) << 3) | (dice.below(7) << 8);
      words[CDW11] = dice.below(2);
    }
    if (!hasList) return;
    const ranges = 1 + dice.below(4);
    if (opcode === NVM.COPY) words[CDW12] = (ranges - 1) | (dice.once(8) ? dice.below(16) << 8 : 0);
    else {
      words[CDW10] = ranges - 1;
      words[CDW11] = 4;
    }
    const at = dataAddress(dice);
    if ((words[0]! & 0xc000) === 0) this.#setAddress(SQE.PRP1 >>> 2, at);
    for (let word = 0; word < 8 * ranges; word++)
      this.#world.poke(at + 4 * word, dice.once(3) ? dice.below(64) : 0);
  }

  #setAddress(word: number, address: number): void {
    this.words[word] = address >>> 0;
    this.words[word + 1] = Math.floor(address / 0x1_0000_0000);
  }
}
