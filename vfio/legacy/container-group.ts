/** What a container and its driver need of a group (group.ts); the object itself is the owner of the group's DMA. */
import type { IommuGroup } from '../iommu-group.ts';

export interface ContainerGroup {
  readonly iommuGroup: IommuGroup;
  /** No device of the group can forge interrupts of others. */
  readonly isolatedMsi: boolean;
}
