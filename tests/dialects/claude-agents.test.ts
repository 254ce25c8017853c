import { setTimeout as delay } from 'node:timers/promises';
import type Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId } from '@turnpike/contract';
import { createApiKey, createTenant } from '@turnpike/store';
import { startTcpProxy } from '../../packages/backplane/src/testing/tcp-proxy.ts';
import { FAST, killHolder, portOf, startSecondApi } from '../streams/support/mishaps.ts';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import {
  agentTexts,
  connectClaude,
  isIdle,
  listAll,
  readUntil,
  says,
  type ListedEvent,
  type StreamedEvent,
} from './support/claude-client.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ workers: 1, environment: FAST });
});
afterAll(() => cluster.stop());

const ENVIRONMENT = { environment_id: 'env_test' };
const LOOK_UP = {
  type: 'custom' as const,
  name: 'look_up',
  description: 'Looks up an order.',
  input_schema: { type: 'object' as const, properties: { order: { type: 'string' } }, required: ['order'] },
};
const APPROVED_CLOCK = { type: 'builtin', name: 'current_time', requires_approval: true };
const TEXT = Array.from({ length: 30 }, (_, index) => `word${index} wört😀`).join(' ');

async function clientOfTenant(
  name: string,
): Promise<{ client: Anthropic; apiKey: string; tenantId: string }> {
  const tenantId = await createTenant(cluster.database, name, { operatorKey: true });
  const { key: apiKey } = await createApiKey(cluster.database.pool, { tenantId, name, scopes: ['admin'] });
  return { client: connectClaude({ url: cluster.url, apiKey }), apiKey, tenantId };
}

/** A session of a new agent with these tools. */
async function startSession(
  client: Anthropic,
  more: Partial<Anthropic.Beta.SessionCreateParams> = {},
): Promise<Anthropic.Beta.BetaManagedAgentsSession> {
  const agent = await client.beta.agents.create({
    name: 'Support',
    model: 'claude-sonnet-4-5',
    tools: [LOOK_UP],
  });
  return client.beta.sessions.create({ agent: agent.id, ...ENVIRONMENT, ...more });
}

const turnsOf = async (sessionId: string): Promise<{ id: string; status: string }[]> =>
  (
    await cluster.database.pool.query<{ id: string; status: string }>(
      'SELECT id, status FROM turns WHERE session_id = $1 ORDER BY sequence',
      [sessionId],
    )
  ).rows;

const typesOf = (events: readonly { type: string }[]): string[] => events.map(({ type }) => type);

async function refusal(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return 'no error';
  } catch (error) {
    const { status, type, error: body } = error as InstanceType<typeof Anthropic.APIError>;
    return { name: (error as Error).constructor.name, status, type, body };
  }
}

const refused = (message: string, status = 400, type = 'invalid_request_error'): object =>
  expect.objectContaining({
    status,
    body: expect.objectContaining({
      type: 'error',
      error: { type, message: expect.stringContaining(message) },
      request_id: expect.stringMatching(/^req_/),
    }),
  });

