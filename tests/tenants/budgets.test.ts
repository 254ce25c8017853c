import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Budget, Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';

let cluster: Cluster;
let agentId: string;
beforeAll(async () => {
  // A lease that no busy machine loses: a call that a lost lease cut off would cost, where these tests count on nothing.
  cluster = await Cluster.start({ workers: 2, environment: { LEASE_MS: '15000' } });
  const tools = [{ type: 'builtin', name: 'current_time' }];
  agentId = (await cluster.createAgent({ max_tokens: 300, tools })).id;
});
beforeEach(async () => {
  await cluster.control.reset();
  await cluster.request('DELETE', '/v1/budgets/day');
});
afterAll(() => cluster.stop());

/** Two hundred tokens and a little at the price of the agent's model; no call costs more. */
const REPLY = 'word '.repeat(200).trim();
const CALLS = 50;

const sums = async (): Promise<{
  ledger: number;
  steps: number;
  turns: number;
  reserved: number;
  entries: number;
}> => {
  const { rows } = await cluster.database.pool.query(`
    SELECT (SELECT coalesce(sum(cost_micros), 0)::int FROM ledger_entries) AS ledger,
           (SELECT count(*)::int FROM ledger_entries) AS entries,
           (SELECT coalesce(sum(cost_micros), 0)::int FROM steps) AS steps,
           (SELECT coalesce(sum(cost_micros), 0)::int FROM turns) AS turns,
           (SELECT coalesce(sum(reserved_micros), 0)::int FROM turns WHERE leased_until IS NOT NULL) AS reserved`);
  return rows[0];
};
const budget = async (): Promise<Budget | undefined> => {
  const { body } = await cluster.request('GET', '/v1/budgets');
  return (body as { items: Budget[] }).items[0];
};
const setBudget = async (limitMicros: number): Promise<void> => {
  await cluster.request('PUT', '/v1/budgets/day', { limit_micros: limitMicros });
};

test('two hundred turns at once against a budget for fifty calls spend no more than the budget, and a raise lets the rest go on', async () => {
  await cluster.control.setScript({ rules: [{ pace: { first_token_ms: 200 }, reply: { text: REPLY } }] });
  const sample = await cluster.untilEnded((await cluster.submit({ agentId }, 'Hello')).id);
  const before = (await sums()).ledger;
  expect(sample.cost_micros).toBe(before);
  const limit = before + CALLS * sample.cost_micros;
  await setBudget(limit);

  const submitted = await Promise.all(
    Array.from({ length: 200 }, () => cluster.submit({ agentId }, 'Hello').catch(() => null)),
  );
  const turns = submitted.filter((turn): turn is Turn => turn !== null);
  let most = 0;
  const watching = new AbortController();
  const watch = (async () => {
    while (!watching.signal.aborted) {
      const { ledger, reserved } = await sums();
      most = Math.max(most, ledger, ledger + reserved);
    }
  })();
  const ended = await Promise.all(turns.map((turn) => cluster.untilEnded(turn.id)));
  watching.abort();
  await watch;

  const completed = ended.filter((turn) => turn.status === 'completed');
  const stopped = ended.filter((turn) => turn.status === 'incomplete');
  expect(completed.length + stopped.length).toBe(turns.length);
  for (const turn of stopped) {
    expect(turn).toMatchObject({ stop_reason: 'budget', error: { code: 'budget_exceeded' }, cost_micros: 0 });
  }
  // The last calls that would have fitted by what they cost in the end did not fit by what they could have cost.
  expect(completed.length).toBeGreaterThan(CALLS * 0.8);
  expect(completed.length).toBeLessThanOrEqual(CALLS);
  expect(most).toBeLessThanOrEqual(limit);
  const { ledger, steps, turns: ofTurns, entries } = await sums();
  expect(ledger).toBeLessThanOrEqual(limit);
  expect([steps, ofTurns]).toEqual([ledger, ledger]);
  expect(entries).toBe(completed.length + 1);
  expect((await cluster.control.stats()).calls).toBe(entries);
  expect(await budget()).toMatchObject({ spent_micros: ledger, limit_micros: limit });

  await setBudget(limit * 10);
  const [first] = stopped;
  await untilTrue('the API knows of the raise', async () => {
    const { status } = await cluster.request('POST', `/v1/turns/${first?.id ?? ''}/resume`, {});
    return status === 202;
  });
  const { body } = await cluster.request('GET', `/v1/turns?session_id=${first?.session_id ?? ''}`);
  const [resumed] = (body as { items: Turn[] }).items;
  expect(await cluster.untilEnded(resumed?.id ?? '')).toMatchObject({
    status: 'completed',
    output_text: REPLY,
  });
});

