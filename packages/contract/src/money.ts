import { z } from 'zod';
import { idSchema } from './ids.ts';
import { usageSchema } from './usage.ts';

/** Five billion dollars: small enough to be exact as a JSON number. */
const MAX_MICROS = 10_000_000_000_000_000 / 2;

/** Money is a whole number of millionths of a US dollar, so that sums are exact. */
export const microsSchema = z
  .int()
  .min(0)
  .max(MAX_MICROS)
  .meta({ description: 'Millionths of a US dollar.', example: 2_500_000 });

export const BUDGET_PERIODS = ['day', 'month'] as const;
export const budgetPeriodSchema = z.enum(BUDGET_PERIODS);
export type BudgetPeriod = z.infer<typeof budgetPeriodSchema>;

export const setBudgetSchema = z.strictObject({ limit_micros: microsSchema }).meta({ id: 'SetBudget' });

export const budgetSchema = z
  .object({
    object: z.literal('budget'),
    period: budgetPeriodSchema.meta({ description: 'A calendar day or month in UTC.' }),
    set_by: z.enum(['operator', 'tenant']),
    limit_micros: microsSchema,
    spent_micros: microsSchema.meta({ description: 'Spent in the current period.' }),
    starts_on: z.iso.date(),
    updated_at: z.iso.datetime(),
  })
  .meta({
    id: 'Budget',
    description: 'A limit on the cost of model calls. If several apply to a period, the lowest counts.',
  });
export type Budget = z.infer<typeof budgetSchema>;

export const USAGE_GROUPS = ['day', 'agent', 'model'] as const;
export const usageGroupSchema = z.enum(USAGE_GROUPS);
export type UsageGroup = z.infer<typeof usageGroupSchema>;

export const usageItemSchema = z
  .object({
    day: z.iso.date().nullable(),
    agent_id: idSchema('agent').nullable(),
    model: z.string().nullable(),
    turns: z.int().nonnegative().meta({ description: 'Turns that made a model call.' }),
    model_calls: z.int().nonnegative(),
    usage: usageSchema,
    cost_micros: microsSchema,
  })
  .meta({
    id: 'UsageItem',
    description: 'Usage of one group. A field that `group_by` does not name is `null`.',
  });
export type UsageItem = z.infer<typeof usageItemSchema>;

export const usageReportSchema = z
  .object({
    object: z.literal('usage_report'),
    from: z.iso.date(),
    to: z.iso.date(),
    items: z.array(usageItemSchema),
    total: usageItemSchema,
  })
  .meta({ id: 'UsageReport' });
export type UsageReport = z.infer<typeof usageReportSchema>;
