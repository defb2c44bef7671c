/**
 * Boards that cannot exist end in one sentence with the place in the board; strange ones that can exist do I/O.
 * Not here: boards in files (test/cli), resources that only firmware finds short (test/machine/enumerate.test.ts).
 */
import { describe, expect, test } from 'vitest';
import {
  type Board,
  boot,
  conformance,
  deviceNamed,
  type NvmeBoard,
  type PortBoard,
  pc,
  workstation,
} from '../../boards/index.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { EnumerationError } from '../../machine/pcie/enumerate.ts';
import type { LinkProfile } from '../../machine/timing/link.ts';
import type { UniformProfile } from '../../nvme/media/profile.ts';
import { type ControllerProfile, type ControllerTiming, GENERIC, OPTANE_P4800X } from '../../nvme/profile.ts';

const { activation_ns: _, ...oldOperations } = OPTANE_P4800X.operations;
const k7 = deviceNamed('kioxia-cm7').controller.timing!;
const port = pc.rootPorts[0]!;
const drive = port.device as NvmeBoard;

/** Parts that may be anything, because boards come from JSON and JavaScript too. */
type Loose<T> = { readonly [Key in keyof T]?: unknown };

const withPort = (change: Loose<PortBoard>): Loose<Board> => ({ rootPorts: [{ ...port, ...change }] });
const withDrive = (change: Loose<NvmeBoard>) => withPort({ device: { ...drive, ...change } });
const withLink = (change: Loose<LinkProfile>) => withPort({ link: { ...port.link, ...change } });
const withProfile = (change: Loose<ControllerProfile>) => withDrive({ profile: { ...GENERIC, ...change } });
const withTiming = (change: Loose<ControllerTiming>) =>
  withProfile({ timing: { ...OPTANE_P4800X, ...change } });
const withMedia = (change: Loose<UniformProfile>) =>
  withTiming({ media: { ...OPTANE_P4800X.media, ...change } });
const withNamespace = (...namespaces: unknown[]) => withDrive({ namespaces });
const switchOf = (...ports: unknown[]) => withPort({ device: { kind: 'switch', ports } });

const PORT = 'rootPorts[0]';
const DRIVE = `${PORT}.device`;

