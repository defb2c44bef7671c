/**
 * Reads TypeScript for what changes while a program runs: fields of classes that are not readonly, or that hold what changes, and
 * variables of functions that functions inside them change. For archive.test.ts.
 */
import { parseSync } from 'oxc-parser';
import { isNode, type Node } from './syntax.ts';

/** Everything below a node, in the order of the text. */
function nodes(node: Node, found: Node[] = []): Node[] {
  for (const key in node) {
    const value = node[key];
    if (typeof value !== 'object' || value === null) continue;
    for (const child of Array.isArray(value) ? value : [value]) {
      if (!isNode(child)) continue;
      found.push(child);
      nodes(child, found);
    }
  }
  return found;
}

type Parsed = Pick<ReturnType<typeof parseSync>, 'comments'> & {
  readonly root: Node;
  readonly all: readonly Node[];
};
const known = new Map<string, Parsed>();

/** A file is asked about more than once. Throws for a syntax error. */
function parse(source: string): Parsed {
  const before = known.get(source);
  if (before !== undefined) return before;
  const { program, errors, comments } = parseSync('source.ts', source);
  if (errors.length > 0) throw new Error(errors[0]!.message);
  const root = program as unknown as Node;
  const parsed = { root, comments, all: nodes(root) };
  known.set(source, parsed);
  return parsed;
}

const nameOf = (key: Node): string => `${key.type === 'PrivateIdentifier' ? '#' : ''}${key.name}`;

/** Names of things that change although the field that holds them does not. */
const CONTAINER =
  /^(?:(?:Ui|I)nt(?:8|16|32)|Float64|Shared)?(?:Array|ArrayBuffer)$|^(?:Map|Set|DataView|Uint8Array)$/;

/** Whether a type, or a part of it, changes: containers, and `stateful` classes and interfaces. */
function isChangingType(type: Node, stateful: ReadonlySet<string>): boolean {
  if (type.type === 'TSFunctionType') return false;
  if (type.type === 'TSUnionType')
    return (type.types as Node[]).some((each) => isChangingType(each, stateful));
  if (type.type === 'TSArrayType') return true;
  if (CONTAINER.test(String((type.typeName as Node | undefined)?.name))) return true;
  return [type, ...nodes(type)].some(
    ({ type: kind, typeName }) => kind === 'TSTypeReference' && stateful.has(String((typeName as Node).name)),
  );
}

/** Whether a field that is assigned once can change nevertheless: its type, or what it is made of, says so. */
function isContainer(field: Node, stateful: ReadonlySet<string>): boolean {
  const annotation = field.typeAnnotation as Node | null;
  const type = annotation?.typeAnnotation as Node | undefined;
  if (type !== undefined) return isChangingType(type, stateful);
  const value = field.value as Node | null;
  const made = value?.type === 'CallExpression' ? ((value.callee as Node).object as Node) : value;
  if (made?.type === 'ArrayExpression') return true;
  const maker = made?.type === 'NewExpression' ? (made.callee as Node) : made;
  return maker?.type === 'Identifier' && CONTAINER.test(String(maker.name));
}

export interface Field {
  readonly name: string;
  readonly isArchived: boolean;
  /** The stateful class or interface that it is of, where it is one that is handed in and never replaced. */
  readonly part: string | null;
}

/** The fields that hold what the class has made itself, of the classes named. */
function childrenMade(members: readonly Node[], stateful: ReadonlySet<string>): Set<string> {
  const isMade = (value: unknown): boolean =>
    isNode(value) && value.type === 'NewExpression' && stateful.has(String((value.callee as Node).name));
  const made = new Set(members.filter(({ value }) => isMade(value)).map(({ key }) => nameOf(key as Node)));
  const maker = members.find(({ kind }) => kind === 'constructor');
  for (const { type, left, right } of maker === undefined ? [] : nodes(maker)) {
    if (type !== 'AssignmentExpression' || !isMade(right)) continue;
    const field = fieldOf(left as Node);
    if (field !== null) made.add(field);
  }
  return made;
}

/** `x` of `this.x`; null for everything else. */
function fieldOf({ type, object, property }: Node): string | null {
  const isOwn = type === 'MemberExpression' && (object as Node).type === 'ThisExpression';
  return isOwn ? nameOf(property as Node) : null;
}

