import type { TurnStatus } from '@turnpike/contract';

/**
 * Every move between statuses that there is. Whoever changes a status takes `from` out of this
 * table and hands it to the SQL that makes the move; nothing else changes one.
 */
export const TRANSITIONS = {
  /** A worker takes the turn. */
  claim: { from: ['queued'], to: ['in_progress'] },
  /** A worker writes to it; with an outcome the turn ends, with an action it waits for somebody outside. */
  advance: {
    from: ['in_progress', 'cancelling'],
    to: ['in_progress', 'cancelling', 'requires_action', 'completed', 'failed', 'cancelled', 'incomplete'],
  },
  /** A worker gives it back. */
  release: { from: ['in_progress'], to: ['queued'] },
  /** Its worker is gone: again to the queue, or to an end where nobody is left to confirm it. */
  expire: { from: ['in_progress', 'cancelling'], to: ['queued', 'failed', 'cancelled'] },
  /** A client wants it to stop, and nobody holds it. */
  cancel: { from: ['queued', 'requires_action'], to: ['cancelled'] },
  /** A client wants it to stop, and a worker must confirm it. */
  askToCancel: { from: ['in_progress', 'cancelling'], to: ['cancelling'] },
  /** A message joins it: no move, but only these can be joined. */
  steer: { from: ['in_progress', 'requires_action'], to: ['in_progress', 'requires_action'] },
  /** What it waited for has come, or the time for it is over. */
  answer: { from: ['requires_action'], to: ['queued'] },
  /** Its deadline passed while nobody held it. */
  miss: { from: ['queued', 'requires_action'], to: ['incomplete'] },
} as const satisfies Record<string, { from: readonly TurnStatus[]; to: readonly TurnStatus[] }>;
