/** What runs in a process of its own: dist/ where it is newer than the sources, as in a fresh clone, else the sources. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';

/** The checkout. */
export const ROOT = new URL('../', import.meta.url);

/** `isBuilt` of bridge/, which is JavaScript for Nodes that read nothing else. */
export const { isBuilt } = (await import(new URL('bridge/built.js', ROOT).href)) as {
  isBuilt(root: URL): boolean;
};

const isFresh = isBuilt(ROOT);

/** Address of a module of ours, named without ending, for a process of its own. */
export const moduleOf = (name: string): string =>
  new URL(isFresh ? `dist/${name}.js` : `${name}.ts`, ROOT).href;

/** Options with which Node reads those modules. */
const READER = isFresh ? [] : ['--import', 'tsx'];

/** Runs a JavaScript module in a process of its own; `argv` begins at `process.argv[1]`. */
export const runModule = (text: string, ...argv: string[]): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, [...READER, '--input-type=module', '-e', text, ...argv], {
    encoding: 'utf8',
    timeout: 45_000,
  });