test('agents are made, changed, versioned, listed and archived, and what they cannot be is refused', async () => {
  const { client, tenantId } = await clientOfTenant('agents');
  const { agents } = client.beta;
  const made = await agents.create({
    name: 'Support',
    description: 'Helps.',
    model: { id: 'claude-opus-4-6', effort: 'low' },
    system: 'You help.',
    metadata: { team: 'a', old: 'x' },
    tools: [
      LOOK_UP,
      {
        type: 'agent_toolset_20260401',
        default_config: { enabled: false },
        configs: [{ name: 'web_search', enabled: true, allowed_domains: ['example.com'] }],
      },
    ],
  });
  expect(made).toMatchObject({
    type: 'agent',
    version: 1,
    archived_at: null,
    description: 'Helps.',
    system: 'You help.',
    model: { id: 'claude-opus-4-6', effort: { type: 'low' } },
    metadata: { team: 'a', old: 'x' },
    tools: [
      LOOK_UP,
      { type: 'agent_toolset_20260401', configs: [{ name: 'web_search', allowed_domains: ['example.com'] }] },
    ],
  });
  const changed = await agents.update(made.id, {
    version: 1,
    system: null,
    description: null,
    metadata: { old: null, new: 'y' },
    model: 'claude-sonnet-4-5',
  });
  expect(changed).toMatchObject({
    version: 2,
    system: null,
    description: null,
    metadata: { team: 'a', new: 'y' },
    model: { id: 'claude-sonnet-4-5' },
    tools: made.tools,
  });
  expect(changed.model).not.toHaveProperty('effort');
  expect(await agents.retrieve(made.id, { version: 1 })).toEqual(made);
  expect(await refusal(agents.update(made.id, { version: 1, name: 'Late' }))).toEqual(
    refused('at version 2', 409),
  );
  const versions: number[] = [];
  for await (const { version } of agents.versions.list(made.id, { limit: 1 })) versions.push(version);
  expect(versions).toEqual([2, 1]);

  // What these clients cannot see of an agent stays.
  const native = await cluster.request(
    'POST',
    `/v1/agents/${made.id}`,
    { tools: [APPROVED_CLOCK] },
    { authorization: `Bearer ${client.apiKey}` },
  );
  expect(native.status).toBe(200);
  expect((await agents.update(made.id, { tools: [LOOK_UP] })).tools).toEqual([LOOK_UP]);
  const { body } = await cluster.request('GET', `/v1/agents/${made.id}`, undefined, {
    authorization: `Bearer ${client.apiKey}`,
  });
  expect((body as { tools: { name: string }[] }).tools.map(({ name }) => name)).toEqual([
    'look_up',
    'current_time',
  ]);

  const other = await agents.create({ name: 'Other', model: 'claude-sonnet-4-5' });
  const archived = await agents.archive(other.id);
  expect(archived.archived_at).toEqual(expect.any(String));
  expect(await agents.archive(other.id)).toEqual(archived);
  const listed = async (query = {}): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of agents.list({ limit: 1, ...query })) names.push(name);
    return names;
  };
  expect(await listed()).toEqual(['Support']);
  expect(await listed({ include_archived: true })).toEqual(['Other', 'Support']);
  const until = { include_archived: true, 'created_at[lte]': made.created_at };
  expect(await listed(until)).toEqual(['Support']);
  const since = { include_archived: true, 'created_at[gte]': other.created_at };
  expect(await listed(since)).toEqual(['Other']);
  await cluster.database.pool.query(
    `WITH archived AS (
       INSERT INTO agents (id, tenant_id, name, metadata)
       SELECT id, $2::text, 'Archived', '{"claude.archived_at": "2026-01-01T00:00:00Z"}'
       FROM unnest($1::text[]) AS id RETURNING id
     )
     INSERT INTO agent_versions (agent_id, tenant_id, version, config)
     SELECT archived.id, $2::text, 1, config FROM archived, agent_versions WHERE agent_id = $3 AND version = 1`,
    [Array.from({ length: 1_001 }, () => newId('agent')), tenantId, made.id],
  );
  expect(await listed()).toEqual(['Support']);
  expect(await refusal(client.beta.sessions.create({ agent: other.id, ...ENVIRONMENT }))).toEqual(
    refused('is archived'),
  );

  const base = { name: 'Refused', model: 'claude-sonnet-4-5' };
  expect(await refusal(agents.create({ ...base, tools: [{ type: 'agent_toolset_20260401' }] }))).toEqual(
    refused('tools.0.default_config.enabled'),
  );
  const crm = { type: 'url' as const, name: 'crm', url: 'https://crm.invalid/mcp' };
  const toolset = { type: 'mcp_toolset' as const, mcp_server_name: 'crm' };
  expect(await refusal(agents.create({ ...base, mcp_servers: [crm], tools: [toolset] }))).toEqual(
    refused('mcp_servers.0.name'),
  );
  expect(
    await refusal(agents.create({ ...base, skills: [{ type: 'anthropic', skill_id: 'xlsx' }] })),
  ).toEqual(refused('skills: must be empty'));
  expect(
    await refusal(agents.create({ ...base, tools: [LOOK_UP, { ...LOOK_UP, name: 'bad name' }] })),
  ).toEqual(refused('tools.1.name'));
  expect(await refusal(agents.retrieve('agent_01kapjt9e8f7ga5vxq3c2m4n6r'))).toEqual(
    refused('no such agent', 404, 'not_found_error'),
  );
  expect(await refusal(agents.create({ ...base, workspace_id: 'wrkspc_1' }))).toEqual(refused('workspace'));
  const stranger = connectClaude({ url: cluster.url, apiKey: 'sk-ant-wrong' });
  expect(await refusal(stranger.beta.agents.list())).toEqual(refused('API key', 401, 'authentication_error'));
});

