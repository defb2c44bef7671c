/** Tracepoint `nvme.reject`: every refusal says what was wrong, with field, value, rule and section. */
import { describe, expect, test } from 'vitest';
import { type Rejection, T } from '../../machine/trace.ts';
import { rejection } from '../../nvme/rejection.ts';
import { fieldAt, sectionOf } from '../../nvme/spec/command-fields.ts';
import { ADMIN, NVM, opcodeName, SQE } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { CNS } from '../../nvme/spec/identify.ts';
import { CC, REG } from '../../nvme/spec/registers.ts';
import { STATUS } from '../../nvme/spec/status.ts';
import type { Entry } from './entry.ts';
import { CC_NORMAL, Harness, ready } from './harness.ts';
import { IoRig } from './io-rig.ts';

function heard(harness: Harness): Rejection[] {
  const all: Rejection[] = [];
  harness.trace.listenToRejections((_, bdf, words) => {
    expect(bdf).toBe(harness.controller.bdf);
    all.push(words);
  });
  return all;
}

describe('a refused command', () => {
  test.each<[Entry, Partial<Rejection>]>([
    [{ opcode: 0x7e }, { field: 'CDW0.OPC', value: 0x7e, section: 'Base 2.1 §5' }],
    [
      { opcode: ADMIN.IDENTIFY, cdw10: 0xfe },
      { field: 'CDW10.CNS', value: 0xfe, section: 'Base 2.1 §5.1.13.1' },
    ],
    [
      { opcode: ADMIN.ABORT, nsid: 5 },
      { field: 'NSID', value: 5, section: 'Base 2.1 §5.1.1' },
    ],
    [
      { opcode: ADMIN.IDENTIFY, flags: 1 },
      { field: 'CDW0.FUSE', value: 1, section: 'Base 2.1 §5.1.13' },
    ],
    [
      { opcode: ADMIN.GET_FEATURES, cdw10: 0x7f },
      { field: 'CDW10.FID', value: 0x7f },
    ],
    [
      { opcode: ADMIN.DELETE_CQ, cdw10: 9 },
      { field: 'CDW10.QID', value: 9, section: 'Base 2.1 §5.2.3' },
    ],
    [
      { opcode: ADMIN.IDENTIFY, cdw10: CNS.CONTROLLER, prp1: 0x10_0002 },
      { field: 'PRP1', value: 0x10_0002, section: 'Base 2.1 §4.3.1' },
    ],
    [
      { opcode: ADMIN.SET_FEATURES, cdw10: FID.NUMBER_OF_QUEUES, cdw11: 0xffff },
      { field: 'CDW11', section: 'Base 2.1 §5.1.25' },
    ],
  ])('%o', (entry, expected) => {
    const harness = ready();
    const rejections = heard(harness);
    harness.submitAdmin({ ...entry, cid: 3 });
    expect(rejections).toEqual([expect.objectContaining(expected)]);
    expect(rejections[0]!.what).toBe(`${opcodeName(true, entry.opcode)} (SQ 0, CID 3)`);
    expect(rejections[0]!.rule).not.toBe('');
  });

  test('also gives its numbers while the trace is on', () => {
    const harness = ready();
    const records: number[][] = [];
    harness.trace.listen((_, point, ...numbers) => {
      if (point === T.NVME_REJECT) records.push(numbers);
    });
    harness.submitAdmin({ opcode: 0x7e, cid: 3 });
    expect(records).toEqual([[harness.controller.bdf, 0, 3, STATUS.INVALID_OPCODE]]);
  });
});

