import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { ShopServer } from './support/shop-server.ts';

const WORKER = fileURLToPath(new URL('../../examples/dist/worker.js', import.meta.url));

let shop: ShopServer;
let cluster: Cluster;
beforeAll(async () => {
  shop = await ShopServer.start();
  cluster = await Cluster.start({
    workers: 1,
    workerPath: WORKER,
    environment: {
      SHOP_URL: shop.url,
      EGRESS_ALLOW: '127.0.0.1',
      LEASE_MS: '3000',

      JOB_AGE_MS: '300',
    },
  });
  await cluster.request('PUT', '/v1/secrets/payments_key', { value: 'payments-key-0123456789' });
});
beforeEach(() => {
  shop.silent = null;
});
afterAll(async () => {
  await cluster.stop();
  shop.close();
});

async function call(name: string, input: Record<string, unknown>): Promise<Turn> {
  const agent = await cluster.createAgent({ tools: [{ type: 'code', name }] });
  await cluster.control.setScript({
    rules: [
      { match: { step: 0 }, reply: { tool_uses: [{ name, input }] } },
      { match: { step: 1 }, reply: { text: '{{tool_result}}' } },
    ],
  });
  return cluster.submit({ agentId: agent.id }, `Call ${name}.`);
}

const answer = (turn: Turn, output: Record<string, unknown>) =>
  cluster.request('POST', `/v1/turns/${turn.id}/tool_outputs`, {
    tool_outputs: [{ tool_call_id: turn.required_action?.tool_calls[0]?.id, ...output }],
  });

/** Kills the worker once `happened`, and starts another. */
async function killWhen(what: string, happened: () => boolean): Promise<void> {
  await untilTrue(what, happened);
  await cluster.workers.at(-1)?.end('SIGKILL');
  shop.silent = null;
  await cluster.startWorker();
}

test('charge a card: after a crash the payment service is asked, and the card is charged once; large sums are approved', async () => {
  shop.silent = '/charges';
  const { id } = await call('charge_card', { customer: 'c-42', cents: 1_200 });
  await killWhen('the card is charged', () => shop.charges.length === 1);
  const turn = await cluster.untilEnded(id);
  expect(JSON.parse(turn.output_text ?? '')).toEqual({ id: 'ch_1', cents: 1_200 });
  expect(shop.charges).toHaveLength(1);

  const large = await call('charge_card', { customer: 'c-42', cents: 20_000 });
  const waiting = await cluster.until(large.id, ['requires_action']);
  expect(waiting.required_action?.tool_calls).toMatchObject([{ awaiting: 'approval' }]);
  await answer(waiting, { approved: true });
  expect((await cluster.untilEnded(large.id)).output_text).toContain('ch_2');
});

test('send an e-mail: after a crash it is not sent again, and a person says what came of it', async () => {
  shop.silent = '/mails';
  const { id } = await call('send_email', { to: 'a@b.invalid', subject: 'Hello', text: 'Hi' });
  await killWhen('the e-mail is sent', () => shop.mails.length === 1);
  const waiting = await cluster.until(id, ['requires_action']);
  expect(waiting.required_action?.tool_calls).toMatchObject([{ awaiting: 'outcome' }]);
  await answer(waiting, { output: 'It was sent.' });
  expect((await cluster.untilEnded(id)).output_text).toBe('It was sent.');
  expect(shop.mails).toHaveLength(1);
});

test('write a ticket: it waits while the system is closed, and is written once', async () => {
  shop.ticketsOpen = false;
  const { id } = await call('write_ticket', { title: 'Broken' });
  await untilTrue('the turn waits', async () => (await cluster.read(id)).status === 'queued');
  shop.ticketsOpen = true;
  expect((await cluster.untilEnded(id)).output_text).toBe('{"number":1}');
  expect(shop.tickets.size).toBe(1);
});

test('a long export survives its worker: the pages that were written are not written again, and accounting is told once', async () => {
  const mails = shop.mails.length;
  shop.silent = '/exports';
  const { id } = await call('export_orders', { year: 2026 });
  await killWhen('a page is written', () => shop.exported.length > 0);
  const turn = await cluster.untilEnded(id);
  expect(JSON.parse(turn.output_text ?? '')).toEqual({
    files: ['orders-1.csv', 'orders-2.csv', 'orders-3.csv'],
  });
  expect(shop.exported).toHaveLength(3);
  expect(shop.mails).toHaveLength(mails + 1);
});

test('refund an order: a person says how much, within the bounds of the form', async () => {
  const { id } = await call('refund_order', { order: '7' });
  const waiting = await cluster.until(id, ['requires_action']);
  expect(waiting.required_action?.tool_calls[0]?.question?.text).toContain('cost 1200 cents');
  expect((await answer(waiting, { answer: { refund: 5_000 } })).status).toBe(400);
  expect((await answer(waiting, { answer: { refund: 500 } })).status).toBe(202);
  expect((await cluster.untilEnded(id)).output_text).toBe('Refunded 500 cents.');
  expect(shop.refunds).toEqual([{ order: '7', cents: 500 }]);
});
