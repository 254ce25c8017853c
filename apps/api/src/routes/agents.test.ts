import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { agentSchema, type Agent } from '@turnpike/contract';
import { claimTurn, type Sql } from '@turnpike/store';
import { TRANSITIONS } from '@turnpike/turns';
import type { Test } from 'supertest';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { untilTrue } from '../../../../tests/support/until-true.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';

let api: TestApi;
let names = 0;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(() => api.stop());

/** Every field of a configuration, each with a value other than its default. */
const CONFIG = {
  model: 'claude-sonnet-4-5',
  system: 'Be short.',
  tools: [{ type: 'builtin', name: 'current_time', requires_approval: true }],
  max_tokens: 9_000,
  max_steps: 7,
  step_timeout_ms: 5_000,
  context_tokens: 20_000,
  action_timeout_ms: 6_000,
  temperature: 1,
  stop_sequences: ['END'],
  thinking: { type: 'enabled', budget_tokens: 2_000 },
};
const DEFAULTS = {
  tools: [],
  max_tokens: 4_096,
  max_steps: 50,
  step_timeout_ms: 600_000,
  context_tokens: 150_000,
  action_timeout_ms: 86_400_000,
};
const METADATA = { team: 'billing' };

const create = async (config: object = CONFIG): Promise<Agent> =>
  (
    await api.client.http
      .post('/v1/agents')
      .send({ name: 'a', metadata: METADATA, ...config })
      .expect(201)
  ).body;
const update = (id: string, change: object): Test => api.client.http.post(`/v1/agents/${id}`).send(change);
const restore = (id: string, version: number): Test =>
  api.client.http.post(`/v1/agents/${id}/versions/${version}/restore`);
const read = async (id: string, query = ''): Promise<Agent> =>
  (await api.client.http.get(`/v1/agents/${id}${query}`).expect(200)).body;
const submit = (body: object): Test => api.client.http.post('/v1/turns').send({ input: 'Hi', ...body });

const tool = async (): Promise<{ id: string; name: string }> => {
  const name = `tool_${(names += 1)}`;
  const body = {
    name,
    description: 'A tool.',
    input_schema: { type: 'object' },
    url: 'https://tools.example/',
  };
  return (await api.client.http.post('/v1/tools').send(body).expect(201)).body;
};
const naming = (name: string) => ({ tools: [{ type: 'http', name }] });

/** Sends a request, and does not wait for its response. */
const sent = async (request: Test): Promise<Awaited<Test>> => request;

/** A concurrent transaction, rolled back where it is not committed in the end. */
async function inOtherTransaction<Result>(work: (other: Sql) => Promise<Result>): Promise<Result> {
  const other = await api.database.pool.connect();
  try {
    await other.query('BEGIN');
    return await work(other);
  } finally {
    other.release(true);
  }
}

