/** The scenarios that come with Doorbell, in the order in which they are best read. */

import faultStorm from './fault-storm.ts';
import fewCredits from './few-credits.ts';
import hostMemory from './host-memory.ts';
import hotRemoval from './hot-removal.ts';
import iotlbMisses from './iotlb-misses.ts';
import type { Scenario } from './kit/index.ts';
import linkRetrain from './link-retrain.ts';
import lostMsi from './lost-msi.ts';
import mediaError from './media-error.ts';
import pollingOrInterrupts from './polling-or-interrupts.ts';
import powerCut from './power-cut.ts';
import queueDepth from './queue-depth.ts';
import sharedUplink from './shared-uplink.ts';
import smallPayloads from './small-payloads.ts';
import steadyState from './steady-state.ts';
import stuckCommand from './stuck-command.ts';
import swappedDrive from './swapped-drive.ts';
import unmapInFlight from './unmap-in-flight.ts';
import zoneAppend from './zone-append.ts';

export const SCENARIOS: readonly Scenario[] = [
  queueDepth,
  pollingOrInterrupts,
  steadyState,
  smallPayloads,
  fewCredits,
  sharedUplink,
  hostMemory,
  iotlbMisses,
  linkRetrain,
  mediaError,
  lostMsi,
  stuckCommand,
  swappedDrive,
  powerCut,
  hotRemoval,
  unmapInFlight,
  faultStorm,
  zoneAppend,
];
