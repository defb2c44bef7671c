/** Zones that the controller changes by itself: the Zone Descriptor Changed event and log page BFh (ZNS 1.2 §4.1). */
import { expect, test } from 'vitest';
import { CNS, IDENTIFY_CONTROLLER, OAES } from '../../nvme/spec/identify.ts';
import { LID } from '../../nvme/spec/logs.ts';
import { statusName } from '../../nvme/spec/status.ts';
import { CHANGED_ZONES, CHANGED_ZONES_OVERFLOW, ZONE } from '../../nvme/spec/zones.ts';
import { BROADCAST, getLog, identify, listen } from './admin-commands.ts';
import { IoRig } from './io-rig.ts';

const ZDCN = 1 << 27;
const zones = { zone: 65_536 };
const ZONE_BLOCKS = 128;
const rigOf = () =>
  new IoRig({
    namespaces: [1, 2, 3].map((nsid) => ({
      nsid,
      bytes: 40 * 1024 ** 2,
      block_bytes: 512,
      ...(nsid === 3 ? {} : { zones }),
    })),
  });

const degrade = (rig: IoRig, nsid: number, ...list: number[]): void => {
  for (const zone of list) rig.controller.namespace(nsid)!.zones!.degrade(zone, ZONE.READ_ONLY);
  rig.settle();
};
/** First blocks of the zones in the list of a namespace. */
function changed(rig: IoRig, nsid: number): number[] {
  const { view } = getLog(rig, LID.CHANGED_ZONES, CHANGED_ZONES.SIZE, { nsid });
  return Array.from({ length: CHANGED_ZONES.get(view, 0, 'ZONES') }, (_, index) =>
    Number(view.getBigUint64(CHANGED_ZONES.IDENTIFIERS + 8 * index, true)),
  );
}

test('notice 2/EFh names log page BFh and the namespace; reading its list clears it, and the next namespace is told', () => {
  const rig = rigOf();
  listen(rig, 50, ZDCN);
  degrade(rig, 2, 5, 3);
  degrade(rig, 1, 7);
  expect(rig.reapAll(0).map(({ cid, dw0, dw1 }) => [cid, dw0, dw1])).toEqual([[50, 0x00bf_ef02, 2]]);
  expect(changed(rig, 2)).toEqual([3 * ZONE_BLOCKS, 5 * ZONE_BLOCKS]);
  expect(changed(rig, 2)).toEqual([]);
  listen(rig, 51, ZDCN);
  expect(rig.reapAll(0).map(({ cid, dw1 }) => [cid, dw1])).toEqual([[51, 1]]);
  expect(changed(rig, 1)).toEqual([7 * ZONE_BLOCKS]);
});

test('without the event the list is kept all the same; a reset forgets it', () => {
  const rig = rigOf();
  listen(rig, 50, 0);
  degrade(rig, 1, 0);
  expect(rig.reapAll(0)).toEqual([]);
  rig.disable();
  rig.start();
  expect(changed(rig, 1)).toEqual([]);
  degrade(rig, 1, 1);
  expect(changed(rig, 1)).toEqual([ZONE_BLOCKS]);
});

test('more than 511 zones are FFFFh and no list', () => {
  const rig = rigOf();
  degrade(rig, 1, ...Array.from({ length: 512 }, (_, zone) => zone));
  const { view } = getLog(rig, LID.CHANGED_ZONES, CHANGED_ZONES.SIZE, { nsid: 1 });
  expect(CHANGED_ZONES.get(view, 0, 'ZONES')).toBe(CHANGED_ZONES_OVERFLOW);
  expect(view.getBigUint64(CHANGED_ZONES.IDENTIFIERS, true)).toBe(0n);
});

test.each([
  [0, 'INVALID_NAMESPACE_OR_FORMAT'],
  [BROADCAST, 'INVALID_NAMESPACE_OR_FORMAT'],
  [9, 'INVALID_NAMESPACE_OR_FORMAT'],
  [3, 'INVALID_LOG_PAGE'],
])('the page of NSID %i: %s', (nsid, expected) => {
  expect(statusName(getLog(rigOf(), LID.CHANGED_ZONES, 4096, { nsid }).status)).toBe(expected);
});

test('a drive with zones announces the event, another one does not', () => {
  const announced = (rig: IoRig) =>
    OAES.ZDCN.get(Number(IDENTIFY_CONTROLLER.get(identify(rig, CNS.CONTROLLER).view, 0, 'OAES')));
  expect([announced(rigOf()), announced(new IoRig())]).toEqual([1, 0]);
});