/** A change to `pc`, and what is said about it. */
const IMPOSSIBLE: readonly (readonly [Loose<Board> & Record<string, unknown>, string])[] = [
  // the machine
  [{ ram: 'lots' }, 'ram: must be a size, such as 65536 or \'64m\', got "lots"'],
  [{ ram: 1.5 }, "ram: must be a size, such as 65536 or '64m', got 1.5"],
  [{ ram: undefined }, 'ram: is missing'],
  [{ ram: '1m' }, 'ram: 1048576 bytes are too few to boot; 16m is the least'],
  [{ ram: 20_000_000 }, 'ram: 20000000 bytes are not a multiple of 64 KiB'],
  [{ ram: '3g', media: '2g' }, 'media: RAM and media together must stay below 4 GiB'],
  [{ media: 0 }, "media: must be a size, such as 65536 or '64m', got 0"],
  [{ rootports: [] }, 'rootports: is not a key here; did you mean "rootPorts"?'],
  [{ rootPorts: [] }, 'rootPorts: must be a list of at least 1, got []'],
  [{ rootPorts: 'many' }, 'rootPorts: must be a list of at least 1, got "many"'],
  [{ mmioBase: 4096 }, 'mmioBase: must be a multiple of 4096 from 0xc0000000 to 0xfebff000, got 4096'],
  [{ host: null }, 'host: must be an object, got null'],
  [{ host: { ...pc.host, wakeup_ns: undefined } }, 'host.wakeup_ns: is missing'],
  [{ host: { ...pc.host, store_ns: -1 } }, 'host.store_ns: must be zero or more nanoseconds, got -1'],
  [{ host: { ...pc.host, stor_ns: 1 } }, 'host.stor_ns: is not a key here; did you mean "store_ns"?'],
  [{ iommu: { iotlbEntries: 3 } }, 'iommu.iotlbEntries: must be a power of two from 1 to 65536, got 3'],
  [{ iommu: { tableBits: [40] } }, 'iommu.tableBits[0]: must be 39, 48 or 57, got 40'],
  [{ iommu: { cachingMode: 1 } }, 'iommu.cachingMode: must be true or false, got 1'],
  // places and links
  [
    withPort({ at: '4.8' }),
    `${PORT}.at: '4.8' is not a place on a bus; write device and function such as '04.0'`,
  ],
  [
    withPort({ at: '20.0' }),
    `${PORT}.at: '20.0' is not a place on a bus; write device and function such as '04.0'`,
  ],
  [withPort({ at: '04.1' }), `${PORT}.at: nobody finds '04.1' while '04.0' is empty`],
  [{ rootPorts: [port, port] }, `rootPorts[1].at: '04.0' is already taken by ${PORT}`],
  [switchOf(port, port), `${DRIVE}.ports[1].at: '04.0' is already taken by ${DRIVE}.ports[0]`],
  [withPort({ device: undefined }), `${DRIVE}: is missing`],
  [
    withPort({ device: { ...drive, kind: 'ahci' } }),
    `${DRIVE}: must be null or have a kind, 'nvme' or 'switch'`,
  ],
  [withLink({ generation: 6 }), `${PORT}.link.generation: must be 1, 2, 3, 4 or 5, got 6`],
  [withLink({ lanes: 3 }), `${PORT}.link.lanes: must be 1, 2, 4, 8 or 16, got 3`],
  [
    withLink({ maxPayload_bytes: 100 }),
    `${PORT}.link.maxPayload_bytes: must be a power of two from 128 to 4096, got 100`,
  ],
  [
    withLink({ readRequest_bytes: 0 }),
    `${PORT}.link.readRequest_bytes: must be a power of two from 128 to 4096, got 0`,
  ],
  [
    withLink({ propagation_ns: Number.NaN }),
    `${PORT}.link.propagation_ns: must be zero or more nanoseconds, got NaN`,
  ],
  // namespaces
  [
    withNamespace({ size: 1000 }),
    `${DRIVE}.namespaces[0]: 1000 bytes are not a whole number of 512-byte blocks`,
  ],
  [
    withNamespace({ size: 512, block_bytes: 4096 }),
    `${DRIVE}.namespaces[0]: a namespace needs at least one block of 4096 bytes, got 512`,
  ],
  [
    withNamespace({ size: '1m', block_bytes: 500 }),
    `${DRIVE}.namespaces[0].block_bytes: must be a power of two from 512 to 65536, got 500`,
  ],
  [
    withNamespace({ size: '1m' }, { size: '1m', eui64: '12' }),
    `${DRIVE}.namespaces[1].eui64: must be 16 hexadecimal digits, got "12"`,
  ],
  [
    withNamespace({ size: '1m', image: '/tmp/x' }),
    `${DRIVE}.namespaces[0].image: this host cannot open image files (no openStore was given)`,
  ],
  [
    withNamespace({ size: 2 ** 50 }),
    `${DRIVE}.namespaces[0]: 1024TiB are too many to keep in memory; 16TiB is the most`,
  ],
  [
    withNamespace(...Array(257).fill({ size: 512 })),
    `${DRIVE}.namespaces: 257 are more than the 256 of profile generic (maxNamespaces)`,
  ],
  // the controller
  [
    withDrive({ serial: 'x'.repeat(21) }),
    `${DRIVE}.serial: must be ASCII text of at most 20 characters, got "${'x'.repeat(21)}"`,
  ],
  [
    withDrive({ serial: 'Größe' }),
    `${DRIVE}.serial: must be ASCII text of at most 20 characters, got "Größe"`,
  ],
  [withDrive({ group: 1.5 }), `${DRIVE}.group: must be a whole number from 0 to 65535, got 1.5`],
  [
    withProfile({ quirks: ['anyAligment'] }),
    `${DRIVE}.profile.quirks[0]: must be a name from the list, got "anyAligment"; did you mean "anyAlignment"?`,
  ],
  [
    withProfile({ absent: { ...GENERIC.absent, io: ['COMPARE', 'VERFY'] } }),
    `${DRIVE}.profile.absent.io[1]: must be a name from the list, got "VERFY"; did you mean "VERIFY"?`,
  ],
  [
    withProfile({ features: { fixed: [], defaults: { ARBITRATON: 7 } } }),
    `${DRIVE}.profile.features.defaults.ARBITRATON: is not a key here; did you mean "ARBITRATION"?`,
  ],
  [withProfile({ mdts: 0 }), `${DRIVE}.profile.mdts: must be a whole number from 1 to 12, got 0`],
  [
    withProfile({ maxQueuePairs: 4000 }),
    `${DRIVE}.profile (generic): 4000 queue pairs put doorbells up to 36104, over the MSI-X table at 8192 or the pending bits at 12288; move them or lower maxQueuePairs`,
  ],
  [
    withProfile({ msixVectors: 300 }),
    `${DRIVE}.profile (generic): the MSI-X table of 300 vectors at 8192 runs into msixPba at 12288`,
  ],
  [
    withProfile({ msixTable: 8196 }),
    `${DRIVE}.profile (generic): msixTable at 8196 and msixPba at 12288 must be multiples of 8`,
  ],
  [
    withProfile({ msixPba: 16_384 }),
    `${DRIVE}.profile (generic): bar_bytes is 16384, too small for the MSI-X table and pending bits`,
  ],
  [
    withProfile({ bar_bytes: 12_288 }),
    `${DRIVE}.profile.bar_bytes: must be a power of two from 8192 to 2147483648, got 12288`,
  ],
  [
    withProfile({ pageMin: 2, pageMax: 1, mdts: 5 }),
    `${DRIVE}.profile (generic): pageMax is 1 and pageMin 2: the largest page is the smaller one`,
  ],
  [
    withProfile({ commandSlots: 65_536 }),
    `${DRIVE}.profile (generic): 65536 commandSlots for transfers of mdts 7 need 141.69MiB of controller memory, and there are 16MiB; lower one of them`,
  ],
  [
    withProfile({ commandSlots: 5 }),
    `${DRIVE}.profile (generic): 4 asyncEvents, an admin and an I/O command at a time need 6 commandSlots, got 5`,
  ],
  [withTiming({ cores: 0 }), `${DRIVE}.profile.timing.cores: must be a whole number from 1 to 1024, got 0`],
  [
    withMedia({ channels: 1.5 }),
    `${DRIVE}.profile.timing.media.channels: must be a whole number from 1 to 65536, got 1.5`,
  ],
  [
    withMedia({ readBus_bytes_per_ns: 0 }),
    `${DRIVE}.profile.timing.media.readBus_bytes_per_ns: must be more than zero, got 0`,
  ],
  [
    withTiming({ media: { ...k7.media, program_bytes: 100_000 } }),
    `${DRIVE}.profile (generic): timing.media.program_bytes is 100000, not a multiple of the 65536 that 4 planes of 16384 bytes hold`,
  ],
  [
    withTiming({ media: { ...k7.media, buffer_bytes: 200_000 } }),
    `${DRIVE}.profile (generic): timing.media.buffer_bytes is 200000, too small: one 196608 byte program fills while another one runs`,
  ],
  [
    withTiming({ media: { ...k7.media, overProvisioning: 0 } }),
    `${DRIVE}.profile.timing.media.overProvisioning: must be a share from 0.01 to 10, got 0`,
  ],
  [
    withTiming({ media: { kind: 'disk' } }),
    `${DRIVE}.profile.timing.media: must be null or have a kind, 'uniform' or 'nand'`,
  ],
  [
    withMedia({ jitter_ns: 9000 }),
    `${DRIVE}.profile (generic): timing.media.jitter_ns is 9000, wider than twice the 4150 of read_ns or write_ns: time would run back`,
  ],
];

