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
import { Trace } from '../machine/trace.ts';
import type { NvmeController } from '../nvme/controller.ts';
import type { EmulatedKernel } from '../vfio/kernel.ts';
import type { Board } from './board.ts';
import { checkBoard } from './check.ts';
import { Hardware, hostOf, memoryOf, type OpenStore } from './hardware.ts';
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

  constructor(board: Board, { pace = 'timed', seed = 1, openStore }: BootOptions) {
    checkBoard(board);
    const isFree = pace === 'functional';
    const host = hostOf(board, isFree);
    const clock = new Clock();
    const trace = new Trace(clock);
    const memory = memoryOf(board);
    const interrupts = new Interrupts(clock, trace, host.interrupt_ns);
    const hardware = new Hardware(board, { clock, memory, trace, interrupts, isFree, seed, openStore });
    const { rootComplex } = hardware;
    const { mmioBase } = board;
    const groupOf = (bdf: number) => hardware.groupOf(bdf);
    const software = new Software({ clock, memory, interrupts, rootComplex, host, mmioBase, groupOf });
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
  }

  /**
   * What went wrong lately: IOMMU faults as dmesg has them or will have them in a moment, then the commands that each
   * controller refused; newest last.
   */
  explain(): string[] {
    return [...this.#software.faults, ...this.#hardware.rejections];
  }
}

/** Boots `board`. Throws BoardError, one sentence, when the board cannot exist. */
export function boot(board: Board, options: BootOptions = {}): Machine {
  return new Machine(board, options);
}
