import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';

const SESSIONS = byLength({ short: 60, long: 200 });

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.join();
});
afterAll(() => cluster.stop());

test('a turn that uses a tool goes from submit to its answer, and its journal shows how', async () => {
  const agent = await cluster.createAgent({ tools: [{ type: 'builtin', name: 'current_time' }] });
  const submitted = await cluster.submit({ agentId: agent.id }, 'What time is it in Lisbon?');
  expect(submitted.status).toBe('queued');

  const turn = await cluster.untilEnded(submitted.id);
  expect(turn).toMatchObject({ status: 'completed', stop_reason: 'end_turn', step_count: 3, attempts: 1 });
  expect(turn.output_text).toContain('Lisbon');
  const { body } = await cluster.request('GET', `/v1/turns/${turn.id}/steps`);
  expect(body).toMatchObject({
    items: [
      {
        type: 'model_call',
        stop_reason: 'tool_use',
        tool_calls: [{ name: 'current_time', status: 'completed' }],
      },
      { type: 'tool_calls' },
      { type: 'model_call', stop_reason: 'end_turn' },
    ],
  });
});

test('many sessions of 3 turns each, submitted at once: all complete, in order, each model call made once', async () => {
  await cluster.control.reset();
  const agent = await cluster.createAgent();
  const sessions = await Promise.all(
    Array.from({ length: SESSIONS }, async () => {
      const { body } = await cluster.request('POST', '/v1/sessions', { agent_id: agent.id });
      return (body as { id: string }).id;
    }),
  );
  const submitted: Turn[][] = await Promise.all(
    sessions.map(async (sessionId, index) => {
      const turns: Turn[] = [];
      for (const number of [1, 2, 3]) {
        turns.push(
          await cluster.submit({ sessionId }, `[[s${index}]] Question ${number} of session ${index}`),
        );
      }
      return turns;
    }),
  );
  for (const turn of submitted.flat()) {
    expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed', attempts: 1 });
  }

  const { rows } = await cluster.database.pool.query(
    `
    SELECT count(*)::int AS turns,
      count(*) FILTER (WHERE started_at < previous_finish)::int AS out_of_order,
      count(DISTINCT worker_id)::int AS workers
    FROM (SELECT *, lag(finished_at) OVER (PARTITION BY session_id ORDER BY sequence) AS previous_finish
          FROM turns WHERE session_id = ANY ($1)) AS turns`,
    [sessions],
  );
  expect(rows[0]).toEqual({ turns: 3 * SESSIONS, out_of_order: 0, workers: 2 });
  expect(await cluster.control.stats()).toMatchObject({
    calls: 3 * SESSIONS,
    completed: 3 * SESSIONS,
    duplicates: 0,
    rejected: 0,
  });

  const [sessionId] = sessions;
  const { body } = await cluster.request('GET', `/v1/sessions/${String(sessionId)}/messages`);
  const roles = (body as { items: { role: string }[] }).items.map((message) => message.role);
  expect(roles).toEqual(['user', 'assistant', 'user', 'assistant', 'user', 'assistant']);
});

test('submit responds while the model hangs', async () => {
  await cluster.control.setScript({ rules: [{ match: { text: 'hang' }, fault: { type: 'hang' } }] });
  const agent = await cluster.createAgent();
  const hanging = await cluster.submit({ agentId: agent.id }, 'please hang');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });

  // The model responds only once it is released, further below: whatever ends before that did not wait for it.
  const next = await cluster.submit({ sessionId: hanging.session_id }, 'and this one waits behind it');
  const other = await cluster.untilEnded(
    (await cluster.submit({ agentId: agent.id }, 'and this one does not')).id,
  );
  expect(other.status).toBe('completed');
  const read = async (turn: Turn) => (await cluster.request('GET', `/v1/turns/${turn.id}`)).body as Turn;
  expect((await read(hanging)).status).toBe('in_progress');
  expect((await read(next)).status).toBe('queued');

  await cluster.control.release();
  expect((await cluster.untilEnded(hanging.id)).status).toBe('completed');
  expect((await cluster.untilEnded(next.id)).status).toBe('completed');
  await untilTrue('no turn is open', async () => {
    const { rows } = await cluster.database.pool.query(
      'SELECT sum(open_turns)::int AS open FROM sessions WHERE tenant_id = $1',
      [cluster.tenantId],
    );
    return rows[0].open === 0;
  });
});
