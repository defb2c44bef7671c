/** The door for people who write scenarios: `import { defineScenario, mediaError, fio } from 'doorbell/scenario'`. */

export {
  type Board,
  boardWith,
  boot,
  DEVICES,
  linkOf,
  type Machine,
  type NvmeBoard,
  pc,
  workstation,
  zns,
} from '../../boards/index.ts';
export { NvmeDriver } from '../../drivers/nvme/index.ts';
export { must, oneOf, type Shape, whole } from '../../support/shape.ts';
export { DEVICE, device } from './devices.ts';
export {
  at,
  faultStorm,
  hotAdd,
  hotRemoval,
  hungFirmware,
  lostInterrupts,
  mediaError,
  powerCut,
  retrain,
  stuckCommand,
} from './events.ts';
export { type FioOptions, fio, type JobFigures } from './jobs.ts';
export { type LoopResult, loop, rateBetween } from './loop.ts';
export { runScenario, type ScenarioResult } from './run.ts';
export {
  type Context,
  defineScenario,
  type Observed,
  type Scenario,
  type ScenarioEvent,
  type Settings,
} from './scenario.ts';
