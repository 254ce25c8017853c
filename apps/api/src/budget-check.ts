import { ProblemError, type BudgetPeriod } from '@turnpike/contract';
import { findExhaustedBudget, type Sql } from '@turnpike/store';
import { LRUCache } from 'lru-cache';

/** A budget that was raised lets turns in after this long at most. Milliseconds. */
const KNOWN_MS = 1_000;

/**
 * Keeps turns out whose first model call would be refused anyway. What is certain is decided there: this
 * looks once a second, so that submits of a tenant do not each ask for its budgets.
 */
export class BudgetCheck {
  readonly #exhausted = new LRUCache<string, { period: BudgetPeriod | null }>({ max: 10_000, ttl: KNOWN_MS });

  /** Throws `ProblemError`: `budget_exceeded`. `sql` is the request's own, which may be in a transaction. */
  async pass(sql: Sql, tenantId: string): Promise<void> {
    const period = await this.#exhaustedOf(sql, tenantId);
    if (period === null) return;
    throw new ProblemError(
      'budget_exceeded',
      `The budget of the ${period} is spent. It begins anew with the next ${period} of UTC, or is raised.`,
    );
  }

  /** True where `pass` would throw. */
  async isClosed(sql: Sql, tenantId: string): Promise<boolean> {
    return (await this.#exhaustedOf(sql, tenantId)) !== null;
  }

  async #exhaustedOf(sql: Sql, tenantId: string): Promise<BudgetPeriod | null> {
    let known = this.#exhausted.get(tenantId);
    if (known === undefined) {
      known = { period: await findExhaustedBudget(sql, tenantId) };
      this.#exhausted.set(tenantId, known);
    }
    return known.period;
  }
}
