/** Imports a module that the user wrote, and says in one sentence why it cannot be. */
import { statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UserError } from '../support/user-error.ts';
import { explained } from './user-stack.ts';

const MODULE = /\.[mc]?[jt]s$/;
const TYPESCRIPT = /\.[mc]?ts$/;
/** Sources run with tsx already; a built package finds it beside itself, or reads no TypeScript on older Nodes. */
const isBuilt = import.meta.url.endsWith('.js');

/**
 * What the module exports. `what` begins the sentence, such as `--board mine.ts`; `kind` says what would do, such as
 * `a scenario is a .ts or .mjs file`. Throws UserError.
 */
export async function loadModule(
  what: string,
  path: string,
  kind: string,
): Promise<Readonly<Record<string, unknown>>> {
  if (statSync(path).isDirectory()) throw new UserError(`${what}: it is a folder; ${kind}`);
  if (!MODULE.test(path)) {
    const advice = extname(path) === '.fio' ? `; did you mean "doorbell fio ${path}"?` : '';
    throw new UserError(`${what}: ${kind}${advice}`);
  }
  if (isBuilt && TYPESCRIPT.test(path)) await registerTsx();
  try {
    return (await import(pathToFileURL(resolve(path)).href)) as Record<string, unknown>;
  } catch (error) {
    const told = explained(error, what, resolve(path));
    if (told !== error) throw told;
    throw new UserError(`${what}: ${reason(error as NodeJS.ErrnoException)}`);
  }
}

async function registerTsx(): Promise<void> {
  const tsx = await import('tsx/esm/api').catch(() => null);
  tsx?.register();
}

/** Node's own sentence, but for those that do not say what to do. */
export function reason({ code, message }: Pick<NodeJS.ErrnoException, 'code' | 'message'>): string {
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
    return `Node ${process.version} reads no TypeScript by itself; run "npm install tsx", or write it in JavaScript (.mjs)`;
  if (code === 'ERR_REQUIRE_CYCLE_MODULE' || /^Cannot require\(\) ES Module/.test(message))
    return 'it is taken for CommonJS; put "type": "module" into the package.json beside it, or name it .mts';
  return message;
}
