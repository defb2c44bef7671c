/** Jobs through the whole machine: what they write is there, what they measure is consistent, what breaks is told. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { boot, type Machine, type Pace, pc } from '../../boards/index.ts';
import { runJobs } from '../../cli/fio/engine.ts';
import { parseJobFile } from '../../cli/fio/job-file.ts';
import { type JobStats, READ, WRITE } from '../../cli/fio/stats.ts';
import { findTargets } from '../../cli/fio/targets.ts';
import { COMMAND, CONFIG } from '../../machine/pcie/spec.ts';
import { doorbell } from './doorbell.ts';
import { joined } from './save-cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'doorbell-fio-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = (): string => join(folder, `file-${files++}`);

/** Runs a job file given as text. */
function fio(text: string, ...options: string[]) {
  const path = `${fresh()}.fio`;
  writeFileSync(path, text);
  return doorbell('fio', path, ...options);
}

test('a job that fills the memory for written blocks says which key of the board to raise', async () => {
  const port = pc.rootPorts[0]!;
  const device = { ...port.device, namespaces: [{ size: '128m' }, { size: '128m' }] };
  const board = `${fresh()}.json`;
  writeFileSync(board, JSON.stringify({ ...pc, media: '64k', rootPorts: [{ ...port, device }] }));
  const { out } = await fio('[w]\nrw=write\nbs=64k\nsize=32m', '--board', board, '--pace', 'functional');
  expect(out).toMatch(
    /nvme0: Write .*: the board's memory for written blocks is used up; raise its key media/,
  );
});

/** Runs jobs below the command line, for their numbers. */
async function run(
  text: string,
  pace: 'timed' | 'functional' = 'timed',
  seed = 1,
): Promise<readonly JobStats[]> {
  const { jobs } = parseJobFile(text, 'x.fio');
  const targets = findTargets(pc, jobs);
  const machine = boot(targets.board, { pace, seed });
  return (await runJobs({ machine, jobs, targets, seed, hostNow: () => performance.now() * 1e6 })).clones;
}

describe.each(['timed', 'functional'] as const)('at the %s pace', (pace) => {
  test.each([
    ['write', 1],
    ['randwrite', 16],
    ['randrw', 8],
    ['rw', 4],
  ])('rw=%s at depth %i writes and verifies every block', async (rw, depth) => {
    const [stats] = await run(`[a]\nrw=${rw}\niodepth=${depth}\nsize=512k\nverify=crc32c`, pace);
    const { [READ]: reads, [WRITE]: writes } = stats!.directions;
    expect([stats!.errno, stats!.failure]).toEqual([0, '']);
    if (rw.includes('write')) expect([writes.ios, reads.ios]).toEqual([128, 128]);
    else expect(reads.ios).toBe(128); // those of the mix, and one for each block that was written
  });

  test('the same seed gives the same report', async () => {
    const text = '[a]\nrw=randrw\niodepth=8\nsize=256k\n[b]\nrw=randread\niodepth=4\nio_size=256k';
    const report = async (seed: string) => {
      const { out } = await fio(text, '--pace', pace, '--seed', seed);
      const isTimed = (line: string) => pace === 'timed' || /issued rwts|IO depths/.test(line);
      return out
        .split('\n')
        .filter(isTimed)
        .join('\n')
        .replace(/pid=.*|.* ms of host time.*/g, '');
    };
    const first = await report('7');
    expect(await report('7')).toBe(first);
    if (pace === 'timed') expect(await report('8')).not.toBe(first);
  });
});

