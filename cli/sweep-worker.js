// A worker thread of a sweep: from the TypeScript sources in a checkout, from dist/ in an installed package.
import { existsSync } from 'node:fs';

const source = new URL('./sweep/run.ts', import.meta.url);
const checkout = existsSync(source);
if (checkout) (await import('tsx/esm/api')).register();
const { execute } = await import(checkout ? source.href : '../dist/cli/sweep/run.js');

/** Errors lose their class between threads: a mistake of the user's crosses as its sentence. */
export default async function work(run) {
  try {
    return { result: await execute(run) };
  } catch (error) {
    if (error?.name !== 'UserError') throw error;
    return { mistake: error.message };
  }
}
