/** Interrupts between threads: none is lost, none is invented, whatever the order in which both ends work. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MSI_BASE } from '../../machine/interrupts.ts';
import { collectMessages, countMessage } from '../../machine/threads/interrupt-counters.ts';
import { makeInbox, VECTORS } from '../../machine/threads/window.ts';
import { runs } from '../runs.ts';

const addressOf = (vector: number): number => (MSI_BASE | ((vector >>> 8) << 12)) >>> 0;

test('every message arrives once, at its CPU and vector', () => {
  const inbox = makeInbox();
  const step = fc.option(fc.integer({ min: 0, max: VECTORS - 1 }), { freq: 4 });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const sent = new Map<number, number>();
      const got = new Map<number, number>();
      const deliver = (address: number, data: number): void => {
        const vector = (((address - MSI_BASE) >>> 12) << 8) | data;
        got.set(vector, (got.get(vector) ?? 0) + 1);
      };
      for (const vector of steps) {
        if (vector === null) collectMessages(inbox, { deliver });
        else {
          countMessage(inbox, addressOf(vector), vector & 0xff);
          sent.set(vector, (sent.get(vector) ?? 0) + 1);
        }
      }
      collectMessages(inbox, { deliver });
      expect(collectMessages(inbox, { deliver }), 'nothing is left').toBe(false);
      expect(new Map([...got].sort())).toEqual(new Map([...sent].sort()));
    }),
    { numRuns: runs(200, 20_000) },
  );
});
