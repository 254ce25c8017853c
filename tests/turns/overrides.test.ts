import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { outputFormat, readOutput, Turnpike } from '@turnpike/client';
import { exportTenant, type ExportedRow } from '@turnpike/store';
import { z } from 'zod';
import { Cluster } from '../support/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.join();
});
beforeEach(() => cluster.control.reset());
afterAll(() => cluster.stop());

const ASK = {
  type: 'client',
  name: 'ask',
  description: 'Asks somebody.',
  input_schema: { type: 'object', properties: {} },
};

/** The refusal of a turn with these overrides. */
async function refusal(agentId: string, overrides: unknown, headers = {}) {
  const body = { agent_id: agentId, input: 'Hi', overrides };
  const response = await cluster.request('POST', '/v1/turns', body, headers);
  return response.body as { status: number; code: string; errors: { path: string; message: string }[] };
}

test('a turn runs with its overrides in every lease, and its session goes on without them', async () => {
  const allowed = { model: ['claude-opus-4-5'], tools: true, system: true, max_tokens: 500 };
  const { id: agentId } = await cluster.createAgent({ allowed_overrides: allowed, max_tokens: 300 });
  const overrides = { model: 'claude-opus-4-5', tools: [ASK], system: 'Ask first.', max_tokens: 400 };
  await cluster.control.setScript({
    rules: [
      { match: { step: 0, text: 'Start' }, reply: { tool_uses: [{ name: 'ask' }] } },
      { reply: { text: 'Done.' } },
    ],
  });
  const { id } = await cluster.submit({ agentId }, 'Start', { overrides });
  const waiting = await cluster.until(id, ['requires_action']);
  expect(waiting.overrides).toEqual(overrides);
  // The worker that claims it next has nothing but the row.
  const outputs = waiting.required_action?.tool_calls.map((call) => ({
    tool_call_id: call.id,
    output: 'Yes.',
  }));
  await cluster.request('POST', `/v1/turns/${id}/tool_outputs`, { tool_outputs: outputs });
  const turn = await cluster.untilEnded(id);
  expect(turn).toMatchObject({ status: 'completed', step_count: 3, overrides });
  const after = await cluster.untilEnded((await cluster.submit({ sessionId: turn.session_id }, 'Next')).id);
  expect(after).toMatchObject({ status: 'completed', overrides: null });
  const calls = await cluster.control.calls();
  expect(calls.map(({ model, parameters, tools }) => [model, parameters['max_tokens'], tools])).toEqual([
    ['claude-opus-4-5', 400, ['ask']],
    ['claude-opus-4-5', 400, ['ask']],
    ['claude-sonnet-4-5', 300, ['no_tool']],
  ]);
  const rows: ExportedRow[] = [];
  await exportTenant(cluster.database, cluster.tenantId, async (row) => void rows.push(row));
  const exported = rows.filter(({ table }) => table === 'turns').map(({ row }) => row);
  expect(exported).toContainEqual(expect.objectContaining({ id, overrides }));
});

test('what the turn costs is what its model costs, in the reservation too', async () => {
  const { id: agentId } = await cluster.createAgent({
    model: 'claude-haiku-4-5',
    max_tokens: 1000,
    allowed_overrides: { model: ['claude-opus-4-1'] },
  });
  const usage = {
    input_tokens: 1000,
    output_tokens: 100,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
  };
  await cluster.control.setScript({ rules: [{ reply: { text: 'Yes.', usage } }] });
  const run = async (options: object) =>
    cluster.untilEnded((await cluster.submit({ agentId }, 'Hi', { ...options })).id);
  const overrides = { model: 'claude-opus-4-1' };
  // A thousand tokens of output cost 5,000 with one model and 75,000 with the other.
  expect(await run({ budget_micros: 40_000 })).toMatchObject({ status: 'completed', cost_micros: 1500 });
  expect(await run({ overrides })).toMatchObject({ status: 'completed', cost_micros: 22_500 });
  expect(await run({ overrides, budget_micros: 40_000 })).toMatchObject({
    stop_reason: 'budget',
    cost_micros: 0,
  });
});

