/** `doorbell trace`: both formats of one run, decoded by somebody else's code, nest, flow and agree. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { perfettoTrace } from '../../cli/trace/perfetto.ts';
import { LanePool, Timeline } from '../../cli/trace/timeline.ts';
import { doorbell } from './doorbell.ts';

/** The part of perfetto's published schema that is written. */
const SCHEMA = `
syntax = "proto2";
message Trace { repeated TracePacket packet = 1; }
message TracePacket {
  optional uint64 timestamp = 8;
  optional uint32 trusted_packet_sequence_id = 10;
  optional TrackEvent track_event = 11;
  optional uint32 sequence_flags = 13;
  optional TrackDescriptor track_descriptor = 60;
}
message TrackDescriptor {
  optional uint64 uuid = 1;
  optional string name = 2;
  optional ProcessDescriptor process = 3;
  optional uint64 parent_uuid = 5;
  optional CounterDescriptor counter = 8;
}
message ProcessDescriptor { optional int32 pid = 1; optional string process_name = 6; }
message CounterDescriptor {}
message DebugAnnotation { optional double double_value = 5; optional string string_value = 6; optional string name = 10; }
message TrackEvent {
  enum Type { UNSPECIFIED = 0; SLICE_BEGIN = 1; SLICE_END = 2; INSTANT = 3; COUNTER = 4; }
  repeated DebugAnnotation debug_annotations = 4;
  optional Type type = 9;
  optional uint64 track_uuid = 11;
  optional string name = 23;
  optional double double_counter_value = 44;
  repeated fixed64 flow_ids = 47;
}`;

interface TrackEvent {
  readonly type: 'SLICE_BEGIN' | 'SLICE_END' | 'INSTANT' | 'COUNTER';
  readonly track_uuid: string;
  readonly name?: string;
  readonly double_counter_value?: number;
  readonly flow_ids?: readonly string[];
}
interface Packet {
  readonly timestamp?: string;
  readonly track_event?: TrackEvent;
  readonly track_descriptor?: {
    readonly uuid: string;
    readonly name: string;
    readonly parent_uuid?: string;
    readonly process?: unknown;
  };
}

function decode(bytes: Uint8Array): readonly Packet[] {
  const type = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType('Trace');
  return type.toObject(type.decode(bytes), { longs: String, enums: String }).packet as Packet[];
}

const IOS = 24;
const JOB = `[reads]
rw=randread
bs=8k
iodepth=4
hipri=0
filename=nvme0n1
io_size=${IOS * 8}k
`;

