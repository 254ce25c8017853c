import { ProblemError, type BudgetPeriod } from '@turnpike/contract';
import { findExhaustedBudget, type Sql } from '@turnpike/store';
import { LRUCache } from 'lru-cache';

/** A budget that was raised admits turns after this long at most. Milliseconds. */
const CACHED_MS = 1_000;

/**
 * Refuses turns whose first model call would be refused anyway. That call decides; this reads a tenant's budgets
 * once a second, so that its submits do not each read them, nor all at once.
 */
export class BudgetCheck {
  readonly #reads = new LRUCache<string, Promise<BudgetPeriod | null>>({ max: 10_000, ttl: CACHED_MS });

  /** The period whose budget is spent; null where none is. */
  findExhausted(sql: Sql, tenantId: string): Promise<BudgetPeriod | null> {
    const known = this.#reads.get(tenantId);
    if (known !== undefined) return known;
    const read = findExhaustedBudget(sql, tenantId);
    this.#reads.set(tenantId, read);
    read.catch(() => this.#reads.delete(tenantId));
    return read;
  }
}

export function budgetExceeded(period: BudgetPeriod): ProblemError {
  return new ProblemError(
    'budget_exceeded',
    `The budget of the ${period} is spent. It begins anew with the next ${period} of UTC, or is raised.`,
  );
}
