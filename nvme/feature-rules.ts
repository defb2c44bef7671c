/**
 * Which features without a buffer the controller has, their defaults, and which values each takes (Base 2.1
 * §5.1.25.1). Pure: from CDW11 to a value or to the sentence that refuses it. DULBE is refused, because a store cannot
 * tell an unwritten block from one full of zeroes. Not here: the commands and the effects (features.ts).
 */
import { hex } from '../support/numbers.ts';
import { USUAL_POWER } from './condition/profile.ts';
import { FeatureValues } from './feature-values.ts';
import { ARBITRATION_BURST } from './limits.ts';
import type { Namespaces } from './namespaces.ts';
import type { ControllerProfile } from './profile.ts';
import { hasQuirk } from './quirks.ts';
import {
  ARBITRATION,
  ASYNC_EVENT_CONFIG,
  COMMAND_SET_PROFILE,
  ERROR_RECOVERY,
  FEATURES,
  FID,
  HOST_IDENTIFIER,
  HOST_MEMORY_BUFFER,
  INTERRUPT_COALESCING,
  INTERRUPT_VECTOR,
  KEEP_ALIVE,
  NAMESPACE_WRITE_PROTECTION,
  NUMBER_OF_QUEUES,
  POWER_MANAGEMENT,
  RESERVATION_NOTIFICATION,
  RESERVATION_PERSISTENCE,
  SANITIZE_CONFIG,
  SOFTWARE_PROGRESS,
  TEMPERATURE_THRESHOLD,
  THERMAL_MANAGEMENT,
  THSEL,
  VOLATILE_WRITE_CACHE,
  WRITE_ATOMICITY,
  WRITE_PROTECTION,
} from './spec/features.ts';
import { CAP_CSS } from './spec/registers.ts';

/** NSQR and NCQR that no controller can grant. */
const TOO_MANY_QUEUES = 0xffff;
/** Every bit of CDW11. */
const ALL_BITS = 0xffff_ffff;
/** Features of which reserved bits are kept where they are taken. */
const KEPT_WHOLE: readonly number[] = [FID.ASYNC_EVENT, FID.ERROR_RECOVERY];
/** TEMPERATURE_THRESHOLD.TMPSEL: the composite temperature, and every temperature there is (Set only). */
const TMPSEL = { COMPOSITE: 0, ALL: 15 } as const;

/** Bits of CDW11 that this controller takes, by feature; a set bit outside of them is refused. */
const KNOWN_BITS: Readonly<Record<number, number>> = {
  [FID.ARBITRATION]: ARBITRATION.encode({ AB: 7, LPW: 0xff, MPW: 0xff, HPW: 0xff }),
  [FID.POWER_MANAGEMENT]: POWER_MANAGEMENT.encode({ PS: 0x1f, WH: 7 }),
  [FID.TEMPERATURE_THRESHOLD]: TEMPERATURE_THRESHOLD.encode({ TMPTH: 0xffff, TMPSEL: 0xf, THSEL: 3 }),
  [FID.ERROR_RECOVERY]: ERROR_RECOVERY.encode({ TLER: 0xffff, DULBE: 1 }),
  [FID.VOLATILE_WRITE_CACHE]: VOLATILE_WRITE_CACHE.encode({ WCE: 1 }),
  [FID.NUMBER_OF_QUEUES]: NUMBER_OF_QUEUES.encode({ NSQR: 0xffff, NCQR: 0xffff }),
  [FID.INTERRUPT_COALESCING]: INTERRUPT_COALESCING.encode({ THR: 0xff, TIME: 0xff }),
  [FID.INTERRUPT_VECTOR]: INTERRUPT_VECTOR.encode({ IV: 0xffff, CD: 1 }),
  [FID.WRITE_ATOMICITY]: WRITE_ATOMICITY.encode({ DN: 1 }),
  [FID.TIMESTAMP]: 0,
  [FID.KEEP_ALIVE]: KEEP_ALIVE.KATO.mask,
  [FID.THERMAL_MANAGEMENT]: THERMAL_MANAGEMENT.encode({ TMT1: 0xffff, TMT2: 0xffff }),
  [FID.HOST_BEHAVIOR]: 0,
  [FID.HOST_MEMORY_BUFFER]: HOST_MEMORY_BUFFER.encode({ EHM: 1, MR: 1 }),
  [FID.SANITIZE_CONFIG]: SANITIZE_CONFIG.encode({ NODRM: 1 }),
  [FID.COMMAND_SET_PROFILE]: COMMAND_SET_PROFILE.IOCSCI.mask,
  [FID.SOFTWARE_PROGRESS]: SOFTWARE_PROGRESS.PBSLC.mask,
  [FID.NAMESPACE_WRITE_PROTECTION]: NAMESPACE_WRITE_PROTECTION.WPS.mask,
  [FID.HOST_IDENTIFIER]: HOST_IDENTIFIER.encode({ EXHID: 1 }),
  [FID.RESERVATION_NOTIFICATION]: RESERVATION_NOTIFICATION.encode({ REGPRE: 1, RESREL: 1, RESPRE: 1 }),
  [FID.RESERVATION_PERSISTENCE]: RESERVATION_PERSISTENCE.encode({ PTPL: 1 }),
};

