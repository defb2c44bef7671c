/**
 * `doorbell conformance`: the recorded answers of a real kernel against the emulated one, file by file, each file on a
 * machine of its own. Not here: the steps (runner.ts), the format (cases.ts), the machine (boards/conformance.ts).
 */
import { existsSync } from 'node:fs';
import { boot, conformance } from '../../boards/index.ts';
import { suggestion } from '../../support/nearest.ts';
import { UserError } from '../../support/user-error.ts';
import type { EmulatedKernel } from '../../vfio/kernel.ts';
import { straceLine } from '../../vfio/strace.ts';
import { parseArguments } from '../arguments.ts';
import type { Output } from '../output.ts';
import { type CaseFile, readCaseFiles } from './files.ts';
import { differenceText, runCase } from './runner.ts';

/** The recordings beside a checkout, and the copy that a clone has. */
const FOLDERS = ['../shared/conformance', 'test/vfio/conformance/cases'];

interface Wish {
  readonly folder: string;
  readonly only: string | undefined;
  readonly isVerbose: boolean;
}

/** Returns 1 when a case failed. */
export async function conformanceCommand(argv: readonly string[], output: Output): Promise<number> {
  const { folder, only, isVerbose } = parse(argv);
  const files = readCaseFiles(folder);
  const wanted =
    only === undefined ? files : files.filter(({ cases }) => cases.some(({ name }) => name === only));
  if (only !== undefined && wanted.length === 0) throw unknownCase(only, files);
  let passed = 0;
  let failed = 0;
  for (const file of wanted) {
    const { kernel } = boot(conformance, { pace: 'functional' });
    for (const found of untilCase(file, only)) {
      const calls = isVerbose ? record(kernel) : [];
      const difference = await runCase(kernel, found);
      if (only !== undefined && found.name !== only) continue;
      if (difference === null) passed++;
      else failed++;
      if (difference !== null) {
        output.lines([
          `FAIL ${file.name}: ${differenceText(difference)}`,
          ...calls.map((call) => `     ${call}`),
        ]);
      } else if (isVerbose) output.lines([`ok   ${file.name}: ${found.name}`]);
    }
  }
  output.lines([`${passed} passed, ${failed} failed`]);
  return failed === 0 ? 0 : 1;
}

function parse(argv: readonly string[]): Wish {
  const { options, rest } = parseArguments('conformance', argv, ['case']);
  const words = rest.filter((word) => word !== '-v');
  const unknown = words.find((word) => word.startsWith('-'));
  if (unknown !== undefined)
    throw new UserError(`conformance: unknown option "${unknown}"; it takes --case and -v`);
  const [folder = FOLDERS.find((path) => existsSync(path)) ?? FOLDERS[0]!, extra] = words;
  if (extra !== undefined) throw new UserError(`conformance: one folder at a time, "${extra}" is the second`);
  return { folder, only: options.case, isVerbose: rest.includes('-v') };
}

/** All cases of a file, or those up to the one that is asked for. */
function untilCase({ cases }: CaseFile, only: string | undefined): CaseFile['cases'] {
  return only === undefined ? cases : cases.slice(0, cases.findIndex(({ name }) => name === only) + 1);
}

function unknownCase(name: string, files: readonly CaseFile[]): UserError {
  const names = files.flatMap(({ cases }) => cases.map((found) => found.name));
  return new UserError(`conformance: there is no case "${name}"${suggestion(name, names)}`);
}

/** The system calls from now on, as strace prints them. */
function record(kernel: EmulatedKernel): string[] {
  const calls: string[] = [];
  kernel.onCall = (name, args, ret) => calls.push(straceLine(name, args, ret));
  return calls;
}
