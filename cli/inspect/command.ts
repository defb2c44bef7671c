/**
 * `doorbell inspect`: the state of a machine at one moment, as a tree. Without jobs the moment is when the driver has
 * brought its drive up; with jobs it is when their first I/O command reaches a controller, or so much later.
 * `doorbell dmesg` is the kernel's log after the same.
 */
import type { Machine } from '../../boards/index.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { T } from '../../machine/trace.ts';
import { UserError } from '../../support/user-error.ts';
import { parseArguments } from '../arguments.ts';
import { LIVE_OPTIONS, liveMachine } from '../live.ts';
import type { Output } from '../output.ts';
import { machineTree } from './machine.ts';
import { find, lines, plain } from './tree.ts';

/** Returns the exit status. Throws UserError. */
export async function inspectCommand(argv: readonly string[], output: Output): Promise<number> {
  const isJson = argv.includes('--json');
  const words = argv.filter((word) => word !== '--json');
  const { options, rest } = parseArguments('inspect', words, [...LIVE_OPTIONS, 'at']);
  const [path = '', ...others] = rest;
  if (others.length > 0) throw new UserError('inspect: give one path, such as nvme0/sq or iommu/iotlb');
  if (options.at !== undefined && options.after === undefined)
    throw new UserError('inspect: --at counts from the first I/O of the jobs that --after names');
  const at_ns = parseTime(options.at ?? '0ns');
  const iovas = path.split('/').flatMap((step) => (/^0x[0-9a-f]+$/i.test(step) ? [Number(step)] : []));
  const wantsQueue = options.after === undefined && /\/[sc]q\/\d+/.test(path);
  const advice = wantsQueue ? '; I/O queues appear with --after JOB.fio' : '';
  let shown: string[] | null = null;
  const look = (machine: Machine): void => {
    const node = find(
      machineTree(machine, iovas),
      path.toLowerCase().startsWith('iommu/walk') ? lower(path) : path,
      advice,
    );
    shown ??= isJson ? [JSON.stringify(plain(node), null, 2)] : lines(node);
  };
  if (options.after === undefined) {
    const machine = await liveMachine(options);
    const driver = await NvmeDriver.open(machine.kernel);
    look(machine);
    await driver.close();
  } else await liveMachine(options, { onBooted: (machine) => atFirstIo(machine, at_ns, look) });
  if (shown === null) throw new UserError('inspect: the jobs ended before that moment', 1);
  output.lines(shown);
  return 0;
}

/** Hexadecimal digits of an address, as the tree has them. */
const lower = (path: string): string =>
  path.replace(/0x0*([0-9a-f]+)/gi, (_, digits: string) => `0x${digits.toLowerCase()}`);

/** Calls `look` once, `at_ns` of simulated time after the first I/O command was fetched. */
function atFirstIo(machine: Machine, at_ns: number, look: (machine: Machine) => void): void {
  const handler = machine.clock.register(() => look(machine));
  const stop = machine.trace.listen((_, point, __, sqid) => {
    if (point !== T.NVME_FETCH || sqid === 0) return;
    stop();
    machine.clock.after(at_ns, handler, 0);
  });
}

const UNITS = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 } as const;

function parseTime(text: string): number {
  const found = /^(\d+(?:\.\d+)?)(ns|us|ms|s)$/.exec(text);
  if (found === null) throw new UserError(`--at ${text}: a time has a unit: 500ns, 20us, 1.5ms or 1s`);
  return Number(found[1]) * UNITS[found[2] as keyof typeof UNITS];
}

/** `doorbell dmesg`: the log of the kernel since boot. Throws UserError. */
export async function dmesgCommand(argv: readonly string[], output: Output): Promise<number> {
  const { options, rest } = parseArguments('dmesg', argv, LIVE_OPTIONS);
  if (rest.length > 0) throw new UserError(`dmesg: takes no "${rest[0]}"`);
  const machine = await liveMachine(options);
  output.lines(machine.kernel.dmesg.lines);
  return 0;
}