test('an MCP server that is registered is named by agents, as a toolset', async () => {
  const { client } = await clientOfTenant('mcp');
  const url = 'https://crm.invalid/mcp';
  const registered = await cluster.request(
    'POST',
    '/v1/mcp_servers',
    { name: 'crm', url },
    { authorization: `Bearer ${client.apiKey}` },
  );
  expect(registered.status).toBe(201);
  const agent = await client.beta.agents.create({
    name: 'Support',
    model: 'claude-sonnet-4-5',
    mcp_servers: [{ type: 'url', name: 'crm', url }],
    tools: [
      {
        type: 'mcp_toolset',
        mcp_server_name: 'crm',
        default_config: { enabled: false },
        configs: [{ name: 'find', enabled: true, permission_policy: { type: 'always_ask' } }],
      },
    ],
  });
  expect(agent).toMatchObject({
    mcp_servers: [{ type: 'url', name: 'crm', url }],
    tools: [
      {
        type: 'mcp_toolset',
        mcp_server_name: 'crm',
        default_config: { enabled: false },
        configs: [{ name: 'find', enabled: true, permission_policy: { type: 'always_ask' } }],
      },
    ],
  });
  const elsewhere = client.beta.agents.create({
    name: 'Elsewhere',
    model: 'claude-sonnet-4-5',
    mcp_servers: [{ type: 'url', name: 'crm', url: 'https://evil.invalid/mcp' }],
    tools: [{ type: 'mcp_toolset', mcp_server_name: 'crm' }],
  });
  expect(await refusal(elsewhere)).toEqual(refused('mcp_servers.0.url'));
});

