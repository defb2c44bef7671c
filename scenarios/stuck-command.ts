/** A command that the firmware has lost, or firmware that hangs altogether, and the driver's way out. */
import { defineScenario, hungFirmware, NvmeDriver, oneOf, pc, stuckCommand, whole } from './kit/index.ts';

const BLOCKS = 8;
/** In the middle of a read. */
const AFTER_US = 4;
/** More than a reset takes. */
const RESET_US = 5000;

export default defineScenario({
  name: 'stuck-command',
  teaches: [
    'A command may never complete although the drive is alive. Its timeout finds it: the driver looks at queue and CSTS, then aborts.',
    'An Abort that is obeyed gives the slot back, and the command is sent again. Firmware that hangs does not answer it either.',
    'Then a controller reset takes all commands back at once: queues are created anew, and what was under way is sent again.',
  ],
  settings: { firmware: 'loses', timeout_us: 2000 },
  takes: { firmware: oneOf('loses', 'hangs'), timeout_us: whole(100, 1_000_000) },
  board: () => pc,
  events: ({ firmware }) => [firmware === 'loses' ? stuckCommand(AFTER_US, 1) : hungFirmware(AFTER_US)],
  async program({ machine, begin, elapsed_ns, settings }) {
    const steps: string[] = [];
    const onWarning = (sentence: string): void => {
      steps.push(`${Math.round(elapsed_ns() / 1000)} us: ${sentence}`);
    };
    const timeout_ns = settings.timeout_us * 1000;
    const driver = await NvmeDriver.open(machine.kernel, { timeout_ns, onWarning });
    const disk = driver.namespace(1);
    const data = new Uint8Array(BLOCKS * disk.blockSize).fill(0x5a);
    await disk.write(8, data);
    begin();
    const read = await disk.read(8, BLOCKS);
    const took_us = elapsed_ns() / 1000;
    await driver.close();
    return { took_us, isSame: read.every((byte, index) => byte === data[index]), steps };
  },
  expect: {
    'the read comes back with its data': ({ isSame }) => isSame,
    'after one timeout if Abort helps, after two if a reset must': (
      { took_us },
      { firmware, timeout_us },
    ) => {
      const timeouts = (firmware === 'loses' ? 1 : 2) * timeout_us;
      return took_us >= timeouts && took_us < timeouts + RESET_US;
    },
    'the driver says what it does': ({ steps }, { firmware }) =>
      steps[0]!.includes('aborting it') && steps.length === (firmware === 'loses' ? 1 : 3),
  },
});
