/** Admin commands that many tests send, on the harness: Identify, Get Log Page, features, namespaces, events. */
import { ADMIN } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { NAMESPACE_CREATE } from '../../nvme/spec/management.ts';
import type { Completion, Entry } from './entry.ts';
import { type Harness, PAGE } from './harness.ts';

export const BROADCAST = 0xffff_ffff;

/** Identify into a page of EEh. */
export function identify(harness: Harness, cns: number, entry: Partial<Entry> = {}) {
  const buffer = harness.allocate();
  harness.memory.fill(buffer, 0xee, PAGE);
  const { cdw10 = 0, ...rest } = entry;
  const completion = harness.submitAdmin({
    opcode: ADMIN.IDENTIFY,
    prp1: buffer,
    cdw10: cns | cdw10,
    ...rest,
  });
  return { ...completion, buffer, view: harness.view(buffer) };
}

/** Get Log Page of up to two pages, into EEh. */
export function getLog(
  harness: Harness,
  lid: number,
  bytes: number,
  entry: Partial<Entry> = {},
  isRetained = false,
) {
  const buffer = harness.allocate(2);
  harness.memory.fill(buffer, 0xee, 2 * PAGE);
  const numd = bytes / 4 - 1;
  const completion = harness.submitAdmin({
    opcode: ADMIN.GET_LOG_PAGE,
    nsid: BROADCAST,
    prp1: buffer,
    prp2: buffer + PAGE,
    cdw10: lid | (isRetained ? 0x8000 : 0) | ((numd & 0xffff) << 16),
    cdw11: numd >>> 16,
    ...entry,
  });
  return { ...completion, buffer, view: harness.view(buffer) };
}

export const setFeature = (
  harness: Harness,
  fid: number,
  cdw11: number,
  entry: Partial<Entry> = {},
): Completion => harness.submitAdmin({ opcode: ADMIN.SET_FEATURES, cdw10: fid, cdw11, ...entry });
export const getFeature = (harness: Harness, fid: number, entry: Partial<Entry> = {}): Completion =>
  harness.submitAdmin({ opcode: ADMIN.GET_FEATURES, cdw10: fid, ...entry });

/** Namespace Management, create; `data` are fields of the structure, by default 512-byte blocks. */
export function createNamespace(
  harness: Harness,
  blocks: number,
  data: Partial<Record<keyof typeof NAMESPACE_CREATE & string, number>> = {},
  entry: Partial<Entry> = {},
): Completion {
  const prp1 = harness.allocate();
  const view = harness.view(prp1);
  const fields = { NSZE: blocks, NCAP: blocks, ...data };
  for (const [name, value] of Object.entries(fields)) NAMESPACE_CREATE.set(view, 0, name as 'NSZE', value);
  return harness.submitAdmin({ opcode: ADMIN.NAMESPACE_MANAGEMENT, prp1, ...entry });
}

export const deleteNamespace = (harness: Harness, nsid: number): Completion =>
  harness.submitAdmin({ opcode: ADMIN.NAMESPACE_MANAGEMENT, cdw10: 1, nsid });

/** Namespace Attachment with this controller list: attach with `select` 0, detach with 1. */
export function attachment(
  harness: Harness,
  select: number,
  nsid: number,
  controllers: readonly number[] = [0],
): Completion {
  const prp1 = harness.allocate();
  const view = harness.view(prp1);
  [controllers.length, ...controllers].forEach((value, index) => {
    view.setUint16(2 * index, value, true);
  });
  return harness.submitAdmin({ opcode: ADMIN.NAMESPACE_ATTACHMENT, cdw10: select, nsid, prp1 });
}

/** Holds an event request with this command identifier, after turning on all that can be. */
export function listen(harness: Harness, cid: number, events = 0x73f): void {
  setFeature(harness, FID.ASYNC_EVENT, events);
  harness.post(0, { opcode: ADMIN.ASYNC_EVENT_REQUEST, cid });
  harness.ring(0);
}

/** NSIDs of a namespace list. */
export function namespaceList(harness: Harness, cns: number): number[] {
  const { view } = identify(harness, cns);
  const list: number[] = [];
  for (let at = 0; view.getUint32(at, true) !== 0; at += 4) list.push(view.getUint32(at, true));
  return list;
}
