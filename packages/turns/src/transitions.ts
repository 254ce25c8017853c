import type { TurnStatus } from '@turnpike/contract';

/** From where a move may be made, and from each of these to where; no status where it stays. */
const move = <const From extends readonly TurnStatus[]>(
  from: From,
  to: Record<From[number], readonly TurnStatus[]>,
): { readonly from: From; readonly to: Partial<Record<TurnStatus, readonly TurnStatus[]>> } => ({ from, to });

/**
 * Every move between statuses that there is. Whoever changes a status takes `from` out of this table and hands it to
 * the SQL that makes the move. Nothing else changes one: the trigger `turns_status_edge` refuses it.
 */
export const TRANSITIONS = {
  /** A worker takes the turn. */
  claim: move(['queued'], { queued: ['in_progress'] }),
  /** A worker writes to it; with an outcome the turn ends, with an action it waits for somebody outside. */
  advance: move(['in_progress', 'cancelling'], {
    in_progress: ['requires_action', 'completed', 'failed', 'incomplete'],
    cancelling: ['cancelled'],
  }),
  /** A worker gives it back. */
  release: move(['in_progress'], { in_progress: ['queued'] }),
  /** Its worker is gone: again to the queue, or to an end where nobody is left to confirm it. */
  expire: move(['in_progress', 'cancelling'], {
    in_progress: ['queued', 'failed'],
    cancelling: ['cancelled'],
  }),
  /** A client wants it to stop, and nobody holds it. */
  cancel: move(['queued', 'requires_action'], { queued: ['cancelled'], requires_action: ['cancelled'] }),
  /** A client wants it to stop, and a worker must confirm it. */
  askToCancel: move(['in_progress', 'cancelling'], { in_progress: ['cancelling'], cancelling: [] }),
  /** A message joins it: no move, but only these can be joined. */
  steer: move(['in_progress', 'requires_action'], { in_progress: [], requires_action: [] }),
  /** What it waited for has come, or the time for it is over. */
  answer: move(['requires_action'], { requires_action: ['queued'] }),
  /** Its deadline passed while nobody held it. */
  miss: move(['queued', 'requires_action'], { queued: ['incomplete'], requires_action: ['incomplete'] }),
};
