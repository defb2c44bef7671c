/**
 * The command line: finds the verb, runs it, and turns every failure into one sentence and an exit status:
 * 2 for a mistake in what was asked, 1 for what went wrong while doing it. Bugs of ours keep their stack trace.
 */
import { boot } from '../boards/index.ts';
import { POINTER } from '../drivers/nvme/status.ts';
import { parseArguments } from './arguments.ts';
import { findBoard } from './board-option.ts';
import { boardsCommand } from './boards.ts';
import { statusOf } from './exit-status.ts';
import { help, unknownVerb } from './help.ts';
import { lspci, parseLspciOptions } from './lspci.ts';
import { type Output, processOutput } from './output.ts';

type Verb = (argv: readonly string[], output: Output) => Promise<number>;

/** A verb is loaded when it is asked for: all of them take longer than a short run of one. */
const VERBS: Readonly<Record<string, Verb>> = {
  fio: async (...given) => (await import('./fio/command.ts')).fioCommand(...given),
  lspci: async (argv, output) => {
    const { options, rest } = parseArguments('lspci', argv, ['board']);
    const wanted = parseLspciOptions(rest);
    output.lines(lspci(boot(await findBoard(options.board ?? 'pc'), { pace: 'functional' }), wanted));
    return 0;
  },
  boards: boardsCommand,
  scenario: async (...given) => (await import('./scenario.ts')).scenarioCommand(...given),
  profiles: async (...given) => (await import('./calibrate/command.ts')).profilesCommand(...given),
  calibrate: async (...given) => (await import('./calibrate/command.ts')).calibrateCommand(...given),
  conformance: async (...given) => (await import('./conformance/command.ts')).conformanceCommand(...given),
  'first-light': async (...given) => (await import('./first-light.ts')).firstLight(...given),
  trace: async (...given) => (await import('./trace/command.ts')).traceCommand(...given),
  sweep: async (...given) => (await import('./sweep/command.ts')).sweepCommand(...given),
  worker: async (...given) => (await import('./sweep/command.ts')).workerCommand(...given),
  report: async (...given) => (await import('./report/command.ts')).reportCommand(...given),
  nvme: async (...given) => (await import('./nvme/command.ts')).nvmeCommand(...given),
  inspect: async (...given) => (await import('./inspect/command.ts')).inspectCommand(...given),
  dmesg: async (...given) => (await import('./inspect/command.ts')).dmesgCommand(...given),
  help: async (argv, output) => {
    output.lines([help(argv[0])]);
    return 0;
  },
};

/** Runs `doorbell` with its arguments and returns the exit status. */
export async function main(argv: readonly string[], output: Output = processOutput()): Promise<number> {
  const [word = 'help', ...rest] = argv;
  const asksForHelp = word === '--help' || word === '-h';
  const name = asksForHelp ? 'help' : word;
  try {
    const verb = Object.hasOwn(VERBS, name) ? VERBS[name]! : undefined;
    if (verb === undefined) throw unknownVerb(word);
    if (rest.includes('--help')) return await VERBS.help!([name], output);
    return await verb(rest, output);
  } catch (error) {
    const status = statusOf(error);
    if (status === null) throw error;
    output.status('');
    output.error(`doorbell: ${(error as Error).message.replace(POINTER, '')}`);
    return status;
  }
}