test('a session is followed from its first message to its end: a custom tool, text while it is written, an interrupt', async () => {
  await cluster.control.setScript({
    defaults: { tokens_per_second: 400, chunk: 3 },
    rules: [
      {
        match: { text: 'Slowly.' },
        reply: { text: TEXT },
        fault: { type: 'hang', after_events: 12 },
      },
      {
        match: { text: 'Where is my order?', step: 0 },
        reply: { text: 'I look it up.', tool_uses: [{ name: 'look_up', input: { order: '17' } }] },
      },
      { match: { step: 1 }, reply: { text: 'Tool said: {{tool_result}}' } },
      { reply: { text: TEXT } },
    ],
  });
  const { client } = await clientOfTenant('flow');
  const { sessions } = client.beta;
  const session = await startSession(client, { title: 'Order 17', metadata: { customer: 'c-42' } });
  expect(session).toMatchObject({
    type: 'session',
    status: 'idle',
    title: 'Order 17',
    metadata: { customer: 'c-42' },
    environment_id: 'env_test',
    agent: { name: 'Support', version: 1, tools: [LOOK_UP] },
  });

  const stream = await sessions.events.stream(session.id);
  const once = { headers: { 'Idempotency-Key': 'once' } };
  const sent = await sessions.events.send(session.id, { events: [says('Where is my order?')] }, once);
  const again = await sessions.events.send(session.id, { events: [says('Where is my order?')] }, once);
  expect(again).toEqual(sent);
  expect(await turnsOf(session.id)).toHaveLength(1);
  let answered = false;
  const first = await readUntil(
    stream,
    (event) => event.type === 'session.status_idle' && event.stop_reason.type === 'end_turn',
    async (event) => {
      if (event.type !== 'session.status_idle' || answered) return;
      answered = true;
      expect((await sessions.retrieve(session.id)).status).toBe('idle');
      const { stop_reason: reason } = event;
      const [useId = ''] = reason.type === 'requires_action' ? reason.event_ids : [];
      const result = {
        type: 'user.custom_tool_result' as const,
        custom_tool_use_id: useId,
        content: [{ type: 'text' as const, text: 'It is in Lisbon.' }],
      };
      await sessions.events.send(session.id, { events: [result] });
      // A second answer is refused, and changes nothing.
      expect(await refusal(sessions.events.send(session.id, { events: [result] }))).toMatchObject({
        status: 409,
      });
    },
  );
  expect(typesOf(first)).toEqual([
    'user.message',
    'session.status_running',
    'span.model_request_start',
    'agent.message',
    'span.model_request_end',
    'agent.custom_tool_use',
    'session.status_idle',
    'user.custom_tool_result',
    'session.status_running',
    'span.model_request_start',
    'agent.message',
    'span.model_request_end',
    'session.status_idle',
  ]);
  expect(first[0]).toMatchObject({ id: sent.data?.[0]?.id, content: says('Where is my order?').content });
  expect(first[5]).toMatchObject({ name: 'look_up', input: { order: '17' } });
  expect(agentTexts(first)).toEqual(['I look it up.', 'Tool said: It is in Lisbon.']);
  expect(await listAll(client, session.id)).toEqual(first);

  // Text while it is written, and an interrupt in the middle of it.
  await cluster.control.release();
  const deltas = await sessions.events.stream(session.id, { event_deltas: ['agent.message'] });
  await sessions.events.send(session.id, { events: [says('Slowly.')] });
  let text = '';
  let interrupted = false;
  const second = await readUntil(deltas, isIdle, async (event) => {
    if (event.type !== 'event_delta') return;
    text += event.delta.content.text;
    if (interrupted) return;
    interrupted = true;
    await sessions.events.send(session.id, { events: [{ type: 'user.interrupt' }] });
  });
  expect(typesOf(second).filter((type) => type !== 'event_delta')).toEqual([
    'user.message',
    'session.status_running',
    'span.model_request_start',
    'event_start',
    'agent.message',
    'span.model_request_end',
    'user.interrupt',
    'session.status_idle',
  ]);
  const start = second.find((event) => event.type === 'event_start');
  const message = second.find((event) => event.type === 'agent.message');
  expect(start?.event.id).toBe(message?.id);
  const [partial = ''] = agentTexts(second);
  expect(partial.startsWith(text) || text.startsWith(partial)).toBe(true);
  expect(TEXT.startsWith(partial)).toBe(true);

  // Pages, in both orders, with a filter.
  const all = await listAll(client, session.id);
  expect(all.slice(0, first.length)).toEqual(first);
  expect(await listAll(client, session.id, { limit: 3 })).toEqual(all);
  expect(await listAll(client, session.id, { limit: 4, order: 'desc' })).toEqual(all.toReversed());
  const messages = await listAll(client, session.id, { types: ['user.message', 'agent.message'], limit: 2 });
  expect(messages).toEqual(all.filter(({ type }) => /^(user|agent)\.message$/.test(type)));
  const nowhere = await listAll(client, session.id, { 'created_at[gt]': '2999-01-01T00:00:00Z' });
  expect(nowhere).toEqual([]);
  expect((await sessions.retrieve(session.id)).usage.output_tokens).toBeGreaterThan(0);
});

