/**
 * A tree of directories, links, attributes and device nodes: what /sys and /dev look like to a driver.
 * Not here: what is in it (sysfs.ts).
 */
import { OpenFile } from './file.ts';
import { EINVAL, EIO, EISDIR, ELOOP, ENOENT, ENOTDIR } from './uapi/errno.ts';

type Directory = Map<string, Node>;
type Node =
  | { readonly kind: 'directory'; readonly entries: Directory }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'attribute'; readonly content: () => Uint8Array }
  | { readonly kind: 'device'; readonly open: () => OpenFile | number };

const LINKS_MAX = 40;

/** An opened attribute: its content is taken when the file is opened. */
class AttributeFile extends OpenFile {
  override readonly kind = 'sysfs';
  readonly #content: Uint8Array;

  constructor(content: Uint8Array) {
    super();
    this.#content = content;
  }

  override pread(target: Uint8Array, offset: number): number {
    const part = this.#content.subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  }

  override pwrite(): number {
    return -EIO;
  }
}

export class FileTree {
  readonly #root: Directory = new Map();

  /** Makes a directory and those above it. */
  directory(path: string): void {
    this.#enter(parts(path));
  }

  /** A file whose content is computed when it is opened. */
  attribute(path: string, content: () => Uint8Array): void {
    this.#add(path, { kind: 'attribute', content });
  }

  /** A text file of one line. */
  text(path: string, content: () => string): void {
    this.attribute(path, () => new TextEncoder().encode(`${content()}\n`));
  }

  /** A symbolic link; `target` is absolute or relative to the directory of the link. */
  link(path: string, target: string): void {
    this.#add(path, { kind: 'link', target });
  }

  /** A node whose opening makes a file of its own, or fails with a negative errno. */
  device(path: string, open: () => OpenFile | number): void {
    this.#add(path, { kind: 'device', open });
  }

  /** Takes a directory entry out, with everything below it. Links to it stay and lead nowhere. */
  remove(path: string): void {
    const names = parts(path);
    const name = names.pop()!;
    this.#enter(names).delete(name);
  }

  /** Returns a new file, -ENOENT, -ENOTDIR, -ELOOP, -EISDIR, or what the device node says. */
  open(path: string): OpenFile | number {
    const node = this.#resolve(path, true);
    if (typeof node === 'number') return node;
    if (node.kind === 'attribute') return new AttributeFile(node.content());
    return node.kind === 'device' ? node.open() : -EISDIR;
  }

  /** Names in a directory, sorted, or a negative errno. */
  readdir(path: string): string[] | number {
    const node = this.#resolve(path, true);
    if (typeof node === 'number') return node;
    return node.kind === 'directory' ? [...node.entries.keys()].sort() : -ENOTDIR;
  }

  /** Where a link points, as it was written, or a negative errno. */
  readlink(path: string): string | number {
    const node = this.#resolve(path, false);
    if (typeof node === 'number') return node;
    return node.kind === 'link' ? node.target : -EINVAL;
  }

  #add(path: string, node: Node): void {
    const names = parts(path);
    const name = names.pop()!;
    this.#enter(names).set(name, node);
  }

  #enter(names: readonly string[]): Directory {
    let entries = this.#root;
    for (const name of names) {
      const found = entries.get(name);
      const below: Directory = found?.kind === 'directory' ? found.entries : new Map();
      if (found?.kind !== 'directory') entries.set(name, { kind: 'directory', entries: below });
      entries = below;
    }
    return entries;
  }

  /** Walks a path, following links on the way; a link at its end only when `follow` is set. */
  #resolve(path: string, follow: boolean): Node | number {
    if (!path.startsWith('/')) return -ENOENT;
    const pending = parts(path).reverse();
    const above: Directory[] = [];
    let node: Node = { kind: 'directory', entries: this.#root };
    for (let links = 0; pending.length > 0; ) {
      if (node.kind !== 'directory') return -ENOTDIR;
      const name = pending.pop()!;
      if (name === '..') {
        node = { kind: 'directory', entries: above.pop() ?? this.#root };
        continue;
      }
      const next = node.entries.get(name);
      if (next === undefined) return -ENOENT;
      if (next.kind === 'link' && (follow || pending.length > 0)) {
        if (++links > LINKS_MAX) return -ELOOP;
        pending.push(...parts(next.target).reverse());
        if (next.target.startsWith('/')) node = { kind: 'directory', entries: this.#root };
        continue;
      }
      above.push(node.entries);
      node = next;
    }
    return node;
  }
}

/** The names of a path, without the empty ones and `.`. */
const parts = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');
