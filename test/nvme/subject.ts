/** A controller of `generic` with a change: what tests of personalities and quirks ask. */
import { expect } from 'vitest';
import type { ControllerProfile } from '../../nvme/profile.ts';
import { checkProfile } from '../../nvme/profile-check.ts';
import { ADMIN } from '../../nvme/spec/commands.ts';
import type { Completion, Entry } from './entry.ts';
import { FUNCTIONAL, Harness, PAGE } from './harness.ts';

const NUMD = ((PAGE / 4 - 1) << 16) >>> 0;

/** Enabled, with one I/O queue pair and two pages that commands use unless they name others. */
export class Subject extends Harness {
  readonly buffer: number;

  constructor(change: Partial<ControllerProfile>) {
    // Resets are quick with few slots.
    const profile = { ...FUNCTIONAL, commandSlots: 16, ...change };
    expect(checkProfile(profile)).toEqual([]);
    super({ profile });
    this.enable();
    this.createCq(1, 8);
    this.createSq(1, 8, 1);
    this.buffer = this.allocate(2);
  }

  /** One command with the buffer as its data. Null while the controller keeps it. */
  try(queue: number, entry: Entry): Completion | null {
    this.post(queue, { prp1: this.buffer, prp2: this.buffer + PAGE, ...entry });
    this.ring(queue);
    return this.reap(queue);
  }

  ask(queue: number, entry: Entry): Completion {
    return this.try(queue, entry)!;
  }

  admin(entry: Entry): number {
    return this.ask(0, entry).status;
  }

  /** Status of a command on block 0 of namespace 1, unless it names others. */
  io(entry: Entry): number {
    return this.ask(1, { nsid: 1, ...entry }).status;
  }

  /** Puts an Identify structure into the buffer. Returns its status. */
  identify(cns: number, entry: Partial<Entry> = {}): number {
    return this.admin({ opcode: ADMIN.IDENTIFY, cdw10: cns, ...entry });
  }

  /** Puts a log page into the buffer. Returns its status. */
  log(lid: number, entry: Partial<Entry> = {}): number {
    return this.admin({ opcode: ADMIN.GET_LOG_PAGE, cdw10: (lid | NUMD) >>> 0, ...entry });
  }

  setFeature(fid: number, cdw11: number): Completion {
    return this.ask(0, { opcode: ADMIN.SET_FEATURES, cdw10: fid, cdw11 });
  }

  /** DW0 of Get Features. */
  feature(fid: number, select = 0): number {
    return this.ask(0, { opcode: ADMIN.GET_FEATURES, cdw10: fid | (select << 8) }).dw0;
  }

  /** Puts words at the begin of the buffer. */
  put(...words: readonly number[]): void {
    this.memory.u32.set(words, this.buffer >>> 2);
  }

  byte(offset: number): number {
    return this.memory.u8[this.buffer + offset]!;
  }

  dword(offset: number): number {
    return this.memory.u32[(this.buffer + offset) >>> 2]!;
  }
}
