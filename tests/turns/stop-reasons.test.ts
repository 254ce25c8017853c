import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';

let cluster: Cluster;
let agentId: string;
beforeAll(async () => {
  cluster = await Cluster.join();
  const tools = [{ type: 'builtin', name: 'current_time' }];
  agentId = (await cluster.createAgent({ tools, max_steps: 3 })).id;
});
beforeEach(() => cluster.control.reset());
afterAll(() => cluster.stop());

const TOOL_USE = [{ name: 'current_time', input: {} }];

/** After all that, the session takes another turn, and the API finds nothing wrong with it. */
async function expectUsable(sessionId: string): Promise<void> {
  await cluster.control.setScript({ rules: [] });
  const next = await cluster.submit({ sessionId }, 'and now?');
  expect((await cluster.untilEnded(next.id)).status).toBe('completed');
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
}

test.each([
  ['end_turn', 'completed', 'end_turn'],
  ['stop_sequence', 'completed', 'stop_sequence'],
  ['refusal', 'completed', 'refusal'],
  ['max_tokens', 'incomplete', 'max_tokens'],
  ['model_context_window_exceeded', 'incomplete', 'model_context_window_exceeded'],
] as const)('a model that stops with %s ends the turn %s', async (stop_reason, status, reason) => {
  await cluster.control.setScript({ rules: [{ reply: { text: 'So far.', stop_reason } }] });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'Hello')).id);
  expect(turn).toMatchObject({ status, stop_reason: reason, output_text: 'So far.' });
  await expectUsable(turn.session_id);
});

test.each(['max_tokens', 'refusal', 'model_context_window_exceeded'] as const)(
  'a tool call that was truncated by %s is not made',
  async (stop_reason) => {
    await cluster.control.setScript({
      rules: [{ reply: { text: 'I look.', tool_uses: TOOL_USE, stop_reason } }],
    });
    const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'Hello')).id);
    expect(turn).toMatchObject({ output_text: 'I look.', step_count: 1 });
    const { rows } = await cluster.database.pool.query('SELECT 1 FROM tool_calls WHERE turn_id = $1', [
      turn.id,
    ]);
    expect(rows).toEqual([]);
    await expectUsable(turn.session_id);
  },
);

test('a model that pauses is asked to go on, and its answer is the whole of it', async () => {
  await cluster.control.setScript({
    rules: [
      { times: 1, reply: { text: 'One,', stop_reason: 'pause_turn' } },
      { times: 1, reply: { text: ' two.' } },
    ],
  });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'Count')).id);
  expect(turn).toMatchObject({ status: 'completed', output_text: 'One, two.', step_count: 2 });
});

test('a model that calls tools without end is stopped by max_steps, its last round answered', async () => {
  await cluster.control.setScript({ rules: [{ reply: { tool_uses: TOOL_USE } }] });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'Again')).id);
  expect(turn).toMatchObject({ status: 'incomplete', stop_reason: 'max_steps', step_count: 6 });
  await expectUsable(turn.session_id);
});

test('several calls in one message run at once, and each has its result', async () => {
  await cluster.control.setScript({
    rules: [{ match: { step: 0 }, reply: { tool_uses: [...TOOL_USE, ...TOOL_USE, { name: 'nothing' }] } }],
  });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'Three of them')).id);
  expect(turn).toMatchObject({ status: 'completed', step_count: 3 });
  const { body } = await cluster.request('GET', `/v1/turns/${turn.id}/steps`);
  expect(body).toMatchObject({
    items: [
      { tool_calls: [{ is_error: false }, { is_error: false }, { name: 'nothing', is_error: true }] },
      {},
      {},
    ],
  });
  await expectUsable(turn.session_id);
});
