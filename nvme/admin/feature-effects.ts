/**
 * What a changed feature changes in the controller: arbitration, interrupts, events, thresholds, timers, protection.
 * Features that are not here are only kept, or asked for where they matter (features.ts `value`).
 */
import {
  ARBITRATION,
  FID,
  INTERRUPT_VECTOR,
  POWER_MANAGEMENT,
  TEMPERATURE_THRESHOLD,
  THERMAL_MANAGEMENT,
  THSEL,
  WRITE_PROTECTION,
} from '../spec/features.ts';
import type { AdminParts } from './command.ts';
import type { KeepAlive } from './keep-alive.ts';

/** ARBITRATION.AB that stands for no limit. */
const NO_BURST_LIMIT = 7;

export interface EffectParts
  extends Pick<AdminParts, 'engine' | 'events' | 'health' | 'coalescing' | 'namespaces'> {
  readonly keepAlive: KeepAlive;
}

/** Puts the `count` current values of a feature into effect. */
export function applyFeature(
  parts: EffectParts,
  fid: number,
  current: (index: number) => number,
  count: number,
): void {
  const { engine, events, health, coalescing, namespaces, keepAlive } = parts;
  switch (fid) {
    case FID.ARBITRATION: {
      const { AB, HPW, MPW, LPW } = ARBITRATION.decode(current(0));
      engine.fetcher.burst = AB === NO_BURST_LIMIT ? 0 : 1 << AB;
      return engine.fetcher.arbiter.setWeights(HPW + 1, MPW + 1, LPW + 1);
    }
    case FID.ASYNC_EVENT:
      events.enabled = current(0);
      return;
    case FID.TEMPERATURE_THRESHOLD: {
      const kelvin = (index: number) => TEMPERATURE_THRESHOLD.TMPTH.get(current(index));
      return health.condition.setThresholds(kelvin(THSEL.OVER), kelvin(THSEL.UNDER));
    }
    case FID.POWER_MANAGEMENT:
      health.condition.state = POWER_MANAGEMENT.PS.get(current(0));
      return;
    case FID.THERMAL_MANAGEMENT: {
      const { TMT1, TMT2 } = THERMAL_MANAGEMENT.decode(current(0));
      return health.condition.setManagement(TMT1, TMT2);
    }
    case FID.INTERRUPT_COALESCING:
      return coalescing.configure(current(0));
    case FID.INTERRUPT_VECTOR:
      for (let vector = 0; vector < count; vector++) {
        coalescing.setVector(vector, INTERRUPT_VECTOR.CD.get(current(vector)) === 0);
      }
      return;
    case FID.KEEP_ALIVE:
      return keepAlive.set(current(0));
    case FID.NAMESPACE_WRITE_PROTECTION:
      for (const namespace of namespaces.list('allocated')) {
        namespace.protect(current(namespace.nsid) !== WRITE_PROTECTION.NONE);
      }
      return;
    default:
  }
}
