// What runs: dist/ in an installed package, and in a checkout as long as no source is newer than it; otherwise the
// TypeScript sources, which take half a second more to load. `npm install` and `npm run build` make dist/.
import { existsSync } from 'node:fs';
import { isBuilt } from '../bridge/built.js';

const ROOT = new URL('../', import.meta.url);

/** Imports a module of cli/ by its name without ending. */
export async function load(name) {
  const source = new URL(`cli/${name}.ts`, ROOT);
  if (!existsSync(source) || isBuilt(ROOT)) return import(new URL(`dist/cli/${name}.js`, ROOT).href);
  (await import('tsx/esm/api')).register();
  return import(source.href);
}
