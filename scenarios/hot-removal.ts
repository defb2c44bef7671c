/** A drive is pulled out while it works. */
import { ENOENT } from '../vfio/uapi/errno.ts';
import { EFD_NONBLOCK, O_RDWR } from '../vfio/uapi/mman.ts';
import { defineScenario, hotRemoval, loop, NvmeDriver, pc, whole } from './kit/index.ts';

export default defineScenario({
  name: 'hot-removal',
  teaches: [
    'A drive that is gone does not answer: reads of its registers return all ones, its commands never complete.',
    'No command fails by itself: a driver finds CSTS all ones at a timeout, or gets a REQ event, and ends all of them itself (3/71h).',
    'Nobody can open the device again, and the kernel waits: only when its last user has closed it, it is gone.',
  ],
  settings: { depth: 16, after_us: 200 },
  takes: { depth: whole(1, 1023), after_us: whole(50, 100_000) },
  board: () => pc,
  events: ({ after_us }) => [hotRemoval(after_us)],
  async program({ machine, begin, settings }) {
    const driver = await NvmeDriver.open(machine.kernel, { timeout_ns: 1e6 });
    const queue = await driver.createQueuePair({ depth: settings.depth });
    const { kernel } = machine;
    const requests = kernel.eventfd(0, EFD_NONBLOCK);
    driver.device.countRequests(requests);
    const quiet = kernel.read(requests, new Uint8Array(8));
    begin();
    const load = { depth: settings.depth, blocks: 8, until_us: settings.after_us + 500 };
    const { done_us, failures, lost } = loop(machine, driver, queue, load);
    const done = done_us.length;
    const last_us = done_us.at(-1) ?? 0;
    const told = await driver
      .namespace(1)
      .read(0, 1)
      .then(
        () => '',
        (error: Error) => error.message,
      );
    const counter = new Uint8Array(8);
    const isAsked = quiet < 0 && kernel.read(requests, counter) === 8 && counter[0] === 1;
    const isThere = () => kernel.readlink(`/sys/bus/pci/devices/${driver.bdf}`) !== -ENOENT;
    const reopened = kernel.open('/dev/vfio/devices/vfio0', O_RDWR);
    const isHeld = isThere();
    await driver.close().catch(() => {});
    const isGone = !isThere();
    return {
      done,
      last_us,
      lost,
      ended: failures.filter((failure) => failure.includes('ABORTED_BY_HOST')).length,
      told,
      isAsked,
      reopened,
      isHeld,
      isGone,
    };
  },
  expect: {
    'reads came back until the drive was gone': ({ done, last_us }, { after_us }) =>
      done > 0 && last_us <= after_us + 1,
    'all that were in flight are lost, and end when the driver has noticed': ({ lost, ended }, { depth }) =>
      lost === depth && ended === depth,
    'the driver says that nothing answers': ({ told }) => told.includes('nothing answers'),
    'the kernel has asked for the device once': ({ isAsked }) => isAsked,
    'nobody can open it again': ({ reopened }) => reopened === -ENOENT,
    'it stays until it is closed, and then is gone': ({ isHeld, isGone }) => isHeld && isGone,
  },
});
