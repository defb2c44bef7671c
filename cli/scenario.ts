/**
 * `doorbell scenario`: lists the shipped scenarios, or runs one of them or a file of the user's own and prints what
 * happened, what was observed and whether it was expected. Exit status 1 when an expectation does not hold.
 */
import { existsSync, realpathSync } from 'node:fs';
import { SCENARIOS } from '../scenarios/index.ts';
import { runScenario, type Scenario, type ScenarioResult, type Settings } from '../scenarios/kit/index.ts';
import { suggestion } from '../support/nearest.ts';
import { fields, list, must, optional, type Shape, text } from '../support/shape.ts';
import { allOf, UserError } from '../support/user-error.ts';
import { parseArguments, parseSeed } from './arguments.ts';
import { loadModule } from './load-module.ts';
import { ModuleSource } from './module-source.ts';
import type { Output } from './output.ts';
import { type Source, sentencesOf } from './problems.ts';
import { explained } from './user-stack.ts';

/** Returns the exit status. Throws UserError. */
export async function scenarioCommand(argv: readonly string[], output: Output): Promise<number> {
  const { changes, isJson, others } = takeOwn(argv);
  const { options, rest } = parseArguments('scenario', others, ['seed']);
  const [name = 'list', ...more] = rest;
  if (more.length > 0) throw new UserError(`scenario: unexpected "${more[0]}"; give one name or file`);
  if (name === 'list') {
    output.lines(isJson ? [JSON.stringify(SCENARIOS.map(summary), null, 2)] : SCENARIOS.flatMap(listing));
    return 0;
  }
  const { scenario, source } = await findScenario(name);
  const settings = changed(scenario, changes);
  const run = runScenario(scenario, settings, { seed: parseSeed(options.seed) });
  const result = await untilIdle(scenario.name, run).catch((error: unknown) => {
    if (source === undefined) throw error;
    const place = source?.find(['board']).line;
    throw explained(error, `scenario ${name}`, realpathSync(name), place);
  });
  output.lines(isJson ? [JSON.stringify(result, null, 2)] : describe(scenario, result));
  return result.holds ? 0 : 1;
}

/** Rejects when Node has nothing left to do, so that what `run` awaits can never come. */
function untilIdle(name: string, run: Promise<ScenarioResult>): Promise<ScenarioResult> {
  return new Promise((resolve, reject) => {
    const idle = () =>
      reject(new UserError(`scenario ${name}: the program did not finish, and nothing is left to happen`, 1));
    process.once('beforeExit', idle);
    run.then(resolve, reject).finally(() => process.off('beforeExit', idle));
  });
}

/** The options that may come more than once, or without a value. */
function takeOwn(argv: readonly string[]): { changes: string[]; isJson: boolean; others: string[] } {
  const changes: string[] = [];
  const others: string[] = [];
  let isJson = false;
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (argument === '--json') isJson = true;
    else if (argument === '--set') changes.push(argv[++index] ?? '');
    else if (argument.startsWith('--set=')) changes.push(argument.slice('--set='.length));
    else others.push(argument);
  }
  return { changes, isJson, others };
}

/** A scenario, and the source of its file if it is in one; null: its lines are not known. */
interface Found {
  readonly scenario: Scenario;
  readonly source?: Source | null;
}

async function findScenario(text: string): Promise<Found> {
  const shipped = SCENARIOS.find(({ name }) => name === text);
  if (shipped !== undefined) return { scenario: shipped };
  if (!existsSync(text)) {
    const names = SCENARIOS.map(({ name }) => name);
    const advice = suggestion(text, names) || '; "doorbell scenario list" names them';
    throw new UserError(`scenario ${text}: neither a scenario nor a file${advice}`);
  }
  const module = await loadModule(`scenario ${text}`, text, 'a scenario is a .ts or .mjs file');
  const found = Object.entries(module).find(([, value]) => typeof value === 'object' && value !== null);
  if (found === undefined)
    throw new UserError(`scenario ${text}: no object in it; export default defineScenario({ ... })`);
  const [name, scenario] = found;
  const problems = SCENARIO(scenario, '');
  const source = await ModuleSource.read(text, name);
  if (problems.length > 0) throw new UserError(sentencesOf(`scenario ${text}`, problems, source));
  return { scenario: scenario as Scenario, source };
}

const callable = (of: string): Shape =>
  must(`a function of the ${of}`, (value) => typeof value === 'function');
const valuesAre = (what: string, isFit: (value: unknown) => boolean, least = 0): Shape =>
  must(what, (value) => {
    const values = typeof value === 'object' && value !== null ? Object.values(value) : null;
    return values !== null && values.length >= least && values.every(isFit);
  });
const isFunction = (value: unknown): boolean => typeof value === 'function';

/** What an object is that can be run. */
const SCENARIO = fields<Scenario>({
  name: text,
  teaches: list(text, 3),
  settings: valuesAre('an object of numbers and texts', (value) => /^(number|string)$/.test(typeof value)),
  takes: optional(valuesAre('an object of shapes such as whole(1, 64)', isFunction)),
  board: callable('settings'),
  events: optional(callable('settings')),
  program: callable('context'),
  expect: valuesAre('an object of sentences with a function each, at least one', isFunction, 1),
});

/** The settings with what `--set` changes. */
function changed({ name, settings }: Scenario, changes: readonly string[]): Settings {
  const entries = changes.map((change) => (): [string, number | string] => {
    const equals = change.indexOf('=');
    const key = equals === -1 ? change : change.slice(0, equals);
    const text = equals === -1 ? '' : change.slice(equals + 1);
    const old = settings[key];
    if (old === undefined) {
      const keys = Object.keys(settings);
      const advice = suggestion(key, keys) || `; it has ${keys.join(', ') || 'none'}`;
      throw new UserError(`scenario ${name}: --set ${change}: no setting "${key}"${advice}`);
    }
    if (text === '') throw new UserError(`scenario ${name}: --set ${change}: write --set ${key}=VALUE`);
    const isNumber = typeof old === 'number' && Number.isFinite(Number(text));
    return [key, isNumber ? Number(text) : text];
  });
  return { ...settings, ...Object.fromEntries(allOf(entries)) };
}

const summary = ({ name, teaches, settings }: Scenario) => ({ name, teaches, settings });

const settingsText = (settings: Settings): string =>
  Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');

const listing = ({ name, teaches, settings }: Scenario, index: number): string[] => [
  ...(index === 0 ? [] : ['']),
  `${name}  (${settingsText(settings)})`,
  ...teaches.map((line) => `  ${line}`),
];

function describe({ teaches }: Scenario, result: ScenarioResult): string[] {
  const { events, missed, observed, expectations, seed, settings } = result;
  const width = Math.max(...Object.keys(observed).map((key) => key.length));
  return [
    `${result.scenario}  (${settingsText(settings)}, seed ${seed})`,
    ...teaches.map((line) => `  ${line}`),
    ...(events.length === 0 ? [] : ['', 'What happened:']),
    ...events.map(({ at_ns, what }) => `  ${(at_ns / 1000).toFixed(1).padStart(12)} us  ${what}`),
    ...(missed === '' ? [] : ['', missed]),
    '',
    'What was observed:',
    ...Object.entries(observed).map(([key, value]) => `  ${key.padEnd(width)}  ${show(value)}`),
    '',
    'What was expected:',
    ...expectations.map(({ sentence, holds }) => `  ${holds ? 'holds' : 'FAILS'}  ${sentence}`),
  ];
}

function show(value: ScenarioResult['observed'][string]): string {
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : value.toPrecision(5);
  return typeof value === 'object' ? value.join('; ') : String(value);
}
