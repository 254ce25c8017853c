import { defineTool } from '@turnpike/worker';
import { z } from 'zod';
import { askShop } from './shop.ts';

const pageSchema = z.object({ file: z.string(), next: z.int().nullable(), pages: z.int() });

/**
 * An hour of work that survives its worker: every act is a durable step, so the tool as a whole may be run again, which
 * is what `idempotent` says. After a crash the steps that were done give back their results, and the export goes on
 * with the page that is missing.
 */
export const exportOrders = defineTool({
  name: 'export_orders',
  description: 'Exports all orders of a year, and tells accounting where the files are.',
  input: z.object({ year: z.int() }),
  effect: 'idempotent',
  onUnknown: 'ask',
  timeoutMs: 3_600_000,
  async run({ year }, call) {
    const files: string[] = [];
    for (let page: number | null = 1; page !== null;) {
      const body = { year, page };
      const exported = pageSchema.parse(
        await call.step(`page ${page}`, { effect: 'idempotent' }, ({ idempotencyKey }) =>
          askShop(call, 'POST', '/exports', { body, headers: { 'idempotency-key': idempotencyKey } }),
        ),
      );
      files.push(exported.file);
      call.progress(files.length / exported.pages);
      page = exported.next;
    }
    await call.step('tell accounting', { effect: 'once' }, () =>
      askShop(call, 'POST', '/mails', {
        body: { to: 'accounting@shop.invalid', subject: `Orders of ${year}`, text: files.join('\n') },
      }),
    );
    return { files };
  },
});