test('a call that needs approval is confirmed or denied; an archived session takes nothing more', async () => {
  await cluster.control.setScript({
    rules: [
      { match: { step: 0 }, reply: { tool_uses: [{ name: 'current_time' }] } },
      { match: { step: 1 }, reply: { text: 'Tool said: {{tool_result}}' } },
    ],
  });
  const { client, apiKey, tenantId } = await clientOfTenant('approval');
  const { sessions } = client.beta;
  const agent = {
    name: 'Clock',
    model: 'claude-sonnet-4-5',
    system: 'You know the time.',
    tools: [APPROVED_CLOCK],
  };
  const { body } = await cluster.request('POST', '/v1/agents', agent, { authorization: `Bearer ${apiKey}` });
  const session = await sessions.create({
    agent: (body as { id: string }).id,
    ...ENVIRONMENT,
    initial_events: [says('First.')],
  });
  const confirm = async (result: 'allow' | 'deny', message?: string): Promise<ListedEvent[]> => {
    let use: ListedEvent | undefined;
    await untilTrue('it asks', async () => {
      const [newest] = (await sessions.events.list(session.id, { order: 'desc', limit: 2 })).data;
      const asks = newest?.type === 'session.status_idle' && newest.stop_reason.type === 'requires_action';
      const uses = await listAll(client, session.id, { types: ['agent.tool_use'], order: 'desc', limit: 1 });
      use = uses[0];
      return asks;
    });
    expect(use).toMatchObject({ name: 'current_time', evaluated_permission: 'ask' });
    const before = (await listAll(client, session.id)).length;
    const stream = await sessions.events.stream(session.id);
    const confirmation = { type: 'user.tool_confirmation' as const, tool_use_id: use?.id ?? '', result };
    const deny = message === undefined ? {} : { deny_message: message };
    await sessions.events.send(session.id, { events: [{ ...confirmation, ...deny }] });
    await readUntil(stream, isIdle);
    return (await listAll(client, session.id)).slice(before);
  };
  expect(typesOf(await confirm('allow'))).toEqual([
    'user.tool_confirmation',
    'session.status_running',
    'agent.tool_result',
    'span.model_request_start',
    'agent.message',
    'span.model_request_end',
    'session.status_idle',
  ]);
  await sessions.events.send(session.id, { events: [says('Second.')] });
  const denied = await confirm('deny', 'Not now.');
  expect(denied[0]).toMatchObject({
    type: 'user.tool_confirmation',
    result: 'deny',
    deny_message: 'Not now.',
  });
  expect(denied[1]).toMatchObject({ type: 'agent.tool_result', is_error: true });
  expect(agentTexts(denied)).toEqual(['Tool said: Not now.']);

  const late = {
    type: 'user.tool_confirmation' as const,
    tool_use_id: 'sevt_01kapjt9e8f7ga5vxq3c2m4n6r',
    result: 'allow' as const,
  };
  expect(await refusal(sessions.events.send(session.id, { events: [late] }))).toEqual(
    refused('waits for no', 409),
  );
  const outcome = {
    type: 'user.define_outcome' as const,
    description: 'Done.',
    rubric: { type: 'text' as const, content: 'Done.' },
  };
  expect(await refusal(sessions.events.send(session.id, { events: [outcome] }))).toEqual(
    refused('events.0.type: must be'),
  );
  expect(await refusal(sessions.events.send(session.id, { events: [says('One.'), says('Two.')] }))).toEqual(
    refused('each request is one commit'),
  );
  expect(await refusal(sessions.list({ statuses: ['idle'] }).then((page) => page))).toEqual(
    refused('statuses'),
  );

  // Who may not read agents is shown no prompt and no tools.
  const { key: reader } = await createApiKey(cluster.database.pool, {
    tenantId,
    name: 'reader',
    scopes: ['turns:read'],
  });
  const read = connectClaude({ url: cluster.url, apiKey: reader }).beta;
  expect((await sessions.retrieve(session.id)).agent.system).toBe('You know the time.');
  expect((await read.sessions.retrieve(session.id)).agent).toMatchObject({ system: null, tools: [] });
  expect(await refusal(read.sessions.delete(session.id))).toEqual(refused('scope', 403, 'permission_error'));

  const renamed = await sessions.update(session.id, { title: 'Renamed', metadata: { a: 'b' } });
  expect(renamed).toMatchObject({ title: 'Renamed', metadata: { a: 'b' }, environment_id: 'env_test' });
  const archived = await sessions.archive(session.id);
  expect(archived.archived_at).toEqual(expect.any(String));
  expect(await refusal(sessions.events.send(session.id, { events: [says('More.')] }))).toEqual(
    refused('is archived'),
  );
  expect((await sessions.list()).data).toEqual([]);
  expect((await sessions.list({ include_archived: true })).data.map(({ id }) => id)).toEqual([session.id]);
  expect(await sessions.delete(session.id)).toEqual({ id: session.id, type: 'session_deleted' });
  expect(await refusal(sessions.retrieve(session.id))).toEqual(
    refused('no such session', 404, 'not_found_error'),
  );
});

