/**
 * Cores for threads: on a busy host two threads that spin may share one and then take turns of milliseconds. Where Linux
 * and taskset are there, the main thread stays on one core and threads started by `start` on the others in turn; elsewhere the host
 * decides. Not here: what they measure (threaded.ts).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const TASKS = '/proc/self/task';

/** The cores this process may use, from a list such as `0-3,6`. */
function cores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '';
  return list.split(',').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index);
  });
}

const bind = (thread: string | number, core: number): void => {
  spawnSync('taskset', ['-cp', String(core), String(thread)], { stdio: 'ignore' });
};

/** Does `start`, and gives each thread that it starts a core of its own while there are enough. */
export function onOwnCore<Result>(start: () => Result): Result {
  if (!existsSync(TASKS)) return start();
  const known = new Set(readdirSync(TASKS));
  const result = start();
  const [first, ...others] = FREE;
  if (first === undefined || others.length === 0) return result;
  bind(process.pid, first);
  const started = readdirSync(TASKS).filter((thread) => !known.has(thread));
  for (const [index, thread] of started.entries()) bind(thread, others[index % others.length]!);
  return result;
}

/** As the process started, before anything was bound. */
const FREE = existsSync(TASKS) ? cores() : [];

/** How many cores there are for threads. */
export const CORES = FREE.length;
