/**
 * What a controller's admin queue offers beyond what every controller must: plain data inside a controller's profile.
 * Not here: the rest of the profile (nvme/profile.ts), what each option makes of Identify (identify-controller.ts).
 */
import { MIB } from '../../support/numbers.ts';

/** How long the operations of the whole drive take. */
export interface OperationTiming {
  /** Format NVM, for each namespace. */
  readonly format_ns: number;
  /** Sanitize: a block erase, a cryptographic erase, and each pass of an overwrite. */
  readonly blockErase_ns: number;
  readonly cryptoErase_ns: number;
  readonly overwritePass_ns: number;
  readonly selfTestShort_ns: number;
  readonly selfTestExtended_ns: number;
  /** Activating a firmware image without a reset, while no commands are taken; at once when absent. */
  readonly activation_ns?: number;
}

/** Ways to sanitize, in the order of SANICAP's bits. */
export type SanitizeMethod = 'crypto' | 'block' | 'overwrite';

/** Firmware slots: 1 to 7 of them; the first may be read-only. */
export interface FirmwareProfile {
  readonly slots: number;
  readonly isFirstReadOnly: boolean;
  /** An image can be activated without a reset (FRMW.FAWR). */
  readonly activatesNow: boolean;
}

/** The host memory that the controller would like, in bytes that are multiples of 4096. */
export interface HostMemoryProfile {
  readonly preferred_bytes: number;
  readonly minimum_bytes: number;
  /** Smallest piece, and most pieces; 0 for no limit. */
  readonly descriptorMinimum_bytes: number;
  readonly maxDescriptors: number;
}

/** Optional commands, logs and features of the admin queue. What is off is refused as Identify announces it. */
export interface AdminProfile {
  /** Namespace Management and Namespace Attachment. */
  readonly namespaceManagement: boolean;
  readonly format: boolean;
  /** No method: no Sanitize. */
  readonly sanitize: readonly SanitizeMethod[];
  readonly selfTest: boolean;
  readonly firmware: FirmwareProfile | null;
  readonly directives: boolean;
  /** Virtualization Management and Identify 14h: there are no secondary controllers. */
  readonly virtualization: boolean;
  /** Doorbell Buffer Config. */
  readonly doorbellBuffer: boolean;
  readonly lbaStatus: boolean;
  /** Granularity of the Keep Alive timer, a multiple of 100; 0: no Keep Alive. */
  readonly keepAlive_ms: number;
  readonly telemetry: boolean;
  readonly persistentEvents: boolean;
  readonly hostMemory: HostMemoryProfile | null;
  /** The Namespace Write Protection feature. */
  readonly writeProtection: boolean;
}

/** Everything there is. */
export const EVERY_ADMIN_OPTION: AdminProfile = {
  namespaceManagement: true,
  format: true,
  sanitize: ['crypto', 'block', 'overwrite'],
  selfTest: true,
  firmware: { slots: 3, isFirstReadOnly: true, activatesNow: true },
  directives: true,
  virtualization: true,
  doorbellBuffer: true,
  lbaStatus: true,
  keepAlive_ms: 100,
  telemetry: true,
  persistentEvents: true,
  hostMemory: {
    preferred_bytes: 16 * MIB,
    minimum_bytes: MIB,
    descriptorMinimum_bytes: 4096,
    maxDescriptors: 64,
  },
  writeProtection: true,
};

/** Nothing that is optional. */
export const NO_ADMIN_OPTION: AdminProfile = {
  namespaceManagement: false,
  format: false,
  sanitize: [],
  selfTest: false,
  firmware: null,
  directives: false,
  virtualization: false,
  doorbellBuffer: false,
  lbaStatus: false,
  keepAlive_ms: 0,
  telemetry: false,
  persistentEvents: false,
  hostMemory: null,
  writeProtection: false,
};

/** One sentence naming the first impossible combination, or null. What a key may hold alone is not looked at. */
export function checkAdmin({ sanitize, firmware, keepAlive_ms, hostMemory }: AdminProfile): string | null {
  if (new Set(sanitize).size !== sanitize.length)
    return `admin.sanitize names a method twice: ${sanitize.join(', ')}`;
  if (firmware !== null && firmware.slots === 1 && firmware.isFirstReadOnly)
    return 'admin.firmware has only one slot, and it is read-only; add slots or set isFirstReadOnly to false';
  if (keepAlive_ms % 100 !== 0)
    return `admin.keepAlive_ms is ${keepAlive_ms}, and the unit of KAS is 100 milliseconds`;
  if (hostMemory === null) return null;
  const { preferred_bytes, minimum_bytes } = hostMemory;
  if (minimum_bytes <= preferred_bytes) return null;
  return `admin.hostMemory needs minimum_bytes ${minimum_bytes}, more than the preferred_bytes ${preferred_bytes}`;
}
