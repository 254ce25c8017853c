import { microsSchema, type BudgetPeriod } from '@turnpike/contract';
import { deleteBudget, insertAuditEntry, listBudgets, setBudget, transaction } from '@turnpike/store';
import { Failure } from '../failure.ts';
import { say } from '../say.ts';
import { requireDatabaseUrl, withDatabase } from '../with-database.ts';
import { requireTenant } from './tenants.ts';

/** In US dollars, or `off`. */
export type NewBudgets = Partial<Record<BudgetPeriod, string>>;

/** Sets what a tenant may spend, which the tenant cannot raise. Then prints its budgets. */
export async function changeBudgets(tenant: string, given: NewBudgets): Promise<void> {
  const changes = (['day', 'month'] as const).flatMap((period) => {
    const amount = given[period];
    return amount === undefined
      ? []
      : [{ period, limitMicros: amount === 'off' ? null : parseDollars(amount) }];
  });
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const tenantId = await requireTenant(database, tenant);
    for (const { period, limitMicros } of changes) {
      const budget = { tenantId, period, setBy: 'operator' as const };
      const action = limitMicros === null ? 'budget.deleted' : 'budget.set';
      const details = limitMicros === null ? {} : { limit_micros: limitMicros };
      await transaction(database.pool, async (sql) => {
        if (limitMicros === null) await deleteBudget(sql, budget);
        else await setBudget(sql, { ...budget, limitMicros });
        const act = { tenantId, action, subject: period, details };
        await insertAuditEntry(sql, { ...act, actor: { type: 'operator' } });
      });
    }
    for (const budget of await listBudgets(database.pool, tenantId)) {
      const amounts = `${dollars(budget.spent_micros)} of ${dollars(budget.limit_micros)} spent`;
      say(`${budget.period}  ${amounts}  since ${budget.starts_on}  set by the ${budget.set_by}`);
    }
  });
}

function parseDollars(text: string): number {
  const micros = /^\d{1,10}(\.\d{1,6})?$/.test(text) ? Math.round(Number(text) * 1e6) : Number.NaN;
  const parsed = microsSchema.safeParse(micros);
  if (!parsed.success)
    throw new Failure(`${text} is no amount of dollars, such as 25 or 0.50, and not "off".`);
  return parsed.data;
}

function dollars(micros: number): string {
  return `$${(micros / 1e6).toFixed(2)}`;
}