export const isChangeable = ({ features }: ControllerProfile, fid: number): boolean =>
  !features.fixed.some((name) => FID[name] === fid);

/** The name of a feature that the specification defines. */
export const nameOf = (fid: number): string => FEATURES[fid]?.name ?? `feature ${hex(fid, 2)}`;
export const isOfNamespace = (fid: number): boolean => FEATURES[fid]!.scope === 'namespace';

/** Every feature without a buffer that the controller has, at its defaults. */
export function createValues(
  profile: ControllerProfile,
  namespaces: Namespaces,
): Record<number, FeatureValues> {
  const values = (...defaults: number[]) => new FeatureValues(defaults, profile.savesFeatures);
  const queues = profile.maxQueuePairs - 1;
  const { defaults } = profile.features;
  const vectors = Array.from({ length: profile.msixVectors }, (_, IV) =>
    INTERRUPT_VECTOR.encode({ IV, CD: IV === 0 ? 1 : 0 }),
  );
  const cache = { [FID.VOLATILE_WRITE_CACHE]: values(VOLATILE_WRITE_CACHE.encode({ WCE: 1 })) };
  return {
    [FID.ARBITRATION]: values(defaults.ARBITRATION ?? ARBITRATION.encode({ AB: ARBITRATION_BURST })),
    [FID.POWER_MANAGEMENT]: values(0),
    [FID.TEMPERATURE_THRESHOLD]: values(
      TEMPERATURE_THRESHOLD.encode({ THSEL: THSEL.OVER, TMPTH: profile.warningTemperature_K }),
      TEMPERATURE_THRESHOLD.encode({ THSEL: THSEL.UNDER }),
    ),
    [FID.ERROR_RECOVERY]: values(...Array<number>(namespaces.largest + 1).fill(0)),
    ...(profile.writeCache ? cache : {}),
    [FID.NUMBER_OF_QUEUES]: new FeatureValues(
      [NUMBER_OF_QUEUES.encode({ NSQR: queues, NCQR: queues })],
      false,
    ),
    [FID.INTERRUPT_COALESCING]: values(defaults.INTERRUPT_COALESCING ?? 0),
    [FID.INTERRUPT_VECTOR]: values(...vectors),
    [FID.WRITE_ATOMICITY]: values(defaults.WRITE_ATOMICITY ?? 0),
    [FID.ASYNC_EVENT]: values(defaults.ASYNC_EVENT ?? 0),
    ...optionalValues(profile, namespaces),
    [FID.RESERVATION_NOTIFICATION]: new FeatureValues(Array<number>(namespaces.largest + 1).fill(0), false),
    [FID.RESERVATION_PERSISTENCE]: new FeatureValues(Array<number>(namespaces.largest + 1).fill(0), false),
  };
}

/** Those that a profile can leave out. All but the timer keep their value over resets. */
function optionalValues(profile: ControllerProfile, namespaces: Namespaces): Record<number, FeatureValues> {
  const { admin } = profile;
  const kept = (...defaults: number[]) => new FeatureValues(defaults, false, true);
  const protections = Array.from({ length: namespaces.largest + 1 }, (_, nsid) =>
    namespaces.allocated(nsid)?.isMediumReadOnly === true
      ? WRITE_PROTECTION.PROTECTED
      : WRITE_PROTECTION.NONE,
  );
  const thermal = new FeatureValues([0], profile.savesFeatures);
  const isProfiled = (profile.commandSets & CAP_CSS.IO_COMMAND_SETS) !== 0;
  return {
    ...((profile.power ?? USUAL_POWER).managed_K !== null ? { [FID.THERMAL_MANAGEMENT]: thermal } : {}),
    ...(admin.keepAlive_ms > 0 ? { [FID.KEEP_ALIVE]: new FeatureValues([0], false) } : {}),
    ...(admin.sanitize.length > 0
      ? { [FID.SANITIZE_CONFIG]: kept(SANITIZE_CONFIG.encode({ NODRM: 1 })) }
      : {}),
    ...(isProfiled ? { [FID.COMMAND_SET_PROFILE]: kept(0) } : {}),
    ...(profile.savesFeatures ? { [FID.SOFTWARE_PROGRESS]: kept(0) } : {}),
    ...(admin.writeProtection ? { [FID.NAMESPACE_WRITE_PROTECTION]: kept(...protections) } : {}),
  };
}

/** The events that the host can turn on: SMART's, and the notices of what this controller has. */
function eventBits({ admin, commandSets, absent }: ControllerProfile): number {
  return ASYNC_EVENT_CONFIG.encode({
    SMART: 0x3f,
    NSAN: admin.namespaceManagement || admin.format ? 1 : 0,
    FAN: admin.firmware?.activatesNow === true ? 1 : 0,
    TLN: admin.telemetry ? 1 : 0,
    ZDCN: (commandSets & CAP_CSS.IO_COMMAND_SETS) !== 0 && !absent.logs.includes('CHANGED_ZONES') ? 1 : 0,
  });
}

