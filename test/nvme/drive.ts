/** A drive for controllers without a board: its link, and namespaces in memory. */
import type { NamespaceBoard } from '../../boards/board.ts';
import { namespaceOptions } from '../../boards/namespaces.ts';
import type { Memory } from '../../machine/memory.ts';
import type { LinkProfile } from '../../machine/timing/link.ts';
import { Namespace, type NamespaceOptions } from '../../nvme/namespace.ts';
import { SparseStore } from '../../nvme/sparse-store.ts';
import { Subsystem } from '../../nvme/subsystem.ts';

export const LINK: LinkProfile = {
  generation: 3,
  lanes: 4,
  maxPayload_bytes: 256,
  readRequest_bytes: 512,
  propagation_ns: 150,
};

type DriveNamespace = Omit<NamespaceOptions, 'store' | 'metadata' | 'zones'> &
  Pick<NamespaceBoard, 'metadata' | 'zones'> & { readonly bytes: number };

export interface DriveOptions {
  /** One of 16 MiB when absent. */
  readonly namespaces?: readonly DriveNamespace[];
  /** NVM capacity; what the namespaces take when absent. */
  readonly capacity_bytes?: number;
}

const USUAL: DriveNamespace = { nsid: 1, bytes: 16 * 1024 ** 2, block_bytes: 512 };

function createNamespace({ bytes, metadata, zones, ...rest }: DriveNamespace, memory: Memory): Namespace {
  const { block_bytes } = rest;
  const board = { size: bytes, block_bytes, ...(metadata && { metadata }), ...(zones && { zones }) };
  return new Namespace({
    ...namespaceOptions(board, memory),
    ...rest,
    store: new SparseStore(memory, bytes),
  });
}

export const createDrive = (
  { namespaces = [USUAL], capacity_bytes = 0 }: DriveOptions,
  memory: Memory,
): Subsystem =>
  new Subsystem({
    capacity_bytes,
    namespaces: namespaces.map((namespace) => createNamespace(namespace, memory)),
  });
