/**
 * One episode of the controller fuzzer: a machine that one seed decides, and a host that does right and wrong things to
 * its controller in any order until it has submitted so many commands. Every episode replays alone from its seed.
 * Not here: how a host uses queues (host.ts), what must hold (world.ts, ledger.ts), many episodes (run.ts).
 */

import { CQE, SQE } from '../../nvme/spec/commands.ts';
import { AQA, CAP_CSS, CC, CSS, CSTS, DOORBELL_BASE, NSSR_MAGIC, REG } from '../../nvme/spec/registers.ts';
import { ZONE } from '../../nvme/spec/zones.ts';
import { AREA_BYTES, baseOf } from './commands.ts';
import { Dice } from './dice.ts';
import { Entries } from './entries.ts';
import { Host } from './host.ts';
import { Ledger } from './ledger.ts';
import { drawProfile } from './profiles.ts';
import { Violation } from './violation.ts';
import { type Allowed, AREA, BAR, BUFFER, DATA, READABLE, World, WRITABLE } from './world.ts';

/** Events that may be waiting at one time: a few for each slot, and the controller's own timers. */
const EVENTS_MAX = 8192;
/** Actions, on average, of an episode that can find nothing more until a reset. */
const USELESS_ACTIONS = 8;
/** Offsets that registers may have, and beyond. */
const REGISTERS = [...Object.values(REG), 0x6c, 0xffc, 0x1_0000 - 4];

export class Episode {
  readonly world: World;
  readonly ledger: Ledger;
  readonly #dice: Dice;
  readonly #host: Host;
  readonly #entries: Entries;
  readonly #givesMemory: boolean;

