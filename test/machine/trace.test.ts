import { describe, expect, test } from 'vitest';
import { Clock } from '../../machine/clock.ts';
import { T, TRACEPOINTS, Trace, traceHash } from '../../machine/trace.ts';

describe('Trace', () => {
  test('every tracepoint has a constant that indexes the table', () => {
    expect(Object.keys(T)).toHaveLength(TRACEPOINTS.length);
    expect(TRACEPOINTS[T.NVME_DOORBELL]?.[0]).toBe('nvme.doorbell');
    expect(TRACEPOINTS[T.MSI]?.[0]).toBe('msi');
  });

  test('no tracepoint has more arguments than a record holds', () => {
    expect(TRACEPOINTS.filter(([, ...names]) => names.length > 4)).toEqual([]);
  });

  test('is on while somebody listens, and gives every listener time, point and arguments', () => {
    const clock = new Clock();
    const trace = new Trace(clock);
    const seen: number[][] = [];
    expect(trace.on).toBe(false);
    const stopFirst = trace.listen((...record) => seen.push(record));
    const stopSecond = trace.listen((...record) => seen.push(record));
    clock.advance(42);
    trace.emit(T.MSI, 0x100, 0xfee0_0000);
    expect(seen).toEqual([
      [42, T.MSI, 0x100, 0xfee0_0000, 0, 0],
      [42, T.MSI, 0x100, 0xfee0_0000, 0, 0],
    ]);
    stopFirst();
    expect(trace.on).toBe(true);
    stopSecond();
    expect(trace.on).toBe(false);
  });
});

describe('traceHash', () => {
  type Entry = readonly [number, number, number, number, number, number];
  const hashOf = (
    records: readonly (readonly [number, number, number, number, number, number])[],
  ): string => {
    const { listener, text } = traceHash();
    for (const record of records) listener(...record);
    return text();
  };
  const one: Entry = [1, 2, 3, 4, 5, 6];

  test('is a function of the records', () => {
    expect(hashOf([one, one])).toBe(hashOf([one, one]));
    expect(hashOf([one])).toMatch(/^[0-9a-f]{16}$/);
  });

  test.each([0, 1, 2, 3, 4, 5])('argument %d counts, in its low and in its high half', (index) => {
    const small = one.with(index, one[index]! + 1) as unknown as Entry;
    const large = one.with(index, one[index]! + 2 ** 40) as unknown as Entry;
    expect(new Set([hashOf([one]), hashOf([small]), hashOf([large])]).size).toBe(3);
  });

  test('order counts', () => {
    const other: Entry = [9, 2, 3, 4, 5, 6];
    expect(hashOf([one, other])).not.toBe(hashOf([other, one]));
  });
});
