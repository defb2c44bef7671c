/** Scenarios: every shipped one holds, a file of one's own runs, and mistakes are one sentence. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { reason } from '../../cli/load-module.ts';
import hostMemoryScenario from '../../scenarios/host-memory.ts';
import { SCENARIOS } from '../../scenarios/index.ts';
import {
  at,
  boot,
  defineScenario,
  faultStorm,
  fio,
  hotRemoval,
  lostInterrupts,
  mediaError,
  NvmeDriver,
  pc,
  powerCut,
  retrain,
  runScenario,
  type ScenarioEvent,
  workstation,
} from '../../scenarios/kit/index.ts';
import { isBuilt, ROOT } from '../built.ts';
import { doorbell } from './doorbell.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-scenario-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('shipped scenarios', () => {
  test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    '%s holds',
    async (_, scenario) => {
      const result = await runScenario(scenario);
      expect(result.expectations.filter(({ holds }) => !holds)).toEqual([]);
      expect(result.expectations.length).toBeGreaterThan(0);
    },
  );

  test('there are at least twelve, each with three lines and a name of its own', () => {
    expect(SCENARIOS.length).toBeGreaterThanOrEqual(12);
    expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length);
    for (const { teaches } of SCENARIOS) {
      expect(teaches).toHaveLength(3);
      for (const line of teaches) expect(line.length).toBeLessThanOrEqual(130);
    }
  });

  test('each of their settings says what it takes, and refuses what is not one', async () => {
    for (const scenario of SCENARIOS) {
      expect(Object.keys(scenario.takes ?? {}), scenario.name).toEqual(Object.keys(scenario.settings));
      for (const key of Object.keys(scenario.settings)) {
        const wrong = runScenario(scenario, { ...scenario.settings, [key]: -1 });
        await expect(wrong).rejects.toThrow(`scenario ${scenario.name}: ${key} must be `);
      }
    }
  });

  test('two jobs of one name are refused: their figures go by name', async () => {
    const machine = boot(pc);
    await expect(fio({ machine, seed: 1 }, '[a]\nsize=4k\n[a]\nsize=4k')).rejects.toThrow(
      'fio: two jobs are named "a"; figures go by name, so give each its own',
    );
  });

  test('the same seed gives the same result', async () => {
    const unmap = SCENARIOS.find(({ name }) => name === 'unmap-in-flight')!;
    const run = (seed: number) => runScenario(unmap, unmap.settings, { seed });
    expect(await run(3)).toEqual(await run(3));
    expect((await run(4)).simulated_ns).not.toBe((await run(3)).simulated_ns);
  });
});

describe('fio in a scenario, when a drive is pulled out', () => {
  const JOB = 'filename=/dev/nvme2n1\nrw=randwrite\nsize=1m';

  test('before it: says that the drive is gone, and writes to no other', async () => {
    const machine = boot(workstation);
    hotRemoval(0, 2).happen(machine);
    await expect(fio({ machine, seed: 1 }, `[b]\n${JOB}`)).rejects.toThrow(
      /^scenario\.fio:2: job "b": filename: nvme2n1 \(0000:..:00\.0\) is gone: the kernel has no VFIO device at that address any more$/,
    );
    expect(machine.controllers.map(({ health }) => health.written_bytes)).toEqual([0, 0, 0, 0]);
    const { b } = await fio({ machine, seed: 1 }, `[b]\n${JOB.replace('nvme2', 'nvme3')}`);
    expect(b!.errno).toBe(0);
    expect(machine.controllers.map(({ health }) => health.written_bytes > 0)).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });
});

describe('fio in a scenario, when a drive is lost on the way', () => {
  const JOBS = ['nvme0n1', 'nvme2n1']
    .map(
      (name, index) =>
        `[${'ab'[index]}]\nfilename=/dev/${name}\nrw=randread\niodepth=4\nruntime=1ms\ntime_based\n`,
    )
    .join('');
  const lost = async (event: ScenarioEvent, text = JOBS) => {
    const machine = boot(workstation);
    const notes: string[] = [];
    const happens = machine.clock.register(() => event.happen(machine));
    const onBegin = () => machine.clock.after(event.after_us * 1000, happens, 0);
    const jobs = await fio({ machine, seed: 1 }, text, { onBegin, onWarning: (note) => notes.push(note) });
    return { jobs, notes, machine };
  };
  const GONE = /^0000:..:00.0 cannot be used any more: CSTS is 0xffffffff: nothing answers/;

  test.each([
    ['pulled out', hotRemoval(300, 2)],
    ['pulled out before any I/O', hotRemoval(0, 2)],
  ])('%s: its job alone fails, with the cause', async (_, event) => {
    const {
      jobs: { a, b },
      notes,
    } = await lost(event);
    const whole = await lost(at(0, 'nothing', () => {}));
    expect(a).toMatchObject({ errno: 0, failure: '' });
    expect(a!.kiops).toBeCloseTo(whole.jobs.a!.kiops, -1);
    expect(b!.errno).toBe(5);
    expect(b!.failure).toMatch(/cannot be used any more: CSTS is 0xffffffff: nothing answers/);
    expect(notes).toEqual([expect.stringMatching(GONE)]);
  });

  test('errors that continue_on_error lets pass do not keep a job on it going', async () => {
    const {
      jobs: { a, b },
    } = await lost(hotRemoval(300, 2), `[global]\ncontinue_on_error=all\n${JOBS}`);
    expect([a!.errno, b!.errno]).toEqual([0, 5]);
  });

  test('jobs of later stages on it fail, others run, and the next run says that it is gone', async () => {
    const later = JOBS.replaceAll(/\[(.)\]/g, '[$1$1]\nstonewall').replace('[bb]\nstonewall', '[bb]');
    const {
      jobs: { a, b, aa, bb },
      machine,
    } = await lost(hotRemoval(300, 2), `${JOBS}${later}`);
    expect([a!.errno, b!.errno, aa!.errno, bb!.errno]).toEqual([0, 5, 0, 5]);
    expect(aa!.kiops).toBeGreaterThan(1);
    expect(bb).toMatchObject({ kiops: 0, failure: expect.stringMatching(GONE) });
    await expect(fio({ machine, seed: 1 }, JOBS)).rejects.toThrow(/nvme2n1 \(\S+\) is gone: /);
  });

  test('when the jobs are over it closes with a note', async () => {
    const {
      jobs: { a, b },
      notes,
    } = await lost(hotRemoval(1_200, 2));
    expect([a!.errno, b!.errno]).toEqual([0, 0]);
    expect(notes.join()).toMatch(/nothing answers/);
  });

  test('a power cut is an I/O error of its job alone', async () => {
    const {
      jobs: { a, b },
    } = await lost(powerCut(300, 2));
    expect([a!.errno, b!.errno]).toEqual([0, 5]);
  });
});

describe('the command', () => {
  test('lists, runs and prints', async () => {
    const { out } = await doorbell('scenario', 'list');
    for (const { name, teaches } of SCENARIOS) {
      expect(out).toContain(name);
      expect(out).toContain(teaches[2]);
    }
    const shown = await doorbell('scenario', 'media-error', '--set', 'lba=7');
    expect(shown.status).toBe(0);
    expect(shown.out).toMatch(/^ +[\d.]+ us {2}the medium loses block 7 of namespace 1$/m);
    expect(shown.out).toMatch(/^ {2}counted {5}1$/m);
    expect(shown.out).toMatch(/^ {2}holds {2}its neighbours can be read$/m);
  });

  test('--json is the result', async () => {
    const { out } = await doorbell('scenario', 'media-error', '--json', '--seed', '9', '--set=lba=5');
    const result = JSON.parse(out);
    expect(result).toMatchObject({
      scenario: 'media-error',
      seed: 9,
      settings: { lba: 5 },
      observed: { counted: 1, healed: true },
      holds: true,
    });
    expect(JSON.parse((await doorbell('scenario', '--json')).out)).toHaveLength(SCENARIOS.length);
  });

  test.each([
    [['stuck-comand'], 'scenario stuck-comand: neither a scenario nor a file; did you mean "stuck-command"?'],
    [
      ['media-error', '--set', 'lbs=1'],
      'scenario media-error: --set lbs=1: no setting "lbs"; did you mean "lba"?',
    ],
    [['media-error', '--set', 'lba'], 'scenario media-error: --set lba: write --set lba=VALUE'],
    [
      ['media-error', '--set', 'lba=x'],
      'scenario media-error: lba must be a whole number from 1 to 524286, got "x"',
    ],
    [
      ['media-error', '--set', 'lba=0'],
      'scenario media-error: lba must be a whole number from 1 to 524286, got 0',
    ],
    [
      ['fault-storm', '--set', 'depth=5000'],
      'scenario fault-storm: depth must be a whole number from 2 to 1023, got 5000',
    ],
    [
      ['fault-storm', '--set', 'commands=1.5'],
      'scenario fault-storm: commands must be a whole number from 2 to 100000, got 1.5',
    ],
    [['link-retrain', '--set', 'lanes=3'], 'scenario link-retrain: lanes must be 1, 2 or 4, got 3'],
    [
      ['small-payloads', '--set', 'payload=4096'],
      'scenario small-payloads: payload must be 128 or 256, got 4096',
    ],
    [
      ['queue-depth', '--set', 'device=990por'],
      'scenario queue-depth: device must be optane-p4800x, optane-p5800x, 970pro, 990pro, kioxia-cm7 or null, got "990por"; did you mean "990pro"?',
    ],
    [
      ['queue-depth', '--set', 'deep=8'],
      'scenario queue-depth: deep must be a whole number from 24 to 256, got 8',
    ],
    [
      ['queue-depth', '--set', 'dep=0', '--set', 'deep', '--set', 'devic=x'],
      [
        'scenario queue-depth: --set dep=0: no setting "dep"; did you mean "deep"?',
        'scenario queue-depth: --set deep: write --set deep=VALUE',
        'scenario queue-depth: --set devic=x: no setting "devic"; did you mean "device"?',
      ].join('\n'),
    ],
    [['media-error', 'twice'], 'scenario: unexpected "twice"; give one name or file'],
  ])('%j is one sentence', async (argv, sentence) => {
    expect(await doorbell('scenario', ...argv)).toEqual({ status: 2, out: '', err: `doorbell: ${sentence}` });
  });
});

describe("a file of one's own", () => {
  const kit = new URL('scenarios/kit/index.ts', ROOT).href;
  /** The kit of the command in a process of its own: what that command runs from. */
  const kitInNode = isBuilt(ROOT) ? new URL('dist/scenarios/kit/index.js', ROOT).href : kit;
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const file = (name: string, text: string, from = kit): string => {
    const path = join(folder, name);
    writeFileSync(path, text.replace("'doorbell/scenario'", `'${from}'`));
    return path;
  };
  const own = (expectation: string): string => `
    import { defineScenario, NvmeDriver, pc, powerCut } from 'doorbell/scenario';
    export default defineScenario({
      name: 'mine',
      teaches: ['one', 'two', 'three'],
      settings: { block: 3 },
      board: () => pc,
      events: () => [powerCut(50)],
      async program({ machine, begin, settings }) {
        const driver = await NvmeDriver.open(machine.kernel);
        begin();
        machine.clock.advance(60_000);
        return { block: settings.block, blocks: driver.namespace(1).blocks };
      },
      expect: { 'it is so': (observed) => ${expectation} },
    });`;

  test('runs; its exit status is its expectation', async () => {
    const good = await doorbell('scenario', file('good.ts', own('observed.block === 4')), '--set', 'block=4');
    expect([good.status, good.err]).toEqual([0, '']);
    expect(good.out).toContain('drive 0 loses power');
    const bad = await doorbell('scenario', file('bad.ts', own('observed.block === 4')));
    expect(bad.status).toBe(1);
    expect(bad.out).toMatch(/FAILS {2}it is so$/);
  });

  test('an event that cannot be stops it with its line, although the program takes errors for those of the drive', async () => {
    const swallows = own('observed.failed')
      .replace('powerCut }', 'hotAdd, mediaError }')
      .replace('begin();', 'let failed = false; try { begin(); } catch {}')
      .replace(
        'machine.clock.advance(60_000);',
        'try { machine.clock.advance(60_000); } catch { failed = true; }',
      )
      .replace('return {', 'return { failed,');
    const withEvent = (event: string) => swallows.replace('powerCut(50)', event);
    for (const [event, sentence] of [
      ['mediaError(10, 7, 3)', 'mediaError: drive 0 has no block 7 in a namespace 3'],
      ['mediaError(10, 7, 1, 5)', 'no drive 5 on board pc; it has 1, from 0'],
      ['hotAdd(10)', 'hotAdd: drive 0 is in its slot'],
    ] as const) {
      const path = file(`swallows-${event.length}.mts`, withEvent(event));
      expect(await doorbell('scenario', path)).toEqual({
        status: 2,
        out: '',
        err: `doorbell: scenario ${path}:8: ${sentence}`,
      });
    }
  });

  test('events that never happened are told', async () => {
    const early = await doorbell('scenario', file('early.ts', own('true').replace('60_000', '20_500')));
    expect(early.status).toBe(0);
    expect(early.out).toContain(
      '\n\n1 event never happened: the program ended at 20.5 us after begin(), before "drive 0 loses power" (after 50 us)\n\n',
    );
    const path = file('unbegun.ts', own('true').replace('begin();', ''));
    const unbegun = JSON.parse((await doorbell('scenario', path, '--json')).out);
    expect(unbegun).toMatchObject({
      events: [],
      missed:
        '1 event never happened: the program did not call begin(), the start of "drive 0 loses power" (after 50 us)',
    });
    expect((await doorbell('scenario', 'media-error')).out).not.toContain('never happened');
  });

  test('may begin with a profile by name, as a board in a file may', async () => {
    const board = `() => {
      const [port, ...rest] = pc.rootPorts;
      const device = { ...port.device, profile: { base: 'qemu', maxQueuePairs: 4 } };
      return { ...pc, rootPorts: [{ ...port, device }, ...rest] };
    }`;
    const path = file('qemu.ts', own('true').replace('() => pc', board));
    expect(await doorbell('scenario', path)).toMatchObject({ status: 0, err: '' });
  });

  const command = join(import.meta.dirname, '../../cli/doorbell.js');
  const inNode = (path: string) =>
    spawnSync(process.execPath, [command, 'scenario', path], { encoding: 'utf8' });

  test('a program that never finishes, or returns nothing, is told so', async () => {
    const never = own('true').replace('return {', 'await new Promise(() => {}); return {');
    expect(inNode(file('never.mjs', never, kitInNode))).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'doorbell: scenario mine: the program did not finish, and nothing is left to happen\n',
    });
    const nothing = own('true').replace(/return {.*/, '');
    expect(await doorbell('scenario', file('nothing.ts', nothing))).toMatchObject({
      status: 2,
      err: 'doorbell: scenario mine: the program must return an object with what it observed, not undefined',
    });
  });

  test('a program that throws is told with its own line only', async () => {
    const path = file('throws.mts', own('true').replace('return {', 'null.x; return {'));
    const line =
      readFileSync(path, 'utf8')
        .split('\n')
        .findIndex((text) => text.includes('null.x')) + 1;
    expect(await doorbell('scenario', path)).toMatchObject({
      status: 1,
      err: `doorbell: scenario ${path}:${line}: the program threw TypeError: Cannot read properties of null (reading 'x')`,
    });
  });

  test('a .ts file that Node takes for CommonJS is told what to do', () => {
    mkdirSync(join(folder, 'commonjs'));
    file('commonjs/package.json', '{}');
    const path = file('commonjs/mine.ts', own('true'), new URL(kitInNode).pathname);
    expect(inNode(path)).toMatchObject({
      status: 2,
      stderr: `doorbell: scenario ${path}: it is taken for CommonJS; put "type": "module" into the package.json beside it, or name it .mts\n`,
    });
  });

  test('a Node that reads no TypeScript is explained', () => {
    expect(reason({ code: 'ERR_UNKNOWN_FILE_EXTENSION', message: 'Unknown file extension ".ts"' })).toMatch(
      /^Node v\S+ reads no TypeScript by itself; run "npm install tsx", or write it in JavaScript \(\.mjs\)$/,
    );
  });

  test.each([
    ['empty.ts', 'export const nothing = 1;', /: no object in it; export default defineScenario/],
    [
      'typo.ts',
      own('true')
        .replace('expect:', 'exepct:')
        .replace("name: 'mine'", 'name: 5')
        .replace('block: 3', 'block: true'),
      new RegExp(
        [
          /^doorbell: scenario \S+typo.ts:4: name: must be a text, got 5\n/,
          /scenario \S+typo.ts:6: settings: must be an object of numbers and texts, got {"block":true}\n/,
          /scenario \S+typo.ts:15: exepct: is not a key here; did you mean "expect"\?$/,
        ]
          .map(({ source }) => source)
          .join(''),
      ),
    ],
    ['short.ts', 'export default { name: "x" };', /short.ts:1: teaches: is missing\n/],
    [
      'hope.ts',
      own('true').replace(/expect: .*,/, 'expect: {},'),
      /hope.ts:15: expect: must be an object of sentences with a function each, at least one, got {}$/,
    ],
    [
      'board.ts',
      own('true').replace('=> pc', '=> ({ ...pc, ram: 5 })'),
      /board.ts:7: board pc: ram: 5 bytes are too few to boot; 16m is the least$/,
    ],
    [
      'base.ts',
      own('true').replace(
        'board: () => pc',
        "board: () => { const [port, ...rest] = pc.rootPorts; return { ...pc, rootPorts: [{ ...port, device: { ...port.device, profile: { base: 'qmeu' } } }, ...rest] }; }",
      ),
      /base.ts:7: board pc: rootPorts\[0\].device.profile.base: must be the name of a profile, got "qmeu"; did you mean "qemu"\?$/,
    ],
    [
      'profile.ts',
      own('true').replace(
        'board: () => pc',
        'board: () => { const [port, ...rest] = pc.rootPorts; return { ...pc, rootPorts: [{ ...port, device: { ...port.device, profile: { maxQueuePairs: 4 } } }, ...rest] }; }',
      ),
      /^doorbell: scenario \S+profile.ts:7: board pc: rootPorts\[0\].device.profile: \d\d keys are missing, from \w+ to \w+$/,
    ],
    [
      'observed.ts',
      own('true').replace('return {', 'return { strange: {},'),
      /scenario mine: the program observed strange, which must be a number, a text, true, false or a list of texts$/,
    ],
    [
      'job.ts',
      own('true')
        .replace('defineScenario,', 'defineScenario, fio,')
        .replace('async program({', 'async program({ seed,')
        .replace('begin();', 'await fio({ machine, seed }, "[a]\\nrw=raed");'),
      /job.ts:11: scenario.fio:2: rw=raed: rw takes .*did you mean "read"\?$/,
    ],
    ['broken.ts', 'export default {', /broken\.ts: /],
  ])('%s is refused', async (name, text, sentence) => {
    const { status, err } = await doorbell('scenario', file(name, text));
    expect(status).toBe(2);
    expect(err).toMatch(sentence);
  });
});

