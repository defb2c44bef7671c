/** What the command in a process of its own runs from: dist/ where it is newer than the sources, as in a fresh clone. */

/** The checkout. */
export const ROOT = new URL('../', import.meta.url);

/** `isBuilt` of bridge/, which is JavaScript for Nodes that read nothing else. */
export const { isBuilt } = (await import(new URL('bridge/built.js', ROOT).href)) as {
  isBuilt(root: URL): boolean;
};
