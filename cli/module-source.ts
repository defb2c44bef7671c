/**
 * The source of a module that a person wrote: the lines of keys in the object literals that it exports, so that errors
 * can say where. It follows names and spreads inside the module; what is computed or imported is where it is used.
 * Not here: running the module (load-module.ts).
 */
import { readFileSync } from 'node:fs';
import type { Place, Source } from './problems.ts';

/** What is read of oxc-parser's tree, which is ESTree with TypeScript's nodes. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly [part: string]: unknown;
}

const parts = (node: Node, name: string): readonly (Node | null)[] => node[name] as readonly (Node | null)[];
const part = (node: Node, name: string): Node | null => (node[name] ?? null) as Node | null;
/** What a name or a key is called; the value of a text or a number. */
const nameOf = (node: Node | null): string => String(node?.name ?? node?.value ?? '');

/** `x as T`, `x satisfies T`, `x!`, `(x)`: all are x; and so are calls of what only gives it a type. */
const WRAPPED = /^(TSAsExpression|TSSatisfiesExpression|TSNonNullExpression|ParenthesizedExpression)$/;

const TYPES = 'defineScenario';

export class ModuleSource implements Source {
  readonly #text: string;
  readonly #exported: Node;
  /** What names of the module stand for. */
  readonly #values = new Map<string, Node>();

  private constructor(text: string, program: Node, name: string) {
    this.#text = text;
    let exported: Node | null = null;
    for (const statement of parts(program, 'body')) {
      const declaration = /^Export/.test(statement!.type) ? part(statement!, 'declaration') : statement;
      if (declaration?.type === 'VariableDeclaration')
        for (const each of parts(declaration, 'declarations')) {
          const value = part(each!, 'init');
          if (value !== null) this.#values.set(nameOf(part(each!, 'id')), value);
        }
      if (name === 'default' && statement!.type === 'ExportDefaultDeclaration') exported = declaration;
      if (statement!.type === 'ExportNamedDeclaration')
        for (const each of parts(statement!, 'specifiers'))
          if (nameOf(part(each!, 'exported')) === name) exported = part(each!, 'local');
    }
    this.#exported = exported ?? this.#values.get(name) ?? program;
  }

  /** The module at `path` that exports a value as `name`; null where oxc-parser, which is optional, is not installed. */
  static async read(path: string, name: string): Promise<ModuleSource | null> {
    const oxc = await import('oxc-parser').catch(() => null);
    if (oxc === null) return null;
    const text = readFileSync(path, 'utf8');
    return new ModuleSource(text, oxc.parseSync(path, text).program as unknown as Node, name);
  }

  /** Where the exported value has what `steps` lead to, or as far as they can be followed. */
  find(steps: readonly string[]): Place {
    let value = this.#resolve(this.#exported);
    let { start } = value;
    for (const step of steps) {
      const next =
        value.type === 'ObjectExpression'
          ? this.#member(value, step)
          : value.type === 'ArrayExpression'
            ? element(value, Number(step))
            : null;
      if (next === null) return { line: this.#lineAt(start), isWhole: false };
      start = next.start;
      value = this.#resolve(part(next, next.type === 'Property' ? 'value' : 'argument') ?? next);
    }
    return { line: this.#lineAt(start), isWhole: true };
  }

  /** The property of that name, or the spread that brings it; null when there is none or nobody can tell which. */
  #member(object: Node, name: string): Node | null {
    for (const each of parts(object, 'properties').toReversed()) {
      if (each!.type === 'Property') {
        if (each!.computed === true) return null;
        if (nameOf(part(each!, 'key')) === name) return each;
        continue;
      }
      const spread = this.#resolve(part(each!, 'argument')!);
      if (spread.type !== 'ObjectExpression') return null;
      const inside = this.#member(spread, name);
      if (inside !== null) return inside;
    }
    return null;
  }

  /** The expression that a name of the module or a wrapped one stands for. */
  #resolve(node: Node): Node {
    const inner = this.#inner(node);
    return inner === null ? node : this.#resolve(inner);
  }

  #inner(node: Node): Node | null {
    if (WRAPPED.test(node.type)) return part(node, 'expression');
    if (node.type === 'Identifier') return this.#values.get(nameOf(node)) ?? null;
    const isTyped = node.type === 'CallExpression' && nameOf(part(node, 'callee')) === TYPES;
    return isTyped ? (parts(node, 'arguments')[0] ?? null) : null;
  }

  #lineAt(offset: number): number {
    return this.#text.slice(0, offset).split('\n').length;
  }
}

/** An element whose number is that of its place, because nothing before it is spread. */
function element(array: Node, index: number): Node | null {
  const elements = parts(array, 'elements');
  const isPlain = elements.slice(0, index + 1).every((each) => each?.type !== 'SpreadElement');
  return (isPlain ? elements[index] : null) ?? null;
}
