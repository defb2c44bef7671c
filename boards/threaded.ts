/**
 * The threaded pace: the hardware of a board in a thread of its own, firmware and kernel in the caller's, over the same
 * models (docs/threads.md). Nothing costs simulated time; time is the host's. Both ends are put together here.
 * Not here: how a thread is made and what time it is (bridge/threads.ts), what passes between them (machine/threads/).
 */
import { Clock } from '../machine/clock.ts';
import { Interrupts } from '../machine/interrupts.ts';
import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import type { Topology } from '../machine/pcie/enumerate.ts';
import type { PciHost } from '../machine/pcie/pci-host.ts';
import { CpuPort, HardwareThreadError } from '../machine/threads/cpu-port.ts';
import { changeState, HardwareLoop, RemoteInterrupts } from '../machine/threads/hardware-loop.ts';
import { HostClock } from '../machine/threads/host-clock.ts';
import { RemotePci } from '../machine/threads/remote-pci.ts';
import { KIND, makeWindow, STATE, WORD, writeText } from '../machine/threads/window.ts';
import type { HostProfile } from '../machine/timing/host.ts';
import { Trace } from '../machine/trace.ts';
import type { EmulatedKernel } from '../vfio/kernel.ts';
import type { Board } from './board.ts';
import { checkBoard } from './check.ts';
import { Hardware, hostOf, memoryOf, type OpenStore } from './hardware.ts';
import { Software } from './software.ts';

/** What a hardware thread begins with. All of it can be cloned into another thread, where its memory is shared. */
export interface HardwareStart {
  readonly board: Board;
  readonly seed: number;
  readonly ram: WebAssembly.Memory;
  readonly window: Int32Array;
}

/** A thread that runs `runHardware`. */
export interface HardwareThread {
  /** Resolves when the thread is gone; one that does not end by itself is ended. */
  end(): Promise<void>;
}

/** What the host gives to a threaded machine. */
export interface ThreadHost {
  /** A clock in nanoseconds that never goes back. */
  readonly hostNow: () => number;
  /** Starts a thread whose body is `runHardware(start, …)`. */
  readonly spawn: (start: HardwareStart) => HardwareThread;
}

export interface ThreadedOptions {
  /** Seed of every random stream; 1 when absent. */
  readonly seed?: number;
  /** How long the hardware thread may take to answer before it counts as dead; 10 s when absent. */
  readonly timeout_ms?: number;
}

/** Questions of the CPU's side that are no bus accesses. */
const ASK = { REJECTIONS: 0, GROUPS: 1 } as const;

/** A machine at the threaded pace. Programs use `kernel`, as at every pace; `close` ends the hardware's thread. */
export class ThreadedMachine {
  readonly board: Board;
  readonly pace = 'threaded';
  readonly host: HostProfile;
  readonly clock: Clock;
  readonly memory: Memory;
  /** What the CPU's side emits: interrupts. The hardware's tracepoints stay in its thread, and are off. */
  readonly trace: Trace;
  readonly pages: Pages;
  readonly rootComplex: PciHost;
  readonly topology: Topology;
  readonly kernel: EmulatedKernel;
  readonly #port: CpuPort;
  readonly #thread: HardwareThread;
  readonly #software: Software;

  /** Throws BoardError, EnumerationError, or HardwareThreadError when the thread cannot start. */
  constructor(board: Board, threads: ThreadHost, { seed = 1, timeout_ms }: ThreadedOptions = {}) {
    checkBoard(board);
    const window = makeWindow();
    const host = hostOf(board, true);
    const memory = memoryOf(board);
    const port = new CpuPort(window, timeout_ms);
    const clock = new HostClock(threads.hostNow, port);
    const trace = new Trace(clock);
    const interrupts = new Interrupts(clock, trace, host.interrupt_ns);
    port.interrupts = interrupts;
    this.#thread = threads.spawn({ board, seed, ram: memory.wasm, window });
    port.start();
    const rootComplex = new RemotePci(clock, port);
    const { mmioBase, remapsInterrupts } = board;
    const groupOf = (bdf: number) => groupsFrom(port.ask(ASK.GROUPS)).get(bdf);
    this.#port = port;
    this.#software = new Software({
      clock,
      memory,
      interrupts,
      rootComplex,
      host,
      mmioBase,
      remapsInterrupts,
      groupOf,
    });
    this.board = board;
    this.host = host;
    this.clock = clock;
    this.memory = memory;
    this.trace = trace;
    this.pages = this.#software.pages;
    this.rootComplex = rootComplex;
    this.topology = this.#software.topology;
    this.kernel = this.#software.kernel;
  }

  /** What went wrong lately, as `Machine.explain` tells it; for a hardware thread that is gone, how it went. */
  explain(): string[] {
    try {
      const rejections = this.#port.ask(ASK.REJECTIONS);
      return [...this.#software.faults, ...(rejections === '' ? [] : rejections.split('\n'))];
    } catch (error) {
      if (error instanceof HardwareThreadError) return [error.message];
      throw error;
    }
  }

  /** Switches the machine off. Resolves when the hardware's thread is gone. */
  async close(): Promise<void> {
    try {
      this.#port.call(KIND.HALT, 0, 0);
    } catch (error) {
      if (!(error instanceof HardwareThreadError)) throw error;
    }
    await this.#thread.end();
  }
}

/** The body of a hardware thread: builds the hardware and serves the CPU until it halts. */
export function runHardware(
  { board, seed, ram, window }: HardwareStart,
  { hostNow, openStore }: { readonly hostNow: () => number; readonly openStore?: OpenStore },
): void {
  try {
    const clock = new Clock();
    const trace = new Trace(clock);
    const memory = memoryOf(board, ram);
    const interrupts = new RemoteInterrupts(window);
    const hardware = new Hardware(board, { clock, memory, trace, interrupts, isFree: true, seed, openStore });
    const answer = (question: number): string =>
      question === ASK.GROUPS ? groupsText(hardware) : hardware.rejections.join('\n');
    new HardwareLoop({ window, clock, rootComplex: hardware.rootComplex, hostNow, answer }).run();
  } catch (error) {
    died(window, (error as Error).message);
    throw error;
  }
}

/** Tells the CPU that the hardware thread is gone, and why, unless it knows how the thread ended. */
export function died(window: Int32Array, reason: string): void {
  if (Atomics.load(window, WORD.STATE) > STATE.RUNNING) return;
  writeText(window, reason);
  changeState(window, STATE.DIED);
}

/** The IOMMU groups that the board gives, as lines of function and group. */
const groupsText = (hardware: Hardware): string =>
  hardware.controllers
    .map(({ bdf }) => [bdf, hardware.groupOf(bdf)])
    .filter(([, group]) => group !== undefined)
    .map((pair) => pair.join(' '))
    .join('\n');

const groupsFrom = (text: string): Map<number, number> =>
  new Map(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' ').map(Number) as [number, number]),
  );