/** What `a.b[c].d` begins with: `a`, or `this.b` of `this.b.c`. */
function rootOf(node: Node): Node {
  let at = node;
  while (at.type === 'MemberExpression' && fieldOf(at) === null) at = at.object as Node;
  return at;
}

/** Methods that change what they are called on. */
const MUTATOR =
  /^(?:set|add|delete|clear|push|pop|shift|unshift|splice|fill|copyWithin|sort|reverse|set\w+\d+)$/;

/** What a node changes in place, or assigns: the target of an assignment, what `delete`, a mutator or Object.assign works on. */
function changed({ type, left, argument, operator, callee, arguments: args }: Node): Node | null {
  if (type === 'AssignmentExpression') return left as Node;
  if (type === 'UpdateExpression') return argument as Node;
  if (type === 'UnaryExpression' && operator === 'delete') return argument as Node;
  if (type !== 'CallExpression') return null;
  const { object, property } = callee as { object?: Node; property?: Node };
  if (object?.name === 'Object' && property?.name === 'assign') return (args as Node[])[0] ?? null;
  return object !== undefined && MUTATOR.test(String(property?.name)) ? object : null;
}

/** Fields of which methods of the class assign members. */
function mutated(members: readonly Node[]): Set<string> {
  const fields = new Set<string>();
  for (const member of members) {
    if (member.kind === 'constructor') continue;
    for (const node of nodes(member)) {
      const target = changed(node);
      const field = target === null ? null : fieldOf(rootOf(target));
      if (field !== null) fields.add(field);
    }
  }
  return fields;
}

const isMethod = ({ type }: Node): boolean => type === 'MethodDefinition';

/** Whether a method has the archive, which is `a` everywhere. */
const takesArchive = ({ value }: Node): boolean =>
  ((value as Node).params as Node[]).some(({ name }) => name === 'a');

/** `a.b.c` of `this.a.b.c`; null for everything else. */
function chainOf(node: Node): string | null {
  const own = fieldOf(node);
  if (own !== null || node.type !== 'MemberExpression') return own;
  const outer = chainOf(node.object as Node);
  return outer === null ? null : `${outer}.${nameOf(node.property as Node)}`;
}

/** The fields that `archive` names with their members, and methods of the class to which it gives the archive. */
function namedBy(members: readonly Node[]): Set<string> {
  const named = new Set(['archive']);
  for (const name of named) {
    const method = members.find((member) => isMethod(member) && nameOf(member.key as Node) === name);
    if (method === undefined || !takesArchive(method)) continue;
    for (const node of nodes(method)) {
      const chain = chainOf(node);
      if (chain !== null) named.add(chain);
      // Those of a list are archived one after the other.
      const listed = node.type === 'ArrayExpression' ? (node.elements as Node[]) : [];
      for (const each of listed.map(chainOf)) if (each !== null) named.add(`${each}.archive`);
    }
  }
  return named;
}

const instanceMembers = (body: Node): Node[] =>
  (body.body as Node[]).filter((member) => member.static !== true);

/** The fields of a class that change, and whether `archive` names them. */
function changingFields(body: Node, stateful: ReadonlySet<string>): Field[] {
  const members = instanceMembers(body);
  const named = namedBy(members);
  const made = childrenMade(members, stateful);
  const changing = new Set([...made, ...mutated(members)]);
  return members
    .filter(({ type }) => type === 'PropertyDefinition')
    .map((member) => ({ member, name: nameOf(member.key as Node) }))
    .filter(
      ({ member, name }) => member.readonly !== true || isContainer(member, stateful) || changing.has(name),
    )
    .map(({ member, name }) => {
      const part = member.readonly === true ? partOf(member, stateful) : null;
      const isArchived = named.has(part === null && !made.has(name) ? name : `${name}.archive`);
      return { name, isArchived, part: made.has(name) ? null : part };
    });
}

/** The class of `Class` and `Class | null`, if it is stateful. */
function partOf(field: Node, stateful: ReadonlySet<string>): string | null {
  const type = (field.typeAnnotation as Node | null)?.typeAnnotation as Node | undefined;
  const types = type?.type === 'TSUnionType' ? (type.types as Node[]) : [type];
  const names = types.map((each) => String((each?.typeName as Node | undefined)?.name));
  return names.find((name) => stateful.has(name)) ?? null;
}

