// What runs: dist/ in an installed package, and in a checkout as long as no source is newer than it; otherwise the
// TypeScript sources, which take half a second more to load. `npm install` and `npm run build` make dist/.
import { existsSync, readdirSync, statSync } from 'node:fs';

const ROOT = new URL('../', import.meta.url);
const ROOMS = 'support machine iommu nvme vfio drivers boards bridge cli scenarios'.split(' ');

/** Whether nothing in the rooms below `root`, a URL, is newer than dist/. Folders count: one that lost a file is newer. */
export function isBuilt(root) {
  const changed = (path) => statSync(new URL(path, root), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const built = changed('dist');
  const isOlder = (path) => changed(path) <= built;
  const all = (room) => readdirSync(new URL(room, root), { recursive: true });
  return ROOMS.every((room) => isOlder(room) && all(room).every((name) => isOlder(`${room}/${name}`)));
}

/** Imports a module of cli/ by its name without ending. */
export async function load(name) {
  const source = new URL(`cli/${name}.ts`, ROOT);
  if (!existsSync(source) || isBuilt(ROOT)) return import(new URL(`dist/cli/${name}.js`, ROOT).href);
  (await import('tsx/esm/api')).register();
  return import(source.href);
}
