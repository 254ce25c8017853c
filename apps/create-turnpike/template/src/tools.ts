import { defineTool } from '@turnpike/worker';
import { z } from 'zod';
import { shop } from './shop.ts';

export const findOrder = defineTool({
  name: 'find_order',
  description: 'Finds an order by its number.',
  input: z.object({ order: z.int().describe('The number of the order.') }),
  // It only looks, so a second call does no harm.
  effect: 'read',
  run: ({ order }) => shop.find(order),
});

export const refundOrder = defineTool({
  name: 'refund_order',
  description: 'Refunds an order, whole.',
  input: z.object({ order: z.int().describe('The number of the order.') }),
  // The decision that matters: a worker may die after the shop has refunded and before that is known. The shop discards
  // a second request with the same key, so the call may be made again.
  effect: 'idempotent',
  run: ({ order }, call) => shop.refund(order, call.idempotencyKey),
});