describe('a board that cannot exist says why', () => {
  test.each(IMPOSSIBLE.map(([change, problem]) => [problem, change] as const))('%s', (problem, change) => {
    expect(() => boot({ ...pc, ...change } as Board)).toThrow(
      expect.objectContaining({ name: 'BoardError', message: `board pc: ${problem}` }),
    );
  });

  test('all of it at once, what keys mean together last', () => {
    const sentences = (change: object): string[] => {
      try {
        boot({ ...pc, ...change } as Board);
      } catch (error) {
        return (error as Error).message.split('\n');
      }
      return [];
    };
    const { media, ...others } = pc;
    const misspelt = { ...others, media: undefined, meda: media, ram: 1.5, ...withLink({ lanes: 3 }) };
    expect(sentences(misspelt)).toEqual([
      'board pc: meda: is not a key here; did you mean "media"?',
      "board pc: ram: must be a size, such as 65536 or '64m', got 1.5",
      `board pc: ${PORT}.link.lanes: must be 1, 2, 4, 8 or 16, got 3`,
    ]);
    const together = { ram: 20_000_000, ...withProfile({ sgls: 3, dirty_bytes: 1, writeCache: false }) };
    expect(sentences(together)).toEqual([
      'board pc: ram: 20000000 bytes are not a multiple of 64 KiB',
      `board pc: ${DRIVE}.profile (generic): dirty_bytes is 1, and without writeCache no written byte can be lost: 0`,
      `board pc: ${DRIVE}.profile (generic): sgls 0x3: 3 in bits 1:0 is reserved`,
    ]);
  });

  test.each([undefined, null, 'pc', []])('%o is no board', (value) => {
    expect(() => boot(value as unknown as Board)).toThrow(/^board \(unnamed\): must be an object, got /);
  });

  test('more buses than there are numbers is for firmware to say', () => {
    const places = Array.from({ length: 256 }, (_, devfn) => {
      return `${(devfn >>> 3).toString(16).padStart(2, '0')}.${devfn & 7}`;
    });
    const rootPorts = places.map((at) => ({ ...port, at, device: null }));
    expect(() => boot({ ...pc, rootPorts })).toThrow(EnumerationError);
  });
});

