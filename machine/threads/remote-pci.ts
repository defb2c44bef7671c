/**
 * PCIe as the CPU sees it when the root complex runs in another thread: stores are posted requests, everything else is a
 * request with an answer. One ring keeps them in order, so a load pushes stores ahead of it as on the bus.
 */
import type { Clock } from '../clock.ts';
import type { PciHost } from '../pcie/pci-host.ts';
import type { CpuPort } from './cpu-port.ts';
import { KIND } from './window.ts';

const { WRITE32 } = KIND;

/** The CPU's side of the ring: configuration and registers of whatever the other thread has. */
export class RemotePci implements PciHost {
  readonly clock: Clock;
  private readonly port: CpuPort;

  constructor(clock: Clock, port: CpuPort) {
    this.clock = clock;
    this.port = port;
  }

  configRead(bus: number, devfn: number, offset: number, size: 1 | 2 | 4): number {
    return this.port.call(KIND.CONFIG_READ + size, (bus << 20) | (devfn << 12) | offset, 0) >>> 0;
  }

  configWrite(bus: number, devfn: number, offset: number, size: 1 | 2 | 4, value: number): void {
    this.port.call(KIND.CONFIG_WRITE + size, (bus << 20) | (devfn << 12) | offset, value);
  }

  read32(address: number): number {
    return this.port.call(KIND.READ32, address, 0) >>> 0;
  }

  readPart(address: number, size: 1 | 2): number {
    return this.port.call(size === 1 ? KIND.READ8 : KIND.READ16, address, 0);
  }

  write32(address: number, value: number): void {
    this.port.send(WRITE32, address, value);
  }

  writePart(address: number, size: 1 | 2, value: number): void {
    this.port.send(size === 1 ? KIND.WRITE8 : KIND.WRITE16, address, value);
  }
}
