/**
 * What a mapping costs the host: IOMMU_IOAS_MAP and IOMMU_IOAS_UNMAP of an attached address space, with page tables,
 * invalidation and wait descriptor, called as a program calls them. Not here: translations (micro.ts).
 */
import { boot } from '../boards/boot.ts';
import { pc } from '../boards/pc.ts';
import { NvmeDriver } from '../drivers/nvme/index.ts';
import { alignUp, GIB, KIB, MIB } from '../support/numbers.ts';
import {
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
  IOMMU_IOAS_UNMAP,
  IommuIoasMap,
  IommuIoasUnmap,
} from '../vfio/uapi/iommufd.ts';
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../vfio/uapi/mman.ts';
import { type Metric, metric, timeOf } from './measure.ts';

const IOVA = 16 * GIB;
const FLAGS = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE;

/** Maps and unmaps `length` bytes of anonymous memory at one I/O address. */
export async function benchMap(length: number): Promise<Metric[]> {
  const machine = boot(
    { ...pc, ram: alignUp(length, MIB) + 256 * MIB, media: '64m' },
    { pace: 'functional', seed: 1 },
  );
  const { kernel } = machine;
  const nvme = await NvmeDriver.open(kernel, {});
  const { space } = nvme;
  const memory = kernel.mmap(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const page = kernel.mapping(
    kernel.mmap(4 * KIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
  )!;
  const view = new DataView(page.bytes!.buffer, page.bytes!.byteOffset, page.length);
  const unmapAt = 64;
  IommuIoasMap.set(view, 0, 'size', IommuIoasMap.SIZE);
  IommuIoasMap.set(view, 0, 'flags', FLAGS);
  IommuIoasMap.set(view, 0, 'ioas_id', space.id);
  IommuIoasMap.set(view, 0, 'user_va', memory);
  IommuIoasMap.set(view, 0, 'length', length);
  IommuIoasMap.set(view, 0, 'iova', IOVA);
  const run = (times: number): void => {
    for (let i = 0; i < times; i++) {
      IommuIoasUnmap.set(view, unmapAt, 'size', IommuIoasUnmap.SIZE);
      IommuIoasUnmap.set(view, unmapAt, 'ioas_id', space.id);
      IommuIoasUnmap.set(view, unmapAt, 'iova', IOVA);
      IommuIoasUnmap.set(view, unmapAt, 'length', length);
      const mapped = kernel.ioctl(space.fd, IOMMU_IOAS_MAP, page.address);
      const unmapped = kernel.ioctl(space.fd, IOMMU_IOAS_UNMAP, page.address + unmapAt);
      if (mapped < 0 || unmapped < 0) throw new Error(`map ${mapped}, unmap ${unmapped}`);
    }
  };
  const time = timeOf(run);
  await nvme.close();
  return [metric(`map.${length}.ns`, time, 'ns', 'IOMMU_IOAS_MAP and IOMMU_IOAS_UNMAP of an attached IOAS')];
}
