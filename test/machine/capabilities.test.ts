import { describe, expect, test } from 'vitest';
import { type CapabilityDescription, configSpace } from '../../machine/pcie/capabilities.ts';
import type { ConfigSpace } from '../../machine/pcie/config-space.ts';
import { CAPABILITY, CONFIG, DEVICE_CONTROL, LINK_STATUS, PCIE, PM } from '../../machine/pcie/spec.ts';
import { RECORDED_FUNCTION } from '../vfio/toy-machine.ts';
import { chassis, Toy } from './toy.ts';

/** `bytes` of configuration space from `from`, in hex. */
function dump(config: ConfigSpace, from: number, bytes: number): string {
  const byte = (_: unknown, index: number) =>
    config
      .read(from + index, 1)
      .toString(16)
      .padStart(2, '0');
  return Array.from({ length: bytes }, byte).join('');
}

const withCapabilities = (...capabilities: CapabilityDescription[]): ConfigSpace =>
  configSpace({ ...RECORDED_FUNCTION, capabilities });

describe('a described function', () => {
  test('has every byte that a real machine showed (conformance, config-space-header and -capabilities)', () => {
    const config = configSpace(RECORDED_FUNCTION);
    config.write(CONFIG.BAR0, 4, 0xfe80_0000);
    config.write(CONFIG.COMMAND, 2, 0x0103);
    config.write(CONFIG.INTERRUPT_LINE, 1, 0x0a);
    expect(dump(config, 0, 64)).toBe(
      '361b1000030110000202080100000000040080fe000000000000000000000000' +
        '000000000000000000000000f41a00110000000040000000000000000a010000',
    );
    const capabilities: Record<number, string> = {
      64: '118040000020000000300000',
      96: '0100030008000000',
      128: '106002000080001000000000110400000000110000000000000000000000000000000000000030000000',
    };
    let expected = '00'.repeat(192);
    for (const [at, bytes] of Object.entries(capabilities)) {
      const from = 2 * (Number(at) - 0x40);
      expected = expected.slice(0, from) + bytes + expected.slice(from + bytes.length);
    }
    expect(dump(config, 0x40, 192)).toBe(expected);
    expect(dump(config, 0x100, 3840)).toBe('00'.repeat(3840));
  });

  test('finds its capabilities in the order of the description', () => {
    const config = configSpace(RECORDED_FUNCTION);
    const found = [CAPABILITY.MSIX, CAPABILITY.PCIE, CAPABILITY.POWER_MANAGEMENT, CAPABILITY.MSI];
    expect(found.map((id) => config.findCapability(id))).toEqual([0x40, 0x80, 0x60, 0]);
  });

  test('without capabilities announces no list', () => {
    const config = withCapabilities();
    expect([config.read(CONFIG.STATUS, 2), config.read(CONFIG.CAPABILITIES, 1)]).toEqual([0, 0]);
  });

  test.each<[string, CapabilityDescription[], string]>([
    [
      'overlapping capabilities',
      [
        { kind: 'powerManagement', offset: 0x40, noSoftReset: true },
        { kind: 'powerManagement', offset: 0x44, noSoftReset: true },
      ],
      'overlaps another',
    ],
    [
      'a capability inside the header',
      [{ kind: 'powerManagement', offset: 0x3c, noSoftReset: true }],
      'cannot be at 0x3c',
    ],
    [
      'an unaligned capability',
      [{ kind: 'powerManagement', offset: 0x42, noSoftReset: true }],
      'cannot be at 0x42',
    ],
    ['a first extended capability elsewhere', [{ kind: 'aer', offset: 0x140 }], 'is at 0x100'],
    [
      'too many vectors',
      [
        {
          kind: 'msix',
          offset: 0x40,
          vectors: 2049,
          table: { bar: 0, offset: 0 },
          pba: { bar: 0, offset: 8 },
        },
      ],
      '1 to 2048',
    ],
  ])('%s cannot be described', (_name, capabilities, sentence) => {
    expect(() => withCapabilities(...capabilities)).toThrow(sentence);
  });
});