test('changes of a session that come together are all kept', async () => {
  const { client } = await clientOfTenant('changes');
  const { sessions } = client.beta;
  const { id } = await startSession(client);
  const keys = Array.from({ length: 8 }, (_, index) => `key${index}`);
  await Promise.all([
    ...keys.map((key) => sessions.update(id, { metadata: { [key]: 'kept' } })),
    sessions.archive(id),
  ]);
  const { metadata, archived_at: archivedAt } = await sessions.retrieve(id);
  expect(metadata).toEqual(Object.fromEntries(keys.map((key) => [key, 'kept'])));
  expect(archivedAt).toEqual(expect.any(String));
});

test('a request that is sent again with its key, after what it is about was archived, gets its response again', async () => {
  await cluster.control.setScript({ rules: [{ reply: { text: 'Hi.' } }] });
  const { client } = await clientOfTenant('archived');
  const { agents, sessions } = client.beta;
  const keyed = (key: string): object => ({ headers: { 'Idempotency-Key': key } });
  const agent = await agents.create({ name: 'Support', model: 'claude-sonnet-4-5' });
  const first = { agent: agent.id, ...ENVIRONMENT, initial_events: [says('Hi.')] };
  const session = await sessions.create(first, keyed('first'));
  const message = { events: [says('More.')] };
  const said = await sessions.events.send(session.id, message, keyed('message'));
  await untilTrue('both are responded to', async () =>
    (await turnsOf(session.id)).every(({ status }) => status === 'completed'),
  );
  const interrupt = { events: [{ type: 'user.interrupt' as const }] };
  const interrupted = await sessions.events.send(session.id, interrupt, keyed('interrupt'));
  await agents.archive(agent.id);
  await sessions.archive(session.id);
  expect(await sessions.create(first, keyed('first'))).toMatchObject({ id: session.id });
  expect(await sessions.events.send(session.id, message, keyed('message'))).toEqual(said);
  expect(await sessions.events.send(session.id, interrupt, keyed('interrupt'))).toEqual(interrupted);
  expect(await refusal(sessions.events.send(session.id, interrupt, keyed('new')))).toEqual(
    refused('is archived'),
  );
  expect(await turnsOf(session.id)).toHaveLength(2);
});

