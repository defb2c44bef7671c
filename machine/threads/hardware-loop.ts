/**
 * The hardware's end of a window: takes requests in order, answers those that want it, sends interrupts, and lets the
 * hardware's timers run by the host's clock. While nothing comes it spins, then sleeps until it is woken.
 * Not here: what an access does (pcie/root-complex.ts), the other end (cpu-port.ts).
 */
import type { Clock } from '../clock.ts';
import type { MessageTarget } from '../interrupts.ts';
import type { RootComplex } from '../pcie/root-complex.ts';
import { countMessage } from './interrupt-counters.ts';
import { SleepFlag } from './sleep-flag.ts';
import { INBOX, KIND, REQUEST, REQUESTS, STATE, WORD, writeText } from './window.ts';

/** Looks before sleeping: 100 µs and more. */
const SPINS = 20_000;
/** Requests or looks between two looks at the host's clock, powers of two. */
const CLOCK_INTERVAL = 256;
/** The CPU is told of room in the ring after so many requests. */
const ROOM_INTERVAL = REQUESTS / 8;
const NS_PER_MS = 1e6;
// File constants fold; imported bindings do not.
const { REQUESTS: RING, ANSWERED, ANSWER, TAKEN } = WORD;
const { WORDS, KIND: KIND_WORD, ADDRESS, VALUE } = REQUEST;
const { WRITE32, LAST_POSTED } = KIND;
const MASK = REQUESTS - 1;

/** Sends interrupts of the hardware to the CPU of an inbox. */
export class RemoteInterrupts implements MessageTarget {
  private readonly inbox: Int32Array;
  private readonly cpu: SleepFlag;

  constructor(inbox: Int32Array) {
    this.inbox = inbox;
    this.cpu = new SleepFlag(inbox, INBOX.CPU_SLEEP);
  }

  deliver(address: number, data: number): void {
    countMessage(this.inbox, address, data);
    this.cpu.wake();
  }
}

export interface HardwareLoopParts {
  readonly window: Int32Array;
  /** That of the CPU. */
  readonly inbox: Int32Array;
  readonly clock: Clock;
  readonly rootComplex: RootComplex;
  /** The host's clock in nanoseconds. */
  readonly hostNow: () => number;
  /** Answers a question of the board's by number. */
  readonly answer: (question: number) => string;
}

export class HardwareLoop {
  private readonly window: Int32Array;
  private readonly inbox: Int32Array;
  private readonly clock: Clock;
  private readonly rootComplex: RootComplex;
  private readonly hostNow: () => number;
  private readonly answer: (question: number) => string;
  private readonly sleeping: SleepFlag;
  private readonly cpu: SleepFlag;
  /** The host's time at power-on, less what was skipped. */
  #origin: number;
  #taken = 0;
  #isHalted = false;

  constructor(parts: HardwareLoopParts) {
    this.window = parts.window;
    this.inbox = parts.inbox;
    this.clock = parts.clock;
    this.rootComplex = parts.rootComplex;
    this.hostNow = parts.hostNow;
    this.answer = parts.answer;
    this.sleeping = new SleepFlag(parts.window, WORD.HARDWARE_SLEEP);
    this.cpu = new SleepFlag(parts.window, WORD.CPU_SLEEP);
    this.#origin = parts.hostNow();
  }

  /** Runs until the CPU halts it. */
  run(): void {
    changeState(this.window, this.inbox, STATE.RUNNING);
    for (let idle = 0; !this.#isHalted; ) {
      this.#followHost();
      if (this.#look()) idle = 0;
      else if (++idle * CLOCK_INTERVAL > SPINS) {
        this.#sleep();
        idle = 0;
      }
    }
    changeState(this.window, this.inbox, STATE.ENDED);
  }

  /** Looks for requests for a while. Returns whether there was one. A function of its own, so that it is compiled whole. */
  #look(): boolean {
    let taken = false;
    for (let looks = 0; looks < CLOCK_INTERVAL && !this.#isHalted; looks++) if (this.#take()) taken = true;
    return taken;
  }

  /** Takes the next request, if there is one. */
  #take(): boolean {
    const { window } = this;
    const sequence = (this.#taken + 1) | 0;
    const at = RING + (sequence & MASK) * WORDS;
    if (Atomics.load(window, at) !== sequence) return false;
    const kind = window[at + KIND_WORD]!;
    const address = window[at + ADDRESS]!;
    const value = window[at + VALUE]!;
    this.#taken = sequence;
    if ((sequence & (ROOM_INTERVAL - 1)) === 0) this.#tellRoom();
    if (kind === WRITE32) this.rootComplex.write32(address, value >>> 0);
    else if (kind <= LAST_POSTED)
      this.rootComplex.writePart(address >>> 0, kind === KIND.WRITE8 ? 1 : 2, value);
    else {
      window[ANSWER] = this.#serve(kind, address >>> 0, value);
      Atomics.store(window, ANSWERED, sequence);
      this.cpu.wake();
    }
    return true;
  }

  #serve(kind: number, address: number, value: number): number {
    const { rootComplex } = this;
    switch (kind) {
      case KIND.READ32:
        return rootComplex.read32(address);
      case KIND.READ16:
        return rootComplex.readPart(address, 2);
      case KIND.READ8:
        return rootComplex.readPart(address, 1);
      case KIND.ADVANCE:
        this.#origin -= value >>> 0;
        this.#followHost();
        return 0;
      case KIND.ASK:
        return writeText(this.window, this.answer(address));
      case KIND.HALT:
        this.#isHalted = true;
        return 0;
      default:
        return this.#configure(kind, address, value);
    }
  }

  #configure(kind: number, address: number, value: number): number {
    const { rootComplex } = this;
    const [bus, devfn, offset] = [address >>> 20, (address >>> 12) & 0xff, address & 0xfff];
    const size = (kind & 7) as 1 | 2 | 4;
    if (kind < KIND.CONFIG_WRITE) return rootComplex.configRead(bus, devfn, offset, size);
    rootComplex.configWrite(bus, devfn, offset, size, value >>> 0);
    return 0;
  }

  #tellRoom(): void {
    Atomics.store(this.window, TAKEN, this.#taken);
    this.cpu.wake();
  }

  /** Runs the timers that are due by the host's clock. */
  #followHost(): void {
    this.clock.runUntil(this.hostNow() - this.#origin);
  }

  /** Sleeps until a request comes or a timer is due. */
  #sleep(): void {
    const { window, clock } = this;
    const next = clock.nextTime;
    const hasTimers = next !== Number.POSITIVE_INFINITY;
    const timeout_ms = hasTimers ? Math.max(0, (next - clock.now) / NS_PER_MS) : Number.POSITIVE_INFINITY;
    const sequence = (this.#taken + 1) | 0;
    const at = RING + (sequence & MASK) * WORDS;
    this.sleeping.sleep(() => {
      if (Atomics.load(window, at) === sequence) return true;
      if (!hasTimers) Atomics.store(window, WORD.SILENT, this.#taken);
      return false;
    }, timeout_ms);
    Atomics.store(window, WORD.SILENT, 0);
    this.#followHost();
  }
}

/** Tells the CPU what has become of a hardware thread, whatever it waits for; the state publishes a text left before. */
export function changeState(window: Int32Array, inbox: Int32Array, state: number): void {
  Atomics.store(window, WORD.STATE, state);
  new SleepFlag(window, WORD.CPU_SLEEP).wake();
  new SleepFlag(inbox, INBOX.CPU_SLEEP).wake();
}
