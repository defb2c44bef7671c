/**
 * The threaded pace: the hardware of a board in threads of its own, firmware and kernel in the caller's, over the same
 * models (docs/threads.md). One thread has all of it, or each drive has one with a root complex of its own. Nothing costs
 * simulated time; time is the host's. Both ends are put together here.
 * Not here: how a thread is made and what time it is (bridge/threads.ts), what passes between them (machine/threads/).
 */
import { Clock } from '../machine/clock.ts';
import { Interrupts } from '../machine/interrupts.ts';
import type { Memory, SharedBytes } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import type { Topology } from '../machine/pcie/enumerate.ts';
import type { PciHost } from '../machine/pcie/pci-host.ts';
import { CpuInbox } from '../machine/threads/cpu-inbox.ts';
import { CpuPort, HardwareThreadError } from '../machine/threads/cpu-port.ts';
import { changeState, HardwareLoop, RemoteInterrupts } from '../machine/threads/hardware-loop.ts';
import { HostClock } from '../machine/threads/host-clock.ts';
import { RemotePci } from '../machine/threads/remote-pci.ts';
import { KIND, makeInbox, makeWindow, STATE, WORD, writeText } from '../machine/threads/window.ts';
import type { HostProfile } from '../machine/timing/host.ts';
import { Trace } from '../machine/trace.ts';
import type { EmulatedKernel } from '../vfio/kernel.ts';
import type { Board } from './board.ts';
import { type Complex, joinComplexes, splitBoard, wholeBoard } from './complexes.ts';
import { Hardware, hostOf, memoryOf, type OpenStore } from './hardware.ts';
import { readBoard } from './personality.ts';
import { Software } from './software.ts';

/** What a hardware thread begins with. All of it can be cloned into another thread, where its memory is shared. */
export interface HardwareStart {
  readonly board: Board;
  readonly seed: number;
  readonly bytes: SharedBytes;
  /** Shared with the CPU's thread, and the inbox with all threads. */
  readonly window: Int32Array;
  readonly inbox: Int32Array;
  /** What of the board the thread has. */
  readonly complex: Complex;
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
  /** How long a hardware thread may take to answer before it counts as dead; 10 s when absent. */
  readonly timeout_ms?: number;
  /** `shared`, when absent: one hardware thread has the whole board. `each`: every drive has one (complexes.ts). */
  readonly workers?: 'shared' | 'each';
}

/** Questions of the CPU's side that are no bus accesses. */
const ASK = { REJECTIONS: 0, GROUPS: 1 } as const;

/** One hardware thread as the CPU has it. */
interface Lane {
  readonly port: CpuPort;
  readonly thread: HardwareThread;
}

/** A machine at the threaded pace. Programs use `kernel`, as at every pace; `close` ends the hardware's threads. */
export class ThreadedMachine {
  readonly board: Board;
  readonly pace = 'threaded';
  readonly host: HostProfile;
  readonly clock: Clock;
  readonly memory: Memory;
  /** What the CPU's side emits: interrupts. The hardware's tracepoints stay in its threads, and are off. */
  readonly trace: Trace;
  readonly pages: Pages;
  readonly rootComplex: PciHost;
  readonly topology: Topology;
  readonly kernel: EmulatedKernel;
  readonly #lanes: readonly Lane[];
  readonly #software: Software;

