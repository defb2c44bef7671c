/**
 * An eventfd turned around: user space signals, the kernel acts. Serves INTx unmasking and IOEVENTFD.
 * Also here: finding the eventfd behind a descriptor that a request names.
 */
import { EventFd } from './eventfd.ts';
import type { FileTable } from './file-table.ts';
import { EBADF, EINVAL } from './uapi/errno.ts';

/** The eventfd behind `fd`, -EBADF when there is no such descriptor, -EINVAL when it is something else. */
export function eventfdOf(files: FileTable, fd: number): EventFd | number {
  const file = files.get(fd);
  if (file === null) return -EBADF;
  return file instanceof EventFd ? file : -EINVAL;
}

export class Virqfd {
  readonly #eventfd: EventFd;
  readonly #stop: () => void;

  /**
   * Runs `action` for every signal from now on, and consumes it; a signal that is pending already counts too, but stays
   * in the eventfd. Holds the eventfd.
   */
  constructor(eventfd: EventFd, action: () => void) {
    this.#eventfd = eventfd;
    eventfd.hold();
    this.#stop = eventfd.listen(() => {
      eventfd.drain();
      action();
    });
    if (eventfd.signalled) action();
  }

  release(): void {
    this.#stop();
    this.#eventfd.drop();
  }
}
