/**
 * A timeline as a Perfetto trace: TrackEvent packets in protobuf (perfetto/trace/track_event/*.proto), which
 * ui.perfetto.dev opens. Times are nanoseconds of simulated time.
 */
import { PbfWriter } from 'pbf';
import type { Details, Step, Timeline, Track } from './timeline.ts';

/** Field numbers by message. */
const TRACE = { PACKET: 1 } as const;
const PACKET = {
  TIMESTAMP: 8,
  SEQUENCE: 10,
  TRACK_EVENT: 11,
  SEQUENCE_FLAGS: 13,
  TRACK_DESCRIPTOR: 60,
} as const;
const DESCRIPTOR = { UUID: 1, NAME: 2, PROCESS: 3, THREAD: 4, PARENT: 5, COUNTER: 8 } as const;
const PROCESS = { PID: 1, NAME: 6 } as const;
const EVENT = { ANNOTATION: 4, TYPE: 9, TRACK: 11, NAME: 23, FLOW: 47, DOUBLE_VALUE: 44 } as const;
const ANNOTATION = { DOUBLE: 5, STRING: 6, NAME: 10 } as const;
const TYPE = { BEGIN: 1, END: 2, INSTANT: 3, COUNTER: 4 } as const;
const SEQUENCE = 1;
const CLEARED = 1;

/** The bytes of a `.perfetto-trace` file. */
export function perfettoTrace(timeline: Timeline): Uint8Array {
  const writer = new PbfWriter();
  const packet = <Value>(value: Value, write: (value: Value, writer: PbfWriter) => void): void => {
    writer.writeMessage(TRACE.PACKET, write, value);
  };
  timeline.tracks.forEach((track, index) => {
    packet({ track, isFirst: index === 0 }, writeDescriptor);
  });
  for (const track of timeline.tracks) {
    for (const step of timeline.steps(track)) packet({ track, step }, writeStep);
    for (const { time, value } of timeline.values(track)) packet({ track, time, value }, writeValue);
  }
  return writer.finish();
}

function writeDescriptor({ track, isFirst }: { track: Track; isFirst: boolean }, packet: PbfWriter): void {
  packet.writeVarintField(PACKET.SEQUENCE, SEQUENCE);
  if (isFirst) packet.writeVarintField(PACKET.SEQUENCE_FLAGS, CLEARED);
  packet.writeMessage(
    PACKET.TRACK_DESCRIPTOR,
    ({ id, kind, name, parent }: Track, descriptor: PbfWriter) => {
      descriptor.writeVarintField(DESCRIPTOR.UUID, id);
      descriptor.writeStringField(DESCRIPTOR.NAME, name);
      if (kind === 'process') descriptor.writeMessage(DESCRIPTOR.PROCESS, writeProcess, { id, name });
      else descriptor.writeVarintField(DESCRIPTOR.PARENT, parent);
      if (kind === 'counter' || kind === 'sum') descriptor.writeMessage(DESCRIPTOR.COUNTER, () => {}, null);
    },
    track,
  );
}

function writeProcess({ id, name }: { id: number; name: string }, process: PbfWriter): void {
  process.writeVarintField(PROCESS.PID, id);
  process.writeStringField(PROCESS.NAME, name);
}

function writeStep({ track, step }: { track: Track; step: Step }, packet: PbfWriter): void {
  packet.writeVarintField(PACKET.TIMESTAMP, step.time);
  packet.writeVarintField(PACKET.SEQUENCE, SEQUENCE);
  packet.writeMessage(
    PACKET.TRACK_EVENT,
    (_, event: PbfWriter) => {
      event.writeVarintField(EVENT.TRACK, track.id);
      if (step.kind === 'end') return event.writeVarintField(EVENT.TYPE, TYPE.END);
      const isSlice = step.kind === 'begin';
      const { name, details, flow } = isSlice ? step.slice : step.instant;
      event.writeVarintField(EVENT.TYPE, isSlice ? TYPE.BEGIN : TYPE.INSTANT);
      event.writeStringField(EVENT.NAME, name);
      writeDetails(details, event);
      if (flow !== 0) event.writeFixed64Field(EVENT.FLOW, flow);
    },
    null,
  );
}

function writeDetails(details: Details, event: PbfWriter): void {
  for (const [name, value] of Object.entries(details)) {
    event.writeMessage(
      EVENT.ANNOTATION,
      (_, annotation: PbfWriter) => {
        annotation.writeStringField(ANNOTATION.NAME, name);
        if (typeof value === 'string') annotation.writeStringField(ANNOTATION.STRING, value);
        else annotation.writeDoubleField(ANNOTATION.DOUBLE, value);
      },
      null,
    );
  }
}

function writeValue(
  { track, time, value }: { track: Track; time: number; value: number },
  packet: PbfWriter,
): void {
  packet.writeVarintField(PACKET.TIMESTAMP, time);
  packet.writeVarintField(PACKET.SEQUENCE, SEQUENCE);
  packet.writeMessage(
    PACKET.TRACK_EVENT,
    (_, event: PbfWriter) => {
      event.writeVarintField(EVENT.TYPE, TYPE.COUNTER);
      event.writeVarintField(EVENT.TRACK, track.id);
      event.writeDoubleField(EVENT.DOUBLE_VALUE, value);
    },
    null,
  );
}
