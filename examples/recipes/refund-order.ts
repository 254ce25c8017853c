import { defineTool } from '@turnpike/worker';
import { z } from 'zod';
import { askShop } from './shop.ts';

/** Asks a person in the middle. The turn waits without a worker, for days where the agent's `action_timeout_ms` allows it. */
export const refundOrder = defineTool({
  name: 'refund_order',
  description: 'Refunds an order. A person decides how much.',
  input: z.object({ order: z.string() }),
  effect: 'idempotent',
  async run({ order }, call) {
    const { cents } = z
      .object({ cents: z.int() })
      .parse(
        await call.step('read order', { effect: 'read' }, () => askShop(call, 'GET', `/orders/${order}`)),
      );
    const { refund } = await call.suspend({
      question: `Order ${order} cost ${cents} cents. How much is refunded?`,
      schema: z.object({ refund: z.int().min(0).max(cents) }),
    });
    if (refund === 0) return 'Nothing was refunded.';
    await call.step('refund', { effect: 'once' }, () =>
      askShop(call, 'POST', '/refunds', { body: { order, cents: refund } }),
    );
    return `Refunded ${refund} cents.`;
  },
});
