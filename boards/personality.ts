/**
 * Boards written by hand say what differs: `profile: { base: 'qemu', ... }` begins with a profile that ships, in JSON or in
 * code, and `host` with that of `pc`. Not here: what the keys may hold (shapes.ts), what is impossible together (nvme/profile-rules.ts).
 */
import { SERVER_HOST } from '../machine/timing/host.ts';
import { GENERIC } from '../nvme/profile.ts';
import { QEMU } from '../nvme/profile-qemu.ts';
import { suggestion } from '../support/nearest.ts';
import { BoardError } from './check.ts';
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
 * and everything else replaced. What `host` does not name is as in SERVER_HOST, the host of every board that ships. What is not shaped like a board is left for `checkBoard`. Throws BoardError for a base
 * that is not there.
 */
export function completeBoard(value: unknown): unknown {
  if (!isData(value)) return value;
  const name = String(value.name ?? '(unnamed)');
  const { host = {} } = value;
  return {
    ...value,
    host: isData(host) ? { ...SERVER_HOST, ...host } : host,
    rootPorts: completePorts(value.rootPorts, 'rootPorts', name),
  };
}

function completePorts(ports: unknown, path: string, board: string): unknown {
  if (!Array.isArray(ports)) return ports;
  return ports.map((port: unknown, index) => {
    if (!isData(port) || !isData(port.device)) return port;
    const { device } = port;
    const here = `${path}[${index}].device`;
    if (device.kind === 'switch')
      return { ...port, device: { ...device, ports: completePorts(device.ports, `${here}.ports`, board) } };
    if (!isData(device.profile) || !('base' in device.profile)) return port;
    return { ...port, device: { ...device, profile: completeProfile(device.profile, here, board) } };
  });
}

function completeProfile({ base, ...changes }: Data, path: string, board: string): unknown {
  const names = Object.keys(BASES);
  const begun = names.find((name) => name === base);
  if (begun !== undefined) return merge(BASES[begun] as Data, changes);
  const problem = `must be the name of a profile, got ${JSON.stringify(base)}`;
  const hint = suggestion(String(base), names) || `; there are ${names.join(' ')}`;
  throw new BoardError(board, `${path}.profile.base`, `${problem}${hint}`);
}

function merge(base: Data, changes: Data): Data {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, change] of Object.entries(changes)) {
    const old = base[key];
    merged[key] = isData(old) && isData(change) ? merge(old, change) : change;
  }
  return merged;
}