const isFunction = ({ type }: Node): boolean => /^(?:Function|Arrow)/.test(type);

/** What one function declares, and what the `archive` that it gives out names. */
interface Scope {
  readonly names: Set<string>;
  readonly archived: ReadonlySet<string>;
}

/** Adds the variables that outlive a call: those of a function that a function inside it changes. */
function collectKept(node: Node, scopes: readonly Scope[], kept: Set<string>): void {
  const inner = scopes.at(-1)!;
  if (node.type === 'VariableDeclaration')
    for (const { id } of node.declarations as Node[]) inner.names.add(String((id as Node).name));
  const target = changed(node);
  const root = target === null ? null : rootOf(target);
  const name = root?.type === 'Identifier' ? String(root.name) : null;
  const owner = name === null ? undefined : scopes.findLast(({ names }) => names.has(name));
  if (owner !== undefined && owner !== inner && !owner.archived.has(name!)) kept.add(name!);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (!isNode(child)) continue;
      collectKept(child, isFunction(child) ? [...scopes, scopeOf(child)] : scopes, kept);
    }
  }
}

function scopeOf(fn: Node): Scope {
  const names = new Set((fn.params as Node[]).map(({ name }) => String(name)));
  const archives = nodes(fn.body as Node).filter(
    ({ type, id, key }) =>
      (type === 'VariableDeclarator' && (id as Node).name === 'archive') ||
      (type === 'Property' && (key as Node).name === 'archive'),
  );
  const named = archives.flatMap((each) => nodes(each)).filter(({ type }) => type === 'Identifier');
  return { names, archived: new Set(named.map(({ name }) => String(name))) };
}

export interface Source {
  /** `class.field.member` of everything that an `archive` method names. */
  readonly archived: readonly string[];
  readonly classes: ReadonlyMap<string, readonly Field[]>;
  readonly variables: readonly string[];
}

/** The classes and interfaces of a file that have an `archive`. */
export function statefulIn(source: string): string[] {
  if (!source.includes('archive')) return [];
  return parse(source)
    .all.filter(({ type, body }) => {
      const members = /^(?:Class|TSInterface)Declaration$/.test(type) ? ((body as Node).body as Node[]) : [];
      return members.some(({ key }) => isNode(key) && key.name === 'archive');
    })
    .map(({ id }) => String((id as Node).name));
}

/** Whether a function or a method of an interface is given an archive. */
const isGivenArchive = ({ params }: Node): boolean =>
  Array.isArray(params) &&
  (params as Node[]).some(({ typeAnnotation }) => {
    const type = (typeAnnotation as Node | null)?.typeAnnotation as Node | undefined;
    return (type?.typeName as Node | undefined)?.name === 'Archive';
  });

/** The functions of a file that are given an archive, or all of it, without comments and white space. */
export function archiveTexts(source: string, isWhole = false): string[] {
  if (!isWhole && !source.includes('Archive')) return [];
  const { root, all, comments } = parse(source);
  let code = source;
  for (const { start, end } of comments)
    code = code.slice(0, start) + ' '.repeat(end - start) + code.slice(end);
  const named = (name: string, { start, end }: Node): string =>
    `${name} ${code.slice(start, end).replace(/\s+/g, '')}`;
  if (isWhole) return [named('', root)];
  return all
    .flatMap((outer) =>
      outer.type === 'ClassDeclaration'
        ? nodes(outer)
            .filter(isGivenArchive)
            .map((each) => named(String((outer.id as Node).name), each))
        : [],
    )
    .concat(all.filter(isGivenArchive).map((each) => named('', each)));
}

/** Reads one file. `stateful` are classes that have an `archive`: whoever makes one has to call it. Throws for a syntax error. */
export function read(source: string, stateful: ReadonlySet<string>): Source {
  const { root, all } = parse(source);
  const kept = new Set<string>();
  collectKept(root, [{ names: new Set(), archived: new Set() }], kept);
  const found = all
    .filter(({ type }) => type === 'ClassDeclaration')
    .map(({ id, body }) => [String((id as Node).name), body as Node] as const);
  const archived = found.flatMap(([name, body]) =>
    [...namedBy(instanceMembers(body))].map((chain) => `${name}.${chain}`),
  );
  const classes = new Map(found.map(([name, body]) => [name, changingFields(body, stateful)]));
  return { classes, variables: [...kept], archived };
}
