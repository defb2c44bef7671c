/** The first TypeScript block of README.md, which is a whole program. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Throws when README has no such block. */
export function readmeProgram(): string {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
  const block = /^```ts\n([\s\S]*?)^```$/m.exec(readme);
  if (block === null) throw new Error('README.md has no ```ts block');
  return block[1]!;
}
