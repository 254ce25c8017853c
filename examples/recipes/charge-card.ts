import { defineTool } from '@turnpike/worker';
import { z } from 'zod';
import { askShop } from './shop.ts';

const chargeSchema = z.object({ id: z.string(), cents: z.int() });

/**
 * Effect `reconcile`: a second charge is real money, and the payment service can be asked for the first by its
 * reference. After a crash the worker asks, and charges only where nothing was charged.
 */
export const chargeCard = defineTool({
  name: 'charge_card',
  description: 'Charges the saved card of a customer.',
  input: z.object({ customer: z.string(), cents: z.int().positive() }),
  output: chargeSchema,
  effect: 'reconcile',
  onUnknown: 'ask',
  approval: ({ cents }) => cents > 10_000,
  secrets: ['payments_key'],
  async run({ customer, cents }, call) {
    const body = { customer, cents, reference: call.idempotencyKey };
    const headers = { authorization: `Bearer ${call.secrets.payments_key}` };
    return chargeSchema.parse(await askShop(call, 'POST', '/charges', { body, headers }));
  },
  async reconcile(_input, call) {
    const headers = { authorization: `Bearer ${call.secrets.payments_key}` };
    const found = await askShop(call, 'GET', `/charges?reference=${call.idempotencyKey}`, { headers });
    const [charge] = z.array(chargeSchema).parse(found);
    return charge === undefined ? { outcome: 'not_done' } : { outcome: 'done', output: charge };
  },
});