describe('a traced job', () => {
  const folder = mkdtempSync(join(tmpdir(), 'doorbell-trace-'));
  const job = join(folder, 'job.fio');
  const file = join(folder, 'job.perfetto-trace');
  let packets: readonly Packet[];
  let names: ReadonlyMap<string, string>;
  const eventsOf = (track: RegExp): readonly { readonly at: number; readonly event: TrackEvent }[] =>
    packets
      .filter(
        ({ track_event }) => track_event !== undefined && track.test(names.get(track_event.track_uuid)!),
      )
      .map(({ timestamp, track_event }) => ({ at: Number(timestamp), event: track_event! }));

  beforeAll(async () => {
    writeFileSync(job, JOB);
    expect((await doorbell('trace', job, '-o', file)).status).toBe(0);
    packets = decode(readFileSync(file));
    const described = packets.flatMap(({ track_descriptor }) => track_descriptor ?? []);
    const names0 = new Map(described.map(({ uuid, name }) => [uuid, name]));
    names = new Map(
      described.map(({ uuid, name, parent_uuid }) => [
        uuid,
        parent_uuid === undefined ? name : `${names0.get(parent_uuid)}/${name}`,
      ]),
    );
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('has a track for everything that takes part', () => {
    const found = [...names.values()];
    for (const wanted of [
      /^driver\/reads 1 slot [0-3]$/,
      /^driver\/commands outstanding$/,
      /^kernel\/system calls$/,
      /^iommu\/walks and faults$/,
      /^iommu\/IOTLB hits in percent$/,
      /^pcie\/00:04.0 up$/,
      /^pcie\/00:04.0 down$/,
      /^cpu\/interrupts$/,
      /^nvme0 \(01:00.0\)\/SQ1/,
      /^nvme0 \(01:00.0\)\/channel \d/,
      /^nvme0 \(01:00.0\)\/commands in the controller$/,
    ])
      expect(found).toContainEqual(expect.stringMatching(wanted));
  });

  test('nests on every track, and ends what it begins', () => {
    for (const track of names.values()) {
      const escaped = new RegExp(`^${track.replace(/[()./]/g, '\\$&')}$`);
      let depth = 0;
      let last = 0;
      for (const { at, event } of eventsOf(escaped)) {
        expect(at).toBeGreaterThanOrEqual(last);
        last = at;
        if (event.type === 'SLICE_BEGIN') depth++;
        if (event.type === 'SLICE_END') depth--;
        expect(depth).toBeGreaterThanOrEqual(0);
      }
      expect(depth, track).toBe(0);
    }
  });

  test('leads one flow per command from a slot through the queue, inside of the time it was outstanding', () => {
    const flows = (track: RegExp): Map<string, { begin: number; end: number }> => {
      const open: { flow: string | undefined; begin: number }[] = [];
      const found = new Map<string, { begin: number; end: number }>();
      for (const { at, event } of eventsOf(track)) {
        if (event.type === 'SLICE_BEGIN') open.push({ flow: event.flow_ids?.[0], begin: at });
        if (event.type !== 'SLICE_END') continue;
        const { flow, begin } = open.pop()!;
        if (flow !== undefined) found.set(flow, { begin, end: at });
      }
      return found;
    };
    const slots = [0, 1, 2, 3].map((slot) => flows(new RegExp(`^driver/.* slot ${slot}$`)));
    const driver = new Map(slots.flatMap((map) => [...map]));
    const lanes = [...names.values()].filter((name) => name.includes('/SQ1'));
    const queue = new Map(
      lanes.flatMap((lane) => [...flows(new RegExp(`^${lane.replace(/[()./]/g, '\\$&')}$`))]),
    );
    expect(driver.size).toBe(IOS);
    expect([...queue.keys()].sort()).toEqual([...driver.keys()].sort());
    for (const [flow, { begin, end }] of queue) {
      expect(driver.get(flow)!.begin).toBeLessThan(begin);
      expect(driver.get(flow)!.end).toBeGreaterThan(end);
    }
  });

  test('counts commands up to the depth and down to none', () => {
    const values = eventsOf(/^driver\/commands outstanding$/).map(({ event }) => event.double_counter_value!);
    expect(Math.max(...values)).toBe(4);
    expect(values.at(-1)).toBe(0);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
  });

  test('--format json tells the same, a line each', async () => {
    const text = join(folder, 'job.json');
    expect((await doorbell('trace', job, '-o', text, '--format', 'json')).status).toBe(0);
    const { traceEvents } = JSON.parse(readFileSync(text, 'utf8')) as { traceEvents: { ph: string }[] };
    const count = (phase: string) => traceEvents.filter(({ ph }) => ph === phase).length;
    const packetsOf = (type: string) =>
      packets.filter(({ track_event }) => track_event?.type === type).length;
    expect(count('B')).toBe(packetsOf('SLICE_BEGIN'));
    expect(count('E')).toBe(packetsOf('SLICE_END'));
    expect(count('i')).toBe(packetsOf('INSTANT'));
    expect(count('C')).toBe(packetsOf('COUNTER'));
    expect(count('s')).toBe(IOS);
  });

  test('the same seed gives the same file', async () => {
    const again = join(folder, 'again.perfetto-trace');
    await doorbell('trace', job, '-o', again);
    expect(readFileSync(again).equals(readFileSync(file))).toBe(true);
  });
});

describe('mistakes', () => {
  test.each([
    [['trace'], 'doorbell: trace: give one job file: doorbell trace JOB.fio -o FILE.perfetto-trace'],
    [
      ['trace', 'x.fio', '--format', 'jso'],
      'doorbell: --format jso: it is perfetto or json; did you mean "json"?',
    ],
  ])('%j', async (argv, sentence) => {
    const { status, err } = await doorbell(...argv);
    expect(status).toBe(2);
    expect(err).toBe(sentence);
  });
});

describe('a timeline', () => {
  test('puts slices that overlap on tracks of their own', () => {
    const timeline = new Timeline();
    const pool = new LanePool(timeline, timeline.process('p'), 'lane');
    const tracks = [
      [0, 10],
      [5, 12],
      [10, 20],
      [11, 30],
    ].map(([start, end]) => pool.take(start!, end!));
    expect(tracks[2]).toBe(tracks[0]);
    expect(new Set(tracks).size).toBe(3);
  });

  test('will not write slices that cross', () => {
    const timeline = new Timeline();
    const track = timeline.thread(timeline.process('p'), 't');
    timeline.slice(track, 0, 10, 'one');
    timeline.slice(track, 5, 15, 'other');
    expect(() => perfettoTrace(timeline)).toThrow('overlap');
  });
});
