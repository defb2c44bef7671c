/**
 * What a controller draws and how warm that makes it: its power states and one thermal resistance with one time
 * constant, as plain data inside its profile. Not here: the temperature as time goes by (thermal.ts), what both do to
 * commands (condition.ts).
 */

/** One power state. Base 2.1 §8.1.17 */
export interface PowerState {
  /** Most it ever draws (MP). */
  readonly max_mW: number;
  /** What it draws without commands (IDLP). */
  readonly idle_mW: number;
  /** False: commands are not worked on in it; the first one wakes the controller. */
  readonly isOperational: boolean;
  readonly entry_us: number;
  readonly exit_us: number;
  /** How much longer the medium takes than in the fastest state, at least 1. */
  readonly slowness: number;
}

export interface PowerProfile {
  /** State 0 is operational, and the one after a reset. */
  readonly states: readonly PowerState[];
  /** Energy of a byte on its way from and to the medium. */
  readonly read_nJ: number;
  readonly write_nJ: number;
  readonly ambient_K: number;
  /** How much warmer it is than that for each watt, in the end, and the time constant of getting there. */
  readonly rise_K_per_W: number;
  readonly settling_ns: number;
  /** The range of the thresholds of Host Controlled Thermal Management; null: there is none. */
  readonly managed_K: readonly [least: number, most: number] | null;
  /** How much longer the medium takes while it has to cool: from TMT1 on, and from TMT2 on. */
  readonly throttle: readonly [light: number, heavy: number];
}

const SECOND_NS = 1_000_000_000;

/** One power state, and a temperature of 310 K (37 degrees) at rest: 5 W in a place of 298 K. */
export const USUAL_POWER: PowerProfile = {
  states: [{ max_mW: 25_000, idle_mW: 5000, isOperational: true, entry_us: 16, exit_us: 4, slowness: 1 }],
  // 9 W more at 2.4 GB/s read, and at 2 GB/s written.
  read_nJ: 3.75,
  write_nJ: 4.5,
  ambient_K: 298,
  rise_K_per_W: 2.4,
  settling_ns: 60 * SECOND_NS,
  managed_K: null,
  throttle: [2, 8],
};

/** The same with two slower states and two that sleep, as a laptop's drive has them, and thermal management. */
export const EVERY_POWER_STATE: PowerProfile = {
  ...USUAL_POWER,
  states: [
    USUAL_POWER.states[0]!,
    { max_mW: 12_000, idle_mW: 3000, isOperational: true, entry_us: 16, exit_us: 4, slowness: 1.5 },
    { max_mW: 8000, idle_mW: 2000, isOperational: true, entry_us: 16, exit_us: 4, slowness: 2.5 },
    { max_mW: 500, idle_mW: 500, isOperational: false, entry_us: 2000, exit_us: 2000, slowness: 1 },
    { max_mW: 50, idle_mW: 50, isOperational: false, entry_us: 5000, exit_us: 20_000, slowness: 1 },
  ],
  managed_K: [313, 353],
};

/** One sentence naming the first impossible combination, or null. */
export function checkPower({ states, managed_K }: PowerProfile): string | null {
  if (states[0]?.isOperational !== true) return 'power.states must begin with an operational state';
  const sleeper = states.findIndex(({ isOperational }) => !isOperational);
  if (sleeper > 0 && states.slice(sleeper).some(({ isOperational }) => isOperational))
    return `power.states[${sleeper}] is not operational, and one after it is`;
  for (const [index, { idle_mW, max_mW }] of states.entries()) {
    if (idle_mW > max_mW)
      return `power.states[${index}] draws ${idle_mW} mW idle, more than its max_mW ${max_mW}`;
  }
  if (managed_K === null || managed_K[0] <= managed_K[1]) return null;
  return `power.managed_K begins at ${managed_K[0]}, above its end ${managed_K[1]}`;
}
