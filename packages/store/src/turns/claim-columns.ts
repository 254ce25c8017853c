/** A column that a claim writes. */
export type ClaimColumn =
  | 'status'
  | 'epoch'
  | 'attempts'
  | 'worker_id'
  | 'leased_until'
  | 'started_at'
  | 'event_count';

/**
 * What a claim writes to a turn: the fence, and how long it lasts. `turn` is the row before, `workerId` and `leaseMs` are
 * SQL. A claim raises the epoch, so an earlier holder can write nothing more. Time is the database's; a turn
 * starts after the statement's locks are held, when the one before it in its session has ended.
 */
export const claimColumns = (
  turn: string,
  workerId: string,
  leaseMs: string,
): Record<ClaimColumn, string> => ({
  status: `'in_progress'`,
  epoch: `${turn}.epoch + 1`,
  attempts: `${turn}.attempts + 1`,
  worker_id: workerId,
  leased_until: `now() + ${leaseMs} * interval '1 millisecond'`,
  started_at: `coalesce(${turn}.started_at, clock_timestamp())`,
  event_count: `${turn}.event_count + 2`,
});

/** The events of turns that were just claimed, for an INSERT. `turns` has `started_id` and `step_started_id` too. */
export const claimEvents = (turns: string): string => `
  SELECT turn.id, turn.event_count - 1, turn.started_id, turn.tenant_id, 'turn.started',
         jsonb_build_object('attempt', turn.attempts)
  FROM ${turns} AS turn
  UNION ALL
  SELECT turn.id, turn.event_count, turn.step_started_id, turn.tenant_id,
         CASE WHEN turn.epoch = 1 THEN 'step.started' ELSE 'step.restarted' END,
         jsonb_build_object('index', turn.step_count)
  FROM ${turns} AS turn`;
