/**
 * Boards written by hand say what differs: `profile: { base: 'qemu', ... }` begins with a profile that ships, in JSON or in
 * code, and `host` with that of `pc`. Not here: what the keys may hold (shapes.ts), what is impossible together (nvme/profile-rules.ts).
 */
import { SERVER_HOST } from '../machine/timing/host.ts';
import { GENERIC } from '../nvme/profile.ts';
import { QEMU } from '../nvme/profile-qemu.ts';
import { suggestion } from '../support/nearest.ts';
import type { Problem } from '../support/shape.ts';
import type { Board } from './board.ts';
import { BoardError, checkBoard } from './check.ts';
import { DEVICES } from './devices/index.ts';

type Data = Readonly<Record<string, unknown>>;

/** Profiles to begin with, by name: the two personalities and every device. */
const BASES: Readonly<Record<string, object>> = {
  generic: GENERIC,
  qemu: QEMU,
  ...Object.fromEntries(DEVICES.map(({ name, controller }) => [name, controller])),
};

const isData = (value: unknown): value is Data =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * `value`, a board as a file has it, with every `profile: { base, ... }` made whole: objects are merged key by key, lists
 * and everything else replaced. What `host` does not name is as in SERVER_HOST, the host of every board that ships. What
 * is not shaped like a board is left for `checkBoard`. Throws BoardError for bases that are not there.
 */
export function completeBoard(value: unknown): unknown {
  const problems: Problem[] = [];
  const board = completed(value, problems);
  if (problems.length > 0) throw new BoardError(String((value as Data).name ?? '(unnamed)'), problems);
  return board;
}

/** The board that a file means. Throws BoardError for all that is wrong with it. */
export function readBoard(value: unknown): Board {
  const problems: Problem[] = [];
  const board = completed(value, problems) as Board;
  checkBoard(board, problems);
  return board;
}

function completed(value: unknown, problems: Problem[]): unknown {
  if (!isData(value)) return value;
  const { host = {} } = value;
  return {
    ...value,
    host: isData(host) ? { ...SERVER_HOST, ...host } : host,
    rootPorts: completePorts(value.rootPorts, 'rootPorts', problems),
  };
}

function completePorts(ports: unknown, path: string, problems: Problem[]): unknown {
  if (!Array.isArray(ports)) return ports;
  return ports.map((port: unknown, index) => {
    if (!isData(port) || !isData(port.device)) return port;
    const { device } = port;
    const here = `${path}[${index}].device`;
    if (device.kind === 'switch')
      return {
        ...port,
        device: { ...device, ports: completePorts(device.ports, `${here}.ports`, problems) },
      };
    if (!isData(device.profile) || !('base' in device.profile)) return port;
    const { base, ...changes } = device.profile;
    const begun = baseOf(base, `${here}.profile.base`, problems);
    return { ...port, device: { ...device, profile: merge(begun, changes) } };
  });
}

/** The profile of that name; one that is as good as another, and a problem, where there is none. */
function baseOf(base: unknown, path: string, problems: Problem[]): Data {
  const names = Object.keys(BASES);
  const name = names.find((each) => each === base);
  if (name !== undefined) return BASES[name] as Data;
  const hint = suggestion(String(base), names) || `; there are ${names.join(' ')}`;
  problems.push({ path, problem: `must be the name of a profile, got ${JSON.stringify(base)}${hint}` });
  return GENERIC as unknown as Data;
}

function merge(base: Data, changes: Data): Data {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, change] of Object.entries(changes)) {
    const old = base[key];
    merged[key] = isData(old) && isData(change) ? merge(old, change) : change;
  }
  return merged;
}
