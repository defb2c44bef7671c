/**
 * Which features without a buffer the controller has, their defaults, and which values each takes (Base 2.1
 * §5.1.25.1). Pure: from CDW11 to a value or to the sentence that refuses it. DULBE is refused, because a store cannot
 * tell an unwritten block from one full of zeroes. Not here: the commands and the effects (features.ts).
 */
import { hex } from '../support/numbers.ts';
import { FeatureValues } from './feature-values.ts';
import { TEMPERATURE } from './health.ts';
import { ARBITRATION_BURST, POWER_STATES } from './identify-controller.ts';
import type { ControllerProfile } from './profile.ts';
import {
  ARBITRATION,
  ASYNC_EVENT_CONFIG,
  ERROR_RECOVERY,
  FEATURES,
  FID,
  HOST_IDENTIFIER,
  INTERRUPT_COALESCING,
  INTERRUPT_VECTOR,
  NUMBER_OF_QUEUES,
  POWER_MANAGEMENT,
  TEMPERATURE_THRESHOLD,
  THSEL,
  VOLATILE_WRITE_CACHE,
  WRITE_ATOMICITY,
} from './spec/features.ts';

/** NSQR and NCQR that no controller can grant. */
const TOO_MANY_QUEUES = 0xffff;
/** TEMPERATURE_THRESHOLD.TMPSEL: the composite temperature, and every temperature there is (Set only). */
const TMPSEL = { COMPOSITE: 0, ALL: 15 } as const;

/** Bits of CDW11 that this controller takes, by feature; a set bit outside of them is refused. */
const KNOWN_BITS: Readonly<Record<number, number>> = {
  [FID.ARBITRATION]: ARBITRATION.encode({ AB: 7, LPW: 0xff, MPW: 0xff, HPW: 0xff }),
  [FID.POWER_MANAGEMENT]: POWER_MANAGEMENT.encode({ PS: 0x1f, WH: 7 }),
  [FID.TEMPERATURE_THRESHOLD]: TEMPERATURE_THRESHOLD.encode({ TMPTH: 0xffff, TMPSEL: 0xf, THSEL: 3 }),
  [FID.ERROR_RECOVERY]: ERROR_RECOVERY.encode({ TLER: 0xffff }),
  [FID.VOLATILE_WRITE_CACHE]: VOLATILE_WRITE_CACHE.encode({ WCE: 1 }),
  [FID.NUMBER_OF_QUEUES]: NUMBER_OF_QUEUES.encode({ NSQR: 0xffff, NCQR: 0xffff }),
  [FID.INTERRUPT_COALESCING]: INTERRUPT_COALESCING.encode({ THR: 0xff, TIME: 0xff }),
  [FID.INTERRUPT_VECTOR]: INTERRUPT_VECTOR.encode({ IV: 0xffff, CD: 1 }),
  [FID.WRITE_ATOMICITY]: WRITE_ATOMICITY.encode({ DN: 1 }),
  [FID.ASYNC_EVENT]: ASYNC_EVENT_CONFIG.encode({ SMART: 0x3f }),
  [FID.TIMESTAMP]: 0,
  [FID.HOST_BEHAVIOR]: 0,
  [FID.HOST_IDENTIFIER]: HOST_IDENTIFIER.encode({ EXHID: 1 }),
};

/** The name of a feature that the specification defines. */
export const nameOf = (fid: number): string => FEATURES[fid]!.name;
export const isOfNamespace = (fid: number): boolean => FEATURES[fid]!.scope === 'namespace';