  /** Throws BoardError, EnumerationError, or HardwareThreadError when a thread cannot start; those that run are ended. */
  constructor(given: Board, threads: ThreadHost, options: ThreadedOptions = {}) {
    const board = readBoard(given);
    const { seed = 1, timeout_ms, workers = 'shared' } = options;
    const host = hostOf(board, true);
    const memory = memoryOf(board);
    const inbox = new CpuInbox(makeInbox());
    const complexes = workers === 'each' ? splitBoard(board) : [wholeBoard(board)];
    const ports = complexes.map(
      (complex) => new CpuPort(makeWindow(), inbox, nameOf(board, complex, complexes), timeout_ms),
    );
    const clock = new HostClock(threads.hostNow, inbox, ports);
    const trace = new Trace(clock);
    const interrupts = new Interrupts(clock, trace, host.interrupt_ns);
    inbox.interrupts = interrupts;
    const lanes: Lane[] = [];
    this.#lanes = lanes;
    try {
      for (const [index, port] of ports.entries()) {
        const { window } = port;
        const start = {
          board,
          seed,
          bytes: memory.shared,
          window,
          inbox: inbox.words,
          complex: complexes[index]!,
        };
        lanes.push({ port, thread: threads.spawn(start) });
      }
      for (const port of ports) port.start();
      const hosts = ports.map((port) => new RemotePci(clock, port));
      const { rootComplex, complexes: owners } = joinComplexes(board, clock, complexes, hosts);
      const { mmioBase, remapsInterrupts } = board;
      const groupOf = (bdf: number) => groupsFrom(ports.map((port) => port.ask(ASK.GROUPS))).get(bdf);
      this.rootComplex = rootComplex;
      this.#software = new Software({
        clock,
        memory,
        interrupts,
        rootComplex,
        host,
        mmioBase,
        remapsInterrupts,
        groupOf,
        ordersLoads: false,
        complexes: owners,
      });
    } catch (error) {
      void switchOff(lanes);
      throw error;
    }
    this.board = board;
    this.host = host;
    this.clock = clock;
    this.memory = memory;
    this.trace = trace;
    this.pages = this.#software.pages;
    this.topology = this.#software.topology;
    this.kernel = this.#software.kernel;
  }

  /** What went wrong lately, as `Machine.explain` tells it; for a hardware thread that is gone, how it went. */
  explain(): string[] {
    try {
      const rejections = this.#lanes.flatMap(({ port }) => linesOf(port.ask(ASK.REJECTIONS)));
      return [...this.#software.faults, ...rejections];
    } catch (error) {
      if (error instanceof HardwareThreadError) return [error.message];
      throw error;
    }
  }

  /** Switches the machine off. Resolves when the hardware's threads are gone. */
  close(): Promise<void> {
    return switchOff(this.#lanes);
  }
}

/** Halts hardware threads before it returns, those that still listen; resolves when all are gone. */
async function switchOff(lanes: readonly Lane[]): Promise<void> {
  for (const { port } of lanes) {
    try {
      port.call(KIND.HALT, 0, 0);
    } catch (error) {
      if (!(error instanceof HardwareThreadError)) throw error;
    }
  }
  await Promise.all(lanes.map(({ thread }) => thread.end()));
}

/** A thread as messages name it: by its root ports, when there are others. */
function nameOf({ rootPorts }: Board, { ports }: Complex, all: readonly Complex[]): string {
  if (all.length === 1) return 'the hardware thread';
  return `the hardware thread of ${ports.map((port) => `root port ${rootPorts[port]!.at}`).join(' and ')}`;
}

/** The body of a hardware thread: builds the hardware and serves the CPU until it halts. */
export function runHardware(
  start: HardwareStart,
  { hostNow, openStore }: { readonly hostNow: () => number; readonly openStore?: OpenStore },
): void {
  const { board, seed, window, inbox, complex } = start;
  try {
    const clock = new Clock();
    const trace = new Trace(clock);
    const memory = memoryOf(board, start.bytes);
    const interrupts = new RemoteInterrupts(inbox);
    const parts = { clock, memory, trace, interrupts, isFree: true, seed, openStore, complex };
    const hardware = new Hardware(board, parts);
    const answer = (question: number): string =>
      question === ASK.GROUPS ? groupsText(hardware) : hardware.rejections.join('\n');
    new HardwareLoop({ window, inbox, clock, rootComplex: hardware.rootComplex, hostNow, answer }).run();
  } catch (error) {
    died(start, (error as Error).message);
    throw error;
  }
}

/** Tells the CPU that a hardware thread is gone, and why, unless it knows how the thread ended. */
export function died({ window, inbox }: HardwareStart, reason: string): void {
  if (Atomics.load(window, WORD.STATE) > STATE.RUNNING) return;
  writeText(window, reason);
  changeState(window, inbox, STATE.DIED);
}

/** The IOMMU groups that the board gives, as lines of function and group. */
const groupsText = (hardware: Hardware): string =>
  hardware.controllers
    .map(({ bdf }) => [bdf, hardware.groupOf(bdf)])
    .filter(([, group]) => group !== undefined)
    .map((pair) => pair.join(' '))
    .join('\n');

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

const groupsFrom = (texts: readonly string[]): Map<number, number> =>
  new Map(texts.flatMap(linesOf).map((line) => line.split(' ').map(Number) as [number, number]));
