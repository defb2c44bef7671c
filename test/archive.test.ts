/**
 * What a class changes is in its `archive` method, or in archive-reasons.ts with the reason why a saved run is the same
 * without it: every class of the machine, the driver and the fio engine is read for it, and so are closures that keep
 * something. Not here: whether a restored run goes on as it would have (cli/fio-save.test.ts).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FORMAT } from '../support/archive-format.ts';
import { archiveFiles } from './archive-files.ts';
import { currentFormat } from './archive-format.ts';
import { APART, EXEMPT, EXEMPT_VARIABLES, OWNERS } from './archive-reasons.ts';
import { archiveTexts, read, statefulIn } from './changing-fields.ts';

const files = archiveFiles().filter((file) => !Object.keys(APART).some((apart) => file.startsWith(apart)));

const texts = files.map((file) => readFileSync(file, 'utf8'));

/** Classes and interfaces with an `archive`, which whoever has one has to call. */
const STATEFUL = new Set(texts.flatMap((text) => statefulIn(text)));

const sources = files.map((file, index) => ({ file, ...read(texts[index]!, STATEFUL) }));

const archivedChains = sources.flatMap(({ archived }) => archived);

/** `class.field` of everything that changes and is not archived, `variable of file` for variables. */
const missing = sources.flatMap(({ file, classes, variables }) => [
  ...[...classes].flatMap(([name, fields]) =>
    fields
      .filter(({ isArchived, part }) => !isArchived && !Object.hasOwn(OWNERS, part ?? ''))
      .map((field) => `${name}.${field.name}`),
  ),
  ...variables.map((name) => `${name} of ${file}`),
]);

describe('what changes is archived', () => {
  test('or has its reason, and no reason is left over', () => {
    const exempt = EXEMPT.flatMap(([name, fields]) => fields.split(' ').map((field) => `${name}.${field}`));
    expect([...new Set(missing)].sort()).toEqual([...exempt, ...Object.keys(EXEMPT_VARIABLES)].sort());
  });

  test.each(Object.entries(OWNERS))('%s is archived by its owner, %s', (_, owner) => {
    expect(archivedChains).toContain(`${owner}.archive`);
  });

  test('everything that could have state is read', () => {
    const archived = sources
      .flatMap(({ classes }) => [...classes.values()].flat())
      .filter((field) => field.isArchived);
    expect(archived.length).toBeGreaterThan(250);
  });

  test.each([
    ['class A { b = 0; }', 'A.b'],
    ['class A { #b = 0; archive(a) { a.value(this.b); } }', 'A.#b'],
    ['class A { readonly b: Int32Array; }', 'A.b'],
    ['class A { readonly #b = new Map(); }', 'A.#b'],
    ['class A { readonly #b: Random | null; }', 'A.#b'],
    ['class A { readonly b: number[] = []; }', 'A.b'],
    ['class A { readonly b = new Child(); }', 'A.b'],
    ['class A { readonly b: Child; constructor() { this.b = new Child(); } }', 'A.b'],
    ['class A { readonly b: Child; }', 'A.b'],
    ['class A { readonly b: Child | null; }', 'A.b'],
    ['class A { readonly b: Child; archive(a) { this.b.c.archive(a); } }', 'A.b'],
    ['class A { readonly b: ReadonlyMap<number, Child>; }', 'A.b'],
    ['class A { readonly #b: Sums; count() { this.#b.all++; } }', 'A.#b'],
    ['class A { readonly #b: Sums; count() { Object.assign(this.#b, {}); } }', 'A.#b'],
    ['function f() { let b = 0; return { next: () => b++ }; }', 'b'],
    ['function f() { const b = []; return { next: () => { b[0] = 1; } }; }', 'b'],
    ['function f() { const b = new Map(); return { put: () => b.set(1, 2) }; }', 'b'],
    ['function f() { const b = {}; return { put: () => { b.c = 1; } }; }', 'b'],
    ['function f() { let b = 0; const archive = () => {}; return { next: () => b++, archive }; }', 'b'],
  ])('%s: %s is missed', (text, what) => {
    const { classes, variables } = read(text, new Set(['Child', 'Random']));
    const fields = [...classes].flatMap(([name, all]) =>
      all.filter(({ isArchived }) => !isArchived).map((field) => `${name}.${field.name}`),
    );
    expect([...fields, ...variables]).toEqual([what]);
  });

  test.each([
    'class A { readonly b: number; readonly c: readonly number[] = [1]; static d = 0; }',
    'class A { #b = 0; archive(a) { this.#b = a.value(this.#b); } }',
    'class A { readonly b = new Child(); archive(a) { this.b.archive(a); } }',
    'function f() { let b = 0; const archive = (a) => { b = a.value(b); }; return { next: () => b++, archive }; }',
    'function f() { let b = 0; b++; return () => { let c = 0; c++; return b + c; }; }',
  ])('%s: nothing is missed', (text) => {
    const { classes, variables } = read(text, new Set(['Child', 'Random']));
    expect([...classes.values()].flat().every(({ isArchived }) => isArchived)).toBe(true);
    expect(variables).toEqual([]);
  });
});

describe('the format of saved state', () => {
  test('is that of the sources; `npm run archive:format` renews it', () => {
    expect(FORMAT).toBe(currentFormat());
  });

  test('is another one when something else is archived, not when a comment or the layout changes', () => {
    const text = 'class A { archive(a: Archive): void { a.value(this.b); } c = 0; }';
    const [known] = [archiveTexts(text)];
    expect(known.length).toBeGreaterThan(0);
    const commented = text.replace('a.value(', '// Why.\n a.value( ').replace('c = 0', 'c = 1');
    expect(archiveTexts(commented)).toEqual(known);
    expect(archiveTexts(text.replace('this.b', 'this.c'))).not.toEqual(known);
    expect(archiveTexts(text.replace('class A', 'class B'))).not.toEqual(known);
  });
});
