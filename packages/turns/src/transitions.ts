import type { TurnStatus } from '@turnpike/contract';

/**
 * Every move between statuses that there is. Whoever changes a status takes `from` out of this
 * table and hands it to the SQL that makes the move; nothing else changes one.
 */
export const TRANSITIONS = {
  /** A worker takes the turn. */
  claim: { from: ['queued'], to: ['in_progress'] },
  /** A worker writes to it; with an outcome, the turn ends. */
  advance: {
    from: ['in_progress', 'cancelling'],
    to: ['in_progress', 'cancelling', 'completed', 'failed', 'cancelled', 'incomplete'],
  },
  /** A worker gives it back. */
  release: { from: ['in_progress'], to: ['queued'] },
  /** Its worker is gone: again to the queue, or to an end where nobody is left to confirm it. */
  expire: { from: ['in_progress', 'cancelling'], to: ['queued', 'failed', 'cancelled'] },
} as const satisfies Record<string, { from: readonly TurnStatus[]; to: readonly TurnStatus[] }>;
