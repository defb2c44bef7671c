/**
 * Another controller of the fuzzer's drive. Its host only brings it up, shuts it down and resets it, alone or with the
 * whole subsystem, at any time; it is no bus master, so that it reaches no memory. Not here: the controller whose commands
 * are followed (ledger.ts).
 */
import type { RootComplex } from '../../machine/pcie/root-complex.ts';
import { COMMAND, CONFIG } from '../../machine/pcie/spec.ts';
import type { NvmeController } from '../../nvme/controller.ts';
import { AQA, CC, NSSR_MAGIC, REG } from '../../nvme/spec/registers.ts';
import type { Dice } from './dice.ts';

const DEVFN = 0x28;
const BAR = 0xfe90_0000;
const BUFFER = 0xe100_0000;

export class Peer {
  readonly controller: NvmeController;
  readonly #rc: RootComplex;

  constructor(rc: RootComplex, controller: NvmeController) {
    this.controller = controller;
    this.#rc = rc;
    rc.plug(DEVFN, controller);
    this.configure();
  }

  /** What firmware does, but for the bus master. */
  configure(): void {
    const bars = [BAR, 0, BUFFER, 0];
    for (const [index, value] of bars.entries())
      this.#rc.configWrite(0, DEVFN, CONFIG.BAR0 + 4 * index, 4, value);
    this.#rc.configWrite(0, DEVFN, CONFIG.COMMAND, 4, COMMAND.encode({ MEMORY: 1 }));
  }

  /** One thing that its host does. */
  act(dice: Dice): void {
    const kind = dice.below(12);
    if (kind < 6) this.#enable();
    else if (kind < 9) this.#write(REG.CC, CC.encode({ SHN: 1 + dice.below(2), EN: dice.below(2) }));
    else if (kind === 9) this.controller.reset();
    else if (kind === 10) this.#write(REG.NSSR, NSSR_MAGIC);
    else this.controller.powerCut();
    this.configure();
  }

  #enable(): void {
    this.#write(REG.AQA, AQA.encode({ ASQS: 15, ACQS: 15 }));
    this.#write(REG.ASQ, 0x1000);
    this.#write(REG.ACQ, 0x2000);
    this.#write(REG.CC, CC.encode({ EN: 1, IOSQES: 6, IOCQES: 4, MPS: this.controller.profile.pageMin }));
  }

  #write(offset: number, value: number): void {
    this.#rc.write32(BAR + offset, value >>> 0);
  }
}
