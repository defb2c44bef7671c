/**
 * FAULT_QUEUE_ALLOC: a queue of IO page faults and the descriptor that reads them (linux-abi §4.15). The emulated
 * devices have no page request interface, so the queue stays empty and no answer has a fault to belong to.
 */
import { OpenFile } from '../file.ts';
import { EINVAL, EOPNOTSUPP, ESPIPE } from '../uapi/errno.ts';
import { IommuFaultAlloc, IommuHwptPageResponse, IommuHwptPgfault } from '../uapi/iommufd.ts';
import { O_CLOEXEC, O_RDWR, POLLOUT } from '../uapi/mman.ts';
import { IommufdObject } from './objects.ts';
import type { Request } from './request.ts';
import type { ContextState } from './state.ts';

/** The object; its descriptor is its only user, for no page table can report faults. */
class FaultQueue extends IommufdObject {
  readonly type = 'FAULT';

  override destroy(): void {}
}

/** The descriptor keeps the queue from being destroyed and the context alive. */
class FaultQueueFile extends OpenFile {
  readonly kind = 'fault-queue';
  override flags = O_RDWR | O_CLOEXEC;
  readonly #queue: FaultQueue;
  readonly #state: ContextState;

  constructor(queue: FaultQueue, state: ContextState) {
    super();
    this.#queue = queue;
    this.#state = state;
    queue.users++;
    state.file.hold();
  }

  override get positional(): boolean {
    return false;
  }

  /** Whole messages only; 0 while nothing is queued, without waiting. */
  override read(target: Uint8Array): number {
    return target.length % IommuHwptPgfault.SIZE === 0 ? 0 : -ESPIPE;
  }

  /** Answers to faults: each is refused, since none is outstanding. */
  override write(source: Uint8Array): number {
    if (source.length % IommuHwptPageResponse.SIZE !== 0) return -ESPIPE;
    return source.length === 0 ? 0 : -EINVAL;
  }

  override poll(): number {
    return POLLOUT;
  }

  protected override release(): void {
    this.#queue.users--;
    this.#state.file.drop();
  }
}

export const faultQueueAlloc: Request = (state, argument) => {
  if (argument.u32(IommuFaultAlloc.flags) !== 0) return -EOPNOTSUPP;
  const queue = new FaultQueue();
  argument.set32(IommuFaultAlloc.out_fault_id, state.objects.add(queue));
  const file = new FaultQueueFile(queue, state);
  const fd = state.host.files.install(file);
  if (fd < 0) {
    file.drop();
    state.objects.remove(queue);
    return fd;
  }
  argument.set32(IommuFaultAlloc.out_fault_fd, fd);
  const result = argument.respond();
  if (result < 0) {
    state.host.files.close(fd);
    state.objects.remove(queue);
  }
  return result;
};
