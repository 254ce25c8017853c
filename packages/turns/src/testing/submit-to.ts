import { DEFAULT_LIMITS } from '@turnpike/contract';
import type { Database, IdempotentRequest } from '@turnpike/store';
import { acceptTurn, type Acceptance } from '../accept-turn.ts';
import { BudgetCheck } from '../budget-check.ts';
import { CapacityCache } from '../capacity-cache.ts';
import type { RequestedTurn } from '../submit-command.ts';

/** Submits as a process does that has this database, for a tenant far below its caps: by default nothing is counted. */
export function submitTo(
  database: Pick<Database, 'pool'>,
  tenantId: string,
  { isCounted = false } = {},
): (requested: RequestedTurn, idempotency?: IdempotentRequest) => ReturnType<typeof acceptTurn> {
  const capacity = new CapacityCache();
  for (const capped of isCounted ? [] : (['waiting', 'sessions'] as const))
    capacity.added(capped, tenantId, 0);
  const parts = { database, capacity, budgetCheck: new BudgetCheck() };
  const limits = { ...DEFAULT_LIMITS, max_queued_turns: 1_000_000, max_sessions: 1_000_000 };
  return (requested, idempotency) =>
    acceptTurn(parts, {
      tenantId,
      limits,
      requested,
      idempotency: idempotency ?? null,
      traceparent: null,
    });
}

/** Of a submit without an idempotency key. */
export function doneOf(result: Awaited<ReturnType<typeof acceptTurn>>): Acceptance {
  if ('done' in result) return result.done;
  throw new Error('A response was replayed.');
}
