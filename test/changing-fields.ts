/**
 * Reads TypeScript for what changes while a program runs: fields of classes that are not readonly, or that hold what changes, and
 * variables of functions that functions inside them change. For archive.test.ts.
 */
import { parseSync } from 'oxc-parser';

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

function* nodes(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (!isNode(child)) continue;
      yield child;
      yield* nodes(child);
    }
  }
}

const nameOf = (key: Node): string => `${key.type === 'PrivateIdentifier' ? '#' : ''}${key.name}`;

/** Names of things that change although the field that holds them does not. */
const CONTAINER =
  /^(?:(?:Ui|I)nt(?:8|16|32)|Float64|Shared)?(?:Array|ArrayBuffer)$|^(?:Map|Set|DataView|Uint8Array)$/;

/** Types of parts that belong to whoever holds them, and change. */
const PART = /^(?:Random|Jitter|BlockOrder|BlockStore|Media)$/;

function isChangingType(type: Node): boolean {
  if (type.type === 'TSUnionType') return (type.types as Node[]).some(isChangingType);
  if (type.type === 'TSArrayType') return true;
  const name = String((type.typeName as Node | undefined)?.name);
  return CONTAINER.test(name) || PART.test(name);
}

/** Whether a field that is assigned once can change nevertheless: its type, or what it is made of, says so. */
function isContainer(field: Node): boolean {
  const annotation = field.typeAnnotation as Node | null;
  const type = annotation?.typeAnnotation as Node | undefined;
  if (type !== undefined) return isChangingType(type);
  const value = field.value as Node | null;
  const made = value?.type === 'CallExpression' ? ((value.callee as Node).object as Node) : value;
  if (made?.type === 'ArrayExpression') return true;
  const maker = made?.type === 'NewExpression' ? (made.callee as Node) : made;
  return maker?.type === 'Identifier' && CONTAINER.test(String(maker.name));
}

export interface Field {
  readonly name: string;
  readonly isArchived: boolean;
}

/** The fields that hold what the class has made itself, of the classes named. */
function childrenMade(members: readonly Node[], stateful: ReadonlySet<string>): Set<string> {
  const isMade = (value: unknown): boolean =>
    isNode(value) && value.type === 'NewExpression' && stateful.has(String((value.callee as Node).name));
  const made = new Set(members.filter(({ value }) => isMade(value)).map(({ key }) => nameOf(key as Node)));
  const maker = members.find(({ kind }) => kind === 'constructor');
  for (const { type, left, right } of maker === undefined ? [] : nodes(maker)) {
    if (type !== 'AssignmentExpression' || !isMade(right)) continue;
    const target = left as Node;
    if ((target.object as Node | undefined)?.type === 'ThisExpression')
      made.add(nameOf(target.property as Node));
  }
  return made;
}

/** The fields of a class that change, and whether `archive` names them. */
function changingFields(body: Node, stateful: ReadonlySet<string>): Field[] {
  const members = (body.body as Node[]).filter((member) => member.static !== true);
  const archive = members.find(
    (member) => member.type === 'MethodDefinition' && nameOf(member.key as Node) === 'archive',
  );
  const named = new Set(
    [...nodes(archive ?? { type: '', start: 0, end: 0 })]
      .filter(({ type, object }) => type === 'MemberExpression' && (object as Node).type === 'ThisExpression')
      .map(({ property }) => nameOf(property as Node)),
  );
  const made = childrenMade(members, stateful);
  return members
    .filter(({ type }) => type === 'PropertyDefinition')
    .filter(
      (member) => member.readonly !== true || isContainer(member) || made.has(nameOf(member.key as Node)),
    )
    .map((member) => nameOf(member.key as Node))
    .map((name) => ({ name, isArchived: named.has(name) }));
}

const isFunction = ({ type }: Node): boolean => /^(?:Function|Arrow)/.test(type);

/** What one function declares, and whether it gives out an `archive` that can reach it. */
interface Scope {
  readonly names: Set<string>;
  readonly isArchived: boolean;
}

/** The variable that an assignment changes, or whose elements it changes; null for fields. */
function changedVariable({ type, left, argument }: Node): string | null {
  const target = type === 'AssignmentExpression' ? left : type === 'UpdateExpression' ? argument : null;
  if (!isNode(target)) return null;
  const held =
    target.type === 'MemberExpression' && target.computed === true ? (target.object as Node) : target;
  return held.type === 'Identifier' ? String(held.name) : null;
}

/** Adds the variables that outlive a call: those of a function that a function inside it changes. */
function collectKept(node: Node, scopes: readonly Scope[], kept: Set<string>): void {
  const inner = scopes.at(-1)!;
  if (node.type === 'VariableDeclaration')
    for (const { id } of node.declarations as Node[]) inner.names.add(String((id as Node).name));
  const name = changedVariable(node);
  const owner = name === null ? undefined : scopes.findLast(({ names }) => names.has(name));
  if (owner !== undefined && owner !== inner && !owner.isArchived) kept.add(name!);
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (!isNode(child)) continue;
      collectKept(child, isFunction(child) ? [...scopes, scopeOf(child)] : scopes, kept);
    }
  }
}

function scopeOf(fn: Node): Scope {
  const names = new Set((fn.params as Node[]).map(({ name }) => String(name)));
  const isArchived = [...nodes(fn.body as Node)].some(
    ({ type, id, key }) =>
      (type === 'VariableDeclarator' && (id as Node).name === 'archive') ||
      (type === 'Property' && (key as Node).name === 'archive'),
  );
  return { names, isArchived };
}

export interface Source {
  readonly classes: ReadonlyMap<string, readonly Field[]>;
  readonly variables: readonly string[];
}

/** Reads one file. `stateful` are classes that have an `archive`: whoever makes one has to call it. Throws for a syntax error. */
export function read(source: string, stateful: ReadonlySet<string>): Source {
  const { program, errors } = parseSync('source.ts', source);
  if (errors.length > 0) throw new Error(errors[0]!.message);
  const root = program as unknown as Node;
  const kept = new Set<string>();
  collectKept(root, [{ names: new Set(), isArchived: false }], kept);
  const classes = [...nodes(root)]
    .filter(({ type }) => type === 'ClassDeclaration')
    .map(({ id, body }) => [String((id as Node).name), changingFields(body as Node, stateful)] as const);
  return { classes: new Map(classes), variables: [...kept] };
}
