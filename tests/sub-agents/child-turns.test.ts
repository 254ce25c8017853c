import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Agent, Session, stepSchema, Turn, TurnEvent, TurnFact } from '@turnpike/contract';
import type { z } from 'zod';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';

type Step = z.infer<typeof stepSchema>;
/** What a list responds. */
type Items<Item> = { items: Item[] };

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.join();
});
beforeEach(async () => {
  await cluster.control.reset();
});
afterAll(() => cluster.stop());

const get = async <Body>(path: string): Promise<Body> => (await cluster.request('GET', path)).body as Body;
const childrenOf = async (turn: Turn): Promise<Turn[]> =>
  (await get<Items<Turn>>(`/v1/turns?parent_turn_id=${turn.id}&limit=100`)).items;
const stepsOf = async (turn: Turn): Promise<Step[]> =>
  (await get<Items<Step>>(`/v1/turns/${turn.id}/steps`)).items;
const eventsOf = async (turn: Turn): Promise<TurnEvent[]> => {
  const response = await fetch(`${cluster.url}/v1/turns/${turn.id}/events`, {
    headers: { authorization: `Bearer ${cluster.apiKey}`, accept: 'text/event-stream' },
  });
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: {'));
  return lines.map((line) => JSON.parse(line.slice(6)) as TurnEvent);
};
const calls = (agent: Agent, more: Record<string, unknown> = {}) => ({
  type: 'agent',
  name: 'ask',
  agent_id: agent.id,
  description: 'Answers a question.',
  ...more,
});
/** Asks so many agents at once. */
const asks = (...prompts: string[]) => ({
  tool_uses: prompts.map((prompt) => ({ name: 'ask', input: { prompt } })),
});

test('an agent that calls three others at once is parked without a worker, and answers with what they said', async () => {
  const child = await cluster.createAgent();
  const tools = [calls(child), { type: 'builtin', name: 'current_time' }];
  const parent = await cluster.createAgent({ tools });
  const questions = asks('hang one', 'hang two', 'hang three');
  await cluster.control.setScript({
    rules: [
      {
        match: { text: 'boss', step: 0 },
        reply: { tool_uses: [...questions.tool_uses, { name: 'current_time', input: {} }] },
      },
      { match: { text: 'boss', step: 1 }, reply: { text: 'They said: {{tool_result}}' } },
      {
        match: { text: 'hang' },
        reply: { text: 'reply to {{text}}' },
        fault: { type: 'hang', after_events: 2 },
      },
    ],
  });
  const turn = await cluster.submit({ agentId: parent.id }, 'boss', {
    metadata: { customer: 'c-42' },
    session_metadata: { site: 's-1' },
    priority: 7,
  });
  await cluster.control.calls({ waitFor: 3, outcome: 'hung' });
  await untilTrue(
    'the turn is parked',
    async () => (await cluster.read(turn.id)).awaited_child_turns !== null,
  );
  const parked = await cluster.read(turn.id);
  const children = (await childrenOf(turn)).toReversed();
  expect(parked).toMatchObject({ status: 'queued', required_action: null, error: null, attempts: 1 });
  expect(parked.awaited_child_turns).toEqual(
    children.map((each) => ({
      id: each.id,
      session_id: each.session_id,
      tool_call_id: each.parent_tool_call_id,
      status: 'in_progress',
    })),
  );
  const { rows } = await cluster.database.pool.query(
    'SELECT leased_until, dispatched_at FROM turns WHERE id = $1',
    [turn.id],
  );
  expect(rows).toEqual([{ leased_until: null, dispatched_at: null }]);
  expect(children).toHaveLength(3);
  for (const each of children) {
    expect(each).toMatchObject({
      parent_turn_id: turn.id,
      agent_id: child.id,
      agent_version: 1,
      metadata: { customer: 'c-42' },
      priority: 7,
      deadline_at: turn.deadline_at,
    });
    const session = await get<Session>(`/v1/sessions/${each.session_id}`);
    expect(session).toMatchObject({ parent_session_id: turn.session_id, metadata: { site: 's-1' } });
  }

  await cluster.control.release();
  const ended = await cluster.untilEnded(turn.id);
  expect(ended).toMatchObject({ status: 'completed', awaited_child_turns: null, attempts: 2 });
  expect(ended.output_text).toMatch(/^They said: .*reply to hang/);
  const steps = await stepsOf(turn);
  expect(steps.map((step) => step.type)).toEqual(['model_call', 'tool_calls', 'model_call']);
  const made = steps[0]?.tool_calls ?? [];
  expect(made.map((call) => call.child_turn_id)).toEqual([...children.map(({ id }) => id), null]);
  expect(made.slice(0, 3).map((call) => [call.effect, call.status, call.attempts, call.output])).toEqual(
    ['one', 'two', 'three'].map((name) => [
      'read',
      'completed',
      1,
      [{ type: 'text', text: `reply to hang ${name}` }],
    ]),
  );
  const events = await eventsOf(turn);
  expect(
    events.flatMap((event) => (event.type === 'tool.child_started' ? [event.child_turn_id] : [])),
  ).toEqual(children.map(({ id }) => id));
  expect(events.filter((event) => event.type === 'tool.started')).toHaveLength(4);
  expect(events.filter((event) => event.type === 'tool.completed')).toHaveLength(4);
  expect(await cluster.control.stats()).toMatchObject({ calls: 5, rejected: 0, duplicates: 0 });
});

test('a tenant with one slot runs parents and children of several levels to their end', async () => {
  const narrow = await Cluster.join();
  try {
    await narrow.database.pool.query('UPDATE tenants SET max_running_turns = 1 WHERE id = $1', [
      narrow.tenantId,
    ]);
    const leaf = await narrow.createAgent();
    const middle = await narrow.createAgent({ tools: [calls(leaf)] });
    const top = await narrow.createAgent({ tools: [calls(middle)] });
    await narrow.control.setScript({
      rules: [
        { match: { text: 'top', step: 0 }, reply: asks('middle 1', 'middle 2') },
        { match: { text: 'middle', step: 0 }, reply: asks('leaf 1', 'leaf 2', 'leaf 3') },
        { match: { step: 1 }, reply: { text: 'Done.' } },
        { match: { text: 'leaf' }, reply: { text: 'Leaf.' } },
      ],
    });
    const turns = await Promise.all([1, 2, 3].map(() => narrow.submit({ agentId: top.id }, 'top')));
    for (const turn of turns) {
      expect(await narrow.untilEnded(turn.id)).toMatchObject({ status: 'completed', output_text: 'Done.' });
    }
    const { rows } = await narrow.database.pool.query(
      `SELECT status, cardinality(ancestors) AS depth, count(*)::int FROM turns WHERE tenant_id = $1
       GROUP BY 1, 2 ORDER BY 2`,
      [narrow.tenantId],
    );
    expect(rows).toEqual([
      { status: 'completed', depth: 0, count: 3 },
      { status: 'completed', depth: 1, count: 6 },
      { status: 'completed', depth: 2, count: 18 },
    ]);
  } finally {
    await narrow.stop();
  }
});

test('a cancel of a turn cancels what runs below it, on every level', async () => {
  const leaf = await cluster.createAgent();
  const middle = await cluster.createAgent({ tools: [calls(leaf)] });
  const top = await cluster.createAgent({ tools: [calls(middle)] });
  await cluster.control.setScript({
    rules: [
      { match: { text: 'top', step: 0 }, reply: asks('middle', 'hang here') },
      { match: { text: 'middle', step: 0 }, reply: asks('hang below') },
      { match: { text: 'hang' }, fault: { type: 'hang', after_events: 2 } },
    ],
  });
  const turn = await cluster.submit({ agentId: top.id }, 'top');
  await cluster.control.calls({ waitFor: 2, outcome: 'hung' });
  await untilTrue('both levels are parked', async () => {
    const { rows } = await cluster.database.pool.query(
      `SELECT count(*)::int AS parked FROM turns
       WHERE waits_for_children AND (id = $1 OR root_turn_id = $1)`,
      [turn.id],
    );
    return (rows[0] as { parked: number }).parked === 2;
  });
  expect(await cluster.cancel(turn.id)).toMatchObject({ status: 'cancelled' });
  const children = await childrenOf(turn);
  expect(children).toHaveLength(2);
  const below = await Promise.all(children.map(childrenOf));
  for (const each of [...children, ...below.flat()]) {
    expect(await cluster.untilEnded(each.id)).toMatchObject({ status: 'cancelled' });
  }
  expect(below.flat()).toHaveLength(1);
  await cluster.control.calls({ waitFor: 2, outcome: 'aborted' });
});

test('the model is told how a child turn ended that did not complete', async () => {
  const failing = await cluster.createAgent({
    max_steps: 1,
    tools: [{ type: 'builtin', name: 'current_time' }],
  });
  const parent = await cluster.createAgent({ tools: [calls(failing)] });
  await cluster.control.setScript({
    rules: [
      { match: { text: 'boss', step: 0 }, reply: asks('too long', 'broken', 'stop me') },
      { match: { text: 'too long' }, reply: { tool_uses: [{ name: 'current_time', input: {} }] } },
      { match: { text: 'broken' }, fault: { type: 'status', status: 400, message: 'No such thing.' } },
      { match: { text: 'stop me' }, times: 1, fault: { type: 'hang', after_events: 2 } },
    ],
  });
  const turn = await cluster.submit({ agentId: parent.id }, 'boss');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  const [hung] = await childrenOf(turn);
  await cluster.cancel(hung?.id ?? '');
  expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed' });
  const [step] = await stepsOf(turn);
  const told = step?.tool_calls.map((call) => [call.is_error, call.output?.[0]?.['text']]);
  expect(told).toEqual([
    [true, 'ask ended as incomplete (max_steps).'],
    [true, expect.stringMatching(/^ask ended as failed \(.+\)\./)],
    [true, expect.stringMatching(/^ask ended as cancelled/)],
  ]);
});

test('a child turn that requires an action is answered by itself, and the parent says that it waits for it', async () => {
  const tool = {
    type: 'client',
    name: 'where_am_i',
    description: 'Tells where the user is.',
    input_schema: { type: 'object' },
  };
  const child = await cluster.createAgent({ tools: [tool] });
  const parent = await cluster.createAgent({ tools: [calls(child)] });
  await cluster.control.setScript({
    rules: [
      { match: { text: 'boss', step: 0 }, reply: asks('guide') },
      { match: { text: 'guide', step: 0 }, reply: { tool_uses: [{ name: 'where_am_i', input: {} }] } },
      { match: { step: 1 }, reply: { text: 'Told: {{tool_result}}' } },
    ],
  });
  const turn = await cluster.submit({ agentId: parent.id }, 'boss');
  await untilTrue('the child waits for its client', async () => {
    const { awaited_child_turns: awaited } = await cluster.read(turn.id);
    return awaited?.[0]?.status === 'requires_action';
  });
  const [waiting] = await childrenOf(turn);
  expect(await cluster.read(turn.id)).toMatchObject({ status: 'queued', required_action: null });
  await untilTrue('who follows the parent is told', async () => {
    const { body } = await cluster.request('GET', `/v1/turns/${turn.id}/events`, undefined, {
      accept: 'application/json',
    });
    const { items } = body as { items: TurnFact[] };
    const told = items.filter(({ type }) => type === 'tool.child_requires_action');
    return told.some((event) => 'child_turn_id' in event && event.child_turn_id === waiting?.id);
  });
  await cluster.request('POST', `/v1/turns/${waiting?.id ?? ''}/tool_outputs`, {
    tool_outputs: [{ tool_call_id: waiting?.required_action?.tool_calls[0]?.id, output: 'In Lisbon.' }],
  });
  const ended = await cluster.untilEnded(turn.id);
  expect(ended.output_text).toBe('Told: Told: In Lisbon.');
  const [step] = await stepsOf(turn);
  expect(step?.tool_calls[0]?.effect).toBe('idempotent');
});

test('an agent that calls itself without end is stopped by the limit on depth', async () => {
  const agent = await cluster.createAgent();
  await cluster.request('POST', `/v1/agents/${agent.id}`, { tools: [calls(agent)] });
  await cluster.control.setScript({
    rules: [
      { match: { text: 'again', step: 0 }, reply: asks('again') },
      { match: { step: 1 }, reply: { text: '{{tool_result}}' } },
    ],
  });
  const turn = await cluster.submit({ agentId: agent.id }, 'again');
  expect(await cluster.untilEnded(turn.id)).toMatchObject({
    status: 'completed',
    output_text:
      'ask was not called: agents may call agents 5 levels deep, and this is the last of them. Nothing was done.',
  });
  const { rows } = await cluster.database.pool.query(
    'SELECT agent_version, cardinality(ancestors) AS depth FROM turns WHERE root_turn_id = $1 ORDER BY 2',
    [turn.id],
  );
  expect(rows).toEqual([1, 2, 3, 4, 5].map((depth) => ({ agent_version: 2, depth })));
});

test('more calls than a turn may make get an error, and no child turn, also those of child turns', async () => {
  const own = await Cluster.join();
  try {
    const limits = { max_child_turns: 3 };
    await own.database.pool.query('UPDATE tenants SET limits = $2 WHERE id = $1', [own.tenantId, limits]);
    const leaf = await own.createAgent();
    const middle = await own.createAgent({ tools: [calls(leaf)] });
    const top = await own.createAgent({ tools: [calls(middle)] });
    await own.control.setScript({
      rules: [
        { match: { text: 'top', step: 0 }, reply: asks('middle') },
        { match: { text: 'middle', step: 0 }, reply: asks('one', 'two', 'three') },
        { match: { step: 1 }, reply: { text: '{{tool_result}}' } },
      ],
    });
    const turn = await own.submit({ agentId: top.id }, 'top');
    expect(await own.untilEnded(turn.id)).toMatchObject({ status: 'completed' });
    const told = await own.database.pool.query(
      `SELECT is_error AS "isError", tool_calls.output -> 0 ->> 'text' AS text
       FROM tool_calls JOIN turns ON turns.id = turn_id
       WHERE parent_turn_id = $1 ORDER BY position`,
      [turn.id],
    );
    const text =
      'ask was not called: one turn may make 3 calls of agents, and they are used up. Nothing was done.';
    expect(told.rows).toMatchObject([{ isError: false }, { isError: false }, { isError: true, text }]);
    const { rows } = await own.database.pool.query(
      'SELECT count(*)::int AS turns FROM turns WHERE root_turn_id = $1',
      [turn.id],
    );
    expect(rows).toEqual([{ turns: 3 }]);
  } finally {
    await own.stop();
  }
});

test('what child turns cost counts in the budget of the turn above them', async () => {
  const child = await cluster.createAgent({ max_tokens: 300 });
  const parent = await cluster.createAgent({ max_tokens: 300, tools: [calls(child)] });
  const long = 'word '.repeat(200).trim();
  await cluster.control.setScript({
    rules: [
      { match: { text: 'boss', step: 0 }, reply: asks(...Array.from({ length: 20 }, (_, n) => `part ${n}`)) },
      { match: { text: 'part' }, reply: { text: long } },
      { match: { step: 1 }, reply: { text: 'Done.' } },
    ],
  });
  const sample = await cluster.untilEnded((await cluster.submit({ agentId: child.id }, 'part of it')).id);
  const budget = 10 * sample.cost_micros;
  const turn = await cluster.submit({ agentId: parent.id }, 'boss', { budget_micros: budget });
  const ended = await cluster.untilEnded(turn.id);
  const children = await childrenOf(turn);
  expect(children).toHaveLength(20);
  const spent = children.reduce((sum, each) => sum + each.cost_micros, ended.cost_micros);
  expect(spent).toBeLessThanOrEqual(budget);
  expect(ended.total_cost_micros).toBe(spent);
  expect(children[0]?.total_cost_micros).toBe(children[0]?.cost_micros);
  expect(spent).toBeGreaterThan(budget / 3);
  const stopped = children.filter((each) => each.stop_reason === 'budget');
  expect(stopped.length).toBeGreaterThan(5);
  expect(stopped[0]).toMatchObject({ status: 'incomplete', error: { code: 'budget_exceeded' } });
});

test('an agent can call only agents of its tenant that exist, and a deleted one is an error for the model', async () => {
  const other = await Cluster.join();
  const foreign = await other.createAgent();
  await other.stop();
  const body = (tool: object) => ({ name: 'test', model: 'claude-sonnet-4-5', tools: [tool] });
  const refused = await cluster.request('POST', '/v1/agents', body(calls(foreign)));
  expect(refused).toMatchObject({
    status: 400,
    body: {
      code: 'invalid_request',
      errors: [{ path: 'tools.0.agent_id', message: `there is no agent ${foreign.id}` }],
    },
  });
  const child = await cluster.createAgent();
  const badSchema = calls(child, {
    input_schema: { type: 'object', properties: { n: { type: 'nothing' } } },
  });
  expect(await cluster.request('POST', '/v1/agents', body(badSchema))).toMatchObject({
    status: 400,
    body: { errors: [{ path: 'tools.0.input_schema' }] },
  });

  const parent = await cluster.createAgent({ tools: [calls(child)] });
  await cluster.request('DELETE', `/v1/agents/${child.id}`);
  await cluster.control.setScript({
    rules: [
      { match: { step: 0 }, reply: asks('anybody there?') },
      { match: { step: 1 }, reply: { text: '{{tool_result}}' } },
    ],
  });
  const turn = await cluster.submit({ agentId: parent.id }, 'boss');
  const ended = await cluster.untilEnded(turn.id);
  expect(ended).toMatchObject({
    attempts: 1,
    output_text: 'ask was not called: its agent was deleted. Nothing was done.',
  });
  expect(await childrenOf(turn)).toEqual([]);
});

test('an input with a schema reaches the child turn as JSON text, to the last digit; one that does not fit, never', async () => {
  const child = await cluster.createAgent();
  const schema = {
    type: 'object',
    properties: { order: { type: 'integer' } },
    required: ['order'],
    additionalProperties: false,
  };
  const parent = await cluster.createAgent({ tools: [calls(child, { input_schema: schema })] });
  const input = '{"order": 2512292042121000001}';
  await cluster.control.setScript({
    rules: [
      {
        match: { text: 'boss', step: 0 },
        reply: {
          tool_uses: [
            { name: 'ask', input_json: input },
            { name: 'ask', input: { order: 'x' } },
          ],
        },
      },
    ],
  });
  const turn = await cluster.submit({ agentId: parent.id }, 'boss');
  await cluster.untilEnded(turn.id);
  const [only, ...others] = await childrenOf(turn);
  expect(others).toEqual([]);
  expect((await cluster.conversation(only?.session_id ?? ''))[0]).toBe(`user: ${input}`);
  const [step] = await stepsOf(turn);
  expect(step?.tool_calls.map((call) => call.is_error)).toEqual([false, true]);
});

test('a session is erased with those of its child turns, and a turn whose child turn is erased goes on', async () => {
  const child = await cluster.createAgent();
  const parent = await cluster.createAgent({ tools: [calls(child)] });
  await cluster.control.setScript({
    rules: [
      { match: { text: 'boss', step: 0 }, reply: asks('hang') },
      { match: { text: 'boss', step: 1 }, reply: { text: '{{tool_result}}' } },
      { match: { text: 'hang' }, fault: { type: 'hang', after_events: 2 } },
    ],
  });
  const turn = await cluster.submit({ agentId: parent.id }, 'boss');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  const [first] = await childrenOf(turn);
  await cluster.request('DELETE', `/v1/sessions/${first?.session_id ?? ''}`);
  expect((await cluster.untilEnded(turn.id)).output_text).toBe(
    'The session of this call was erased, so it has no result.',
  );

  const second = await cluster.submit({ sessionId: turn.session_id }, 'boss');
  await cluster.control.calls({ waitFor: 2, outcome: 'hung' });
  const [running] = await childrenOf(second);
  expect((await cluster.request('DELETE', `/v1/sessions/${turn.session_id}`)).status).toBe(204);
  for (const path of [`/v1/turns/${second.id}`, `/v1/turns/${running?.id ?? ''}`]) {
    expect((await cluster.request('GET', path)).status).toBe(404);
  }
  expect((await cluster.request('GET', `/v1/sessions/${running?.session_id ?? ''}`)).status).toBe(404);
});

test('a parked turn and its child turns end at the deadline that they share', async () => {
  const child = await cluster.createAgent();
  const parent = await cluster.createAgent({ tools: [calls(child)] });
  await cluster.control.setScript({
    rules: [
      { match: { text: 'boss', step: 0 }, reply: asks('hang') },
      { match: { text: 'hang' }, fault: { type: 'hang', after_events: 2 } },
    ],
  });
  const turn = await cluster.submit({ agentId: parent.id }, 'boss', { deadline_ms: 4_000 });
  const ended = await cluster.untilEnded(turn.id);
  expect(ended).toMatchObject({ status: 'incomplete', stop_reason: 'deadline' });
  for (const each of await childrenOf(turn)) {
    const { status, deadline_at: deadline } = await cluster.untilEnded(each.id);
    expect(['incomplete', 'cancelled']).toContain(status);
    expect(deadline).toBe(turn.deadline_at);
  }
});

test('a message joins a turn that is parked for its child turns', async () => {
  const child = await cluster.createAgent();
  const parent = await cluster.createAgent({ tools: [calls(child)] });
  await cluster.control.setScript({
    rules: [
      { match: { text: 'boss', step: 0 }, reply: asks('hang') },
      { match: { text: 'hang' }, reply: { text: 'Late.' }, fault: { type: 'hang', after_events: 2 } },
      { match: { text: 'hurry' }, reply: { text: 'Hurried.' } },
    ],
  });
  const turn = await cluster.submit({ agentId: parent.id }, 'boss');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  await untilTrue(
    'the turn is parked',
    async () => (await cluster.read(turn.id)).awaited_child_turns !== null,
  );
  const joined = await cluster.submit({ sessionId: turn.session_id }, 'hurry', {
    multitask_strategy: 'steer',
  });
  expect(joined.id).toBe(turn.id);
  await cluster.control.release();
  expect(await cluster.untilEnded(turn.id)).toMatchObject({ output_text: 'Hurried.' });
});

test('a call of an agent that needs an approval starts its child turn once it is approved', async () => {
  const child = await cluster.createAgent();
  const parent = await cluster.createAgent({ tools: [calls(child, { requires_approval: true })] });
  await cluster.control.setScript({
    rules: [
      { match: { text: 'boss', step: 0 }, reply: asks('first', 'second') },
      { match: { text: 'boss', step: 1 }, reply: { text: 'Done.' } },
    ],
  });
  const { id } = await cluster.submit({ agentId: parent.id }, 'boss');
  const turn = await cluster.until(id, ['requires_action']);
  expect(await childrenOf(turn)).toEqual([]);
  const [first, second] = turn.required_action?.tool_calls ?? [];
  await cluster.request('POST', `/v1/turns/${id}/tool_outputs`, {
    tool_outputs: [
      { tool_call_id: first?.id, approved: true },
      { tool_call_id: second?.id, approved: false },
    ],
  });
  expect(await cluster.untilEnded(id)).toMatchObject({ status: 'completed', output_text: 'Done.' });
  expect(await childrenOf(turn)).toHaveLength(1);
});
