/**
 * The controller's registers as a driver uses them: capabilities, disable, enable, shutdown, and what to say
 * when one of these does not come to its end. NVMe Base 2.1 §3.1.4, §3.5, §3.6. Not here: queues and commands
 * (admin-queue.ts).
 */
import { COMMAND, CONFIG } from '../../machine/pcie/spec.ts';
import { CQES, SQES } from '../../nvme/spec/commands.ts';
import { AQA, CAP_CSS, CAP_HI, CAP_LO, CC, CSS, CSTS, REG, SHN, SHST } from '../../nvme/spec/registers.ts';
import type { BitField } from '../../support/bits.ts';
import { hex, highWord, lowWord } from '../../support/numbers.ts';
import type { Kernel, Mapping } from '../../vfio/uapi/kernel.ts';
import type { VfioDevice } from '../vfio/device.ts';
import { ControllerError } from './status.ts';

/** What a read returns when nothing answers. */
const GONE = 0xffff_ffff;
const MS = 1e6;
/** CAP.TO counts half seconds. */
const TIMEOUT_UNIT_NS = 500 * MS;
/** Least time a shutdown gets, whatever RTD3E says. */
const SHUTDOWN_NS = 5000 * MS;

export class Controller {
  readonly #kernel: Kernel;
  readonly #device: VfioDevice;
  readonly #registers: Mapping;
  /** Most entries of an I/O queue. */
  readonly maxEntries: number;
  /** The controller is enabled with all its I/O command sets, and not with NVM alone. */
  readonly hasCommandSets: boolean;
  /** CAP.DSTRD. */
  readonly dstrd: number;
  /** Longest time that CSTS.RDY takes to follow CC.EN. */
  readonly readyTimeout_ns: number;

  /**
   * `registers` is the start of BAR0. Throws ControllerError when the controller cannot be driven by this
   * driver.
   */
  constructor(device: VfioDevice, registers: Mapping) {
    this.#kernel = device.kernel;
    this.#device = device;
    this.#registers = registers;
    const low = registers.read32(REG.CAP);
    const high = registers.read32(REG.CAP_HI);
    if (low === GONE && high === GONE) this.#fail('CAP reads as all ones');
    this.maxEntries = CAP_LO.MQES.get(low) + 1;
    this.readyTimeout_ns = Math.max(1, CAP_LO.TO.get(low)) * TIMEOUT_UNIT_NS;
    this.dstrd = CAP_HI.DSTRD.get(high);
    if (CAP_HI.MPSMIN.get(high) !== 0) {
      const size = 4 << CAP_HI.MPSMIN.get(high);
      throw new ControllerError(
        `${device.bdf} has pages of ${size} KiB at least (CAP.MPSMIN), and this driver uses 4 KiB`,
      );
    }
    this.hasCommandSets = (CAP_HI.CSS.get(high) & CAP_CSS.IO_COMMAND_SETS) !== 0;
    if ((CAP_HI.CSS.get(high) & (CAP_CSS.NVM | CAP_CSS.IO_COMMAND_SETS)) === 0) {
      throw new ControllerError(
        `${device.bdf} does not have the NVM command set (CAP.CSS is ${hex(CAP_HI.CSS.get(high))})`,
      );
    }
  }

  /** A 32-bit register; `offset` is one of REG. */
  readRegister(offset: number): number {
    return this.#registers.read32(offset);
  }

  /** Nothing answers any more. */
  get isGone(): boolean {
    return this.#registers.read32(REG.CSTS) === GONE;
  }

  /** CSTS.CFS: only a reset helps. */
  get hasFailed(): boolean {
    return CSTS.CFS.get(this.#registers.read32(REG.CSTS)) === 1;
  }

  /** Resets the controller: all queues are gone. Throws ControllerError. */
  disable(): void {
    const cc = this.#registers.read32(REG.CC);
    if (CC.EN.get(cc) === 1) {
      // EN must not fall while RDY is still on its way up, unless the controller has given up.
      if (CSTS.CFS.get(this.#registers.read32(REG.CSTS)) === 0)
        this.#wait(CSTS.RDY, 1, this.readyTimeout_ns, 'CC.EN=1');
      this.#registers.write32(REG.CC, CC.EN.set(cc, 0));
    }
    this.#wait(CSTS.RDY, 0, this.readyTimeout_ns, 'CC.EN=0');
  }

  /**
   * Enables the controller with admin queues of `entries` entries, 4 KiB pages and round robin. Throws
   * ControllerError.
   */
  enable(sqIova: number, cqIova: number, entries: number): void {
    const registers = this.#registers;
    registers.write32(REG.AQA, AQA.encode({ ASQS: entries - 1, ACQS: entries - 1 }));
    registers.write32(REG.ASQ, lowWord(sqIova));
    registers.write32(REG.ASQ_HI, highWord(sqIova));
    registers.write32(REG.ACQ, lowWord(cqIova));
    registers.write32(REG.ACQ_HI, highWord(cqIova));
    const css = this.hasCommandSets ? CSS.ALL : CSS.NVM;
    registers.write32(REG.CC, CC.encode({ EN: 1, CSS: css, IOSQES: SQES, IOCQES: CQES }));
    this.#wait(CSTS.RDY, 1, this.readyTimeout_ns, 'CC.EN=1');
  }

  /** Tells the controller that power may go, and waits until it is ready for that. Throws ControllerError. */
  shutdown(rtd3e_us: number): void {
    this.#registers.write32(REG.CC, CC.SHN.set(this.#registers.read32(REG.CC), SHN.NORMAL));
    this.#wait(CSTS.SHST, SHST.COMPLETE, Math.max(SHUTDOWN_NS, rtd3e_us * 1000), 'CC.SHN=normal');
  }

  #wait(field: BitField, wanted: number, timeout_ns: number, after: string): void {
    const deadline = this.#kernel.now() + timeout_ns;
    const name = field === CSTS.RDY ? 'CSTS.RDY' : 'CSTS.SHST';
    for (;;) {
      const csts = this.#registers.read32(REG.CSTS);
      if (csts !== GONE && field.get(csts) === wanted) return;
      const isFatal = csts === GONE || (CSTS.CFS.get(csts) === 1 && wanted !== 0);
      if (isFatal) this.#fail(`${name} did not become ${wanted} after ${after}`);
      if (this.#kernel.now() >= deadline) {
        this.#fail(`${name} did not become ${wanted} within ${timeout_ns / MS} ms after ${after}`);
      }
      this.#kernel.relax(deadline);
    }
  }

  #fail(what: string): never {
    throw new ControllerError(`${this.#device.bdf}: ${what}; ${this.diagnose()}`);
  }

  /** Why a controller may be silent, from what its registers and configuration space show: a clause. */
  diagnose(): string {
    const csts = this.#registers.read32(REG.CSTS);
    const shown = `CSTS is ${hex(csts, 8)}`;
    if (csts === GONE) return `${shown}: nothing answers, memory decode is off or the device was removed`;
    const isMaster = COMMAND.BUS_MASTER.get(this.#device.readConfig(CONFIG.COMMAND, 2)) === 1;
    if (!isMaster) return `${shown}, and bus master is off, so the controller can reach no memory`;
    if (CSTS.CFS.get(csts) === 1) {
      return (
        `${shown}: CFS, the controller met a fatal error, such as queue memory that is not mapped ` +
        '(see the kernel log) or a bad AQA, ASQ, ACQ or CC'
      );
    }
    if (CSTS.RDY.get(csts) === 0) return `${shown}: the controller is not ready`;
    return `${shown} and bus master is on, so the controller is alive but has not answered`;
  }
}