test('a message to a session that is busy waits, is refused or interrupts, as the session says; a budget is kept', async () => {
  await cluster.control.setScript({
    rules: [
      // First, since the input of a cancelled turn is shown to the model again.
      { match: { text: 'Next.' }, reply: { text: 'Quick.' } },
      { match: { text: 'Slowly.' }, reply: { text: 'Slow.' }, fault: { type: 'hang', after_events: 3 } },
      { reply: { text: 'Quick.' } },
    ],
  });
  const { client } = await clientOfTenant('busy');
  const { sessions } = client.beta;
  const statuses = async (sessionId: string): Promise<string[]> =>
    (await turnsOf(sessionId)).map(({ status }) => status);
  const busy = async (strategy?: string): Promise<string> => {
    const metadata = strategy === undefined ? {} : { metadata: { multitask_strategy: strategy } };
    const session = await startSession(client, { ...metadata, initial_events: [says('Slowly.')] });
    const asks = async (): Promise<boolean> =>
      (await listAll(client, session.id)).some(({ type }) => type === 'span.model_request_start');
    await untilTrue('the model is asked', asks);
    return session.id;
  };
  const waiting = await busy();
  await sessions.events.send(waiting, { events: [says('Next.')] });
  const refusing = await busy('reject');
  expect(await refusal(sessions.events.send(refusing, { events: [says('Next.')] }))).toMatchObject({
    status: 409,
  });
  expect(await refusal(startSession(client, { metadata: { multitask_strategy: 'steer' } }))).toEqual(
    refused('multitask_strategy'),
  );
  // An interrupt and a message are one commit.
  const interrupting = await busy('reject');
  await sessions.events.send(interrupting, { events: [{ type: 'user.interrupt' }, says('Next.')] });
  await untilTrue('the message is responded to', async () => {
    const all = await statuses(interrupting);
    return all.length === 2 && all[0] === 'cancelled' && all[1] === 'completed';
  });
  expect(await statuses(refusing)).toHaveLength(1);
  await cluster.control.release();
  await untilTrue('both are responded to', async () =>
    (await statuses(waiting)).every((status) => status === 'completed'),
  );
  expect(agentTexts(await listAll(client, waiting))).toEqual(['Slow.', 'Quick.']);

  const poor = await startSession(client, {
    budget: { type: 'limit', max_list_cost: { amount: '0', currency: 'USD' } },
    initial_events: [says('Anything.')],
  });
  expect(poor.budget).toEqual({ type: 'limit', max_list_cost: { amount: '0', currency: 'USD' } });
  await untilTrue('the budget ends it', async () => {
    const [newest] = (await sessions.events.list(poor.id, { order: 'desc', limit: 1 })).data;
    return newest?.type === 'session.status_idle' && newest.stop_reason.type === 'budget_reached';
  });
});

test("the client's own tool runner runs the tools of a session", async () => {
  await cluster.control.setScript({
    rules: [
      { match: { step: 0 }, reply: { tool_uses: [{ name: 'look_up', input: { order: '17' } }] } },
      { match: { step: 1 }, reply: { text: 'Tool said: {{tool_result}}' } },
    ],
  });
  const { client } = await clientOfTenant('runner');
  const session = await startSession(client, { initial_events: [says('Where is my order?')] });
  const lookUp = betaTool({
    name: 'look_up',
    description: LOOK_UP.description,
    inputSchema: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
    run: ({ order }: { order?: unknown }) => `Order ${String(order)} is in Lisbon.`,
  });
  const runner = client.beta.sessions.events.toolRunner(session.id, { tools: [lookUp], maxIdleMs: 1 });
  const calls: string[] = [];
  for await (const call of runner) calls.push(`${call.name} ${String(call.posted)}`);
  expect(calls).toEqual(['look_up true']);
  expect(agentTexts(await listAll(client, session.id))).toEqual(['Tool said: Order 17 is in Lisbon.']);
});

const CUTS = byLength({ short: 8, long: 20 });
const WORKERS_KILLED = new Set(byLength({ short: [2, 6], long: [4, 12] }));
const API_KILLED = byLength({ short: 4, long: 7 });

