/** Nodes of the syntax trees that oxc-parser gives. Not here: what is looked for in them (changing-fields.ts, hot-path.test.ts). */

export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