/** Every feature without a buffer that the controller has, at its defaults. `namespaces` counts NSID 0 too. */
export function createValues(profile: ControllerProfile, namespaces: number): Record<number, FeatureValues> {
  const values = (...defaults: number[]) => new FeatureValues(defaults, profile.savesFeatures);
  const queues = profile.maxQueuePairs - 1;
  const vectors = Array.from({ length: profile.msixVectors }, (_, IV) =>
    INTERRUPT_VECTOR.encode({ IV, CD: IV === 0 ? 1 : 0 }),
  );
  const cache = { [FID.VOLATILE_WRITE_CACHE]: values(VOLATILE_WRITE_CACHE.encode({ WCE: 1 })) };
  return {
    [FID.ARBITRATION]: values(ARBITRATION.encode({ AB: ARBITRATION_BURST })),
    [FID.POWER_MANAGEMENT]: values(0),
    [FID.TEMPERATURE_THRESHOLD]: values(
      TEMPERATURE_THRESHOLD.encode({ THSEL: THSEL.OVER, TMPTH: TEMPERATURE.WARNING }),
      TEMPERATURE_THRESHOLD.encode({ THSEL: THSEL.UNDER }),
    ),
    [FID.ERROR_RECOVERY]: values(...Array<number>(namespaces).fill(0)),
    ...(profile.writeCache ? cache : {}),
    [FID.NUMBER_OF_QUEUES]: new FeatureValues(
      [NUMBER_OF_QUEUES.encode({ NSQR: queues, NCQR: queues })],
      false,
    ),
    [FID.INTERRUPT_COALESCING]: values(0),
    [FID.INTERRUPT_VECTOR]: values(...vectors),
    [FID.WRITE_ATOMICITY]: values(0),
    [FID.ASYNC_EVENT]: values(0),
  };
}

/** Why Set Features cannot give a feature this value, or null. */
export function valueProblem(profile: ControllerProfile, fid: number, cdw11: number): string | null {
  const unknown = (cdw11 & ~KNOWN_BITS[fid]!) >>> 0;
  if (unknown !== 0) return `bits ${hex(unknown, 8)} are reserved or not supported`;
  if (fid === FID.POWER_MANAGEMENT) {
    const state = POWER_MANAGEMENT.PS.get(cdw11);
    return state < POWER_STATES ? null : `there is no power state ${state}, the last is ${POWER_STATES - 1}`;
  }
  if (fid === FID.NUMBER_OF_QUEUES) {
    const { NSQR, NCQR } = NUMBER_OF_QUEUES.decode(cdw11);
    return NSQR === TOO_MANY_QUEUES || NCQR === TOO_MANY_QUEUES ? 'NSQR and NCQR are at most FFFEh' : null;
  }
  const isAll = fid === FID.TEMPERATURE_THRESHOLD && TEMPERATURE_THRESHOLD.TMPSEL.get(cdw11) === TMPSEL.ALL;
  return selectorProblem(
    profile,
    fid,
    isAll ? TEMPERATURE_THRESHOLD.TMPSEL.set(cdw11, TMPSEL.COMPOSITE) : cdw11,
  );
}

/** Why the feature has no value that CDW11 selects, or null: a vector or a temperature that is not there. */
export function selectorProblem(profile: ControllerProfile, fid: number, cdw11: number): string | null {
  if (fid === FID.INTERRUPT_VECTOR) {
    const vector = INTERRUPT_VECTOR.IV.get(cdw11);
    return vector < profile.msixVectors
      ? null
      : `vector ${vector} is beyond the last, ${profile.msixVectors - 1}`;
  }
  if (fid !== FID.TEMPERATURE_THRESHOLD) return null;
  const { TMPSEL: sensor, THSEL: type } = TEMPERATURE_THRESHOLD.decode(cdw11);
  if (type > THSEL.UNDER) return `THSEL ${type} is reserved`;
  return sensor === TMPSEL.COMPOSITE ? null : `TMPSEL ${sensor} names a temperature that is not there`;
}

/** What is kept of CDW11: as many queues as asked for, up to what there are; thresholds of the composite temperature. */
export function valueToKeep(profile: ControllerProfile, fid: number, cdw11: number): number {
  if (fid === FID.TEMPERATURE_THRESHOLD) return TEMPERATURE_THRESHOLD.TMPSEL.set(cdw11, TMPSEL.COMPOSITE);
  if (fid !== FID.NUMBER_OF_QUEUES) return cdw11;
  const largest = profile.maxQueuePairs - 1;
  return NUMBER_OF_QUEUES.encode({
    NSQR: Math.min(NUMBER_OF_QUEUES.NSQR.get(cdw11), largest),
    NCQR: Math.min(NUMBER_OF_QUEUES.NCQR.get(cdw11), largest),
  });
}
