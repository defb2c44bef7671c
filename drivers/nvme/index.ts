/**
 * The public door of the driver: open a controller, use its namespaces, or post on queue pairs yourself.
 */

export { type DmaBuffer, type DmaRange, DmaSpace } from '../vfio/dma.ts';
export { SysError } from '../vfio/sys.ts';
export { cdevName, findNvme } from '../vfio/sysfs.ts';
export type { FeatureValue } from './admin-queue.ts';
export { BlockDevice, type WriteOptions } from './block-device.ts';
export { NvmeDriver } from './driver.ts';
export type { AsyncEventReport } from './events.ts';
export type { ControllerInfo, ZoneInfo } from './identify.ts';
export { DEFAULT_NVME_OPTIONS, type IoQueueOptions, type NvmeOptions } from './options.ts';
export { MAX_DEPTH, type OnComplete, type OnStale, QUEUE_FULL, QueuePair } from './queue-pair.ts';
export { ControllerError, NvmeError } from './status.ts';
export type { Zone, Zones } from './zones.ts';
