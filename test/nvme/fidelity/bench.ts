/**
 * A drive to try everything on: a plain namespace, one with zones, and room for a third. What a probe leaves behind is
 * gone with the next `begin`, but for the medium.
 */
import type { ControllerProfile } from '../../../nvme/profile.ts';
import { ADMIN, GET_FEATURES_CDW10 } from '../../../nvme/spec/commands.ts';
import { STATUS } from '../../../nvme/spec/status.ts';
import type { Completion, Entry } from '../entry.ts';
import { PAGE } from '../harness.ts';
import { IoRig } from '../io-rig.ts';

/** What comes of using something; docs/fidelity.md says what each means. */
export type Verdict = 'modelled' | 'fixed' | 'inert' | 'refused' | 'absent';

export const BROADCAST = 0xffff_ffff;
/** What a buffer holds before a command: whatever is not this has arrived. */
const EMPTY = 0xee;
const MIB = 1024 ** 2;

export class Bench extends IoRig {
  /** Two pages that commands use unless they name others. */
  readonly buffer: number;

  constructor(profile: ControllerProfile) {
    super({
      // Resets are quick with few slots.
      profile: { ...profile, commandSlots: 16 },
      namespaces: [
        { nsid: 1, bytes: 8 * MIB, block_bytes: 512 },
        { nsid: 2, bytes: MIB, block_bytes: 512, zones: { zone: 131_072 } },
      ],
      capacity_bytes: 11 * MIB,
    });
    this.buffer = this.allocate(2);
  }

  /** A controller that was just enabled, with one I/O queue pair, and an empty buffer. */
  begin(): void {
    this.disable();
    this.start();
    this.clear();
  }

  clear(): void {
    this.memory.fill(this.buffer, EMPTY, 2 * PAGE);
  }

  /** One command with the buffer as its data. Null while the controller keeps it. */
  ask(queue: number, entry: Entry): Completion | null {
    this.post(queue, { prp1: this.buffer, prp2: this.buffer + PAGE, ...entry });
    this.ring(queue);
    return this.reap(queue);
  }

  admin(entry: Entry): number | null {
    return this.ask(0, entry)?.status ?? null;
  }

  /** Whether an admin command succeeds. */
  does(entry: Entry): boolean {
    return this.admin(entry) === STATUS.SUCCESS;
  }

  /** Whether an I/O command succeeds, on namespace 1 unless it names another. */
  doesIo(entry: Entry): boolean {
    return this.ask(1, { nsid: 1, ...entry })?.status === STATUS.SUCCESS;
  }

  /** Puts words at the begin of the buffer. */
  put(...words: readonly number[]): void {
    this.memory.u32.set(words, this.buffer >>> 2);
  }

  word(offset: number): number {
    return this.memory.u32[(this.buffer + offset) >>> 2]!;
  }

  byte(offset: number): number {
    return this.memory.u8[this.buffer + offset]!;
  }

  /** Bytes of the buffer up to `length` that a command has written and that are not 0. */
  received(length: number): { readonly isWritten: boolean; readonly isBlank: boolean } {
    const bytes = this.bytes(this.buffer, length);
    return {
      isWritten: bytes.some((byte) => byte !== EMPTY),
      isBlank: bytes.every((byte) => byte === 0 || byte === EMPTY),
    };
  }

  /** DW0 of Get Features, or null when it is refused. */
  feature(fid: number, entry: Partial<Entry> & { readonly select?: number } = {}): number | null {
    const { select = 0, ...rest } = entry;
    const cdw10 = GET_FEATURES_CDW10.encode({ FID: fid, SEL: select });
    const completion = this.ask(0, { opcode: ADMIN.GET_FEATURES, cdw10, ...rest });
    return completion?.status === STATUS.SUCCESS ? completion.dw0 : null;
  }
}
