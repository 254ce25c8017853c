import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.join();
});
beforeEach(() => cluster.control.reset());
afterAll(() => cluster.stop());

test('a session that outgrows its window is summarized by the model once, and the original is kept', async () => {
  await cluster.control.setScript({
    rules: [
      { match: { text: '[user]' }, reply: { text: 'The user likes long stories.' } },
      { match: { text: 'tell' }, reply: { text: 'word '.repeat(600) } },
    ],
  });
  const agent = await cluster.createAgent({ context_tokens: 2000 });
  const first = await cluster.submit({ agentId: agent.id }, 'tell me one');
  const sessionId = first.session_id;
  await cluster.untilEnded(first.id);
  for (const number of [2, 3, 4]) {
    const turn = await cluster.submit({ sessionId }, `tell me number ${number}`);
    expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  }
  const last = await cluster.submit({ sessionId }, 'what do I like?');
  const ended = await cluster.untilEnded(last.id);
  expect(ended.status).toBe('completed');

  const { rows } = await cluster.database.pool.query<{ through_sequence: number; content: string }>(
    'SELECT through_sequence, content FROM summaries WHERE session_id = $1 ORDER BY through_sequence',
    [sessionId],
  );
  expect(rows.length).toBeGreaterThan(0);
  expect(rows[0]?.content).toBe('The user likes long stories.');
  // Nothing is lost for the client, and no notes were paid for twice.
  expect(await cluster.conversation(sessionId)).toHaveLength(10);
  const { body } = await cluster.request('GET', `/v1/turns/${ended.id}/steps`);
  const types = (body as { items: { type: string }[] }).items.map((step) => step.type);
  expect(types.at(-1)).toBe('model_call');
  const stats = await cluster.control.stats();
  expect(stats).toMatchObject({ calls: 5 + rows.length, rejected: 0, duplicates: 0 });
});

/** A session of so many turns, each of about 750 tokens. */
async function longSession(turns: number): Promise<string> {
  await cluster.control.setScript({
    rules: [
      { match: { text: '[user]' }, reply: { text: 'The user likes long stories.' } },
      { match: { text: 'tell' }, reply: { text: 'word '.repeat(600) } },
    ],
  });
  const { id: agentId } = await cluster.createAgent();
  const first = await cluster.submit({ agentId }, 'tell me one');
  await cluster.untilEnded(first.id);
  for (let number = 2; number <= turns; number++) {
    await cluster.untilEnded((await cluster.submit({ sessionId: first.session_id }, `tell me ${number}`)).id);
  }
  return first.session_id;
}

test.each([
  ['says that the prompt is too long', { most_tokens: 1_500 }],
  ['refuses the size of the request', { most_bytes: 6_000 }],
])('a session of which the API %s is summarized, and the turn goes on', async (_, limit) => {
  const sessionId = await longSession(4);
  await cluster.control.setScript({
    ...limit,
    rules: [{ match: { text: '[user]' }, reply: { text: 'The user likes long stories.' } }],
  });
  const turn = await cluster.submit({ sessionId }, 'what do I like?');
  expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed', error: null });
  const { body } = await cluster.request('GET', `/v1/sessions/${sessionId}/messages?limit=100`);
  const { items } = body as { items: { visible_to_model: boolean; hidden_reason: string | null }[] };
  expect(items[0]).toMatchObject({ visible_to_model: false, hidden_reason: 'compacted' });
  expect(items.at(-1)).toMatchObject({ visible_to_model: true, hidden_reason: null });
});

test('a turn that is too long by itself ends and says so, and the next one is not kept from running', async () => {
  await cluster.control.setScript({ most_tokens: 500 });
  const { id: agentId } = await cluster.createAgent();
  const { id, session_id: sessionId } = await cluster.submit({ agentId }, 'word '.repeat(3_000));
  expect(await cluster.untilEnded(id)).toMatchObject({
    status: 'incomplete',
    stop_reason: 'model_context_window_exceeded',
    error: { code: 'model_context_window_exceeded', message: expect.stringContaining('too long') },
  });
  const next = await cluster.submit({ sessionId }, 'And a short one?');
  expect(await cluster.untilEnded(next.id)).toMatchObject({ status: 'completed' });
});

test('a session that the model does not summarize goes on without what does not fit', async () => {
  const sessionId = await longSession(3);
  await cluster.control.setScript({
    most_tokens: 1_500,
    rules: [{ match: { text: '[user]' }, reply: { text: '', stop_reason: 'refusal' } }],
  });
  const turn = await cluster.submit({ sessionId }, 'what do I like?');
  expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed' });
});
