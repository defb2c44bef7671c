/** A broken invariant: thrown where it is seen, also from inside the controller's calls, and reported with its seed. */

/**
 * quiet: DMA while disabled. unmapped: memory that the IOMMU does not map was touched. overwrite: a completion entry
 * that the host has not released was written, or one in the wrong place. twice: a completion of no outstanding command.
 * lost: an accepted command that never completes. queue: other memory of queues was touched, or SQHD is impossible.
 * memory: something grows. endless: a step that has no end. words: a refusal that does not
 * say what was wrong. threw: an exception.
 */
export type Invariant =
  | 'quiet'
  | 'unmapped'
  | 'overwrite'
  | 'twice'
  | 'lost'
  | 'queue'
  | 'memory'
  | 'endless'
  | 'words'
  | 'threw';

export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: Invariant;
  constructor(invariant: Invariant, message: string) {
    super(message);
    this.invariant = invariant;
  }
}
