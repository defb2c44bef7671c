/**
 * Builds and boots the machine that a board describes, all of it in the caller's thread: hardware, then firmware and
 * kernel. The pace is decided here and nowhere below.
 * Not here: hardware in a thread of its own (threaded.ts), running programs (drivers/, cli/), image files (bridge/,
 * through `openStore`).
 */

import type { IommuUnit } from '../iommu/unit.ts';
import { Clock } from '../machine/clock.ts';
import { Interrupts } from '../machine/interrupts.ts';
import type { Memory } from '../machine/memory.ts';
import type { Pages } from '../machine/pages.ts';
import type { Topology } from '../machine/pcie/enumerate.ts';
import type { RootComplex } from '../machine/pcie/root-complex.ts';
import type { HostProfile } from '../machine/timing/host.ts';
import { jitterOf } from '../machine/timing/jitter.ts';
import { Trace } from '../machine/trace.ts';
import type { NvmeController } from '../nvme/controller.ts';
import type { Archive } from '../support/archive.ts';
import { crc32c } from '../support/crc32c.ts';
import type { EmulatedKernel } from '../vfio/kernel.ts';
import type { Board } from './board.ts';
import { Hardware, hostOf, memoryOf, type OpenStore } from './hardware.ts';
import { readBoard } from './personality.ts';
import { Software } from './software.ts';

/** `timed`: every hop costs what the board says. `functional`: nothing costs anything; doorbells run to completion. */
export type Pace = 'timed' | 'functional';

export interface BootOptions {
  /** `timed` when absent. */
  readonly pace?: Pace;
  /** Seed of every random stream; 1 when absent. */
  readonly seed?: number;
  /** Opens the image of a namespace. Without it a board with images cannot boot. */
  readonly openStore?: OpenStore;
}

/** A booted machine. Programs use `kernel`; everything else is for looking inside. */
export class Machine {
  readonly board: Board;
  readonly pace: Pace;
  readonly host: HostProfile;
  readonly clock: Clock;
  readonly memory: Memory;
  /** Frames of RAM: what the kernel has handed out and what is free. */
  readonly pages: Pages;
  readonly trace: Trace;
  readonly interrupts: Interrupts;
  readonly rootComplex: RootComplex;
  readonly iommu: IommuUnit;
  readonly controllers: readonly NvmeController[];
  readonly topology: Topology;
  readonly kernel: EmulatedKernel;
  readonly #hardware: Hardware;
  readonly #software: Software;
  readonly #seed: number;

  constructor(given: Board, { pace = 'timed', seed = 1, openStore }: BootOptions) {
    const board = readBoard(given);
    const isFree = pace === 'functional';
    const host = hostOf(board, isFree);
    const clock = new Clock();
    const trace = new Trace(clock);
    const memory = memoryOf(board);
    const interrupts = new Interrupts(
      clock,
      trace,
      host.interrupt_ns,
      jitterOf(host.interruptJitter_ns, seed, `${board.name}.interrupts`),
    );
    const hardware = new Hardware(board, { clock, memory, trace, interrupts, isFree, seed, openStore });
    const { rootComplex } = hardware;
    const { mmioBase, remapsInterrupts } = board;
    const groupOf = (bdf: number) => hardware.groupOf(bdf);
    const software = new Software({
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
    this.pace = pace;
    this.host = host;
    this.clock = clock;
    this.memory = memory;
    this.trace = trace;
    this.interrupts = interrupts;
    this.rootComplex = rootComplex;
    this.iommu = hardware.iommu;
    this.controllers = hardware.controllers;
    this.pages = software.pages;
    this.topology = software.topology;
    this.kernel = software.kernel;
    this.#hardware = hardware;
    this.#software = software;
    this.#seed = seed;
  }

  /**
   * What went wrong lately: IOMMU faults as dmesg has them or will have them in a moment, then the commands that each
   * controller refused; newest last.
   */
  explain(): string[] {
    return [...this.#software.faults, ...this.#hardware.rejections];
  }

  /**
   * Saves the machine between two events, or makes this one what was saved. A machine that loads has to be of the same
   * board, pace and seed, and its program has to have made the same system calls as that of the one that was saved: kernel
   * objects are those of the calls. Throws ArchiveError, one sentence, for what cannot be saved and what does not fit.
   */
  archive(a: Archive): void {
    a.section('machine', 1, () => {
      a.same(this.board.name, 'the board');
      a.same(boardNumber(this.board), "the CRC-32C of the board's description");
      a.same(this.pace, 'the pace');
      a.same(this.#seed, 'the seed');
      a.section('clock', 1, () => this.clock.archive(a));
      a.section('memory', 1, () => this.memory.archive(a));
      a.section('interrupts', 1, () => this.interrupts.archive(a));
      this.#hardware.archive(a);
      this.#software.archive(a);
    });
  }
}

const boardNumber = (board: Board): number => crc32c(new TextEncoder().encode(JSON.stringify(board)));

/** Boots `board`, which may say what differs (personality.ts). Throws BoardError, a line for each problem, when it cannot exist. */
export function boot(board: Board, options: BootOptions = {}): Machine {
  return new Machine(board, options);
}