test(`a stream that is cut ${CUTS} times, while an API and workers are killed, gives the same events, none twice`, async () => {
  const words = Array.from({ length: 200 }, (_, index) => `word${index} wört😀`).join(' ');
  await cluster.control.setScript({
    defaults: { tokens_per_second: 200, chunk: 3 },
    // It does not end before it was cut often enough, however slow the machine is.
    rules: [
      { match: { step: 0 }, reply: { text: 'I look.', tool_uses: [{ name: 'current_time' }] } },
      { match: { step: 1 }, reply: { text: words }, fault: { type: 'hang', after_events: 80 } },
    ],
  });
  const { client: direct, apiKey } = await clientOfTenant('cuts');
  const agent = {
    name: 'Clock',
    model: 'claude-sonnet-4-5',
    tools: [{ type: 'builtin', name: 'current_time' }],
  };
  const { body } = await cluster.request('POST', '/v1/agents', agent, { authorization: `Bearer ${apiKey}` });
  const session = await direct.beta.sessions.create({ agent: (body as { id: string }).id, ...ENVIRONMENT });
  let second = await startSecondApi(cluster);
  const proxy = await startTcpProxy(portOf(second));
  const client = connectClaude({ url: `http://127.0.0.1:${proxy.port}`, apiKey });
  const byHeader: StreamedEvent[] = [];
  const byList = new Map<string, ListedEvent | StreamedEvent>();
  let isOver = false;
  let connections = 0;
  const idOf = (event: StreamedEvent): string | null => ('id' in event ? event.id : null);
  const follow = async (read: () => Promise<boolean>): Promise<void> => {
    for (let ended = false; !ended;) {
      connections += 1;
      ended = await read().catch(() => false);
      if (!ended) await delay(20);
    }
  };
  /** Continues where it stopped: by the header that the client sends along. */
  const withHeader = async (): Promise<boolean> => {
    const last = byHeader.findLast((event) => idOf(event) !== null);
    const headers = last === undefined ? {} : { 'Last-Event-ID': idOf(last) ?? '' };
    const stream = await client.beta.sessions.events.stream(
      session.id,
      { event_deltas: ['agent.message'] },
      { headers },
    );
    for await (const event of stream) {
      if (idOf(event) !== null) byHeader.push(event);
      if (isIdle(event)) return true;
    }
    return false;
  };
  /** As the client's documentation says: what happened meanwhile is listed, and what is known already is left out. */
  const withList = async (): Promise<boolean> => {
    const stream = await client.beta.sessions.events.stream(session.id);
    for await (const event of client.beta.sessions.events.list(session.id)) byList.set(event.id, event);
    if ([...byList.values()].some(({ type }) => type === 'session.status_idle')) return true;
    for await (const event of stream) {
      byList.set(idOf(event) ?? '', event);
      if (isIdle(event)) return true;
    }
    return false;
  };
  const headerStream = await client.beta.sessions.events.stream(session.id);
  const opened = (async () => {
    for await (const event of headerStream) byHeader.push(event);
  })().catch(() => undefined);
  await direct.beta.sessions.events.send(session.id, { events: [says('Many words.')] });
  await untilTrue('the first events are there', () => byHeader.length > 0);
  proxy.drop();
  await opened;
  const following = Promise.all([follow(withHeader), follow(withList)]).finally(() => {
    isOver = true;
  });
  const [turn] = await turnsOf(session.id);
  for (let cut = 0; cut < CUTS; cut++) {
    await delay(100);
    if (cut === API_KILLED) {
      await second.end('SIGKILL');
      second = await startSecondApi(cluster);
      proxy.retarget(portOf(second));
    } else proxy.drop();
    if (WORKERS_KILLED.has(cut)) {
      await killHolder(cluster, turn?.id ?? '');
      await cluster.startWorker();
    }
  }
  await untilTrue('both clients have the end', async () => {
    await cluster.control.release();
    return isOver;
  });
  await following;
  await proxy.stop();
  await second.end('SIGKILL');
  const all = await listAll(direct, session.id);
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  expect(byHeader).toEqual(all);
  expect([...byList.values()]).toEqual(all);
  expect(agentTexts(all)).toEqual(['I look.', words]);
  expect(typesOf(all).filter((type) => type === 'agent.tool_result')).toHaveLength(1);
  expect(typesOf(all)).toContain('session.status_rescheduled');
  expect(connections).toBeGreaterThan(CUTS);
}, 240_000);
