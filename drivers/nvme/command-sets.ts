/**
 * Which I/O command sets a controller runs together, and to which one each namespace belongs. A controller that knows
 * only the NVM command set is not asked. NVMe Base 2.1 §3.1.4.5, §5.1.13.2, §5.1.25.1.18; ZNS 1.2 §4.1.5.
 * Not here: what zones can do (zones.ts), the registers (controller.ts).
 */
import { COMMAND_SET_PROFILE, FID } from '../../nvme/spec/features.ts';
import { CNS, CSI, IDENTIFY_SIZE, NAMESPACE_DESCRIPTOR, NIDT } from '../../nvme/spec/identify.ts';
import { PAGE_SIZE } from '../../support/numbers.ts';
import type { AdminQueue } from './admin-queue.ts';
import { type NamespaceInfo, namespaceInfo, zoneInfo } from './identify.ts';

/** CNTID of Identify: the controller that is asked. */
const THIS_CONTROLLER = 0xffff;
/** Bytes of one combination in the structure of CNS 1Ch. */
const COMBINATION = 8;
const DRIVEN = (1 << CSI.NVM) | (1 << CSI.ZONED);

/**
 * Has the controller run as many of the sets that this driver knows as it can run together (CNS 1Ch), and resolves with
 * them, a bit for each CSI. Only after CC.CSS was set to all sets.
 */
export async function selectCommandSets(admin: AdminQueue): Promise<number> {
  const view = await admin.identify(CNS.COMMAND_SETS, 0, { cntid: THIS_CONTROLLER });
  const combinations = Array.from({ length: IDENTIFY_SIZE / COMBINATION }, (_, index) =>
    view.getUint32(index * COMBINATION, true),
  );
  const driven = combinations.map((sets) => sets & DRIVEN);
  const best = driven.indexOf(Math.max(...driven.filter((sets) => (sets & (1 << CSI.NVM)) !== 0)));
  if (combinations.filter((sets) => sets !== 0).length > 1)
    await admin.setFeatures(FID.COMMAND_SET_PROFILE, COMMAND_SET_PROFILE.encode({ IOCSCI: best }));
  return driven[best] ?? 1 << CSI.NVM;
}

/** What there is to know of an active namespace; null when it belongs to a command set that this driver does not know. */
export async function describeNamespace(
  admin: AdminQueue,
  nsid: number,
  sets: number,
): Promise<NamespaceInfo | null> {
  const isPlain = sets === 1 << CSI.NVM;
  const csi = isPlain ? CSI.NVM : commandSetOf(await admin.identify(CNS.NAMESPACE_DESCRIPTORS, nsid));
  if (((sets >>> csi) & 1) === 0) return null;
  const view = await admin.identify(CNS.NAMESPACE, nsid);
  const info = namespaceInfo(nsid, view);
  if (csi !== CSI.ZONED) return info;
  const zoned = await admin.identify(CNS.COMMAND_SET_NAMESPACE, nsid, { csi });
  const controller = await admin.identify(CNS.COMMAND_SET_CONTROLLER, 0, { csi });
  return { ...info, zones: zoneInfo(zoned, controller, info.format, PAGE_SIZE) };
}

/** CSI among the identification descriptors of a namespace; NVM when there is none. */
function commandSetOf(view: DataView): number {
  for (let at = 0; at + NAMESPACE_DESCRIPTOR.SIZE <= IDENTIFY_SIZE; ) {
    const { NIDT: type, NIDL: length } = NAMESPACE_DESCRIPTOR.decode(view, at);
    if (length === 0) break;
    if (type === NIDT.CSI) return view.getUint8(at + NAMESPACE_DESCRIPTOR.SIZE);
    at += NAMESPACE_DESCRIPTOR.SIZE + length;
  }
  return CSI.NVM;
}
