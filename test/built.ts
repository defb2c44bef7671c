/** What the command in a process of its own runs from: dist/ where it is newer than the sources, as in a fresh clone. */

/** The checkout. */
export const ROOT = new URL('../', import.meta.url);

/** `isBuilt` of cli/entry.js, which is JavaScript for Nodes that read nothing else. */
export const { isBuilt } = (await import(new URL('cli/entry.js', ROOT).href)) as {
  isBuilt(root: URL): boolean;
};
