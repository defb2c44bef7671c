/** Whether a checkout's dist/ is what its sources say. JavaScript: it is asked before anything reads TypeScript. */
import { readdirSync, statSync } from 'node:fs';

const ROOMS = 'support machine iommu nvme vfio drivers boards bridge cli scenarios'.split(' ');
const FILES = ['index.ts', 'tsconfig.json', 'tsconfig.build.json'];

/** Whether nothing that dist/ is made of, below `root`, a URL, is newer. Folders count: one that lost a file is newer. */
export function isBuilt(root) {
  const changed = (path) => statSync(new URL(path, root), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const built = changed('dist');
  const isOlder = (path) => changed(path) <= built;
  const all = (room) => readdirSync(new URL(room, root), { recursive: true });
  if (!FILES.every(isOlder)) return false;
  return ROOMS.every((room) => isOlder(room) && all(room).every((name) => isOlder(`${room}/${name}`)));
}