  constructor(seed: number) {
    this.#dice = new Dice(seed, 'host');
    const profile = drawProfile(new Dice(seed, 'profile'));
    this.world = new World(profile, seed, new Dice(seed, 'iommu'), new Dice(seed, 'peer').once(2));
    this.ledger = new Ledger(this.world);
    this.#host = new Host(this.#dice, this.world, this.ledger);
    this.#entries = new Entries(this.#dice, this.world, this.ledger);
    this.#givesMemory = this.#dice.once(2);
    if (this.#dice.once(3)) this.world.trace.listen(() => {});
  }

  /** Throws Violation, or whatever the controller throws. */
  run(commands: number): void {
    while (this.ledger.submitted < commands) {
      if (this.#host.isEnabled) this.#act();
      else this.#enable();
      if (this.world.clock.pending > EVENTS_MAX)
        throw new Violation('memory', `${this.world.clock.pending} events are waiting`);
    }
    this.#host.quiesce();
    this.world.checkMemory();
  }

  #act(): void {
    const dice = this.#dice;
    this.world.remapper.step();
    if (dice.once(USELESS_ACTIONS) && (this.ledger.isClosed || this.#host.isStuck())) return this.#reset();
    const kind = dice.below(1000);
    if (kind < 580) this.#submit();
    else if (kind < 840) this.#host.reap();
    else if (kind < 910) this.#host.steps(dice.below(40));
    else if (kind < 918) this.#wildDoorbell();
    else if (kind < 935) this.#wildRegister();
    else if (kind < 960) this.#remap();
    else if (kind < 965) this.#condition();
    else if (kind < 970) this.#disturb();
    else if (kind < 975) this.#host.quiesce();
    else if (kind < 977) this.#reset();
  }

  // ---- life of the controller -----------------------------------------------------------------------------------------

  #enable(): void {
    const { world, ledger } = this;
    const dice = this.#dice;
    ledger.clear();
    const sqEntries = 2 + dice.below(62);
    const cqEntries = 2 + dice.below(62);
    world.write32(
      REG.AQA,
      dice.once(30) ? dice.odd32() : AQA.encode({ ASQS: sqEntries - 1, ACQS: cqEntries - 1 }),
    );
    this.#writeBase(REG.ASQ, baseOf(0));
    this.#writeBase(REG.ACQ, baseOf(1));
    const asked = AQA.decode(world.read32(REG.AQA));
    if (asked.ASQS >= AREA_BYTES / SQE.SIZE || asked.ACQS >= AREA_BYTES / CQE.SIZE) world.write32(REG.AQA, 0);
    const sizes = AQA.decode(world.read32(REG.AQA));
    const { pageMin, pageMax, weightedArbitration, commandSets } = world.controller.profile;
    const MPS = pageMin + dice.below(pageMax - pageMin + 1);
    const AMS = weightedArbitration && dice.once(2) ? 1 : 0;
    const hasSets = (commandSets & CAP_CSS.IO_COMMAND_SETS) !== 0;
    const CRIME = dice.once(4) ? 1 : 0;
    const cc = CC.encode({
      EN: 1,
      IOSQES: 6,
      IOCQES: 4,
      MPS,
      AMS,
      CRIME,
      CSS: hasSets && !dice.once(4) ? CSS.ALL : CSS.NVM,
    });
    world.isQuiet = false;
    world.write32(REG.CC, dice.once(30) ? (dice.u32() | 1) >>> 0 : cc);
    ledger.addSubmission(0, 0, sizes.ASQS + 1, 0);
    ledger.addCompletion(0, 1, sizes.ACQS + 1);
    for (let step = 0; step < 100 && CSTS.RDY.get(world.read32(REG.CSTS)) === 0; step++) this.#host.steps(1);
    this.#host.isEnabled = true;
    if (this.#host.isStuck()) return this.#reset();
    if (dice.once(2)) world.write32(REG.CMBMSC, BUFFER | 3);
    for (let qid = 1; qid <= 3; qid++) this.#create(true, qid);
    for (let qid = 1; qid <= 4; qid++) this.#create(false, qid);
    if (this.#givesMemory) this.#administer(() => this.#entries.giveMemory());
  }

  #writeBase(register: number, base: number): void {
    this.world.write32(register, this.#dice.once(60) ? this.#dice.u32() : base >>> 0);
    this.world.write32(register + 4, Math.floor(base / 0x1_0000_0000));
    // A queue elsewhere would never be seen to work; one that is not aligned makes the controller fail.
    if (this.world.read32(register) !== base >>> 0) this.ledger.close();
  }

  #create(isCompletion: boolean, qid: number): void {
    const area = this.ledger.freeArea();
    if (area < 0) return;
    const dice = this.#dice;
    this.#administer(() =>
      this.#entries.create(isCompletion, qid, area, 2 + dice.below(30), 1 + dice.below(3)),
    );
  }

  /** Has one admin command done before anything else. */
  #administer(make: () => Uint32Array): void {
    const admin = this.ledger.sqs.get(0)!;
    if (this.ledger.room(admin) === 0) return;
    this.#host.post(admin, make());
    this.#host.ring(admin);
    this.#host.steps(200);
    this.#host.reapAll();
  }

  #reset(): void {
    const { world } = this;
    const dice = this.#dice;
    const kind = dice.below(8);
    if (kind < 4) world.write32(REG.CC, world.read32(REG.CC) & ~CC.EN.mask);
    else if (kind === 4) world.functionLevelReset();
    else if (kind === 5) world.controller.reset();
    else if (kind === 6) world.controller.powerCut();
    else world.write32(REG.NSSR, NSSR_MAGIC);
    if (kind > 3) world.configure();
    if (!this.#followReset()) return;
    this.#host.steps(dice.below(20));
    if (dice.once(12)) world.checkMemory();
  }

  /** Whether the controller is disabled now; then it may not touch memory any more. */
  #followReset(): boolean {
    const { world } = this;
    const isDisabled = CC.EN.get(world.read32(REG.CC)) === 0;
    if (!isDisabled) return false;
    this.#host.isEnabled = false;
    world.isQuiet = true;
    this.ledger.clear();
    return true;
  }

  // ---- commands -----------------------------------------------------------------------------------------------------

