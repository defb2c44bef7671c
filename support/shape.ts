/**
 * Shapes of plain data that people write by hand: which keys an object has and what each may hold. A shape returns
 * all that is wrong, each as a path and a clause. Not here: what data mean, and rules between fields.
 */
import { nearest, suggestion } from './nearest.ts';

export interface Problem {
  /** Where, such as `rootPorts[0].link.lanes`; empty for the whole. */
  readonly path: string;
  /** A clause without a full stop that says what would be possible. */
  readonly problem: string;
}

/** What is wrong with a value that stands at `path`; empty when nothing is. */
export type Shape = (value: unknown, path: string) => readonly Problem[];

const FINE: readonly Problem[] = [];

/** A value as a message shows it. */
const show = (value: unknown): string =>
  typeof value === 'object' || typeof value === 'string' ? JSON.stringify(value) : String(value);

/** A shape from a test and what a value that fails it should have been: `must be ${what}`. */
export const must =
  (what: string, isFit: (value: unknown) => boolean): Shape =>
  (value, path) =>
    isFit(value) ? FINE : [{ path, problem: `must be ${what}, got ${show(value)}` }];

export const flag: Shape = must('true or false', (value) => typeof value === 'boolean');

export const whole = (low: number, high: number): Shape =>
  must(
    `a whole number from ${low} to ${high}`,
    (value) => Number.isInteger(value) && (value as number) >= low && (value as number) <= high,
  );

/** A finite number from `low` on. `what` says so in words, such as `zero or more nanoseconds`. */
export const atLeast = (low: number, what: string): Shape =>
  must(what, (value) => Number.isFinite(value) && (value as number) >= low);

/** One of `values`; a wrong one is answered with the nearest text. */
const hinted =
  (what: string, values: readonly (number | string)[], otherwise = ''): Shape =>
  (value, path) => {
    if (values.includes(value as number | string)) return FINE;
    const texts = values.filter((each) => typeof each === 'string');
    const hint = (typeof value === 'string' && suggestion(value, texts)) || otherwise;
    return [{ path, problem: `must be ${what}, got ${show(value)}${hint}` }];
  };

export const oneOf = (...values: readonly (number | string)[]): Shape =>
  hinted(`${values.slice(0, -1).join(', ')} or ${values.at(-1)}`, values);

/** One of many names, which are told where none is near. */
export const oneName = (names: readonly string[]): Shape =>
  hinted('a name from the list', names, `; there are ${names.join(' ')}`);

/** Printable ASCII of at most `length` characters. */
export const ascii = (length: number): Shape =>
  must(
    `ASCII text of at most ${length} characters`,
    (value) => typeof value === 'string' && value.length <= length && /^[ -~]*$/.test(value),
  );

export const text: Shape = must('a text', (value) => typeof value === 'string' && value !== '');

export const optional =
  (shape: Shape): Shape =>
  (value, path) =>
    value === undefined ? FINE : shape(value, path);

export const orNull =
  (shape: Shape): Shape =>
  (value, path) =>
    value === null ? FINE : shape(value, path);

export const list =
  (shape: Shape, least = 0): Shape =>
  (value, path) => {
    if (!Array.isArray(value) || value.length < least) {
      const what = `a list${least === 0 ? '' : ` of at least ${least}`}`;
      return [{ path, problem: `must be ${what}, got ${show(value)}` }];
    }
    return value.flatMap((item, index) => shape(item, `${path}[${index}]`));
  };

/** `; it is a.b` for a key of that very name further inside of `value`, the least deep one, or nothing. */
function elsewhere(name: string, value: object): string {
  let level: (readonly [path: string, inside: object])[] = [['', value]];
  while (level.length > 0) {
    const next: (readonly [string, object])[] = [];
    for (const [path, inside] of level) {
      if (inside !== value && Object.hasOwn(inside, name)) return `; it is ${path}.${name}`;
      if (Array.isArray(inside)) continue;
      for (const [key, inner] of Object.entries(inside))
        if (typeof inner === 'object' && inner !== null)
          next.push([path === '' ? key : `${path}.${key}`, inner]);
    }
    level = next;
  }
  return '';
}

/** Where more keys than that are missing, and most of all, they are told in one sentence. */
const MANY = 8;

/** An object with a shape for every key of `T`, and no other key. */
export const fields =
  <T extends object>(shapes: { readonly [Key in keyof T]-?: Shape }): Shape =>
  (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return [{ path, problem: `must be an object, got ${show(value)}` }];
    const known = Object.keys(shapes);
    const at = (key: string): string => (path === '' ? key : `${path}.${key}`);
    const unknown = Object.keys(value).filter((key) => !known.includes(key));
    /** Keys that a misspelt one stands for are not missing as well. */
    const meant = unknown.map((key) => nearest(key, known));
    const isMissing = (key: string): boolean =>
      (value as Record<string, unknown>)[key] === undefined &&
      shapes[key as keyof T](undefined, at(key)).length > 0;
    const missing = known.filter((key) => isMissing(key) && !meant.includes(key));
    const isMost = missing.length > MANY && missing.length > known.length / 2;
    const most = `${missing.length} keys are missing, from ${missing[0]} to ${missing.at(-1)}`;
    return [
      ...unknown.map((key) => {
        const advice = elsewhere(key, value) || suggestion(key, known) || `; there are ${known.join(' ')}`;
        return { path: at(key), problem: `is not a key here${advice}` };
      }),
      ...(isMost ? [{ path, problem: most }] : []),
      ...known.flatMap((key) => {
        if (!isMissing(key)) return shapes[key as keyof T]((value as Record<string, unknown>)[key], at(key));
        return isMost || meant.includes(key) ? [] : [{ path: at(key), problem: 'is missing' }];
      }),
    ];
  };
