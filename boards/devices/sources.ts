/** Sentences that devices share about knobs nobody publishes figures of. */

export const OPERATION_SOURCE = 'orders of magnitude of a few hundred GB; none is published';

export const READY_SOURCES = {
  ready_ns: 'far below CAP.TO; none is published',
  mediaReady_ns: 'far below CRTO.CRWMT; none is published',
  shutdown_ns: 'far below RTD3E; none is published',
} as const;
