/** The text of `steadystate` (`ss`): which rate, how it is judged, and the limit. Not here: judging (steady-state.ts). */
import { parseSize } from '../../support/numbers.ts';

/** What `ss=iops_slope:0.3%` asks for. */
export interface SteadyCriterion {
  readonly of: 'iops' | 'bw';
  readonly isSlope: boolean;
  readonly limit: number;
  /** The limit is a percentage of the mean. */
  readonly isPercent: boolean;
}

/** `iops:10%`, `bw_slope:100k` in bytes; null when it is none. */
export function parseCriterion(text: string): SteadyCriterion | null {
  const match = /^(iops|bw)(_slope)?:([\d.]+[kmg]?)(%?)$/i.exec(text);
  if (match === null) return null;
  const limit = match[4] === '%' ? Number(match[3]) : parseSize(match[3]!);
  if (!Number.isFinite(limit)) return null;
  return {
    of: match[1] as 'iops' | 'bw',
    isSlope: match[2] !== undefined,
    limit,
    isPercent: match[4] === '%',
  };
}

/** As fio prints the criterion. */
export const criterionName = ({ of, isSlope, limit, isPercent }: SteadyCriterion): string =>
  `${of}${isSlope ? '_slope' : ''}:${limit.toFixed(6)}${isPercent ? '%' : ''}`;