/** Why Set Features cannot give a feature this value, or null. */
export function valueProblem(profile: ControllerProfile, fid: number, cdw11: number): string | null {
  const isAnyTaken = hasQuirk(profile, 'takesAnyFeatureBits');
  const known = isAnyTaken ? ALL_BITS : fid === FID.ASYNC_EVENT ? eventBits(profile) : KNOWN_BITS[fid]!;
  const unknown = (cdw11 & ~known) >>> 0;
  if (unknown !== 0) return `bits ${hex(unknown, 8)} are reserved or not supported`;
  if (fid === FID.POWER_MANAGEMENT) {
    const state = POWER_MANAGEMENT.PS.get(cdw11);
    const { states } = profile.power ?? USUAL_POWER;
    return state < states.length
      ? null
      : `there is no power state ${state}, the last is ${states.length - 1}`;
  }
  if (fid === FID.THERMAL_MANAGEMENT) return managementProblem(profile, cdw11);
  if (fid === FID.NUMBER_OF_QUEUES) {
    const { NSQR, NCQR } = NUMBER_OF_QUEUES.decode(cdw11);
    return NSQR === TOO_MANY_QUEUES || NCQR === TOO_MANY_QUEUES ? 'NSQR and NCQR are at most FFFEh' : null;
  }
  if (fid === FID.NAMESPACE_WRITE_PROTECTION && cdw11 > WRITE_PROTECTION.PROTECTED) {
    return `WPS ${cdw11} is not supported (NWPC)`;
  }
  const isAll = fid === FID.TEMPERATURE_THRESHOLD && TEMPERATURE_THRESHOLD.TMPSEL.get(cdw11) === TMPSEL.ALL;
  return selectorProblem(
    profile,
    fid,
    isAll ? TEMPERATURE_THRESHOLD.TMPSEL.set(cdw11, TMPSEL.COMPOSITE) : cdw11,
  );
}

/** Thresholds are in the range of MNTMT and MXTMT, the light one below the heavy one; 0 turns either off. */
function managementProblem(profile: ControllerProfile, cdw11: number): string | null {
  const [least, most] = (profile.power ?? USUAL_POWER).managed_K!;
  const { TMT1, TMT2 } = THERMAL_MANAGEMENT.decode(cdw11);
  for (const [name, kelvin] of [
    ['TMT1', TMT1],
    ['TMT2', TMT2],
  ] as const) {
    if (kelvin !== 0 && (kelvin < least || kelvin > most))
      return `${name} is ${kelvin} K, not from ${least} to ${most} (MNTMT, MXTMT)`;
  }
  if (TMT1 === 0 || TMT2 === 0 || TMT1 < TMT2) return null;
  return `TMT1 is ${TMT1} K, not below TMT2, ${TMT2} K`;
}

/** The threshold of a temperature that is not there, which is taken and forgotten. */
export const isOtherTemperature = (profile: ControllerProfile, fid: number, cdw11: number): boolean =>
  hasQuirk(profile, 'forgetsOtherTemperatures') &&
  fid === FID.TEMPERATURE_THRESHOLD &&
  TEMPERATURE_THRESHOLD.TMPSEL.get(cdw11) !== TMPSEL.COMPOSITE;

/** With the quirk `zeroDefaults`: features that tell 0 as default and begin with another value. */
export const isDefaultZero = (fid: number): boolean =>
  fid === FID.VOLATILE_WRITE_CACHE || fid === FID.ASYNC_EVENT;

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
  if (isOtherTemperature(profile, fid, cdw11)) return null;
  if (type > THSEL.UNDER) return `THSEL ${type} is reserved`;
  return sensor === TMPSEL.COMPOSITE ? null : `TMPSEL ${sensor} names a temperature that is not there`;
}

/**
 * What is kept of CDW11: as many queues as asked for, up to what there are; thresholds of the composite temperature; a
 * Keep Alive time in whole granules.
 */
export function valueToKeep(profile: ControllerProfile, fid: number, cdw11: number): number {
  if (fid === FID.TEMPERATURE_THRESHOLD) return TEMPERATURE_THRESHOLD.TMPSEL.set(cdw11, TMPSEL.COMPOSITE);
  if (fid === FID.KEEP_ALIVE) {
    const { keepAlive_ms } = profile.admin;
    return Math.min(Math.ceil(cdw11 / keepAlive_ms) * keepAlive_ms, KEEP_ALIVE.KATO.mask);
  }
  if (fid !== FID.NUMBER_OF_QUEUES) return KEPT_WHOLE.includes(fid) ? cdw11 : cdw11 & KNOWN_BITS[fid]!;
  const largest = profile.maxQueuePairs - 1;
  if (hasQuirk(profile, 'grantsEveryQueue')) return NUMBER_OF_QUEUES.encode({ NSQR: largest, NCQR: largest });
  return NUMBER_OF_QUEUES.encode({
    NSQR: Math.min(NUMBER_OF_QUEUES.NSQR.get(cdw11), largest),
    NCQR: Math.min(NUMBER_OF_QUEUES.NCQR.get(cdw11), largest),
  });
}