test('a turn may have an output format of its own', async () => {
  const { id: agentId } = await cluster.createAgent({ allowed_overrides: { output_format: true } });
  const place = z.object({ city: z.string() });
  const overrides = { output_format: outputFormat(z.toJSONSchema(place)) };
  await cluster.control.setScript({ rules: [{ reply: { text: '{"city": "Oslo"}' } }] });
  const { turns } = new Turnpike({ baseUrl: cluster.url, apiKey: cluster.apiKey });
  const { id } = await turns.submit({ agent_id: agentId, input: 'Where?', overrides });
  const first = await turns.wait(id);
  const { city } = await readOutput(first, place);
  expect(city satisfies string).toBe('Oslo');
  const to = { sessionId: first.session_id };
  expect(await cluster.untilEnded((await cluster.submit(to, 'And?')).id)).toMatchObject({
    output_parsed: null,
  });
  await cluster.control.setScript({ rules: [{ reply: { text: '{"town": "Oslo"}' } }] });
  const last = await cluster.untilEnded((await cluster.submit(to, 'Again?', { overrides })).id);
  expect(last).toMatchObject({ status: 'incomplete', stop_reason: 'output_invalid' });
});

test('a child turn has nothing of the overrides of its parent', async () => {
  const { id: callee } = await cluster.createAgent({ name: 'callee' });
  const { id: agentId } = await cluster.createAgent({
    tools: [{ type: 'agent', name: 'look', agent_id: callee, description: 'Looks it up.' }],
    allowed_overrides: { model: ['claude-opus-4-5'] },
  });
  await cluster.control.setScript({
    rules: [
      {
        match: { text: 'Start', step: 0 },
        reply: { tool_uses: [{ name: 'look', input: { prompt: 'Where?' } }] },
      },
      { reply: { text: 'Oslo.' } },
    ],
  });
  const overrides = { model: 'claude-opus-4-5' };
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'Start', { overrides })).id);
  expect(turn.status).toBe('completed');
  const models = (await cluster.control.calls()).map(({ model }) => model);
  expect(models).toEqual(['claude-opus-4-5', 'claude-sonnet-4-5', 'claude-opus-4-5']);
});

test('the door refuses what the agent does not allow, and what no agent could be', async () => {
  const allowed = {
    model: ['claude-opus-4-7', 'claude-sonnet-4-5'],
    tools: true,
    output_format: true,
    effort: true,
  };
  const { id } = await cluster.createAgent({ temperature: 0.5, allowed_overrides: allowed });
  const { id: closed } = await cluster.createAgent();
  expect(await refusal(closed, { model: 'claude-opus-4-7' })).toMatchObject({
    status: 403,
    code: 'override_not_allowed',
    errors: [{ path: 'overrides.model' }],
  });
  expect(await refusal(id, { system: 'x', model: 'claude-opus-4-1' })).toMatchObject({
    code: 'override_not_allowed',
    errors: [{ path: 'overrides.model' }, { path: 'overrides.system' }],
  });
  const issues = async (overrides: unknown) => {
    const { code, errors } = await refusal(id, overrides);
    return [code, ...errors.map(({ path }) => path)];
  };
  // The agent has a temperature, which that model does not take.
  expect(await issues({ model: 'claude-opus-4-7' })).toEqual(['invalid_request', 'overrides.temperature']);
  expect(await issues({ effort: 'low' })).toEqual(['invalid_request', 'overrides.effort']);
  expect(await issues({ tools: [{ type: 'http', name: 'nowhere' }] })).toEqual([
    'invalid_request',
    'overrides.tools.0.name',
  ]);
  expect(await issues({ tools: [{ type: 'code', name: 'nowhere' }] })).toEqual([
    'invalid_request',
    'overrides.tools.0.name',
  ]);
  const odd = { type: 'json_schema', schema: { type: 'object', properties: { city: {} } } };
  expect(await issues({ output_format: odd })).toEqual([
    'invalid_request',
    'overrides.output_format.schema.properties.city',
  ]);
  expect(await issues({ pool: 'other' })).toEqual(['invalid_request', 'overrides.pool']);
});

test('overrides are part of what an idempotency key stands for, and outlive the permission', async () => {
  const allowed = { model: ['claude-opus-4-5'] };
  const { id: agentId } = await cluster.createAgent({ allowed_overrides: allowed });
  const headers = { 'idempotency-key': 'overrides-1' };
  const body = { agent_id: agentId, input: 'Hi', overrides: { model: 'claude-opus-4-5' } };
  const first = await cluster.request('POST', '/v1/turns', body, headers);
  expect(first.status).toBe(202);
  expect(
    (await cluster.request('POST', '/v1/turns', { ...body, overrides: undefined }, headers)).status,
  ).toBe(422);
  await cluster.request('POST', `/v1/agents/${agentId}`, { allowed_overrides: null });
  const again = await cluster.request('POST', '/v1/turns', body, headers);
  expect([again.status, again.body]).toEqual([202, first.body]);
  expect(await refusal(agentId, body.overrides, { 'idempotency-key': 'overrides-2' })).toMatchObject({
    code: 'override_not_allowed',
  });
});
