import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';

/* Calls of the tier `batch`: they go through the Message Batches of the model API, at half the price. */

const MONTH_MS = 30 * 24 * 60 * 60 * 1000;
let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({
    workers: 1,
    environment: {
      LEASE_MS: '3000',
      RECONCILE_EVERY_MS: '100',
      MODEL_BATCH_WINDOW_MS: '500',
      MODEL_BATCH_POLL_MS: '100',
      MODEL_BATCH_SUBMIT_MS: '3000',
      EGRESS_ALLOW: '127.0.0.1',
    },
  });
});
beforeEach(() => cluster.control.reset());
afterAll(() => cluster.stop());

const agentWith = async (config: Record<string, unknown> = {}): Promise<string> =>
  (await cluster.createAgent({ service_tier: 'batch', ...config })).id;

/** The batches that the model API was sent, newest first. */
async function sentBatches(): Promise<SentBatch[]> {
  const response = await fetch(`${cluster.model.url}/v1/messages/batches?limit=100`, {
    headers: { 'anthropic-version': '2026-10-21', authorization: `Bearer sk-ant-test-0123456789` },
  });
  return ((await response.json()) as { data: SentBatch[] }).data;
}

interface SentBatch {
  id: string;
  request_counts: Record<string, number>;
}

/** Requests of all batches. On a busy machine, calls that come together may miss each other's window. */
async function sentRequests(): Promise<number> {
  const counts = (await sentBatches()).flatMap((batch) => Object.values(batch.request_counts));
  return counts.reduce((sum, count) => sum + count, 0);
}

const rowsOf = async (turnId: string) =>
  (
    await cluster.database.pool.query<{ status: string; abandoned: boolean }>(
      `SELECT status, abandoned FROM batched_calls WHERE turn_id = $1`,
      [turnId],
    )
  ).rows;

const ledgerOf = async (turnId: string): Promise<number> =>
  Number(
    (
      await cluster.database.pool.query<{ sum: string }>(
        `SELECT coalesce(sum(cost_micros), 0) AS sum FROM ledger_entries WHERE turn_id = $1`,
        [turnId],
      )
    ).rows[0]?.sum,
  );

/** Resolves once the turn waits for a batch, with what clients see of that. */
async function untilParked(turnId: string): Promise<Turn> {
  let turn: Turn | undefined;
  await untilTrue('the turn waits for its batch', async () => {
    turn = await cluster.read(turnId);
    return turn.status === 'queued' && turn.error?.code === 'model_batch';
  });
  if (turn === undefined) throw new Error('It was not read.');
  return turn;
}

test('calls share a batch, their turns wait without a worker, and each costs half', async () => {
  await cluster.control.setScript({
    rules: [{ reply: { text: 'Done.', usage: { input_tokens: 1_000, output_tokens: 500 } } }],
    batches: { duration_ms: 1_500 },
  });
  const plain = await cluster.submit({ agentId: (await cluster.createAgent()).id }, '[[plain]] Hello.');
  const whole = (await cluster.untilEnded(plain.id)).cost_micros;
  const agentId = await agentWith();
  const turns = await Promise.all(
    Array.from({ length: 5 }, (_, n) => cluster.submit({ agentId }, `[[s${n}]] Hello ${n}.`)),
  );
  for (const { id } of turns) expect(await untilParked(id)).toMatchObject({ status: 'queued' });
  for (const { id } of turns) {
    const turn = await cluster.untilEnded(id);
    expect(turn).toMatchObject({ status: 'completed', output_text: 'Done.', error: null });
    expect(turn.cost_micros).toBe(whole / 2);
    expect(await ledgerOf(id)).toBe(turn.cost_micros);
  }
  expect((await sentBatches()).length).toBeLessThan(5);
  expect(await sentRequests()).toBe(5);
  expect(await cluster.control.stats()).toMatchObject({ completed: 6, duplicates: 0, rejected: 0 });
  await untilTrue('nothing is kept of them', async () => {
    const { rows } = await cluster.database.pool.query(`SELECT 1 FROM batched_calls`);
    return rows.length === 0;
  });
});

test('a turn with tools goes through a batch for each of its model calls', async () => {
  await cluster.control.setScript({
    rules: [
      {
        match: { step: 0 },
        reply: { tool_uses: [{ name: 'current_time', input: { time_zone: 'Europe/Lisbon' } }] },
      },
      { match: { step: 1 }, reply: { text: 'It is late.' } },
    ],
  });
  const agentId = await agentWith({ tools: [{ type: 'builtin', name: 'current_time' }] });
  const turn = await cluster.submit({ agentId }, '[[time]] What time is it?');
  expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed', step_count: 3 });
  expect(await sentBatches()).toHaveLength(2);
});

