import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';

const WHERE_AM_I = {
  type: 'client',
  name: 'where_am_i',
  description: 'Tells where the user is.',
  input_schema: { type: 'object', properties: {}, additionalProperties: false },
};

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.join();
});
beforeEach(async () => {
  await cluster.control.reset();
  await cluster.control.setScript({
    rules: [
      {
        match: { text: 'both', step: 0 },
        reply: { tool_uses: [{ name: 'where_am_i' }, { name: 'current_time' }] },
      },
      { match: { step: 1 }, reply: { text: 'Told: {{tool_result}}' } },
    ],
  });
});
afterAll(() => cluster.stop());

const answer = (turn: Turn, tool_outputs: unknown[]) =>
  cluster.request('POST', `/v1/turns/${turn.id}/tool_outputs`, { tool_outputs });

async function startAction(config: Record<string, unknown> = {}): Promise<Turn> {
  const agent = await cluster.createAgent({
    tools: [WHERE_AM_I, { type: 'builtin', name: 'current_time', requires_approval: true }],
    ...config,
  });
  const { id } = await cluster.submit({ agentId: agent.id }, 'both of them');
  return cluster.until(id, ['requires_action']);
}

test('a turn waits for an output and an approval without holding a worker, and goes on when it has both', async () => {
  const turn = await startAction();
  const [whereAmI, time] = turn.required_action?.tool_calls ?? [];
  expect(whereAmI).toMatchObject({ name: 'where_am_i', awaiting: 'output' });
  expect(time).toMatchObject({ name: 'current_time', awaiting: 'approval' });
  const { rows } = await cluster.database.pool.query(
    'SELECT leased_until, dispatched_at FROM turns WHERE id = $1',
    [turn.id],
  );
  expect(rows).toEqual([{ leased_until: null, dispatched_at: null }]);

  const first = await answer(turn, [{ tool_call_id: whereAmI?.id, output: 'In Lisbon.' }]);
  expect(first.status).toBe(202);
  expect(first.body).toMatchObject({
    status: 'requires_action',
    required_action: { tool_calls: [{ id: time?.id }] },
  });
  const second = await answer(turn, [{ tool_call_id: time?.id, approved: true }]);
  expect(second.body).toMatchObject({ status: 'queued', required_action: null });
  const ended = await cluster.untilEnded(turn.id);
  expect(ended).toMatchObject({ status: 'completed' });
  expect(ended.output_text).toContain('In Lisbon.');
  expect(await cluster.control.stats()).toMatchObject({ calls: 2, rejected: 0 });
});

test('what does not fit is refused, each with its code, and nothing of it is kept', async () => {
  const turn = await startAction();
  const [whereAmI, time] = turn.required_action?.tool_calls ?? [];
  const refusals: [unknown[], number, string][] = [
    [[{ tool_call_id: whereAmI?.id, approved: true }], 400, 'invalid_request'],
    [[{ tool_call_id: time?.id, output: 'noon' }], 400, 'invalid_request'],
    [
      [
        { tool_call_id: whereAmI?.id, output: 'x' },
        { tool_call_id: 'call_01kapjt9e8f7ga5vxq3c2m4n6r', output: 'x' },
      ],
      400,
      'invalid_request',
    ],
    [[], 400, 'invalid_request'],
  ];
  for (const [outputs, status, code] of refusals) {
    const refused = await answer(turn, outputs);
    expect([refused.status, (refused.body as { code: string }).code]).toEqual([status, code]);
  }
  expect((await cluster.read(turn.id)).required_action?.tool_calls).toHaveLength(2);

  await answer(turn, [{ tool_call_id: whereAmI?.id, output: 'Here.' }]);
  const again = await answer(turn, [{ tool_call_id: whereAmI?.id, output: 'There.' }]);
  expect(again.body).toMatchObject({ status: 409, code: 'tool_call_settled' });
  await answer(turn, [{ tool_call_id: time?.id, approved: false, reason: 'Not now.' }]);
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  const late = await answer(turn, [{ tool_call_id: time?.id, approved: true }]);
  expect(late.body).toMatchObject({ status: 409, code: 'no_action_required' });
  expect((await cluster.conversation(turn.session_id)).join('\n')).toContain('Not now.');
});

test('two clients bring the two last answers at once: the turn goes on, once', async () => {
  const turn = await startAction();
  const [whereAmI, time] = turn.required_action?.tool_calls ?? [];
  await Promise.all([
    answer(turn, [{ tool_call_id: whereAmI?.id, output: 'Here.' }]),
    answer(turn, [{ tool_call_id: time?.id, approved: true }]),
  ]);
  expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed', step_count: 3 });
});

test('an action that gets no response is denied in time, and the session goes on', async () => {
  const turn = await startAction({ action_timeout_ms: 1000 });
  const ended = await cluster.untilEnded(turn.id);
  expect(ended.status).toBe('completed');
  const said = (await cluster.conversation(turn.session_id)).join('\n');
  expect(said).toContain('Nobody approved this call in time');
  expect(said).toContain('No output of this call was given in time');
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
});

test('a turn that waits can be cancelled, and its deadline ends it; the conversation stays valid', async () => {
  const turn = await startAction();
  expect((await cluster.cancel(turn.id)).status).toBe('cancelled');
  const next = await cluster.submit({ sessionId: turn.session_id }, 'and now?');
  expect((await cluster.untilEnded(next.id)).status).toBe('completed');
  expect(await cluster.conversation(turn.session_id)).toHaveLength(5);

  const agent = await cluster.createAgent({ tools: [WHERE_AM_I, { type: 'builtin', name: 'current_time' }] });
  const late = await cluster.submit({ agentId: agent.id }, 'both of them', { deadline_ms: 1500 });
  expect(await cluster.untilEnded(late.id)).toMatchObject({ status: 'incomplete', stop_reason: 'deadline' });
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
});
