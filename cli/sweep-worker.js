// A worker thread of a sweep.
import { load } from './entry.js';

const { execute } = await load('sweep/run');

/** Errors lose their class between threads: a mistake of the user's crosses as its sentence. */
export default async function work(run) {
  try {
    return { result: await execute(run) };
  } catch (error) {
    if (error?.name !== 'UserError') throw error;
    return { mistake: error.message };
  }
}