describe('measures', () => {
  test("Little's law: operations per second times latency is the depth", async () => {
    for (const depth of [1, 4, 32]) {
      const [stats] = await run(`[a]\nrw=randread\niodepth=${depth}\nio_size=4m`);
      const { ios, elapsed_ns, lat } = stats!.directions[READ];
      expect((ios / elapsed_ns) * lat.mean).toBeGreaterThan(0.95 * depth);
      expect((ios / elapsed_ns) * lat.mean).toBeLessThan(1.01 * depth);
    }
  });

  test('submission and completion latencies add up, and submission costs what the host profile says', async () => {
    const { slat, clat, lat } = (await run('[a]\nrw=randread\nio_size=1m'))[0]!.directions[READ];
    expect(slat.min).toBeCloseTo(pc.host.submit_ns, 3);
    expect(slat.max).toBeCloseTo(pc.host.submit_ns, 3);
    expect(slat.mean + clat.mean).toBeCloseTo(lat.mean, 3);
  });

  test('interrupts cost what polling saves: message, handler and wake-up', async () => {
    const [polled, woken] = await run(
      '[polled]\nrw=randread\nio_size=1m\n[woken]\nstonewall\nrw=randread\nio_size=1m\nhipri=0',
    );
    const [fast, slow] = [polled!.directions[READ].lat.mean, woken!.directions[READ].lat.mean];
    expect(slow - fast).toBeGreaterThan(pc.host.interrupt_ns + pc.host.wakeup_ns);
    expect(slow - fast).toBeLessThan(pc.host.interrupt_ns + pc.host.wakeup_ns + 1500);
    expect([polled!.sleeps, woken!.sleeps]).toEqual([0, 256]);
  });

  test('runtime is simulated time', async () => {
    const [stats] = await run('[a]\nrw=randread\niodepth=4\nruntime=2ms\ntime_based');
    expect(stats!.runtime_ns / 1e6).toBeCloseTo(2, 1);
    expect(stats!.directions[READ].ios).toBeGreaterThan(500);
  });

  test('jobs of one group share the time, a stonewall separates', async () => {
    const text =
      '[a]\nrw=randread\nio_size=1m\n[b]\nrw=randread\nio_size=1m\n[c]\nstonewall\nrw=randread\nio_size=1m';
    const { out } = await fio(text);
    expect(out.match(/groupid=\d/g)).toEqual(['groupid=0', 'groupid=0', 'groupid=1']);
    expect(out).toContain('Run status group 0 (all jobs):');
    expect(out).toContain('Run status group 1 (all jobs):');
  });

  test('clones with group_reporting are reported as one', async () => {
    const { out } = await fio('[a]\nrw=randread\nnumjobs=3\ngroup_reporting\nio_size=256k');
    expect(out).toContain('a: (groupid=0, jobs=3): err= 0');
    expect(out).toContain('issued rwts: total=192,0,0,0');
  });

  test('--output takes the report', async () => {
    const path = fresh();
    const { status, out } = await fio('[a]\nrw=read\nsize=64k', '--output', path);
    expect({ status, out }).toEqual({ status: 0, out: '' });
    expect(readFileSync(path, 'utf8')).toMatch(/^a: \(g=0\): rw=read[\s\S]*Time: simulated/);
  });
});

