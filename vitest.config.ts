import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // One process for each of CI's two cores: a file that crashes in FFI takes no other file along.
    pool: 'forks',
    // Files of one worker share their modules, which is a third of the time. No room keeps state in a module.
    isolate: false,
    maxWorkers: 2,
    // Node's own modules, which tsx makes of the sources as elsewhere: in those of vitest's runner every imported name
    // is a property that is looked up, which takes a fifth of the time. Nothing is mocked that would need the runner.
    // `vitest list` does not work with it.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    // Most code of a test runs for milliseconds: V8 compiles it fifteen times later than it would, which takes a
    // third less time, and collects garbage in the thread that made it, because the other core is busy too.
    execArgv: ['--import', 'tsx', '--interrupt-budget=1000000', '--single-threaded-gc'],
    // Many times what any test takes alone: a busy machine is no failure. `npm run soak` makes long runs.
    testTimeout: process.env.SOAK === '1' ? 2 * 60 * 60_000 : 60_000,
    hookTimeout: 60_000,
  },
});
