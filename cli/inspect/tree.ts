/** A tree of names and texts: how the state of a machine is shown, found by path, and printed. */
import { suggestion } from '../../support/nearest.ts';
import { UserError } from '../../support/user-error.ts';

/** A leaf is text; a branch makes its children when somebody looks. */
export type Node = string | Branch;
export interface Branch {
  readonly [name: string]: Node | (() => Node);
}

export const yesOrNo = (is: boolean): string => (is ? 'yes' : 'no');

const open = (node: Node | (() => Node)): Node => (typeof node === 'function' ? node() : node);

/** The node at `a/b/c`. Throws UserError that names what there is, with `advice` behind it. */
export function find(root: Branch, path: string, advice = ''): Node {
  let node: Node = root;
  const steps = path.split('/').filter((step) => step !== '');
  for (const [index, step] of steps.entries()) {
    const here = steps.slice(0, index).join('/') || 'the machine';
    if (typeof node === 'string') throw new UserError(`inspect: ${here} has no parts, it is ${node}`);
    if (!Object.hasOwn(node, step)) {
      const names = Object.keys(node);
      const some = names.slice(0, 12).join(', ') + (names.length > 12 ? ', …' : '');
      // A number near another one is no slip of the keyboard.
      const meant = /^\d/.test(step) ? '' : suggestion(step, names);
      throw new UserError(
        `inspect: ${here} has no "${step}"${meant || `; it has ${some || 'nothing'}`}${advice}`,
      );
    }
    node = open(node[step]!);
  }
  return node;
}

/** Lines of a node, children indented below their names. */
export function lines(node: Node, indent = ''): string[] {
  if (typeof node === 'string') return [indent + node];
  const children = Object.entries(node).map(([name, child]) => [name, open(child)] as const);
  const texts = children.filter(([, child]) => typeof child === 'string');
  const width = Math.max(0, ...texts.map(([name]) => name.length));
  return children.flatMap(([name, child]) =>
    typeof child === 'string'
      ? [`${indent}${name.padEnd(width)}  ${child}`]
      : [`${indent}${name}`, ...lines(child, `${indent}  `)],
  );
}

/** The node as plain data. */
export function plain(node: Node): unknown {
  if (typeof node === 'string') return node;
  return Object.fromEntries(Object.entries(node).map(([name, child]) => [name, plain(open(child))]));
}
