/** The line that tells on a terminal how far the jobs are, as fio's own does. Not here: when it is told (engine.ts). */
import type { Clone } from './clone.ts';
import { binaryBytes, count } from './format.ts';
import { READ, WRITE } from './stats.ts';

/** `Jobs: 2 (f=2): [r(1),V(1)][42.0%][r=310MiB/s,w=290MiB/s][r=79k,w=74k IOPS]`; rates are per second of host time. */
export function statusLine(clones: readonly Clone[], elapsed_ns: number): string {
  const running = clones.filter((clone) => !clone.isDone);
  const letters = clones.map((clone) => {
    if (clone.isDone) return '_';
    if (clone.workload.isVerifying) return 'V';
    const { random, reads, writes, trims } = clone.job;
    const letter = reads && writes ? 'm' : reads ? 'r' : writes ? 'w' : trims ? 'd' : '-';
    return random ? letter : letter.toUpperCase();
  });
  const shares = clones.map(({ workload }) => workload.progress).filter((share) => !Number.isNaN(share));
  const share =
    shares.length === 0 ? '' : `[${((100 * shares.reduce((a, b) => a + b)) / shares.length).toFixed(1)}%]`;
  const seconds = elapsed_ns / 1e9;
  const rate = (direction: typeof READ | typeof WRITE, what: 'bytes' | 'ios'): number =>
    clones.reduce((sum, { stats }) => sum + stats.directions[direction][what], 0) / seconds;
  return (
    `Jobs: ${running.length} (f=${running.length}): [${runs(letters)}]${share}` +
    `[r=${binaryBytes(rate(READ, 'bytes'))}/s,w=${binaryBytes(rate(WRITE, 'bytes'))}/s]` +
    `[r=${count(rate(READ, 'ios'))},w=${count(rate(WRITE, 'ios'))} IOPS of host time]`
  );
}

/** Equal neighbours counted: `r(4),V(1)`. */
function runs(letters: readonly string[]): string {
  const counted: { letter: string; count: number }[] = [];
  for (const letter of letters) {
    const last = counted.at(-1);
    if (last?.letter === letter) last.count++;
    else counted.push({ letter, count: 1 });
  }
  return counted.map(({ letter, count: times }) => `${letter}(${times})`).join(',');
}
