/**
 * `doorbell scenario`: lists the shipped scenarios, or runs one of them or a file of the user's own and prints what
 * happened, what was observed and whether it was expected. Exit status 1 when an expectation does not hold.
 */
import { existsSync, realpathSync } from 'node:fs';
import { SCENARIOS } from '../scenarios/index.ts';
import { runScenario, type Scenario, type ScenarioResult, type Settings } from '../scenarios/kit/index.ts';
import { suggestion } from '../support/nearest.ts';
import { UserError } from '../support/user-error.ts';
import { parseArguments, parseSeed } from './arguments.ts';
import { loadModule } from './load-module.ts';
import type { Output } from './output.ts';
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
  const scenario = await findScenario(name);
  const settings = changed(scenario, changes);
  const run = runScenario(scenario, settings, { seed: parseSeed(options.seed) });
  const result = await untilIdle(scenario.name, run).catch((error: unknown) => {
    throw existsSync(name) ? explained(error, `scenario ${name}`, realpathSync(name)) : error;
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

async function findScenario(text: string): Promise<Scenario> {
  const shipped = SCENARIOS.find(({ name }) => name === text);
  if (shipped !== undefined) return shipped;
  if (!existsSync(text)) {
    const names = SCENARIOS.map(({ name }) => name);
    const advice = suggestion(text, names) || '; "doorbell scenario list" names them';
    throw new UserError(`scenario ${text}: neither a scenario nor a file${advice}`);
  }
  const module = await loadModule(`scenario ${text}`, text, 'a scenario is a .ts or .mjs file');
  const found = Object.values(module).find((value) => typeof value === 'object' && value !== null);
  const missing = found === undefined ? 'no object in it' : shortcoming(found as Partial<Scenario>);
  if (missing !== null)
    throw new UserError(`scenario ${text}: ${missing}; export default defineScenario({ ... })`);
  return found as Scenario;
}

const KEYS = ['name', 'teaches', 'settings', 'takes', 'board', 'events', 'program', 'expect'] as const;

const OPTIONAL: readonly string[] = ['events', 'takes'];

/** What keeps an object from being a scenario, as a clause, or null. */
function shortcoming(value: Partial<Scenario>): string | null {
  const unknown = Object.keys(value).find((key) => !KEYS.some((known) => known === key));
  if (unknown !== undefined) return `"${unknown}" is not a key of a scenario${suggestion(unknown, KEYS)}`;
  const missing = KEYS.find((key) => !OPTIONAL.includes(key) && value[key] === undefined);
  if (missing !== undefined) return `the scenario has no "${missing}"`;
  if (typeof value.board !== 'function') return '"board" must be a function of the settings';
  if (typeof value.program !== 'function') return '"program" must be a function of the context';
  const opaque = Object.entries(value.takes ?? {}).find(([, shape]) => typeof shape !== 'function');
  if (opaque !== undefined) return `"takes.${opaque[0]}" must be a shape such as whole(1, 64)`;
  return Object.keys(value.expect!).length === 0 ? '"expect" is empty, so nothing could fail' : null;
}

/** The settings with what `--set` changes. */
function changed({ name, settings }: Scenario, changes: readonly string[]): Settings {
  const result: Record<string, number | string> = { ...settings };
  for (const change of changes) {
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
    result[key] = isNumber ? Number(text) : text;
  }
  return result;
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
  const { events, observed, expectations, seed, settings } = result;
  const width = Math.max(...Object.keys(observed).map((key) => key.length));
  return [
    `${result.scenario}  (${settingsText(settings)}, seed ${seed})`,
    ...teaches.map((line) => `  ${line}`),
    ...(events.length === 0 ? [] : ['', 'What happened:']),
    ...events.map(({ at_ns, what }) => `  ${(at_ns / 1000).toFixed(1).padStart(12)} us  ${what}`),
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
