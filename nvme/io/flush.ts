/** Flush: what was written before it survives a loss of power; NSID FFFFFFFFh means every namespace (Base 2.1 §7.2). */
import type { Namespace } from '../namespace.ts';
import { SQE } from '../spec/commands.ts';
import { STATUS } from '../spec/status.ts';
import type { Context } from './command.ts';

/** The dwords after the metadata pointer are reserved. */
const RESERVED = [SQE.CDW10, SQE.CDW11, SQE.CDW12, SQE.CDW13, SQE.CDW14, SQE.CDW15];

export class Flush {
  readonly known = RESERVED.map((offset) => [offset, 0] as const);
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  delay(): number {
    return this.#context.media.flush();
  }

  /** `namespace` null: all of them. */
  execute(namespace: Namespace | null): number {
    for (const one of namespace === null ? this.#context.namespaces : [namespace]) {
      const status = one === undefined ? STATUS.SUCCESS : this.#context.blocks.flush(one);
      if (status !== STATUS.SUCCESS) return status;
    }
    return STATUS.SUCCESS;
  }
}