describe('image files', () => {
  test('a job writes the pattern it says to a file that it makes', async () => {
    const image = fresh();
    const job = `[a]\nfilename=${image}\nrw=write\nsize=128k\noffset=64k\nverify=pattern\nverify_pattern=0xdeadbeef%o`;
    expect((await fio(job)).status).toBe(0);
    const bytes = readFileSync(image);
    expect(bytes.length).toBe(192 * 1024);
    expect(bytes.subarray(0, 65_536).every((byte) => byte === 0)).toBe(true);
    expect(bytes.readUInt32BE(65_536)).toBe(0xdead_beef);
    expect(bytes.readBigUInt64LE(65_540)).toBe(65_536n);
    expect(bytes.readBigUInt64LE(65_536 + 4096 + 4)).toBe(69_632n);
  });

  test.each([
    [
      'a flipped bit',
      (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(8292) ^ 1, 8292),
      /block at offset 8192: bad crc32c/,
    ],
    [
      'two blocks that changed places',
      (bytes: Buffer) => void Buffer.from(bytes.subarray(0, 4096)).copy(bytes, 12_288),
      /block at offset 12288: misplaced: this is the block of offset 0/,
    ],
    ['a lost write', (bytes: Buffer) => void bytes.fill(0, 4096, 8192), /block at offset 4096: no header/],
  ])('%s in the file is found, and the exit status is 1', async (_, damage, sentence) => {
    const image = fresh();
    expect((await fio(`[a]\nfilename=${image}\nrw=write\nsize=64k\nverify=crc32c\ndo_verify=0`)).status).toBe(
      0,
    );
    const check = `[a]\nfilename=${image}\nrw=read\nverify=crc32c`;
    expect((await fio(check)).status).toBe(0);
    const bytes = readFileSync(image);
    damage(bytes);
    writeFileSync(image, bytes);
    const { status, out } = await fio(check);
    expect(status).toBe(1);
    expect(out).toMatch(/err=84 \(verify: /);
    expect(out).toMatch(sentence);
  });
});

test('a controller that joins another has the namespaces of that one', () => {
  const targets = (file: string) => findTargets(joined(), parseJobFile(`[a]\nfilename=${file}`, 'x').jobs);
  expect(targets('/dev/nvme1n1').byFile.get('/dev/nvme1n1')).toEqual({ drive: 1, nsid: 1 });
  expect(() => targets('nvme1n2')).toThrow('board pc has no nvme1n2; it has nvme0n1 nvme1n1');
});

describe('jobs that cannot be', () => {
  const nothing = join(folder, 'nothing.img');
  test.each([
    ['filename=nvme0n3', ':2: job "a": filename: board pc has no nvme0n3; it has nvme0n1 nvme0n2'],
    [
      `filename=${nothing}`,
      `:2: job "a": filename: ${nothing} is neither a namespace of board pc (nvme0n1 nvme0n2) nor an image file with bytes in it`,
    ],
    ['filename=nvmeOn1', 'did you mean "nvme0n1"?'],
    [
      'bs=2m\niodepth=2048',
      ':3: job "a": iodepth: the depth of a queue pair is 1 to 4095 here (CAP.MQES), got 8192',
    ],
    [
      'offset=300m',
      ':2: job "a": offset: the job would begin at byte 314572800, and nvme0n1 ends at 268435456',
    ],
    ['filename=nvme0n1\nsize=2k', ':3: job "a": size: there is no room for one block of 4096 bytes in 2048'],
    ['filename=/dev/urandom', ':2: job "a": filename: /dev/urandom is no drive'],
    ['directory=/no/such\nsize=1m', 'job "a": there is no directory /no/such for a.0.0'],
    [
      'filename=nvme0n1\noffset=255m\nsize=2m',
      ':4: job "a": size: the job would reach byte 269484032, and nvme0n1 ends at 268435456',
    ],
    [
      'rw=randread\nsize=10t',
      ':3: job "a": size: the job would reach byte 10995116277760, and nvme0n1 ends at 268435456',
    ],
    ['size=300m', ':2: job "a": size: the job would reach byte 314572800, and nvme0n1 ends at 268435456'],
    [
      'offset=255m\nfilesize=2m\nsize=1m',
      ':3: job "a": filesize: the job would reach byte 269484032, and nvme0n1 ends at 268435456',
    ],
    [
      'size=100m\noffset_increment=100m\nnumjobs=3',
      ':3: job "a": offset_increment: clone 3 would reach byte 314572800, and nvme0n1 ends at 268435456',
    ],
    [
      'size=4k\noffset=1m\noffset_increment=100\nnumjobs=2',
      ':4: job "a": offset_increment: offset 1048676 is no multiple of the 512-byte blocks of nvme0n1',
    ],
    ['offset=100', 'job "a": offset 100 is no multiple of the 512-byte blocks of nvme0n1'],
    [
      'rw=write\nverify=crc32c\nnumjobs=2\nsize=1m',
      ':3: job "a": verify: clone 1 verifies blocks that clone 2 of "a" overwrites at the same time',
    ],
    [
      'rw=write\nverify=crc32c\nsize=1m\n[b]\nrw=write\nsize=1m',
      ':3: job "a": verify: the job verifies blocks that "b" overwrites at the same time',
    ],
    [
      'iodepth=2\nbs=4k\n[b]\nnumjobs=64',
      ':5: job "b": numjobs: all 64 I/O queue pairs of 0000:01:00.0 are in use',
    ],
    [
      'iodepth=64\nnumjobs=40\nbs=1m',
      ':4: job "a": bs: no memory is left for clone 4 of 40, which takes 1MiB for each of its 64 I/Os at a time; board pc has ram 256m',
    ],
    ['numjobs=64\n[b]', 'job "b": all 64 I/O queue pairs of 0000:01:00.0 are in use'],
  ])('%j', async (lines, sentence) => {
    const { status, err } = await fio(`[a]\n${lines}`);
    expect(err).toContain(sentence);
    expect(status).toBe(2);
  });

  test('all names that are none are told at once, each of them once', async () => {
    const unknown = '[global]\nfilename=nvme7n1\n[a]\n[b]\n[c]\nfilename=nvme0n9';
    const { err } = await fio(unknown, '--parse-only');
    expect(err.match(/:\d+: job ".*/g)).toEqual([
      ':2: job "a": filename: board pc has no nvme7n1; it has nvme0n1 nvme0n2',
      ':6: job "c": filename: board pc has no nvme0n9; it has nvme0n1 nvme0n2',
    ]);
  });

  test.each([[], ['--parse-only']])(
    'all of them are told at once, before the heading: %j',
    async (...options) => {
      const text = '[a]\nsize=1t\n[b]\nsize=4k\n[c]\nstonewall\noffset=4k\nsize=2t';
      const { out, err } = await fio(text, ...options);
      expect(err.match(/:\d+: job ".": size: the job would reach/g)).toEqual([
        ':2: job "a": size: the job would reach',
        ':8: job "c": size: the job would reach',
      ]);
      expect(out).toBe('');
    },
  );

  test('--parse-only makes no image', async () => {
    const image = fresh();
    const silent = await fio(`[a]\nfilename=${image}\nsize=1m`, '--parse-only');
    expect([silent, existsSync(image)]).toEqual([{ status: 0, out: '', err: '' }, false]);
  });

  test('a share of a namespace ends where the namespace does', async () => {
    const [stats] = await run('[a]\nrw=read\nbs=1m\noffset=99%\nsize=50%');
    expect(stats!.directions[READ].ios).toBe(2);
  });

  test('clones with regions of their own may verify', async () => {
    const [one, two] = await run('[a]\nrw=write\nverify=crc32c\nnumjobs=2\nsize=1m\noffset_increment=1m');
    expect([one!.errno, two!.errno]).toEqual([0, 0]);
  });
});

describe('a command that does not complete', () => {
  /** Runs a job during which `happen` is tried after each completion from the 100th on, until it returns true. */
  async function troubled(lines: string, happen: (machine: Machine) => boolean, pace: Pace = 'timed') {
    const { jobs } = parseJobFile(`[a]\nrw=randread\nio_size=2m\n${lines}`, 'x.fio');
    const machine = boot(pc, { seed: 1, pace });
    const warnings: string[] = [];
    let seen = 0;
    let isLeft = true;
    const result = await runJobs({
      machine,
      jobs,
      targets: findTargets(pc, jobs),
      seed: 1,
      hostNow: () => 0,
      driver: { timeout_ns: 1e9, onWarning: (sentence) => warnings.push(sentence) },
      onCompletion: () => {
        if (++seen >= 100 && isLeft) isLeft = !happen(machine);
      },
    });
    return { ...result, stats: result.clones[0]!, warnings };
  }
  const losesOne = ({ controllers }: Machine): boolean => controllers[0]!.engine.lose(1) !== null;
  const hangs = ({ controllers }: Machine): boolean => {
    controllers[0]!.engine.running = false;
    return true;
  };
  const losesBusMaster = ({ rootComplex }: Machine): boolean => {
    const command = rootComplex.configRead(1, 0, CONFIG.COMMAND, 2);
    rootComplex.configWrite(1, 0, CONFIG.COMMAND, 2, COMMAND.BUS_MASTER.set(command, 0));
    return true;
  };

  test('is aborted after its time, and its error has the cause; other commands are not touched', async () => {
    const { stats, warnings, simulated_ns } = await troubled('iodepth=8', losesOne);
    expect(stats.errno).toBe(5);
    expect(stats.failure).toMatch(
      /^Read of blocks .* failed with COMMAND_ABORT_REQUESTED .* 0000:01:00.0: Read of .* did not complete within 1000 ms; CSTS .*; aborting it$/,
    );
    expect(warnings).toHaveLength(1);
    expect(simulated_ns).toBeGreaterThanOrEqual(1e9);
    expect(simulated_ns).toBeLessThan(1.1e9);
  });

  test('passes with continue_on_error, and the job does the rest', async () => {
    const { stats } = await troubled('iodepth=8\ncontinue_on_error=io', losesOne);
    expect([stats.errno, stats.errors, stats.firstErrno]).toEqual([0, 1, 5]);
    expect(stats.directions[READ].ios).toBe(512);
  });

  test('of firmware that hangs, or a controller that has failed, ends with a reset, and the job can go on', async () => {
    const hung = await troubled('iodepth=8\ncontinue_on_error=io', hangs);
    expect(hung.warnings.map((each) => /aborting|resetting|goes on/.exec(each)?.[0])).toEqual([
      'aborting',
      'resetting',
      'goes on',
    ]);
    expect([hung.stats.errno, hung.stats.errors, hung.stats.directions[READ].ios]).toEqual([0, 8, 512]);
    const failed = await troubled('iodepth=8\nhipri=0', losesBusMaster);
    expect(failed.stats.errno).toBe(5);
    expect(failed.stats.failure).toMatch(
      /ABORTED_BY_HOST .* did not complete within 1000 ms; CSTS .*; resetting the controller$/,
    );
  });

  test('is found at once where nothing is left to happen', async () => {
    const { stats, warnings } = await troubled('iodepth=8', losesBusMaster, 'functional');
    expect(stats.errno).toBe(5);
    expect(warnings.at(-1)).toMatch(/goes on$/);
  });
});
