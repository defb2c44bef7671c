/**
 * A timeline as Chrome trace events in JSON: for jq, grep and chrome://tracing. Times are microseconds of simulated time.
 * One event is one line.
 */
import type { Timeline, Track } from './timeline.ts';

type ChromeEvent = Readonly<Record<string, unknown>>;

/** The text of a trace file. */
export function chromeTrace(timeline: Timeline): string {
  const events = timeline.tracks.flatMap((track) => [describe(track), ...eventsOf(timeline, track)]);
  const lines = events.map((event) => JSON.stringify(event)).join(',\n');
  return `{"displayTimeUnit":"ns","traceEvents":[\n${lines}\n]}\n`;
}

const place = (track: Track): ChromeEvent =>
  track.kind === 'process' ? { pid: track.id } : { pid: track.parent, tid: track.id };

const microseconds = (ns: number): number => ns / 1000;

function describe(track: Track): ChromeEvent {
  const name = track.kind === 'process' ? 'process_name' : 'thread_name';
  return { ph: 'M', name, ...place(track), args: { name: track.name } };
}

function eventsOf(timeline: Timeline, track: Track): ChromeEvent[] {
  const values = timeline.values(track).map(({ time, value }) => ({
    ph: 'C',
    name: track.name,
    ts: microseconds(time),
    ...place(track),
    args: { value },
  }));
  const steps = timeline.steps(track).flatMap((step): ChromeEvent[] => {
    const at = { ts: microseconds(step.time), ...place(track) };
    if (step.kind === 'end') return [{ ph: 'E', ...at }];
    if (step.kind === 'instant')
      return [{ ph: 'i', s: 't', name: step.instant.name, ...at, args: step.instant.details }];
    const { name, details, flow } = step.slice;
    const begin = { ph: 'B', name, ...at, args: details };
    return flow === 0
      ? [begin]
      : [begin, { ph: flowPhase(track), id: flow, name: 'command', cat: 'flow', bp: 'e', ...at }];
  });
  return [...values, ...steps];
}

/** A flow starts in the driver and ends in the controller. */
const flowPhase = (track: Track): string => (track.parent === 1 ? 's' : 'f');