describe('a refusal that names no byte of the entry', () => {
  const OUT_OF_REACH = 0x300_0000;
  const reading = { opcode: NVM.READ, nsid: 1, cdw12: 15 };
  test.each<[string, Entry, Partial<Rejection>]>([
    ['data at PRP1', { ...reading, prp1: OUT_OF_REACH }, { field: 'PRP1', value: OUT_OF_REACH }],
    [
      'data at PRP2',
      { ...reading, prp1: 0x20_0000, prp2: OUT_OF_REACH },
      { field: 'PRP2', value: OUT_OF_REACH },
    ],
    [
      'a PRP list',
      { ...reading, cdw12: 31, prp1: 0x20_0000, prp2: OUT_OF_REACH },
      { field: 'PRP2', value: OUT_OF_REACH },
    ],
    [
      'metadata',
      { ...reading, nsid: 2, cdw12: 0, prp1: 0x20_0000, mptr: OUT_OF_REACH },
      { field: 'MPTR', value: OUT_OF_REACH },
    ],
    [
      'an SGL of the wrong type',
      { ...reading, flags: 0x40, prp1: 0x20_0000, descriptor: [8192, 0x4000_0000] },
      { field: 'SGL1', value: 0x20_0000 },
    ],
    ['an opcode that is not there', { opcode: 0x7f, nsid: 1 }, { field: 'CDW0.OPC', value: 0x7f }],
    [
      'half of a fused pair',
      { opcode: NVM.WRITE, nsid: 1, flags: 2, prp1: 0x20_0000 },
      { field: 'CDW0.FUSE', value: 2 },
    ],
    ['blocks beyond the end', { ...reading, cdw10: 0x10_0000, prp1: 0x20_0000 }, { field: 'CDW10' }],
  ])('%s', (_, entry, expected) => {
    const bytes = 1024 ** 2;
    const metadata = { bytes: 8 };
    const rig = new IoRig({
      namespaces: [
        { nsid: 1, bytes, block_bytes: 512 },
        { nsid: 2, bytes, block_bytes: 512, metadata },
      ],
    });
    rig.blocked.add(OUT_OF_REACH / 4096);
    const rejections = heard(rig);
    rig.submit(1, 1, entry);
    expect(rejections).toEqual([expect.objectContaining(expected)]);
  });
});

test('a doorbell says which one and the value', () => {
  const harness = ready();
  const rejections = heard(harness);
  harness.ringTail(7, 3);
  harness.ringHead(0, 63);
  expect(rejections).toMatchObject([
    { what: 'doorbell of queue 7', field: 'SQ7TDBL', value: 3, status: 'ignored' },
    { what: 'doorbell of queue 0', field: 'CQ0HDBL', value: 63, status: 'ignored' },
  ]);
});

test('a configuration that cannot be enabled is fatal, and names the rule', () => {
  const harness = new Harness();
  const rejections = heard(harness);
  harness.enable({ cc: CC.MPS.set(CC_NORMAL, 15) });
  expect(rejections).toMatchObject([{ what: '', status: 'fatal', section: 'Base 2.1 §3.5.1' }]);
  expect(rejections[0]!.rule).toContain('CC.MPS 15 is outside');
  expect(harness.read32(REG.CSTS)).toBe(2);
});

describe('fields and sections', () => {
  const whole = { field: '', value: 0, what: 'Read', status: 'Invalid Field', section: 'Base 2.1 §7' };
  test.each<[string, Partial<Rejection>]>([
    ['the list ends early (Base 2.1 §4.3.2)', { rule: 'the list ends early', section: 'Base 2.1 §4.3.2' }],
    ['off (PCI command bit 2)', { rule: 'off (PCI command bit 2)', section: 'Base 2.1 §7' }],
    ['PRP list entry 1 = 0x8 must have offset 0', { field: 'PRP list entry 1', value: 8 }],
  ])('are taken from "%s"', (reason, expected) => {
    expect(rejection(reason, whole)).toEqual({ ...whole, rule: reason, ...expected });
  });

  test('every bit of an entry has a name', () => {
    for (let byte = 0; byte < SQE.SIZE; byte++) {
      for (let bit = 0; bit < 8; bit++) {
        const { name, offset, is64 } = fieldAt(false, NVM.READ, byte, bit);
        expect(name).toMatch(/^(CDW\d+(\.\w+)?|NSID|MPTR|PRP[12])$/);
        expect(byte - offset).toBeLessThan(is64 ? 8 : 4);
      }
    }
    expect(fieldAt(false, NVM.READ, SQE.CDW12 + 3, 6).name).toBe('CDW12.FUA');
    expect(fieldAt(true, ADMIN.FORMAT_NVM, SQE.CDW10 + 1, 1).name).toBe('CDW10.SES');
  });

  test('commands that are unknown have the section of their queue', () => {
    expect([sectionOf(true, 0xee), sectionOf(false, 0xee)]).toEqual(['Base 2.1 §5', 'Base 2.1 §7']);
  });
});
