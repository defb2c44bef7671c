/** `doorbell trace`: runs a fio job with every tracepoint on and writes what happened as a trace file. */
import { writeFileSync } from 'node:fs';
import { boot } from '../../boards/index.ts';
import { openStore } from '../../bridge/host.ts';
import { suggestion } from '../../support/nearest.ts';
import { UserError } from '../../support/user-error.ts';
import { parseArguments, parseSeed } from '../arguments.ts';
import { findBoard } from '../board-option.ts';
import { hostNow, readJobFile } from '../fio/command.ts';
import { runJobs } from '../fio/engine.ts';
import { findTargets } from '../fio/targets.ts';
import type { Output } from '../output.ts';
import { chromeTrace } from './chrome.ts';
import { perfettoTrace } from './perfetto.ts';
import { Recorder } from './recorder.ts';

const FORMATS = ['perfetto', 'json'] as const;
/** Memory for events is not endless: about as many as ui.perfetto.dev shows fluently. */
const MOST_EVENTS = 5_000_000;

/** Returns the exit status. Throws UserError. */
export async function traceCommand(argv: readonly string[], output: Output): Promise<number> {
  const short = argv.map((argument) => (argument === '-o' ? '--output' : argument));
  const { options, rest } = parseArguments('trace', short, ['board', 'seed', 'output', 'format']);
  const [path, ...others] = rest;
  if (path === undefined || others.length > 0)
    throw new UserError('trace: give one job file: doorbell trace JOB.fio -o FILE.perfetto-trace');
  const format = parseFormat(options.format);
  const file =
    options.output ?? `${path.replace(/\.fio$/, '')}.${format === 'json' ? 'json' : 'perfetto-trace'}`;
  const seed = parseSeed(options.seed);
  const { jobs } = readJobFile(path);
  const targets = findTargets(await findBoard(options.board ?? 'pc'), jobs);
  const machine = boot(targets.board, { seed, openStore });
  const recorder = new Recorder(machine);
  const stop = recorder.start();
  const onProgress = (): void => {
    if (recorder.timeline.size <= MOST_EVENTS) return;
    throw new UserError(
      `trace: ${path} has made over ${MOST_EVENTS} events; give it a smaller size, io_size or runtime`,
      1,
    );
  };
  const { clones } = await runJobs({
    machine,
    jobs,
    targets,
    seed,
    hostNow,
    onProgress,
    onCompletion: recorder.completed,
  });
  stop();
  const { timeline } = recorder;
  write(file, format === 'json' ? chromeTrace(timeline) : perfettoTrace(timeline));
  const ios = clones.reduce((sum, { directions }) => sum + directions[0].ios + directions[1].ios, 0);
  const viewer = format === 'json' ? 'chrome://tracing or ui.perfetto.dev' : 'ui.perfetto.dev';
  output.lines([
    `${file}: ${ios} I/Os, ${timeline.size} events on ${timeline.tracks.length} tracks; open it in ${viewer}`,
  ]);
  return clones.some(({ errno }) => errno !== 0) ? 1 : 0;
}

function parseFormat(text = 'perfetto'): (typeof FORMATS)[number] {
  const format = FORMATS.find((name) => name === text);
  if (format !== undefined) return format;
  throw new UserError(`--format ${text}: it is ${FORMATS.join(' or ')}${suggestion(text, FORMATS)}`);
}

function write(path: string, data: string | Uint8Array): void {
  try {
    writeFileSync(path, data);
  } catch (error) {
    throw new UserError(`trace: cannot write ${path}: ${(error as Error).message}`);
  }
}
