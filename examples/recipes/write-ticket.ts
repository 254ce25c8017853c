import { defineTool, RetryLaterError } from '@turnpike/worker';
import { z } from 'zod';
import { askShop } from './shop.ts';

const ticketSchema = z.object({ number: z.int() });

/**
 * Effect `idempotent`: the ticket system discards a second request with the same key, so the call may be made again
 * after a crash, and while the system is closed for maintenance.
 */
export const writeTicket = defineTool({
  name: 'write_ticket',
  description: 'Writes a ticket for the support team.',
  input: z.object({ title: z.string().min(1), priority: z.enum(['low', 'high']).default('low') }),
  output: ticketSchema,
  effect: 'idempotent',
  async run(ticket, call) {
    const { open } = z.object({ open: z.boolean() }).parse(await askShop(call, 'GET', '/tickets/status'));
    if (!open) throw new RetryLaterError('The ticket system is closed.', { afterMs: 1_000 });
    const headers = { 'idempotency-key': call.idempotencyKey };
    return ticketSchema.parse(await askShop(call, 'POST', '/tickets', { body: ticket, headers }));
  },
});