/** Until so many connections to the database wait for a lock. */
const untilWaiting = (count: number): Promise<void> =>
  untilTrue(
    `${count} wait for a lock`,
    async () => {
      const { rows } = await api.database.pool.query(
        `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      return rows.length === count;
    },
    30_000,
  );

test('an update changes the given fields, and no others', async () => {
  const changes = {
    name: 'b',
    metadata: { team: 'sales' },
    model: 'claude-haiku-4-5',
    system: 'Be long.',
    tools: [{ type: 'memory', name: 'memory', namespace: 'default', requires_approval: false }],
    max_tokens: 9_001,
    max_steps: 8,
    step_timeout_ms: 5_001,
    context_tokens: 20_001,
    action_timeout_ms: 6_001,
    stop_sequences: ['STOP'],
    thinking: { type: 'enabled', budget_tokens: 2_001 },
  };
  let before = await create();
  for (const [field, value] of Object.entries(changes)) {
    const { body } = await update(before.id, { [field]: value }).expect(200);
    expect(body).toEqual({
      ...before,
      [field]: value,
      version: before.version + 1,
      updated_at: body.updated_at,
    });
    expect(await read(before.id)).toEqual(body);
    before = body;
  }
});

test('an agent may name the betas that the operator allows, and no others', async () => {
  const body = { name: 'beta', model: 'claude-sonnet-4-5', betas: ['context-1m-2025-08-07'] };
  const { body: agent } = await api.client.http.post('/v1/agents').send(body).expect(201);
  expect(agent.betas).toEqual(body.betas);
  const change = { betas: ['context-1m-2025-08-07', 'skills-2025-10-02'] };
  const refused = await api.client.http.post(`/v1/agents/${agent.id}`).send(change).expect(400);
  expect(refused.body.errors).toEqual([
    { path: 'betas.1', message: 'is not allowed here; allowed are context-1m-2025-08-07' },
  ]);
});

test('null resets a field to its default', async () => {
  const fields = Object.keys(CONFIG).filter((field) => field !== 'model');
  for (const field of [...fields, 'model_keys', 'metadata']) {
    // Without thinking, which the reset max_tokens would not allow.
    const before = await create({ ...CONFIG, thinking: field === 'thinking' ? CONFIG.thinking : undefined });
    const { body } = await update(before.id, { [field]: null }).expect(200);
    const { [field as keyof Agent]: _, ...rest } = before;
    const expected =
      field === 'metadata' ? { metadata: {} } : { [field]: (DEFAULTS as Record<string, unknown>)[field] };
    expect([field, body]).toEqual([
      field,
      JSON.parse(
        JSON.stringify({ ...rest, ...expected, version: body.version, updated_at: body.updated_at }),
      ),
    ]);
  }
});

test('the result of an update is validated as a whole, and nothing is stored where it is invalid', async () => {
  const { id } = await create();
  const rows = await api.readAllRows();
  for (const [change, path] of [
    [{ max_tokens: 2_000 }, 'thinking.budget_tokens'],
    [{ temperature: 0.5 }, 'temperature'],
    [{ max_tokens: null, thinking: { type: 'enabled', budget_tokens: 5_000 } }, 'thinking.budget_tokens'],
    [naming('nowhere'), 'tools.0.name'],
    [{ model_keys: ['nowhere'] }, 'model_keys.0'],
    [
      {
        tools: [
          {
            type: 'client',
            name: 'c',
            description: 'd',
            input_schema: { type: 'object', allOf: [{ $ref: '#' }] },
          },
        ],
      },
      'tools.0.input_schema',
    ],
    [{ max_steps: 0 }, 'max_steps'],
    [{ colour: 'red' }, 'colour'],
  ] as const) {
    const { status, body } = await update(id, change);
    expect([change, status, body.errors?.[0]?.path]).toEqual([change, 400, path]);
  }
  expect(await api.readAllRows()).toEqual(rows);
  await update(id, { max_tokens: 2_000, thinking: null }).expect(200);
});

test('an update that changes nothing creates no version', async () => {
  const agent = await create();
  const { id: _id, object: _object, version: _version, created_at: _at, updated_at: _to, ...all } = agent;
  for (const change of [{}, { name: 'a' }, { model_keys: null }, all]) {
    expect((await update(agent.id, change).expect(200)).body).toEqual(agent);
  }
  expect((await restore(agent.id, 1).expect(200)).body).toEqual(agent);
});

test('of many updates at once none is lost', async () => {
  const { id } = await create();
  const fields = ['max_tokens', 'step_timeout_ms', 'context_tokens', 'action_timeout_ms'];
  const responses = await inOtherTransaction(async (lock) => {
    await lock.query('SELECT 1 FROM agents WHERE id = $1 FOR UPDATE', [id]);
    const changes = fields.map((field, index) => ({ [field]: 10_000 - index }));
    const updates = [...changes, { name: 'renamed' }].map((change) => sent(update(id, change)));
    await untilWaiting(fields.length + 1);
    await lock.query('COMMIT');
    return Promise.all(updates);
  });
  expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200));
  expect(new Set(responses.map(({ body }) => body.version))).toEqual(new Set([2, 3, 4, 5, 6]));
  expect(await read(id)).toMatchObject({
    name: 'renamed',
    version: 6,
    ...Object.fromEntries(fields.map((field, index) => [field, 10_000 - index])),
  });
});

test('an update that expects a version is refused where there is a newer one', async () => {
  const { id } = await create();
  const responses = await Promise.all(
    ['x', 'y'].map((name) => update(id, { name, if_version: 1 }).then((response) => response)),
  );
  expect(responses.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  expect(responses.find(({ status }) => status === 409)?.body).toMatchObject({
    code: 'agent_changed',
    detail: `${id} is at version 2, not 1.`,
  });
  expect((await read(id)).version).toBe(2);
  await update(id, { name: 'z', if_version: 2 }).expect(200);
});

test('every version can be read as it was, in pages, and restored as a new one', async () => {
  const first = await create();
  const second: Agent = (await update(first.id, { name: 'b', system: null, metadata: {} }).expect(200)).body;
  const third: Agent = (await update(first.id, { model: 'other', tools: null }).expect(200)).body;
  expect(await read(first.id, '?version=1')).toEqual(first);
  expect(await read(first.id, '?version=2')).toEqual(second);
  const page = await api.client.http.get(`/v1/agents/${first.id}/versions?limit=2`).expect(200);
  expect(page.body.items).toEqual([third, second]);
  const rest = await api.client.http
    .get(`/v1/agents/${first.id}/versions?limit=2&cursor=${page.body.next_cursor}`)
    .expect(200);
  expect(rest.body).toEqual({ object: 'list', items: [first], next_cursor: null });

  const { body } = await restore(first.id, 1).expect(200);
  expect(agentSchema.parse(body)).toEqual({ ...first, version: 4, updated_at: body.updated_at });
  expect(await read(first.id)).toEqual(body);
  const { items } = (await api.client.http.get('/v1/audit_entries?action=agent.restored').expect(200)).body;
  expect(items[0]).toMatchObject({
    subject: first.id,
    details: { name: 'a', version: 4, restored_version: 1 },
  });
  await api.client.http.delete(`/v1/agents/${first.id}`).expect(204);
  await api.client.http.get(`/v1/agents/${first.id}/versions`).expect(404);
  await api.client.http.get(`/v1/agents/${first.id}?version=1`).expect(404);
  await restore(first.id, 1).expect(404);
  await update(first.id, { name: 'c' }).expect(404);
});

test('a version from before versions had names is read with the name of the agent', async () => {
  const { id } = await create();
  await api.database.pool.query(
    'UPDATE agent_versions SET name = NULL, metadata = NULL WHERE agent_id = $1',
    [id],
  );
  await update(id, { system: 'Other.' }).expect(200);
  expect(await read(id, '?version=1')).toMatchObject({
    name: 'a',
    metadata: METADATA,
    system: CONFIG.system,
  });
  expect((await restore(id, 1).expect(200)).body).toMatchObject({
    name: 'a',
    system: CONFIG.system,
    version: 3,
  });
});

test('a turn has the version that it names, by each way to submit, and the newest by default', async () => {
  const { id } = await create({ ...CONFIG, thinking: undefined });
  await update(id, { model: 'newer' }).expect(200);
  const started = await submit({ agent_id: id, agent_version: 1 }).expect(202);
  const keyed = await submit({ agent_id: id, agent_version: 1 }).set('Idempotency-Key', 'v1').expect(202);
  const newest = await submit({ agent_id: id }).expect(202);
  const session = `/v1/sessions/${started.body.session_id}/turns`;
  const next = await api.client.http.post(session).send({ input: 'Hi' }).expect(202);
  const joined = await api.client.http.post(session).send({ input: 'Hi', agent_version: 1 }).expect(202);
  const versions = [started, keyed, newest, next, joined].map(({ body }) => body.agent_version);
  expect(versions).toEqual([1, 1, 2, 2, 1]);
  expect((await api.client.http.get(`/v1/turns/${started.body.id}`).expect(200)).body.agent_version).toBe(1);
  await api.dispatcher.settle();
  const claim = {
    turnId: started.body.id,
    epoch: 0,
    from: TRANSITIONS.claim.from,
    workerId: 'w',
    leaseMs: 60_000,
  };
  expect((await claimTurn(api.database.pool, claim))?.agent.model).toBe(CONFIG.model);

  await api.client.http.post(`/v1/turns/${started.body.id}/cancel`).expect(202);
  const rows = await api.readAllRows();
  for (const refused of [
    await submit({ agent_id: id, agent_version: 3 }),
    await submit({ agent_id: id, agent_version: 3 }).set('Idempotency-Key', 'v3'),
    await api.client.http.post(session).send({ input: 'Hi', agent_version: 3 }),
    await api.client.http
      .post(session)
      .send({ input: 'Hi', agent_version: 3, multitask_strategy: 'interrupt' }),
  ]) {
    expect([refused.status, refused.body.errors]).toEqual([
      400,
      [{ path: 'agent_version', message: 'the agent has no version 3' }],
    ]);
  }
  expect(await api.readAllRows()).toEqual(rows);
});

test('an agent that names an unknown tool is refused, with the name', async () => {
  const { name, id } = await tool();
  const { body } = await api.client.http
    .post('/v1/agents')
    .send({
      name: 'a',
      model: 'm',
      tools: [
        { type: 'http', name },
        { type: 'http', name: 'nowhere' },
        { type: 'builtin', name: 'clock' },
        { type: 'builtin', name: 'http_request' },
      ],
    })
    .expect(400);
  expect(body.errors).toEqual([
    { path: 'tools.1.name', message: expect.stringContaining('no HTTP tool nowhere') },
    {
      path: 'tools.2.name',
      message: expect.stringMatching(/no builtin tool clock; .*current_time, http_request/),
    },
  ]);
  const other = await api.addTenant();
  await other.http
    .post('/v1/agents')
    .send({ name: 'a', model: 'm', ...naming(name) })
    .expect(400);

  const agent = await create({ model: 'm', ...naming(name) });
  await update(agent.id, { tools: null }).expect(200);
  await api.client.http.delete(`/v1/tools/${id}`).expect(204);
  expect((await restore(agent.id, 1).expect(400)).body.errors[0].path).toBe('tools.0.name');
});

test('a tool that agents use is deleted only with force, and the refusal names the agents', async () => {
  const { name, id } = await tool();
  const agents: Agent[] = [];
  for (let count = 0; count < 22; count += 1) agents.push(await create({ model: 'm', ...naming(name) }));
  const { body } = await api.client.http.delete(`/v1/tools/${id}`).expect(409);
  expect(body).toMatchObject({
    code: 'tool_in_use',
    agent_ids: agents.slice(0, 20).map((agent) => agent.id),
  });
  expect(body.detail).toContain(`${agents[0]?.id}`);
  expect(body.detail).toContain('and 2 more');

  // A deleted agent does not count, nor one that named it once, nor a tool of another kind.
  for (const agent of agents.slice(0, 21)) await api.client.http.delete(`/v1/agents/${agent.id}`).expect(204);
  await update(agents[21]?.id ?? '', { tools: [{ type: 'memory', name }] }).expect(200);
  await api.client.http.delete(`/v1/tools/${id}`).expect(204);

  const other = await tool();
  const user = await create({ model: 'm', ...naming(other.name) });
  await api.client.http.delete(`/v1/tools/${other.id}?force=yes`).expect(400);
  await api.client.http.delete(`/v1/tools/${other.id}?force=true`).expect(204);
  // It can still be changed; the tools that it names are not checked again.
  await update(user.id, { name: 'renamed' }).expect(200);
  const { items } = (await api.client.http.get('/v1/audit_entries?action=tool.deleted').expect(200)).body;
  expect(items[0]).toMatchObject({ subject: other.id, details: { name: other.name, agents: 1 } });
});

test('an agent that names a tool and the deletion of that tool, at once: one of the two is refused', async () => {
  for (let round = 0; round < 20; round += 1) {
    const { name, id } = await tool();
    const agent = { name: 'a', model: 'm', ...naming(name) };
    const making = api.client.http
      .post('/v1/agents')
      .send(agent)
      .then((response) => response);
    const deleting = api.client.http.delete(`/v1/tools/${id}`).then((response) => response);
    const statuses = (await Promise.all([making, deleting])).map(({ status }) => status);
    expect([
      [201, 409],
      [400, 204],
    ]).toContainEqual(statuses);
  }
});

test('an uncommitted agent keeps its tool from deletion, and an uncommitted deletion refuses new agents', async () => {
  const gone = await tool();
  const making = await inOtherTransaction(async (other) => {
    await other.query('SELECT 1 FROM tools WHERE id = $1 FOR UPDATE', [gone.id]);
    await other.query('DELETE FROM tools WHERE id = $1', [gone.id]);
    const agent = { name: 'a', model: 'm', ...naming(gone.name) };
    const request = sent(api.client.http.post('/v1/agents').send(agent));
    await untilWaiting(1);
    await other.query('COMMIT');
    return request;
  });
  expect(making.status).toBe(400);

  const kept = await tool();
  const deleting = await inOtherTransaction(async (other) => {
    await other.query('SELECT 1 FROM tools WHERE id = $1 FOR KEY SHARE', [kept.id]);
    const request = sent(api.client.http.delete(`/v1/tools/${kept.id}`));
    await untilWaiting(1);
    await other.query(
      `WITH agent AS (INSERT INTO agents (id, tenant_id, name) VALUES ('agent_x', $1, 'x') RETURNING *)
       INSERT INTO agent_versions (agent_id, version, tenant_id, config) SELECT id, 1, tenant_id, $2 FROM agent`,
      [api.client.tenantId, JSON.stringify({ model: 'm', ...naming(kept.name) })],
    );
    await other.query('COMMIT');
    return request;
  });
  expect(deleting.body).toMatchObject({ code: 'tool_in_use', agent_ids: ['agent_x'] });
});