test('a batch whose response was lost is found before its calls are submitted again', async () => {
  await cluster.control.setScript({ batches: { duration_ms: 500, lose_responses: 1 } });
  const agentId = await agentWith();
  const turns = await Promise.all([1, 2].map((n) => cluster.submit({ agentId }, `[[lost${n}]] Hello ${n}.`)));
  for (const { id } of turns) expect((await cluster.untilEnded(id)).status).toBe('completed');
  expect(await sentRequests()).toBe(2);
  expect(await cluster.control.stats()).toMatchObject({ completed: 2, duplicates: 0 });
});

test('shortly before its deadline, a call is made by itself, and what its batch costs is in the ledger too', async () => {
  await cluster.control.setScript({
    rules: [{ reply: { text: 'Done.', usage: { input_tokens: 1_000, output_tokens: 500 } } }],
    batches: { duration_ms: 8_000 },
  });
  const agentId = await agentWith({ step_timeout_ms: 4_000 });
  const { id } = await cluster.submit({ agentId }, '[[late]] Hello.', { deadline_ms: 8_000 });
  const turn = await cluster.untilEnded(id);
  expect(turn).toMatchObject({ status: 'completed', output_text: 'Done.' });
  expect(await rowsOf(id)).toEqual([{ status: 'sent', abandoned: true }]);
  expect(await ledgerOf(id)).toBe(turn.cost_micros);
  await untilTrue('the batch is paid for', async () => (await rowsOf(id)).length === 0, 60_000);
  expect(await ledgerOf(id)).toBe(turn.cost_micros * 1.5);
});

test('a turn that may not fall back ends with its deadline', async () => {
  await cluster.control.setScript({ batches: { duration_ms: MONTH_MS / 100 } });
  const agentId = await agentWith({ batch_fallback: false });
  const { id } = await cluster.submit({ agentId }, '[[never]] Hello.', { deadline_ms: 3_000 });
  expect(await cluster.untilEnded(id)).toMatchObject({ status: 'incomplete', stop_reason: 'deadline' });
});

test('a turn that is cancelled before its call is sent costs nothing, and later what its call costs', async () => {
  await cluster.control.setScript({ batches: { duration_ms: 2_000 } });
  const agentId = await agentWith();
  const early = await cluster.submit({ agentId }, '[[early]] Hello.');
  await untilParked(early.id);
  expect((await cluster.cancel(early.id)).status).toBe('cancelled');
  const sent = await cluster.submit({ agentId }, '[[sent]] Hello.');
  await untilTrue('it is sent', async () => (await rowsOf(sent.id))[0]?.status === 'sent');
  expect((await cluster.cancel(sent.id)).status).toBe('cancelled');
  await untilTrue('both are settled', async () => {
    const rows = [...(await rowsOf(early.id)), ...(await rowsOf(sent.id))];
    return rows.length === 0;
  });
  expect(await ledgerOf(sent.id)).toBeGreaterThan(0);
  const { completed } = await cluster.control.stats();
  // Whether the first was sent is a matter of its window; what was not sent is not paid for.
  expect((await ledgerOf(early.id)) > 0).toBe(completed === 2);
});

test('what waits for a batch is reserved', async () => {
  await cluster.control.setScript({ batches: { duration_ms: 4_000 } });
  const agentId = await agentWith({ max_tokens: 1_000 });
  const first = await cluster.submit({ agentId }, '[[first]] Hello.');
  await untilParked(first.id);
  const { rows } = await cluster.database.pool.query<{ most: string }>(
    `SELECT most_micros AS most FROM batched_calls WHERE turn_id = $1`,
    [first.id],
  );
  const most = Number(rows[0]?.most);
  expect(most).toBeGreaterThan(0);
  const spent = await cluster.database.pool.query<{ sum: string }>(
    `SELECT coalesce(sum(cost_micros), 0) AS sum FROM ledger_entries`,
  );
  const limitMicros = Number(spent.rows[0]?.sum) + Math.ceil(most * 1.5);
  const limit = await cluster.request('PUT', '/v1/budgets/day', { limit_micros: limitMicros });
  expect(limit.status).toBeLessThan(300);
  const second = await cluster.submit({ agentId }, '[[second]] Hello.');
  await untilTrue('the second waits for the budget', async () => {
    const { status, error } = await cluster.read(second.id);
    return status === 'queued' && error?.code === 'budget_busy';
  });
  await cluster.request('DELETE', '/v1/budgets/day');
  for (const { id } of [first, second]) expect((await cluster.untilEnded(id)).status).toBe('completed');
});

test('where the model API takes no batch, calls are made by themselves', async () => {
  await cluster.control.setScript({ batches: { status: 404 } });
  const turn = await cluster.submit({ agentId: await agentWith() }, '[[none]] Hello.');
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  expect(await sentBatches()).toEqual([]);
});

test('speed and a fallback without the tier are refused', async () => {
  for (const config of [{ service_tier: 'batch', speed: 'fast' }, { batch_fallback: true }]) {
    const agent = { name: 'x', model: 'claude-opus-5-5', ...config };
    expect((await cluster.request('POST', '/v1/agents', agent)).status).toBe(400);
  }
});
