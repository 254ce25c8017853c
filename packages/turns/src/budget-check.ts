import { ProblemError, type BudgetPeriod } from '@turnpike/contract';
import { findExhaustedBudget, type Sql } from '@turnpike/store';
import { LRUCache } from 'lru-cache';

/** A budget that was raised admits turns after this long at most. Milliseconds. */
const CACHED_MS = 1_000;

/**
 * Refuses turns whose first model call would be refused anyway. That call decides; this reads a tenant's budgets
 * once a second, so that its submits do not each read them.
 */
export class BudgetCheck {
  readonly #cached = new LRUCache<string, { exhausted: BudgetPeriod | null }>({
    max: 10_000,
    ttl: CACHED_MS,
  });

  /** The period whose budget is spent; null where none is. */
  async findExhausted(sql: Sql, tenantId: string): Promise<BudgetPeriod | null> {
    let known = this.#cached.get(tenantId);
    if (known === undefined) {
      known = { exhausted: await findExhaustedBudget(sql, tenantId) };
      this.#cached.set(tenantId, known);
    }
    return known.exhausted;
  }
}

export function budgetExceeded(period: BudgetPeriod): ProblemError {
  return new ProblemError(
    'budget_exceeded',
    `The budget of the ${period} is spent. It begins anew with the next ${period} of UTC, or is raised.`,
  );
}
