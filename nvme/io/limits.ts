/**
 * Size limits of commands that move no data, or little for much: Verify, Write Zeroes, Write Uncorrectable, Dataset
 * Management and Copy (NVM Command Set 1.1 §4.1.5.1, §4.1.5.3). A command with a limit of CNS 06h is not announced in
 * ONCS, which is how Identify says that the limit binds. Not here: MDTS (command.ts).
 */

export interface CommandLimits {
  /** VSL, WZSL, WUSL: log2 of smallest pages; 0: no limit. */
  readonly verify: number;
  readonly zeroes: number;
  readonly uncorrectable: number;
  /** DMRL, DMRSL, DMSL: ranges of one command, blocks of one range, blocks of all; 0: no limit. */
  readonly ranges: number;
  readonly rangeBlocks: number;
  readonly totalBlocks: number;
  /** MSRC + 1, MSSRL, MCL: source ranges of one Copy, blocks of one range, blocks of all. */
  readonly copyRanges: number;
  readonly copyRangeBlocks: number;
  readonly copyBlocks: number;
}

/** None, but for Copy, which always has some. */
export const NO_LIMITS: CommandLimits = {
  verify: 0,
  zeroes: 0,
  uncorrectable: 0,
  ranges: 0,
  rangeBlocks: 0,
  totalBlocks: 0,
  copyRanges: 128,
  copyRangeBlocks: 1024,
  copyBlocks: 8192,
};

const PAGE = 4096;

/** Bytes that a limit in pages allows; `pageMin` is CAP.MPSMIN. */
export const limitBytes = (pageMin: number, log2: number): number =>
  log2 === 0 ? Number.POSITIVE_INFINITY : (PAGE << pageMin) * 2 ** log2;

/** Dataset Management has a limit. */
export const isDatasetLimited = ({ ranges, rangeBlocks, totalBlocks }: CommandLimits): boolean =>
  ranges + rangeBlocks + totalBlocks > 0;
