/**
 * A machine at the functional pace with the user-space driver on its drives and media that were written once: what the
 * benchmarks of whole I/Os stand on. Not here: what they do with it (io.ts and its neighbours).
 */
import type { Board, NvmeBoard } from '../boards/board.ts';
import { boot, type Machine, type Pace } from '../boards/boot.ts';
import { IOMMU_BASE } from '../boards/complexes.ts';
import { pc } from '../boards/pc.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';
import { DmaSpace } from '../drivers/vfio/dma.ts';
import { REG } from '../iommu/spec/registers.ts';
import { random } from '../support/random.ts';
import { MemoryVma } from '../vfio/mapping.ts';
import { IOMMU_IOAS_MAP, IOMMU_IOAS_MAP_FIXED_IOVA, IommuIoasMap } from '../vfio/uapi/iommufd.ts';

export const BLOCK = 512;
/** Bytes of media that stay in the second-level cache of most hosts. */
export const HOT = 256 * 1024;
/** Positions are drawn before the clock starts, a power of two of them. */
export const POSITIONS = 1 << 16;

export interface RigOptions {
  readonly pace?: Pace;
  readonly board?: Partial<Board>;
  readonly interrupts?: boolean;
  readonly shadowDoorbells?: boolean;
  readonly queuePairs?: number;
  /** I/O addresses that are physical addresses, so that large leaves fit. */
  readonly isPlaced?: boolean;
}

export interface Rig {
  readonly machine: Machine;
  readonly nvme: NvmeDriver;
}

/** An address space where a buffer's I/O address is its physical address. */
class PlacedSpace extends DmaSpace {
  override map(address: number, length: number, access: number): number {
    const mapping = this.kernel.mapping(address);
    if (!(mapping instanceof MemoryVma)) throw new Error('only memory can be placed');
    const iova = mapping.physical;
    const flags = access | IOMMU_IOAS_MAP_FIXED_IOVA;
    const values = { size: IommuIoasMap.SIZE, flags, ioas_id: this.id, user_va: address, length, iova };
    this.ioctls.call(this.fd, 'iommufd', IOMMU_IOAS_MAP, IommuIoasMap, values);
    return iova;
  }
}

export async function openRig(options: RigOptions = {}): Promise<Rig> {
  const machine = boot({ ...pc, ...options.board }, { pace: options.pace ?? 'functional', seed: 1 });
  const { kernel } = machine;
  const nvme = await NvmeDriver.open(kernel, {
    queuePairs: options.queuePairs ?? 8,
    interrupts: options.interrupts ?? false,
    shadowDoorbells: options.shadowDoorbells ?? false,
    ...(options.isPlaced === true ? { space: new PlacedSpace(kernel) } : {}),
  });
  return { machine, nvme };
}

/** The drive of `pc`, with other namespaces. */
export const drive = (namespaces: NvmeBoard['namespaces'], serial = 'BENCH'): NvmeBoard => ({
  ...(pc.rootPorts[0]!.device as NvmeBoard),
  serial,
  namespaces,
});

/** Writes `bytes` bytes of namespace `nsid` once. */
export async function fill(nvme: NvmeDriver, bytes: number, nsid = 1): Promise<void> {
  const namespace = nvme.namespace(nsid);
  const chunk = new Uint8Array(Math.min(bytes, 65_536));
  for (let at = 0; at < bytes; at += chunk.length) {
    chunk.fill(at / chunk.length);
    await namespace.write(at / BLOCK, chunk);
  }
}

/** Random multiples of `unit` below `range`. */
export function places(range: number, unit: number): Float64Array {
  const draw = random(1, 'bench.positions');
  return Float64Array.from({ length: POSITIONS }, () => draw.below(Math.max(1, range / unit)) * unit);
}

/** How often indexes that were stored in memory needed their register too. */
export function rungOf({ shadowDoorbells }: NvmeDriver): string {
  if (shadowDoorbells === null) return '';
  return `, ${((100 * shadowDoorbells.rung) / shadowDoorbells.stored).toFixed(0)} % of doorbells rung`;
}

/** Turns the translation of the IOMMU off or on, behind the kernel's back: I/O addresses are physical then. */
export function setTranslation(machine: Machine, isOn: boolean): void {
  const TE = 0x8000_0000;
  const { rootComplex } = machine;
  const status = rootComplex.read32(IOMMU_BASE + REG.GSTS);
  const kept = status & ~TE & 0x96ff_ffff;
  rootComplex.write32(IOMMU_BASE + REG.GCMD, (isOn ? kept | TE : kept) >>> 0);
}
