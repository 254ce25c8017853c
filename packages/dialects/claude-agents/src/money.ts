import { z } from 'zod';

/** A cent is ten thousand millionths of a dollar. */
const MICROS = 10_000;

const amountSchema = z.strictObject({
  amount: z
    .string()
    .regex(/^(0|[1-9]\d{0,9})$/, 'must be a whole number of cents')
    .meta({ example: '2500' }),
  currency: z.literal('USD'),
});
export const budgetParams = z.strictObject({ type: z.literal('limit'), max_list_cost: amountSchema });

export const microsOf = ({ max_list_cost: { amount } }: z.output<typeof budgetParams>): number =>
  Number(amount) * MICROS;

/** Whole cents, rounded up: what is shown as spent is never less than what was. */
export const amountOf = (micros: number) => ({
  amount: String(Math.ceil(micros / MICROS)),
  currency: 'USD' as const,
});

/** Rounded down: a budget is never shown larger than it is. */
export const budgetOf = (micros: number | null) =>
  micros === null
    ? null
    : {
        type: 'limit' as const,
        max_list_cost: { amount: String(Math.floor(micros / MICROS)), currency: 'USD' as const },
      };