describe('a board that can exist boots and does I/O', () => {
  const iommu = (change: Board['iommu']): Loose<Board> => ({ iommu: change });
  test.each<[string, Loose<Board>]>([
    ['pc', pc],
    ['workstation', workstation],
    ['conformance', conformance],
    ['the least RAM', { ram: '16m' }],
    [
      'a profile written before firmware took time to be activated',
      withTiming({ operations: oldOperations }),
    ],
    ['a port at device 0, function 0', withPort({ at: '00.0' })],
    [
      'functions 0 and 7 of one device',
      {
        rootPorts: [
          { ...port, device: null },
          { ...port, at: '04.7' },
        ],
      },
    ],
    ['a switch below a switch', switchOf({ ...port, at: '1f.0', device: { kind: 'switch', ports: [port] } })],
    [
      'the slowest link',
      withLink({ generation: 1, lanes: 1, maxPayload_bytes: 128, readRequest_bytes: 128 }),
    ],
    [
      'the fastest link',
      withLink({ generation: 5, lanes: 16, maxPayload_bytes: 4096, readRequest_bytes: 4096 }),
    ],
    ['blocks of 64 KiB', withNamespace({ size: '1m', block_bytes: 65_536 })],
    ['a namespace of one block', withNamespace({ size: 512 })],
    ['16 TiB in memory', withNamespace({ size: '16t' })],
    ['256 namespaces', withNamespace(...Array(256).fill({ size: '1m' }))],
    [
      'doorbells 4 KiB apart',
      withProfile({
        doorbellStride: 10,
        maxQueuePairs: 3,
        msixTable: 0x10000,
        msixPba: 0x11000,
        bar_bytes: 0x2_0000,
      }),
    ],
    [
      'transfers of two pages, one command at a time',
      withProfile({ mdts: 1, asyncEvents: 1, commandSlots: 3 }),
    ],
    ['one queue pair of two entries', withProfile({ maxQueuePairs: 1, maxQueueEntries: 2 })],
    ['a drive that takes no time', withProfile({ timing: null })],
    ['MMIO low', { mmioBase: 0xc000_0000 }],
    ['an IOMMU with three levels', iommu({ tableBits: [39], guestAddressBits: 39 })],
    ['an IOMMU without large pages', iommu({ leaf2M: false, leaf1G: false })],
    ['an IOMMU that does not cache absence', iommu({ cachingMode: false })],
    ['an IOMMU with one cached translation', iommu({ iotlbEntries: 1, addressMaskMax: 0 })],
    ['an IOMMU without interrupt remapping', iommu({ interruptRemapping: false })],
    ['an IOMMU with sixteen domains and many fault records', iommu({ domainIdBits: 4, faultRecords: 256 })],
  ])('%s', async (_, change) => {
    const { kernel } = boot({ ...pc, ...change } as Board);
    const driver = await NvmeDriver.open(kernel, { interrupts: true });
    const disk = driver.namespaces.at(-1)!;
    const data = new Uint8Array(disk.blockSize).fill(0x5a);
    await disk.write(disk.blocks - 1, data);
    expect(await disk.compare(disk.blocks - 1, data)).toBe(true);
    await driver.close();
  });
});