/** Waits until a client has seen a part of the response. */
async function untilShown(turnId: string): Promise<void> {
  const url = `http://127.0.0.1:${String(cluster.api?.hello['port'])}/v1/turns/${turnId}/events`;
  const gone = new AbortController();
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${cluster.apiKey}` },
    signal: gone.signal,
  });
  let seen = '';
  for await (const piece of response.body ?? []) {
    seen += Buffer.from(piece).toString();
    if (seen.includes('event: message.delta')) break;
  }
  gone.abort();
}

test('a call that is cut off is paid for: cancelled, tried again, or left by a session that was erased', async () => {
  await cluster.control.setScript({
    rules: [
      {
        match: { text: 'cancel' },
        times: 1,
        fault: { type: 'hang', after_events: 20 },
        reply: { text: REPLY },
      },
      {
        match: { text: 'erase' },
        times: 1,
        fault: { type: 'hang', after_events: 20 },
        reply: { text: REPLY },
      },
      {
        match: { text: 'retry' },
        times: 1,
        fault: { type: 'cut', after_events: 20 },
        reply: { text: REPLY },
      },
      { reply: { text: 'Hello.' } },
    ],
  });
  const before = await sums();
  const cancelled = await cluster.submit({ agentId }, 'cancel me');
  await untilShown(cancelled.id);
  await cluster.cancel(cancelled.id);
  const ended = await cluster.untilEnded(cancelled.id);
  // What it said by then is kept as a step.
  expect(ended).toMatchObject({ status: 'cancelled', partial: true, step_count: 1 });
  // What was asked, and about what was streamed: less than the whole response.
  expect(ended.usage.input_tokens).toBeGreaterThan(0);
  expect(ended.usage.output_tokens).toBeGreaterThan(0);
  expect(ended.usage.output_tokens).toBeLessThan(200);
  expect(ended.cost_micros).toBeGreaterThan(0);

  const retried = await cluster.untilEnded((await cluster.submit({ agentId }, 'retry this')).id);
  expect(retried).toMatchObject({ status: 'completed', step_count: 1 });
  const { body } = await cluster.request('GET', `/v1/turns/${retried.id}/steps`);
  const [step] = (body as { items: { cost_micros: number }[] }).items;
  expect(retried.cost_micros).toBeGreaterThan(step?.cost_micros ?? Infinity);

  const after = await sums();
  expect(after.ledger - before.ledger).toBe(ended.cost_micros + retried.cost_micros);
  expect(after.entries - before.entries).toBe(3);

  const erased = await cluster.submit({ agentId }, 'erase me');
  await untilShown(erased.id);
  await cluster.request('DELETE', `/v1/sessions/${erased.session_id}`);
  await untilTrue('what it cost is in the ledger', async () => (await sums()).ledger > after.ledger);
});

test('an answer whose session was erased before its end is paid for, though there is nothing to commit it to', async () => {
  await cluster.control.setScript({ rules: [{ pace: { first_token_ms: 700 }, reply: { text: 'Hello.' } }] });
  const before = await sums();
  const turn = await cluster.submit({ agentId }, 'Hello');
  await cluster.control.calls({ waitFor: 1, outcome: 'in_flight' });
  await cluster.request('DELETE', `/v1/sessions/${turn.session_id}`);
  await untilTrue('what it cost is in the ledger', async () => (await sums()).entries === before.entries + 1);
  expect((await sums()).ledger).toBeGreaterThan(before.ledger);
});

test('a call that is tried again must fit into the budget beside what was cut off', async () => {
  const rule = { reply: { text: REPLY } };
  await cluster.control.setScript({ rules: [{ ...rule, fault: { type: 'hang', after_events: 20 } }] });
  const held = await cluster.submit({ agentId }, 'Hello', { budget_micros: 1_000_000 });
  await untilShown(held.id);
  const { rows } = await cluster.database.pool.query<{ reserved: number }>(
    'SELECT reserved_micros::int AS reserved FROM turns WHERE id = $1',
    [held.id],
  );
  const reserved = rows[0]?.reserved ?? 0;
  expect(reserved).toBeGreaterThan(0);
  await cluster.cancel(held.id);

  await cluster.control.setScript({ rules: [{ ...rule, fault: { type: 'cut', after_events: 20 } }] });
  const turn = await cluster.submit({ agentId }, 'Hello', { budget_micros: reserved });
  const ended = await cluster.untilEnded(turn.id);
  expect(ended).toMatchObject({ status: 'incomplete', stop_reason: 'budget' });
  expect(ended.cost_micros).toBeGreaterThan(0);
  expect(ended.cost_micros).toBeLessThanOrEqual(reserved);
  expect((await cluster.control.stats()).cut).toBe(1);
});

test('a turn stops at its own budget with what it did, and is gone on with after it', async () => {
  await cluster.control.setScript({
    rules: [
      {
        times: 1,
        reply: {
          text: 'I look.',
          tool_uses: [{ name: 'current_time', input: {} }],
          usage: { output_tokens: 300 },
        },
      },
      { reply: { text: 'Noon.' } },
    ],
  });
  // Room for one call by what it can cost, and not for a second beside what the first one cost.
  const roomy = await cluster.submit({ agentId }, 'What time is it?', { budget_micros: 13_000 });
  const turn = await cluster.untilEnded(roomy.id);
  expect(turn).toMatchObject({ status: 'incomplete', stop_reason: 'budget', step_count: 2 });
  expect(turn.cost_micros).toBeGreaterThan(0);
  expect(turn.error?.message).toContain('turn');

  const { body } = await cluster.request('POST', `/v1/turns/${turn.id}/resume`, {});
  expect(await cluster.untilEnded((body as Turn).id)).toMatchObject({
    status: 'completed',
    output_text: 'Noon.',
  });
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
});

test('a worker that dies in a call leaves nothing reserved', async () => {
  await setBudget(1_000_000_000);
  await cluster.control.setScript({
    rules: [{ times: 1, fault: { type: 'hang' } }, { reply: { text: 'Here.' } }],
  });
  const turn = await cluster.submit({ agentId }, 'Hello');
  await cluster.control.calls({ waitFor: 1 });
  expect((await sums()).reserved).toBeGreaterThan(0);
  await Promise.all(cluster.workers.map((worker) => worker.end('SIGKILL')));
  await cluster.startWorker();
  expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed' });
  expect((await sums()).reserved).toBe(0);
});
