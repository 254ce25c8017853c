import { MOST_COUNTED } from '@turnpike/contract';
import { z } from 'zod';
import { isReady } from '../turns/dispatch-turns.ts';

export const turnCountsSchema = z.object({
  running: z.int(),
  dispatched: z.int(),
  waiting: z.int(),
  oldestWaitingAt: z.date().nullable(),
});

/** The fields of `turnCountsSchema`, from `held` and `ready`. */
export const COUNTS = `held.running, held.dispatched, ready.waiting, ready.oldest AS "oldestWaitingAt"`;

/**
 * For a FROM clause: `held` and `ready`, of the turns whose `column` is `value`. What is held is bounded by the slots of
 * tenants; of what waits, `MOST_COUNTED` are counted, whichever the index has first.
 */
export const countsOf = (column: 'tenant_id' | 'pool', value: string): string => `CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE status <> 'queued')::int AS running,
    count(*) FILTER (WHERE status = 'queued')::int AS dispatched
  FROM turns WHERE turns.${column} = ${value} AND dispatched_at IS NOT NULL
) AS held CROSS JOIN LATERAL (
  SELECT count(*)::int AS waiting, min(ready_at) AS oldest FROM (
    SELECT ready_at FROM turns
    WHERE turns.${column} = ${value} AND ${isReady('turns')}
    LIMIT ${MOST_COUNTED}
  ) AS waits
) AS ready`;

/** As the API shows them. */
export function shownCounts({
  running,
  dispatched,
  waiting,
  oldestWaitingAt,
}: z.infer<typeof turnCountsSchema>): {
  running_turns: number;
  dispatched_turns: number;
  waiting_turns: number;
  oldest_waiting_at: string | null;
} {
  return {
    running_turns: running,
    dispatched_turns: dispatched,
    waiting_turns: waiting,
    oldest_waiting_at: oldestWaitingAt?.toISOString() ?? null,
  };
}