  #submit(): void {
    const dice = this.#dice;
    const queues = [...this.ledger.sqs.values()];
    const queue = dice.once(4) ? queues[0]! : dice.pick(queues);
    const room = this.ledger.room(queue);
    let entries = Math.min(room, 1 + dice.below(dice.once(4) ? 32 : 4));
    while (entries-- > 0) this.#host.post(queue, this.#entries.next(queue.qid));
    this.#host.ring(queue);
  }

  // ---- wrong things -------------------------------------------------------------------------------------------------

  /** Any value in any doorbell. Where it cannot be known what the controller makes of it, the book is closed. */
  #wildDoorbell(): void {
    const dice = this.#dice;
    const { ledger } = this;
    const qid = dice.once(4) ? dice.below(80) : dice.below(6);
    const isCompletion = dice.once(2);
    const value = dice.once(3) ? dice.odd32() & 0xffff : dice.below(64);
    const isUnknowable = isCompletion ? this.#isWildHead(qid, value) : this.#isWildTail(qid, value);
    const hasPaused = isUnknowable && this.#host.pause();
    if (isUnknowable && !hasPaused) ledger.close();
    const cq = ledger.cqs.get(qid);
    const sq = ledger.sqs.get(qid);
    if (!isCompletion && sq !== undefined && value < sq.size) ledger.submit(sq, value);
    const isRelease = isCompletion && cq !== undefined && value < cq.size && !this.#isWildHead(qid, value);
    if (isRelease) cq.released += (value - (cq.released % cq.size) + cq.size) % cq.size;
    this.#host.doorbell(qid, isCompletion, value);
    ledger.observe();
    if (!hasPaused) return;
    // A shadow doorbell must not keep a value that becomes right later.
    this.#host.quiesce();
    if (cq !== undefined && ledger.cqs.get(qid) === cq) this.#host.doorbell(qid, true, cq.released % cq.size);
  }

  /** Whether the head of a completion queue, or of one that may be there soon, passes what the host has seen. */
  #isWildHead(qid: number, value: number): boolean {
    const cq = this.ledger.cqs.get(qid);
    if (cq === undefined) return this.ledger.isCreating(qid);
    const count = (value - (cq.released % cq.size) + cq.size) % cq.size;
    return value < cq.size && count > cq.seen - cq.released;
  }

  /** Whether entries that the controller has not fetched change their number, maybe in a queue that is there soon. */
  #isWildTail(qid: number, value: number): boolean {
    const sq = this.ledger.sqs.get(qid);
    return sq === undefined ? this.ledger.isCreating(qid) : value < sq.size && sq.count > 0;
  }

  /** Any value in any register, in any width. */
  #wildRegister(): void {
    const dice = this.#dice;
    const { world } = this;
    const offset = dice.once(3) ? 0x2000 + dice.below(0x800) * 4 : dice.pick(REGISTERS);
    const value = dice.odd32();
    if (offset >= DOORBELL_BASE && offset < 0x2000) return;
    const width = dice.pick([1, 2, 4, 4, 4, 4] as const);
    if (width === 4) world.write32(offset, value);
    else world.rc.writePart(BAR + offset, width, value & (width === 1 ? 0xff : 0xffff));
    world.read32(offset & ~3);
    this.#followReset();
    this.ledger.observe();
  }

  /** Maps a data page anew, most of the time for everything; rarely takes the memory of a queue away. */
  #remap(): void {
    const dice = this.#dice;
    if (dice.once(40)) this.world.lose(dice.below(AREA.COUNT));
    const allowed: Allowed = dice.once(2) ? 3 : dice.pick([0, READABLE, WRITABLE] as const);
    this.world.allow(dice.below(DATA.PAGES), allowed);
  }

  /** The host of the drive's other controller does something, which may reset all of it. */
  #disturb(): void {
    const { world } = this;
    if (world.peer === null) return;
    world.peer.act(this.#dice);
    world.configure();
    this.#followReset();
    this.ledger.observe();
  }

  /** A zone becomes read-only or offline. */
  #wearOut(): void {
    const zones = this.world.controller.namespace(4)?.zones ?? null;
    if (zones === null) return;
    zones.degrade(this.#dice.below(zones.count), this.#dice.pick([ZONE.READ_ONLY, ZONE.OFFLINE] as const));
  }

  /** What happens to a drive without its host: wear, heat, and losing the way to memory for a while. */
  #condition(): void {
    const dice = this.#dice;
    const { health } = this.world.controller;
    const kind = dice.below(8);
    if (kind === 0) this.#wearOut();
    else if (kind < 4) health.condition.temperature_K = 300 + dice.below(80);
    else if (kind < 7) health.condition.spare_percent = dice.below(101);
    else this.world.master(false);
    this.#host.steps(dice.below(8));
    this.world.master(true);
    this.ledger.observe();
  }
}