describe('power management (PCI PM §3.2.4)', () => {
  const CONTROL = 0x60 + PM.CONTROL;
  const powered = (noSoftReset: boolean) => {
    const toy = new Toy('toy', chassis(), {
      capabilities: [{ kind: 'powerManagement', offset: 0x60, noSoftReset }],
    });
    toy.config.write(CONFIG.COMMAND, 2, 6);
    return toy;
  };

  test('D3hot answers configuration cycles only', () => {
    const { config, port } = powered(true);
    config.write(CONTROL, 2, 3);
    expect([config.read(CONTROL, 2), config.memoryDecode, port.busMaster]).toEqual([0x000b, false, false]);
    config.write(CONTROL, 2, 0);
    expect([config.read(CONTROL, 2), config.memoryDecode, port.busMaster]).toEqual([0x0008, true, true]);
  });

  test.each([
    [true, 0],
    [false, 1],
  ])('No_Soft_Reset %s: waking up means %d resets', (noSoftReset, resets) => {
    const toy = powered(noSoftReset);
    toy.config.write(CONTROL, 2, 3);
    expect(toy.resets).toBe(0);
    toy.config.write(CONTROL, 2, 0);
    expect([toy.resets, toy.config.memoryDecode]).toEqual([resets, resets === 0]);
  });

  test.each([1, 2])('D%d is not supported and not entered', (state) => {
    const { config } = powered(true);
    config.write(CONTROL, 2, state);
    expect([config.read(CONTROL, 2) & 3, config.memoryDecode]).toEqual([0, true]);
    config.write(CONTROL, 2, 3);
    config.write(CONTROL, 2, state);
    expect([config.read(CONTROL, 2) & 3, config.memoryDecode]).toEqual([3, false]);
  });

  test('a reset wakes the function', () => {
    const toy = powered(true);
    toy.config.write(CONTROL, 2, 3);
    toy.reset();
    toy.config.write(CONFIG.COMMAND, 2, 2);
    expect([toy.config.read(CONTROL, 2), toy.config.memoryDecode]).toEqual([0x0008, true]);
  });
});

describe('PCI Express (Base §7.5.3)', () => {
  const CONTROL = 0x80 + PCIE.DEVICE_CONTROL;
  const pcie = { kind: 'pcie', offset: 0x80, port: 'ENDPOINT', flr: true, maxPayload_bytes: 512 } as const;
  const link = { generation: 4, lanes: 8 } as const;

  test('FLR resets the function once and reads 0', () => {
    const toy = new Toy('toy', chassis(), { capabilities: [{ ...pcie, link }] });
    toy.config.write(CONFIG.COMMAND, 2, 6);
    toy.config.write(CONTROL, 2, 0xffff);
    expect(toy.resets).toBe(1);
    expect(DEVICE_CONTROL.INITIATE_FLR.get(toy.config.read(CONTROL, 2))).toBe(0);
    expect([toy.config.read(CONFIG.COMMAND, 2), toy.port.busMaster]).toEqual([0, false]);
  });

  test('without FLR the bit does nothing', () => {
    const toy = new Toy('toy', chassis(), { capabilities: [{ ...pcie, flr: false, link }] });
    toy.config.write(CONTROL, 2, 0xffff);
    expect([toy.resets, toy.config.read(CONTROL, 2)]).toEqual([0, 0x7fff]);
  });

  test('a port cannot have FLR', () => {
    expect(() => withCapabilities({ ...pcie, port: 'ROOT_PORT', link })).toThrow('only endpoints');
  });

  test('the link tells generation, lanes and the generations below it', () => {
    const config = withCapabilities({ ...pcie, link });
    expect(LINK_STATUS.decode(config.read(0x80 + PCIE.LINK_STATUS, 2))).toMatchObject({ SPEED: 4, WIDTH: 8 });
    expect(config.read(0x80 + PCIE.LINK_CAPABILITIES_2, 4)).toBe(0b11110);
    expect(config.read(0x80 + PCIE.LINK_CONTROL_2, 2)).toBe(4);
  });

  test.each([
    [128, 0],
    [256, 1],
    [4096, 5],
  ])('%d-byte payloads are field value %d', (maxPayload_bytes, field) => {
    const config = withCapabilities({ ...pcie, maxPayload_bytes, link });
    expect(config.read(0x80 + PCIE.DEVICE_CAPABILITIES, 1) & 7).toBe(field);
  });

  test.each([64, 384, 8192])('%d-byte payloads do not exist', (maxPayload_bytes) => {
    expect(() => withCapabilities({ ...pcie, maxPayload_bytes, link })).toThrow('128 to 4096');
  });
});

describe('extended capabilities', () => {
  const config = () =>
    withCapabilities(
      { kind: 'aer', offset: 0x100 },
      { kind: 'serialNumber', offset: 0x150, low: 0xddcc_bbaa, high: 0x1122_3344 },
    );

  test('form a list from 0x100', () => {
    expect([config().read(0x100, 4), config().read(0x150, 4)]).toEqual([0x1502_0001, 0x0001_0003]);
  });

  test('a serial number is two read-only words', () => {
    const built = config();
    built.write(0x154, 4, 0);
    expect([built.read(0x154, 4), built.read(0x158, 4)]).toEqual([0xddcc_bbaa, 0x1122_3344]);
  });

  test('error status is cleared by ones, and errors and masks survive a reset', () => {
    const built = config();
    expect(built.read(0x10c, 4)).toBe(0x0046_2030);
    built.set(0x104, 4, 0x0010_4000);
    built.write(0x108, 4, 0x0010_0000);
    built.reset();
    expect([built.read(0x104, 4), built.read(0x108, 4)]).toEqual([0x0010_4000, 0x0010_0000]);
    built.write(0x104, 4, 0x0010_0000);
    expect(built.read(0x104, 4)).toBe(0x0000_4000);
  });
});
