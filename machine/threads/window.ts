/**
 * The words that threads share besides RAM (docs/threads.md). A window is between the CPU's thread and one hardware
 * thread: a ring of requests in one direction, one answer in the other, and which end sleeps until the other has done
 * something. The inbox is the CPU's, and every hardware thread writes to it: counters of interrupts, and whether the CPU
 * sleeps until one arrives.
 * Not here: the ends (cpu-port.ts, cpu-inbox.ts, hardware-loop.ts, interrupt-counters.ts).
 */

/** Requests that may be under way, a power of two: the credits of the CPU. */
export const REQUESTS = 1024;
/** Words of one request. SEQUENCE is stored last, atomically: it publishes the others. */
export const REQUEST = { WORDS: 4, SEQUENCE: 0, KIND: 1, ADDRESS: 2, VALUE: 3 } as const;

/** What a request asks for. Those up to LAST_POSTED have no answer, as posted writes of PCIe have none. */
export const KIND = {
  WRITE32: 1,
  WRITE16: 2,
  WRITE8: 3,
  LAST_POSTED: 3,
  READ32: 4,
  READ16: 5,
  READ8: 6,
  /** Plus the size in bytes; the address is bus << 20 | devfn << 12 | offset. */
  CONFIG_READ: 16,
  CONFIG_WRITE: 24,
  /** Lets `value` nanoseconds pass at once. */
  ADVANCE: 32,
  /** A question of the board's; the answer is the length of the text that it left. */
  ASK: 33,
  /** The thread ends. */
  HALT: 34,
} as const;

/** What has become of the hardware thread. */
export const STATE = { STARTING: 0, RUNNING: 1, ENDED: 2, DIED: 3 } as const;

/** By cpu << 8 | vector, as many as machine/interrupts.ts has. */
export const VECTORS = 64 << 8;
/** Longest text, in UTF-16 code units, one per word. */
export const TEXT_MAX = 32_768;

/** Words of a window by their meaning. What one side stores lies 256 bytes from what the other stores. */
export const WORD = {
  /** Requests that the hardware has taken, told now and then. */
  TAKEN: 0,
  /** Sequence of the last request that was answered, and the answer. */
  ANSWERED: 64,
  ANSWER: 65,
  HARDWARE_SLEEP: 128,
  /** While the hardware sleeps with nothing scheduled: the sequence of the last request it has taken; else 0. */
  SILENT: 192,
  STATE: 256,
  TEXT_LENGTH: 257,
  /** The CPU sleeps until this thread answers, makes room, or changes its state. */
  CPU_SLEEP: 320,
  REQUESTS: 384,
  TEXT: 384 + REQUESTS * REQUEST.WORDS,
} as const;

/** Words of the inbox. */
export const INBOX = {
  /** The CPU sleeps until an interrupt arrives from any thread. */
  CPU_SLEEP: 0,
  /** One bit for every 512 vectors with counters that are not 0. */
  ARRIVED: 64,
  COUNTERS: 128,
  SUMMARY: 128 + VECTORS,
} as const;

const WINDOW_WORDS = WORD.TEXT + TEXT_MAX;
const INBOX_WORDS = INBOX.SUMMARY + VECTORS / 32;

const sharedWords = (count: number): Int32Array =>
  new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));

/** A window that no thread has used yet. */
export const makeWindow = (): Int32Array => sharedWords(WINDOW_WORDS);

/** An inbox without interrupts. */
export const makeInbox = (): Int32Array => sharedWords(INBOX_WORDS);

/** Leaves a text for the other side; whoever stores something atomically afterwards publishes it. */
export function writeText(window: Int32Array, text: string): number {
  const length = Math.min(text.length, TEXT_MAX);
  for (let index = 0; index < length; index++) window[WORD.TEXT + index] = text.charCodeAt(index);
  window[WORD.TEXT_LENGTH] = length;
  return length;
}

/** The text that the other side has left. */
export function readText(window: Int32Array): string {
  const units = window.subarray(WORD.TEXT, WORD.TEXT + window[WORD.TEXT_LENGTH]!);
  return Array.from(units, (unit) => String.fromCharCode(unit)).join('');
}
