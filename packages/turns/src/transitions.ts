import type { TurnStatus } from '@turnpike/contract';

/** The statuses in which a move is allowed, with the statuses it may lead to; none if the status stays. */
const move = <const From extends readonly TurnStatus[]>(
  from: From,
  to: Record<From[number], readonly TurnStatus[]>,
): { readonly from: From; readonly to: Partial<Record<TurnStatus, readonly TurnStatus[]>> } => ({ from, to });

/**
 * Every allowed move between statuses. Code that changes a status takes `from` from this table and passes it
 * to the SQL of the move. The trigger `turns_status_edge` refuses every other change.
 */
export const TRANSITIONS = {
  /** A worker claims the turn. */
  claim: move(['queued'], { queued: ['in_progress'] }),
  /** A worker writes to the turn; with an outcome it ends, with an action it waits for a client. */
  advance: move(['in_progress', 'cancelling'], {
    in_progress: ['requires_action', 'completed', 'failed', 'incomplete'],
    cancelling: ['cancelled'],
  }),
  /** A worker releases the turn. */
  release: move(['in_progress'], { in_progress: ['queued'] }),
  /** Its lease expires: it is queued again, or ends if its worker was to confirm the end. */
  expire: move(['in_progress', 'cancelling'], {
    in_progress: ['queued', 'failed'],
    cancelling: ['cancelled'],
  }),
  /** A client cancels a turn that no worker holds. */
  cancel: move(['queued', 'requires_action'], { queued: ['cancelled'], requires_action: ['cancelled'] }),
  /** A client cancels a turn that a worker holds, which must confirm. */
  askToCancel: move(['in_progress', 'cancelling'], { in_progress: ['cancelling'], cancelling: [] }),
  /** A message joins the turn. Its status stays; only these can be joined. */
  steer: move(['in_progress', 'requires_action'], { in_progress: [], requires_action: [] }),
  /** Its action got a response, or expired. */
  answer: move(['requires_action'], { requires_action: ['queued'] }),
  /** Its deadline passed while no worker held it. */
  miss: move(['queued', 'requires_action'], { queued: ['incomplete'], requires_action: ['incomplete'] }),
};
