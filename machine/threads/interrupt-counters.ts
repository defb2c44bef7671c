/**
 * Message-signalled interrupts from hardware threads to a CPU thread: a counter for every vector, one bit for every
 * counter that is not 0, one bit for every 16 words of those. Counters never overflow a queue and never lose a count.
 * Not here: handlers of vectors (machine/interrupts.ts), who wakes whom (cpu-inbox.ts, hardware-loop.ts).
 */
import { type MessageTarget, MSI_BASE } from '../interrupts.ts';
import { INBOX, VECTORS } from './window.ts';

/** Words of a group's summary. */
const GROUP_WORDS = 16;
/** A vector's group: 512 vectors each. */
const GROUP_SHIFT = 9;

/** The hardware's end: a message has arrived at a CPU. */
export function countMessage(inbox: Int32Array, address: number, data: number): void {
  const vector = (((address >>> 12) << 8) | (data & 0xff)) & (VECTORS - 1);
  // Whoever finds the counter at 0 sets the bits; until they are taken, further messages only count.
  if (Atomics.add(inbox, INBOX.COUNTERS + vector, 1) !== 0) return;
  Atomics.or(inbox, INBOX.SUMMARY + (vector >>> 5), 1 << (vector & 31));
  Atomics.or(inbox, INBOX.ARRIVED, 1 << (vector >>> GROUP_SHIFT));
}

/** The CPU's end: hands every message that has arrived to `target`. Returns false when there was none. */
export function collectMessages(inbox: Int32Array, target: MessageTarget): boolean {
  if (Atomics.load(inbox, INBOX.ARRIVED) === 0) return false;
  let groups = Atomics.exchange(inbox, INBOX.ARRIVED, 0);
  for (; groups !== 0; groups &= groups - 1) {
    const first = (31 - Math.clz32(groups & -groups)) * GROUP_WORDS;
    for (let word = first; word < first + GROUP_WORDS; word++) collectWord(inbox, word, target);
  }
  return true;
}

function collectWord(inbox: Int32Array, word: number, target: MessageTarget): void {
  if (Atomics.load(inbox, INBOX.SUMMARY + word) === 0) return;
  let bits = Atomics.exchange(inbox, INBOX.SUMMARY + word, 0);
  for (; bits !== 0; bits &= bits - 1) {
    const vector = word * 32 + 31 - Math.clz32(bits & -bits);
    const address = (MSI_BASE | ((vector >>> 8) << 12)) >>> 0;
    for (let count = Atomics.exchange(inbox, INBOX.COUNTERS + vector, 0); count > 0; count--) {
      target.deliver(address, vector & 0xff);
    }
  }
}
