import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';

let cluster: Cluster;
let agentId: string;
beforeAll(async () => {
  cluster = await Cluster.join();
  const tools = [
    { type: 'server', name: 'web_search', max_uses: 3 },
    { type: 'server', name: 'web_fetch' },
    { type: 'builtin', name: 'current_time' },
  ];
  agentId = (await cluster.createAgent({ tools })).id;
});
beforeEach(() => cluster.control.reset());
afterAll(() => cluster.stop());

const FOUND = [
  {
    type: 'web_search_result',
    url: 'https://a.example',
    title: 'A',
    encrypted_content: 'EqgfCioIARgBIiQ3YTAwMjY1Mi1mZjM5LTQ1NGUtODgxNC1k',
    page_age: null,
  },
];
const SEARCH = { name: 'web_search' as const, input: { query: 'tides in Oslo' }, result: FOUND };

test('calls that the model API runs stay in the conversation unchanged, and are no calls for a worker', async () => {
  await cluster.control.setScript({
    rules: [
      {
        match: { text: 'Look', step: 0 },
        reply: { server_calls: [SEARCH, SEARCH], tool_uses: [{ name: 'current_time' }] },
      },
      { reply: { text: 'High at noon.' } },
    ],
  });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'Look it up')).id);
  expect(turn).toMatchObject({ status: 'completed', output_text: 'High at noon.', step_count: 3 });
  const next = await cluster.untilEnded(
    (await cluster.submit({ sessionId: turn.session_id }, 'And now?')).id,
  );
  expect(next.status).toBe('completed');
  // The simulator refuses a call without its result, or with an id of another kind.
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
  const { body } = await cluster.request('GET', `/v1/sessions/${turn.session_id}/messages`);
  const { items } = body as { items: { role: string; content: { type: string; content?: unknown }[] }[] };
  const blocks = items.find(({ role }) => role === 'assistant')?.content ?? [];
  expect(blocks.map(({ type }) => type)).toEqual([
    'server_tool_use',
    'web_search_tool_result',
    'server_tool_use',
    'web_search_tool_result',
    'tool_use',
  ]);
  expect(blocks[1]?.content).toEqual(FOUND);
});

test('searches are part of the cost, and a response that pauses among them is continued', async () => {
  const usage = {
    input_tokens: 0,
    output_tokens: 0,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
  await cluster.control.setScript({
    rules: [
      { times: 1, reply: { server_calls: [SEARCH, SEARCH], stop_reason: 'pause_turn', usage } },
      { times: 1, reply: { server_calls: [SEARCH], text: 'Found.', usage } },
    ],
  });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'Search')).id);
  expect(turn).toMatchObject({ status: 'completed', output_text: 'Found.', cost_micros: 30_000 });
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0, completed: 2 });
});

test('a budget reserves the searches that a call may make', async () => {
  await cluster.control.setScript({ rules: [{ reply: { text: 'Found.' } }] });
  // The input that three searches may add costs more than that, and so do the searches by themselves.
  const { id } = await cluster.submit({ agentId }, 'Search', { budget_micros: 29_000 });
  expect(await cluster.untilEnded(id)).toMatchObject({
    status: 'incomplete',
    stop_reason: 'budget',
    cost_micros: 0,
  });
});
