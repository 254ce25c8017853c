import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ workers: 1 });
});
afterAll(() => cluster.stop());

test('a session that outgrows its window is written down by the model once, and the original is kept', async () => {
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
