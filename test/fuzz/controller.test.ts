/**
 * The controller under the fuzzer, and the fuzzer under controllers that are broken on purpose: every invariant must be
 * seen to break, and what is reported must break again when it is replayed.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { runs } from '../runs.ts';
import { Episode } from './fuzzer.ts';
import { fuzz, type Sabotage } from './run.ts';

const COMMANDS = runs(100_000, 5_000_000);

test('T20 100,000 commands break no invariant', async () => {
  const arguments_ = ['run', '--silent', 'fuzz:controller', '--', '--seed', '1', '--commands', `${COMMANDS}`];
  const { stdout } = await promisify(execFile)('npm', arguments_);
  const [, submitted, unfollowed] =
    /^(\d+) commands submitted, .*, (\d+) not followed; no invariant broke$/m.exec(stdout)!;
  expect(Number(submitted)).toBeGreaterThanOrEqual(COMMANDS);
  expect(Number(unfollowed)).toBeLessThan(Number(submitted) / 10);
});

test('seed 241, whose PRP list began in the last bytes of a page and made the controller walk for ever', () => {
  expect(fuzz(241, 2000).failure).toBeNull();
});

test('the same seed gives the same run', () => {
  expect(fuzz(7, 3000)).toEqual(fuzz(7, 3000));
});

/** Bytes of living JavaScript objects. */
function heap_bytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

test('one controller that lives long keeps its memory bounded', () => {
  const episode = new Episode(3);
  episode.run(5000);
  const [heap, local] = [heap_bytes(), episode.world.memory.localFree];
  episode.run(20_000);
  expect(heap_bytes() - heap).toBeLessThan(4 * 1024 ** 2);
  // Media take chunks until every block was written: 16 MiB of capacity, and metadata.
  expect(local - episode.world.memory.localFree).toBeLessThan(20 * 1024 ** 2);
});

test('endless: a loop that never asks for memory is reported with its seed', () => {
  const sabotage = ({ world }: Episode) =>
    replace(world.controller.engine, 'reset', () => () => void forEver());
  const { failure } = fuzz(11, 20_000, { sabotage, episode_ms: 200 });
  expect(failure).toMatchObject({
    seed: 11,
    invariant: 'endless',
    message: 'the episode takes more than 200 ms',
  });
});

function forEver(): void {
  for (;;);
}

/** Replaces a method of one part of a controller; `original` is what it did. */
function replace<Part extends object, Name extends keyof Part>(
  part: Part,
  name: Name,
  make: (original: Part[Name]) => Part[Name],
): void {
  const original = part[name];
  const bound = typeof original === 'function' ? (original.bind(part) as Part[Name]) : original;
  Object.defineProperty(part, name, { value: make(bound), configurable: true, writable: true });
}

const completerOf = ({ world }: Episode) => world.controller.engine.completer;
/** Does something wrong each time that `times` completions were posted. */
const oftenWhilePosting =
  (times: number, wrong: (episode: Episode, post: () => boolean) => boolean): Sabotage =>
  (episode) => {
    let posts = 0;
    replace(completerOf(episode), 'post', (post) => (slot) => {
      posts++;
      return posts % times === 0 ? wrong(episode, () => post(slot)) : post(slot);
    });
  };

describe('a broken controller is found', () => {
  const dmaOf = ({ world }: Episode) => world.controller.dma!;
  const table: [string, string, Sabotage][] = [
    [
      'twice',
      'that completes a command twice',
      (episode) => {
        let last = { address: 0, queue: 0, field: 0 };
        let posts = 0;
        replace(dmaOf(episode), 'write16', (write) => (address, high, result, result1, queue, field) => {
          const before = last;
          last = { address, queue, field };
          // Twice in the same completion queue, with the phase tag that this place needs.
          if (++posts < 50 || before.address !== address - 16)
            return write(address, high, result, result1, queue, field);
          return write(
            address,
            high,
            result,
            result1,
            before.queue,
            (before.field & 0xffff) | (field & ~0xffff),
          );
        });
      },
    ],
    ['lost', 'that forgets a completion', oftenWhilePosting(50, () => true)],
    [
      'overwrite',
      'that leaves a completion entry out',
      (episode) => {
        let posts = 0;
        replace(
          dmaOf(episode),
          'write16',
          (write) =>
            (address, ...words) =>
              write(++posts % 50 === 0 ? address + 16 : address, ...words),
        );
      },
    ],
    [
      'unmapped',
      'that writes past the IOMMU',
      oftenWhilePosting(50, ({ world }, post) => {
        world.memory.u32[1] = 0;
        return post();
      }),
    ],
    [
      'quiet',
      'that writes after a reset',
      ({ world }) => {
        replace(world.controller.engine, 'reset', (reset) => () => {
          reset();
          world.clock.after(
            0,
            world.clock.register(() => world.controller.dma?.write(0x10_0000, 0, 4)),
            0,
          );
        });
      },
    ],
    [
      'threw',
      'that throws',
      oftenWhilePosting(50, () => {
        throw new RangeError('the controller is broken');
      }),
    ],
    [
      'endless',
      'that reads the same memory for ever',
      oftenWhilePosting(50, ({ world }, post) => {
        while (world.controller.dma!.read(0x10_0000, 0, 4) < 4);
        return post();
      }),
    ],
    [
      'unmapped',
      'behind an IOMMU that is not told of what is unmapped',
      ({ world }) => replace(world.remapper, 'invalidate', () => () => {}),
    ],
    [
      'words',
      'that refuses without a word on the field',
      ({ world }) =>
        replace(world.controller.health, 'doorbellError', () => () => {
          const why = { rule: 'no', section: 'Base 2.1 §3', field: '', value: 0 };
          world.controller.health.refuseAccess('doorbell', why);
        }),
    ],
    [
      'memory',
      'that never comes to rest',
      ({ world }) => {
        const again = world.clock.register(() => world.clock.after(1, again, 0));
        world.clock.after(1, again, 0);
      },
    ],
  ];
  test.each(table)('%s: one %s', (invariant, _, sabotage) => {
    const { failure } = fuzz(11, 20_000, { sabotage });
    expect(failure?.invariant).toBe(invariant);
    const { seed, commands, message } = failure!;
    const again = fuzz(seed, commands, { sabotage });
    expect(again.failure).toMatchObject({ seed, invariant, message });
  });
});