describe('events', () => {
  test('are refused with one sentence when they cannot be', () => {
    expect(() => mediaError(0, { lba: 5 } as unknown as number)).toThrow(
      /^mediaError: lba must be a whole number from 0 to \d+, got {"lba":5}$/,
    );
    expect(() => mediaError(0, 5, 9).happen(boot(pc))).toThrow(
      'mediaError: drive 0 has no block 5 in a namespace 9',
    );
    expect(() => powerCut(-1)).toThrow('powerCut: after_us must be a number of microseconds, zero or more');
    expect(() => powerCut(0, 7).happen(boot(pc))).toThrow('no drive 7 on board pc; it has 1, from 0');
    expect(() => retrain(0, 3, 3 as 2)).toThrow('retrain: lanes must be 1, 2, 4, 8 or 16, got 3');
    expect(lostInterrupts(0).what).toBe('the next interrupt message is lost');
    expect(lostInterrupts(0, 3).what).toBe('the next 3 interrupt messages are lost');
  });

  test('happen at their times, also those that the program adds; a wild drive leaves one fault', async () => {
    const scenario = defineScenario({
      name: 'wild',
      teaches: ['one', 'two', 'three'],
      settings: { writes: 20 },
      board: () => pc,
      events: ({ writes }) => [faultStorm(30, writes)],
      async program({ machine, begin, elapsed_ns }) {
        await NvmeDriver.open(machine.kernel);
        const times: number[] = [];
        begin(
          at(10, 'one', () => times.push(elapsed_ns())),
          at(20, 'two', () => times.push(elapsed_ns())),
        );
        machine.clock.advance(100_000);
        return {
          times: times.map(String),
          faults: machine.explain().length,
          spurious: machine.interrupts.spurious,
        };
      },
      expect: { 'it ran': () => true },
    });
    const { observed, events } = await runScenario(scenario);
    expect(observed.times).toEqual(['10000', '20000']);
    expect(events.map(({ what }) => what)).toEqual([
      'one',
      'two',
      'drive 0 writes to 20 addresses that are not mapped',
    ]);
    // While one fault of a device waits, further ones of it are not recorded (VT-d 4.1 §7.2.1).
    expect(observed.faults).toBe(1);
  });

  test('a link that retrains during a fio job slows it down', async () => {
    const rate = async (after_us: number): Promise<number> => {
      const { observed } = await runScenario(
        defineScenario({
          name: 'slow',
          teaches: ['one', 'two', 'three'],
          settings: {},
          board: () => pc,
          events: () => [retrain(after_us, 1, 1)],
          async program(context) {
            context.begin();
            return {
              MBps: (await fio(context, '[read]\nrw=read\nbs=128k\niodepth=8\nio_size=4m')).read!.MBps,
            };
          },
          expect: { 'it ran': () => true },
        }),
      );
      return observed.MBps as number;
    };
    expect(await rate(0)).toBeLessThan(250);
    expect(await rate(1e6)).toBeGreaterThan(2000);
  });

  test('fio jobs ask the driver for what a program gives', async () => {
    const mean_us = async (hostMemory: boolean): Promise<number> => {
      const machine = boot(hostMemoryScenario.board({ pages: 4 }), { seed: 1 });
      const { a } = await fio({ machine, seed: 1 }, '[a]\nrw=randread\nsize=256m\nio_size=1m', {
        hostMemory,
      });
      return a!.mean_us;
    };
    expect((await mean_us(false)) - (await mean_us(true))).toBeGreaterThan(10);
  });
});
