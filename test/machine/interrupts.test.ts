import { expect, test } from 'vitest';
import { Clock } from '../../machine/clock.ts';
import { Interrupts } from '../../machine/interrupts.ts';
import { Trace } from '../../machine/trace.ts';

function apics(delay_ns: number) {
  const clock = new Clock();
  const interrupts = new Interrupts(clock, new Trace(clock), delay_ns);
  const ran: [time: number, argument: number][] = [];
  const handler = clock.register((argument) => ran.push([clock.now, argument]));
  return { clock, interrupts, ran, handler };
}

test('each message reaches the handler it was allocated for', () => {
  const { interrupts, ran, handler } = apics(0);
  const messages = Array.from({ length: 300 }, (_, argument) => interrupts.allocate(handler, argument)!);
  expect(messages[0]).toEqual({ address: 0xfee0_0000, data: 0x20 });
  expect(new Set(messages.map(({ address, data }) => `${address}/${data}`)).size).toBe(300);
  for (const { address, data } of messages) interrupts.deliver(address, data);
  expect(ran.map(([, argument]) => argument)).toEqual(Array.from({ length: 300 }, (_, argument) => argument));
});

test('vectors of CPU exceptions and of the system are never given out', () => {
  const { interrupts, handler } = apics(0);
  const vectors = Array.from({ length: 300 }, () => interrupts.allocate(handler, 0)!.data);
  expect([Math.min(...vectors), Math.max(...vectors)]).toEqual([0x20, 0xef]);
});

test('the handler runs after the delivery delay', () => {
  const { clock, interrupts, ran, handler } = apics(1200);
  const { address, data } = interrupts.allocate(handler, 7)!;
  clock.advance(100);
  interrupts.deliver(address, data);
  expect(ran).toEqual([]);
  clock.advance(1200);
  expect(ran).toEqual([[1300, 7]]);
});

test('a freed vector is spurious, then goes to the next who asks', () => {
  const { interrupts, ran, handler } = apics(0);
  const message = interrupts.allocate(handler, 1)!;
  interrupts.free(message);
  interrupts.deliver(message.address, message.data);
  expect([ran.length, interrupts.spurious]).toEqual([0, 1]);
  expect(interrupts.allocate(handler, 2)).toEqual(message);
  interrupts.deliver(message.address, message.data);
  expect(ran).toEqual([[0, 2]]);
});
