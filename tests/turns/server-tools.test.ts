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

test('a response that pauses before a result, or beside a call of ours, is continued as it is', async () => {
  const { result: _, ...open } = SEARCH;
  await cluster.control.setScript({
    rules: [
      { times: 1, reply: { server_calls: [open], stop_reason: 'pause_turn' } },
      {
        times: 1,
        reply: { server_results: [FOUND], server_calls: [open], tool_uses: [{ name: 'current_time' }] },
      },
      { reply: { server_results: [FOUND], text: 'Found.' } },
    ],
  });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'Search')).id);
  expect(turn).toMatchObject({ status: 'completed', output_text: 'Found.', step_count: 4 });
  // The simulator's results are those of the calls that it was sent again.
  const { body } = await cluster.request('GET', `/v1/sessions/${turn.session_id}/messages`);
  const { items } = body as { items: { content: { type: string; id?: string; tool_use_id?: string }[] }[] };
  const blocks = items.flatMap(({ content }) => content);
  const asked = blocks.filter(({ type }) => type === 'server_tool_use').map(({ id }) => id);
  const found = blocks
    .filter(({ type }) => type === 'web_search_tool_result')
    .map((block) => block.tool_use_id);
  expect(asked).toHaveLength(2);
  expect(found).toEqual(asked);
  await cluster.control.setScript({ rules: [{ reply: { text: 'Yes.' } }] });
  const next = await cluster.untilEnded((await cluster.submit({ sessionId: turn.session_id }, 'Sure?')).id);
  expect(next.status).toBe('completed');
  // The simulator refuses a call without its result once anything else was said.
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0, completed: 4 });
});

test('a container is used again in its session, and is left behind once it has expired', async () => {
  const { id } = await cluster.createAgent({ tools: [{ type: 'server', name: 'code_execution' }] });
  const run = {
    name: 'code_execution' as const,
    input: { code: '1 + 1' },
    result: { type: 'code_execution_result' },
  };
  const script = { rules: [{ reply: { server_calls: [run], text: '2' } }] };
  await cluster.control.setScript(script);
  const turn = await cluster.untilEnded((await cluster.submit({ agentId: id }, 'Add')).id);
  const next = async () => {
    const { calls: before } = { calls: await cluster.control.calls() };
    const submitted = await cluster.submit({ sessionId: turn.session_id }, 'Add');
    expect(await cluster.untilEnded(submitted.id)).toMatchObject({ status: 'completed', output_text: '2' });
    const calls = await cluster.control.calls({ after: before.length });
    return calls.map(({ status, parameters }) => [status, parameters['container'] ?? null]);
  };
  const [[, first] = []] = await next();
  expect(first).toMatch(/^container_/);
  expect(await next()).toEqual([[200, first]]);
  // A reset of the simulator ends them all; the API responds with 500 to an id that it has no longer.
  await cluster.control.reset();
  await cluster.control.setScript(script);
  expect(await next()).toEqual([
    [500, first],
    [500, first],
    [200, null],
  ]);
  const [[status, second] = []] = await next();
  expect([status, second]).toEqual([200, expect.stringMatching(/^container_/)]);
  expect(second).not.toBe(first);
});

test('deferred tools are found by a search, and a reference to one that the agent has no longer is left out', async () => {
  const search = { type: 'server', name: 'tool_search_tool_regex' };
  const ask = {
    type: 'client',
    name: 'ask',
    description: 'Asks.',
    input_schema: { type: 'object' },
    defer_loading: true,
  };
  const time = { type: 'builtin', name: 'current_time', defer_loading: true };
  const { id } = await cluster.createAgent({ tools: [search, ask, time] });
  const found = {
    type: 'tool_search_tool_search_result',
    tool_references: [{ type: 'tool_reference', tool_name: 'current_time' }],
  };
  const looks = { name: 'tool_search_tool_regex' as const, input: { pattern: 'time' }, result: found };
  await cluster.control.setScript({
    rules: [
      {
        match: { text: 'When', step: 0 },
        reply: { server_calls: [looks], tool_uses: [{ name: 'current_time' }] },
      },
      { reply: { text: 'Now.' } },
    ],
  });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId: id }, 'When?')).id);
  expect(turn).toMatchObject({ status: 'completed', output_text: 'Now.', step_count: 3 });
  await cluster.request('POST', `/v1/agents/${id}`, { tools: [search, ask] });
  const next = await cluster.untilEnded((await cluster.submit({ sessionId: turn.session_id }, 'And?')).id);
  expect(next.status).toBe('completed');
  // It refuses a marker on a deferred tool, and a reference to an unknown one.
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0, completed: 3 });
  const unfound = { type: 'builtin', name: 'current_time', defer_loading: true };
  const { body } = await cluster.request('POST', '/v1/agents', { name: 'a', model: 'm', tools: [unfound] });
  expect(body).toMatchObject({ code: 'invalid_request', errors: [{ path: 'tools.0.defer_loading' }] });
});
