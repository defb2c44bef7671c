/** `doorbell report`: the results of sweeps as one HTML file. */
import { writeFileSync } from 'node:fs';
import { UserError } from '../../support/user-error.ts';
import { parseArguments } from '../arguments.ts';
import type { Output } from '../output.ts';
import type { Result } from '../sweep/run.ts';
import { readResults } from '../sweep/store.ts';
import { reportPage } from './html.ts';

/** Returns the exit status. Throws UserError. */
export async function reportCommand(argv: readonly string[], output: Output): Promise<number> {
  const words = argv.map((word) => (word === '-o' ? '--output' : word));
  const { options, rest } = parseArguments('report', words, ['output', 'title']);
  if (rest.length === 0)
    throw new UserError('report: give the folders of sweeps: doorbell report FOLDER… -o report.html');
  const results = rest.flatMap(readResults);
  writeReport(options.output ?? 'report.html', options.title ?? rest.join(', '), results, output);
  return 0;
}

/** Writes the page into `file` and says so. The same run in two sweeps is one run. Throws UserError. */
export function writeReport(file: string, title: string, results: readonly Result[], output: Output): void {
  const once = [...new Map(results.map((result) => [result.key, result])).values()];
  const page = reportPage(title, once);
  try {
    writeFileSync(file, page);
  } catch (error) {
    throw new UserError(`report: cannot write ${file}: ${(error as Error).message}`);
  }
  output.lines([`${file}: ${once.length} run${once.length === 1 ? '' : 's'}`]);
}
