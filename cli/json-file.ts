/**
 * A JSON file that a person wrote: its value, and the line of everything in it, so that errors can say where.
 * Not here: what a file has to hold (boards/check.ts for boards).
 */
import { readFileSync } from 'node:fs';
import { type DocumentNode, evaluate, type MemberNode, parse, type ValueNode } from '@humanwhocodes/momoa';
import { UserError } from '../support/user-error.ts';
import type { Place, Source } from './problems.ts';

/** Whether the end of `text` is its first mistake: what is put behind it is where the parser stumbles. */
function endsEarly(text: string): boolean {
  try {
    parse(`${text} 0`);
    return false;
  } catch (error) {
    return ((error as { offset?: number }).offset ?? 0) >= text.length;
  }
}

export class JsonFile implements Source {
  readonly value: unknown;
  readonly #root: DocumentNode;

  /** `what` begins the sentences, such as `--board mine.json`. Throws UserError when the file cannot be read as JSON. */
  constructor(what: string, path: string) {
    let text = '';
    try {
      text = readFileSync(path, 'utf8');
      if (text.trim() === '') throw new Error('the file is empty');
      this.#root = parse(text);
      this.value = evaluate(this.#root);
    } catch (error) {
      if (endsEarly(text)) {
        const lines = text.trimEnd().split('\n').length;
        throw new UserError(`${what}:${lines}: the file ends here, before all that it began is closed`);
      }
      const { message, line } = error as Error & { line?: number };
      const where = line === undefined ? what : `${what}:${line}`;
      throw new UserError(`${where}: ${message.replace(/\.? \(\d+:\d+\)$/, '')}`);
    }
  }

  /** Where the keys and indexes `steps` lead to; where one is missing, what should have it. */
  find(steps: readonly string[]): Place {
    let { line } = this.#root.body.loc.start;
    let value: ValueNode | undefined = this.#root.body;
    for (const step of steps) {
      const next: MemberNode | ValueNode | undefined =
        value.type === 'Object'
          ? value.members.findLast(({ name }) => (name.type === 'String' ? name.value : name.name) === step)
          : value.type === 'Array'
            ? value.elements[Number(step)]?.value
            : undefined;
      if (next === undefined) return { line, isWhole: false };
      line = next.loc.start.line;
      value = next.type === 'Member' ? next.value : next;
    }
    return { line, isWhole: true };
  }
}
