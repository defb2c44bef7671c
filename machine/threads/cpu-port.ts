/**
 * The CPU's end of a window: sends requests to a hardware thread, waits for answers. Waiting is spinning, then sleeping,
 * and it has a bound: when the other thread has died or says nothing, HardwareThreadError.
 * Not here: what requests mean (remote-pci.ts), the other end (hardware-loop.ts), interrupts (cpu-inbox.ts).
 */
import type { CpuInbox } from './cpu-inbox.ts';
import { SleepFlag } from './sleep-flag.ts';
import { KIND, REQUEST, REQUESTS, readText, STATE, WORD } from './window.ts';

/** A hardware thread has died, hangs, or was switched off; the message says which. */
export class HardwareThreadError extends Error {
  override readonly name = 'HardwareThreadError';
}

/** Looks before sleeping: some 100 µs. Shorter ones fell asleep by accident when they were tried. */
const SPINS = 20_000;
/** Sleeps are cut into pieces, so that a thread that died without a word is noticed. */
const SLICE_MS = 50;
const DEFAULT_TIMEOUT_MS = 10_000;
/** A thread that starts loads its code first. */
const START_TIMEOUT_MS = 60_000;
// File constants fold; imported bindings do not.
const { REQUESTS: RING, ANSWERED, ANSWER, TAKEN } = WORD;
const { WORDS, KIND: KIND_WORD, ADDRESS, VALUE } = REQUEST;
const MASK = REQUESTS - 1;

export class CpuPort {
  readonly window: Int32Array;
  private readonly inbox: CpuInbox;
  private readonly hardware: SleepFlag;
  private readonly sleeping: SleepFlag;
  /** The thread as messages name it. */
  private readonly name: string;
  private readonly timeout_ms: number;
  /** Sequence of the last request, and the last one that there is room for. */
  #sent = 0;
  #room = REQUESTS;
  #silentAt = 0;
  #failure = '';

  /** `timeout_ms`: how long the thread `name` may take to start, to answer, or to make room; 10 s when absent. */
  constructor(window: Int32Array, inbox: CpuInbox, name: string, timeout_ms = DEFAULT_TIMEOUT_MS) {
    this.window = window;
    this.inbox = inbox;
    this.name = name;
    this.timeout_ms = timeout_ms;
    this.hardware = new SleepFlag(window, WORD.HARDWARE_SLEEP);
    this.sleeping = new SleepFlag(window, WORD.CPU_SLEEP);
  }

  /** Waits until the hardware thread runs. Throws HardwareThreadError with its reason when it cannot start. */
  start(): void {
    const isStarted = () => Atomics.load(this.window, WORD.STATE) !== STATE.STARTING;
    this.#await(isStarted, 'started', Math.max(START_TIMEOUT_MS, this.timeout_ms));
    this.check();
  }

  /** Sends a request and returns its sequence number. The request is on its way when the call returns. */
  send(kind: number, address: number, value: number): number {
    const sequence = (this.#sent + 1) | 0;
    if (((this.#room - sequence) | 0) < 0) this.#makeRoom(sequence);
    const { window } = this;
    const at = RING + (sequence & MASK) * WORDS;
    window[at + KIND_WORD] = kind;
    window[at + ADDRESS] = address;
    window[at + VALUE] = value;
    this.#sent = sequence;
    this.inbox.pauses = 0;
    Atomics.store(window, at, sequence);
    this.hardware.wake();
    return sequence;
  }

  /** Sends a request and waits for its answer, a 32-bit integer. Throws HardwareThreadError. */
  call(kind: number, address: number, value: number): number {
    this.check();
    const { window } = this;
    const sequence = this.send(kind, address, value);
    for (let spins = 0; spins < SPINS; spins++) {
      if (Atomics.load(window, ANSWERED) === sequence) return window[ANSWER]!;
    }
    this.#await(() => Atomics.load(window, ANSWERED) === sequence, `answered ${describe(kind)}`);
    return window[ANSWER]!;
  }

  /** As `call`, for a request that is answered by a text. */
  ask(question: number): string {
    this.call(KIND.ASK, question, 0);
    return readText(this.window);
  }

  /**
   * Whether the hardware can do nothing more by itself: it sleeps, nothing is scheduled or on its way, and all of that
   * was so at the last call already, so that the caller has seen everything that it did.
   */
  isSilent(): boolean {
    const at = Atomics.load(this.window, WORD.SILENT);
    const wasSilent = this.#silentAt === at;
    this.#silentAt = at;
    return wasSilent && at === this.#sent && at !== 0;
  }

  #makeRoom(sequence: number): void {
    const hasRoom = (): boolean => {
      this.#room = (Atomics.load(this.window, TAKEN) + REQUESTS) | 0;
      return ((this.#room - sequence) | 0) >= 0;
    };
    for (let spins = 0; spins < SPINS; spins++) if (hasRoom()) return;
    this.#await(hasRoom, 'taken a request');
  }

  /**
   * Sleeps until `isDone`. Nobody but this thread wakes the port, and at most a few times in vain (an answer that was seen
   * already, room where an answer is waited for), so that a thread that hangs lets sleeps time out.
   */
  #await(isDone: () => boolean, what: string, timeout_ms = this.timeout_ms): void {
    for (let waited_ms = 0; !isDone(); ) {
      const { window } = this;
      const isOver = () => isDone() || Atomics.load(window, WORD.STATE) > STATE.RUNNING;
      if (!this.sleeping.sleep(isOver, SLICE_MS)) waited_ms += SLICE_MS;
      if (isDone()) return;
      if (waited_ms >= timeout_ms) {
        this.#failure = `${this.name} has not ${what} for ${timeout_ms} ms: it hangs or was ended`;
      }
      this.check();
    }
  }

  /** Throws HardwareThreadError when the thread is gone. */
  check(): void {
    if (this.#failure !== '') throw new HardwareThreadError(this.#failure);
    const state = Atomics.load(this.window, WORD.STATE);
    if (state <= STATE.RUNNING) return;
    this.#failure =
      state === STATE.ENDED ? 'the machine was switched off' : `${this.name} died: ${readText(this.window)}`;
    throw new HardwareThreadError(this.#failure);
  }
}

function describe(kind: number): string {
  if (kind >= KIND.ADVANCE) return 'a request of the board';
  return kind >= KIND.CONFIG_READ ? 'a configuration cycle' : 'a register access';
}
