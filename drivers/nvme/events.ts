/**
 * Asynchronous events: requests that stay with the controller, re-armed after each answer. NVMe Base 2.1
 * §5.1.2. An event of a kind comes once until its log page is read (`AsyncEventReport.lid`).
 * Not here: the table of events (nvme/spec/logs.ts), reading logs (admin-queue.ts).
 */
import { ASYNC_EVENT, ASYNC_EVENT_DW0 } from '../../nvme/spec/logs.ts';
import type { AdminQueue } from './admin-queue.ts';
import type { Completion } from './request-queue.ts';

/** Requests outstanding, if the controller takes that many. */
const REQUESTS = 4;

/** One event as a program sees it. */
export interface AsyncEventReport {
  /** The name in ASYNC_EVENT, or `VENDOR_OR_UNKNOWN`. */
  readonly name: string;
  readonly type: number;
  readonly info: number;
  /** The log page that tells more and must be read before the next event of this kind comes. */
  readonly lid: number;
  /** DW1: the namespace, for events that belong to one. */
  readonly parameter: number;
}

/** Decodes the completion of an Asynchronous Event Request. */
export function asyncEventReport({ dw0, dw1 }: Completion): AsyncEventReport {
  const { TYPE, INFO, LID } = ASYNC_EVENT_DW0;
  const type = TYPE.get(dw0);
  const info = INFO.get(dw0);
  const known = Object.entries(ASYNC_EVENT).find(([, event]) => event.type === type && event.info === info);
  return { name: known?.[0] ?? 'VENDOR_OR_UNKNOWN', type, info, lid: LID.get(dw0), parameter: dw1 };
}

/** Arms as many requests as make sense and calls `report` for every event until the queue ends. */
export function listenForEvents(
  admin: AdminQueue,
  accepted: number,
  report: (event: AsyncEventReport) => void,
): void {
  const listen = async (): Promise<void> => {
    for (;;) {
      // A rejection means that the queue was closed, or that the controller takes fewer requests than it
      // said.
      const completion = await admin.nextEvent().catch(() => null);
      if (completion === null) return;
      report(asyncEventReport(completion));
    }
  };
  for (let request = 0; request < Math.min(accepted, REQUESTS); request++) void listen();
}
