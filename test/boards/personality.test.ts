/** Boards from files whose controllers are a base and what differs. */
import { expect, test } from 'vitest';
import { type Board, boot, completeBoard, type NvmeBoard, pc } from '../../boards/index.ts';
import { SERVER_HOST } from '../../machine/timing/host.ts';
import { GENERIC } from '../../nvme/profile.ts';
import { QEMU } from '../../nvme/profile-qemu.ts';

/** `pc` as a JSON file has it, with this profile in its drive. */
function boardOf(profile: unknown): unknown {
  const [port] = pc.rootPorts;
  const board = { ...pc, rootPorts: [{ ...port, device: { ...port!.device, profile } }] };
  return JSON.parse(JSON.stringify(board));
}

const profileOf = (board: unknown) => ((board as Board).rootPorts[0]!.device as NvmeBoard).profile;
const complete = (profile: unknown) => profileOf(completeBoard(boardOf(profile)));

test('a base alone is that profile; a whole profile is left as it is', () => {
  expect(complete({ base: 'qemu' })).toEqual(QEMU);
  expect(complete(GENERIC)).toEqual(GENERIC);
});

test('objects are merged, lists are replaced', () => {
  const profile = complete({ base: 'qemu', mdts: 5, admin: { format: false }, quirks: ['anyAlignment'] });
  expect(profile).toEqual({
    ...QEMU,
    mdts: 5,
    admin: { ...QEMU.admin, format: false },
    quirks: ['anyAlignment'],
  });
});

test('such a board boots, and drives behind a switch are made whole too', () => {
  const [port] = pc.rootPorts;
  const inner = { ...port, device: { ...port!.device, profile: { base: '990pro', model: 'MINE' } } };
  const board = { ...pc, rootPorts: [{ ...port, device: { kind: 'switch', ports: [inner] } }] };
  const machine = boot(completeBoard(board) as Board, { pace: 'functional' });
  expect(machine.controllers.map(({ profile }) => profile.model)).toEqual(['MINE']);
});

test('what the host does not name is as usual, and what is no host is left alone', () => {
  const hostOf = (host?: unknown) => (completeBoard({ ...pc, host }) as Board).host;
  expect(hostOf()).toEqual(SERVER_HOST);
  expect(hostOf({ syscall_ns: 7 })).toEqual({ ...SERVER_HOST, syscall_ns: 7 });
  expect(hostOf(null)).toBeNull();
});

test.each([
  [
    { base: 'qmu' },
    'board pc: rootPorts[0].device.profile.base: must be the name of a profile, got "qmu"; did you mean "qemu"?',
  ],
  [
    { base: 'generic', quirk: [] },
    'board pc: rootPorts[0].device.profile.quirk: is not a key here; did you mean "quirks"?',
  ],
  [
    { base: '990pro', firmwareJitter_ns: 200 },
    'board pc: rootPorts[0].device.profile.firmwareJitter_ns: is not a key here; it is timing.firmwareJitter_ns',
  ],
  [
    { base: 'generic', quirks: ['namespaceFirst'] },
    'board pc: rootPorts[0].device.profile (generic): compareAndWriteBlocks is 128, and with the quirk namespaceFirst ' +
      'nothing is fused: 0',
  ],
])('%o is refused', (profile, sentence) => {
  expect(() => boot(completeBoard(boardOf(profile)) as Board)).toThrow(sentence);
});
