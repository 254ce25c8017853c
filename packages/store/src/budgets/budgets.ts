import { budgetPeriodSchema, type Budget, type BudgetPeriod } from '@turnpike/contract';
import { z } from 'zod';
import { spendingEventIds } from './reserve-cost.ts';
import { query, type Sql } from '../database/sql.ts';

const setterSchema = z.enum(['operator', 'tenant']);
/** Who set a budget: a tenant cannot change the operator's. */
export type BudgetSetter = z.infer<typeof setterSchema>;

const SET = {
  name: 'set-budget',
  text: `SELECT turnpike_set_budget($1, $2, $3, $4, $5)`,
  row: z.object({}),
};

/**
 * Sets the most that a tenant may spend in a period, in millionths of a US dollar. Applies from the next
 * model call on.
 */
export async function setBudget(
  sql: Sql,
  budget: { tenantId: string; period: BudgetPeriod; setBy: BudgetSetter; limitMicros: number },
): Promise<void> {
  const { tenantId, period, setBy, limitMicros } = budget;
  await query(sql, SET, [tenantId, period, setBy, limitMicros, spendingEventIds()]);
}

const DELETE = {
  name: 'delete-budget',
  text: `DELETE FROM budgets WHERE tenant_id = $1 AND period = $2 AND set_by = $3 RETURNING period`,
  row: z.object({ period: z.string() }),
};

/** False if there is no such budget. */
export async function deleteBudget(
  sql: Sql,
  budget: { tenantId: string; period: BudgetPeriod; setBy: BudgetSetter },
): Promise<boolean> {
  const deleted = await query(sql, DELETE, [budget.tenantId, budget.period, budget.setBy]);
  return deleted.length > 0;
}

/* What is spent: the sums, and ledger entries that are not in them yet. */
const LIST = {
  name: 'list-budgets',
  text: `
SELECT budgets.period, budgets.set_by AS "setBy", budgets.limit_micros AS "limitMicros",
  turnpike_period_start(budgets.period)::text AS "startsOn", budgets.updated_at AS "updatedAt",
  coalesce((SELECT spent_micros FROM spending
            WHERE spending.tenant_id = budgets.tenant_id AND spending.period = budgets.period
              AND spending.starts_on = turnpike_period_start(budgets.period)), 0)
  + coalesce((SELECT sum(cost_micros) FROM ledger_entries
              WHERE ledger_entries.tenant_id = budgets.tenant_id AND NOT counted
                AND spent_at >= turnpike_period_start(budgets.period)::timestamp AT TIME ZONE 'UTC'), 0) AS "spentMicros"
FROM budgets WHERE budgets.tenant_id = $1 ORDER BY budgets.period, budgets.set_by`,
  row: z
    .object({
      period: budgetPeriodSchema,
      setBy: setterSchema,
      limitMicros: z.coerce.number().int(),
      spentMicros: z.coerce.number().int(),
      startsOn: z.string(),
      updatedAt: z.date(),
    })
    .transform((row): Budget => ({
      object: 'budget',
      period: row.period,
      set_by: row.setBy,
      limit_micros: row.limitMicros,
      spent_micros: row.spentMicros,
      starts_on: row.startsOn,
      updated_at: row.updatedAt.toISOString(),
    })),
};

/** A tenant's budgets, its own and the operator's, with what is spent of each. */
export function listBudgets(sql: Sql, tenantId: string): Promise<Budget[]> {
  return query(sql, LIST, [tenantId]);
}

const EXHAUSTED = {
  name: 'find-exhausted-budget',
  text: `
SELECT budgets.period FROM budgets JOIN spending
  ON spending.tenant_id = budgets.tenant_id AND spending.period = budgets.period
 AND spending.starts_on = turnpike_period_start(budgets.period)
WHERE budgets.tenant_id = $1 AND spending.spent_micros >= budgets.limit_micros
ORDER BY budgets.period LIMIT 1`,
  row: z.object({ period: budgetPeriodSchema }),
};

/** A period whose budget is spent; null if there is none. About a second behind the ledger. */
export async function findExhaustedBudget(sql: Sql, tenantId: string): Promise<BudgetPeriod | null> {
  const [exhausted] = await query(sql, EXHAUSTED, [tenantId]);
  return exhausted?.period ?? null;
}

const UNCOUNTED = {
  name: 'find-uncounted-tenants',
  text: `
SELECT DISTINCT tenant_id AS "tenantId" FROM budgets
WHERE EXISTS (SELECT 1 FROM ledger_entries WHERE ledger_entries.tenant_id = budgets.tenant_id AND NOT counted)
LIMIT $1`,
  row: z.object({ tenantId: z.string() }),
};

const COUNT = {
  name: 'count-spending',
  text: `SELECT turnpike_count_spending($1, $2)`,
  row: z.object({}),
};

/**
 * Updates the sums of up to `limit` tenants with budgets, and announces budgets that are nearly or fully
 * spent.
 */
export async function countSpending(sql: Sql, limit: number): Promise<number> {
  const tenants = await query(sql, UNCOUNTED, [limit]);
  for (const { tenantId } of tenants) await query(sql, COUNT, [tenantId, spendingEventIds()]);
  return tenants.length;
}
