import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SCOPES, type Scope } from '@turnpike/contract';
import { createApiKey } from '@turnpike/store';
import supertest, { type Test } from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { readDocument, type ApiDocument, type Schema } from './testing/read-operations.ts';

let api: TestApi;
let document: ApiDocument;
let count = 0;
const fresh = (noun: string): string => `${noun}_${(count += 1)}`;

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  document = await readDocument(api.url);
});
afterAll(() => api.stop());

type Http = TestApi['client']['http'];

const putSecret = (name: string, more: object = {}): Test =>
  api.client.http.put(`/v1/secrets/${name}`).send({ value: 'a value of a secret', ...more });
const secret = async (more: object = {}): Promise<string> =>
  (await putSecret(fresh('secret'), more).expect(200)).body.name;

const TOOL = { description: 'd', input_schema: { type: 'object' }, url: 'https://tools.example/a' };
const sending = (name: string) => ({ headers: { Authorization: { secret: name } } });
const RECONCILED = { effect: 'reconcile', reconcile_url: 'https://tools.example/ask' };
const postTool = (body: object, http: Http = api.client.http): Test =>
  http.post('/v1/tools').send({ ...TOOL, name: fresh('tool'), ...body });
const toolThatSends = async (name: string, more: object = {}): Promise<string> =>
  (await postTool({ ...sending(name), ...more }).expect(201)).body.id;
const agent = async (more: object = {}): Promise<string> =>
  (
    await api.client.http
      .post('/v1/agents')
      .send({ name: 'a', model: 'm', ...more })
      .expect(201)
  ).body.id;

const SERVER = { url: 'https://mcp.example/a' };
const postServer = (body: object, http: Http = api.client.http): Test =>
  http.post('/v1/mcp_servers').send({ ...SERVER, name: fresh('server'), ...body });
const serverThatSends = async (body: object): Promise<string> => (await postServer(body).expect(201)).body.id;
const credentials = (name: string) => ({
  auth: {
    type: 'client_credentials',
    issuer: 'https://login.example/',
    client_id: 'c',
    client_secret: { secret: name },
  },
});
const assertion = (name: string) => ({
  auth: {
    type: 'private_key_jwt',
    issuer: 'https://login.example/',
    client_id: 'c',
    algorithm: 'ES256',
    private_key: { secret: name },
  },
});
/** The fields of an MCP server that are sent a secret, at its creation and in an update. */
const mcpActs = (configOf: (name: string) => object) => ({
  create: async () => {
    const name = await secret();
    return (http: Http) => postServer(configOf(name), http);
  },
  update: async () => {
    const [name, id] = [await secret(), await serverThatSends({})];
    return (http: Http) => http.post(`/v1/mcp_servers/${id}`).send({ ...SERVER, ...configOf(name) });
  },
});
/** An update that moves where a secret is sent. */
const mcpMove = (configOf: (name: string) => object, move: (config: object) => object) => async () => {
  const name = await secret();
  const id = await serverThatSends(configOf(name));
  const body = move({ ...SERVER, ...configOf(name) });
  return (http: Http) => http.post(`/v1/mcp_servers/${id}`).send(body);
};
const withIssuer = (config: object): object => ({
  ...config,
  auth: { ...(config as { auth: object }).auth, issuer: 'https://thief.example/' },
});

async function keyWith(...scopes: Scope[]): Promise<Http> {
  const { tenantId } = api.client;
  const { key } = await createApiKey(api.database.pool, { tenantId, name: 'k', scopes });
  return supertest.agent(api.url).set('authorization', `Bearer ${key}`);
}

interface Field {
  /** The secret that is sent to the destination. */
  sends: 'a secret' | 'no secret';
  /** Why the requester may choose it with the operation's scope alone, where that is so. */
  because?: string;
  /** Requests that bring a secret's name and a destination together at this field; made for each key. */
  acts?: (() => Promise<(http: Http) => Test>)[];
}

const WEBHOOK: Field = { sends: 'no secret', because: 'a webhook is signed, and its secret never leaves' };
const CONTENT: Field = {
  sends: 'no secret',
  because: 'the model API fetches it, without any secret of ours',
};

const PUSH: Field = {
  sends: 'no secret',
  because:
    'a push notification carries what the request that names its URL gave, and no secret of the tenant',
};

/** Every field of a request body that names a secret or an address. A new one must be added here. */
const FIELDS: Record<string, Field> = {
  'createTool headers.*.secret': {
    sends: 'a secret',
    acts: [
      async () => {
        const name = await secret();
        return (http) => postTool(sending(name), http);
      },
    ],
  },
  'createTool url': { sends: 'no secret', because: 'a secret that it is sent is named in the same request' },
  'createTool reconcile_url': { sends: 'no secret', because: 'as `url`' },
  'updateTool headers.*.secret': {
    sends: 'a secret',
    acts: [
      async () => {
        const [name, id] = [await secret(), (await postTool({}).expect(201)).body.id];
        return (http) => http.post(`/v1/tools/${id}`).send({ ...TOOL, ...sending(name) });
      },
      async () => {
        const [name, id] = [await secret(), await toolThatSends(await secret())];
        return (http) => http.post(`/v1/tools/${id}`).send({ ...TOOL, ...sending(name) });
      },
    ],
  },
  'updateTool url': {
    sends: 'a secret',
    acts: [
      async () => {
        const name = await secret();
        const id = await toolThatSends(name);
        const body = { ...TOOL, ...sending(name), url: 'https://thief.example/' };
        return (http) => http.post(`/v1/tools/${id}`).send(body);
      },
    ],
  },
  'updateTool reconcile_url': {
    sends: 'a secret',
    acts: [
      async () => {
        const name = await secret();
        const id = await toolThatSends(name, RECONCILED);
        const body = { ...TOOL, ...sending(name), ...RECONCILED, reconcile_url: 'https://thief.example/' };
        return (http) => http.post(`/v1/tools/${id}`).send(body);
      },
      async () => {
        const name = await secret();
        const id = await toolThatSends(name);
        return (http) => http.post(`/v1/tools/${id}`).send({ ...TOOL, ...sending(name), ...RECONCILED });
      },
    ],
  },
  'createAgent model_keys.*': {
    sends: 'a secret',
    acts: [
      async () => {
        const body = { name: 'a', model: 'm', model_keys: [await secret()] };
        return (http) => http.post('/v1/agents').send(body);
      },
    ],
  },
  'updateAgent model_keys.*': {
    sends: 'a secret',
    acts: [
      async () => {
        const [id, name] = [await agent(), await secret()];
        return (http) => http.post(`/v1/agents/${id}`).send({ model_keys: [name] });
      },
      // It has no body, and restores what an earlier version named.
      async () => {
        const id = await agent({ model_keys: [await secret()] });
        await api.client.http.post(`/v1/agents/${id}`).send({ model_keys: null }).expect(200);
        return (http) => http.post(`/v1/agents/${id}/versions/1/restore`);
      },
    ],
  },
  'putModelSettings keys.*': {
    sends: 'a secret',
    acts: [
      async () => {
        const body = { keys: [await secret()] };
        return (http) => http.put('/v1/model_settings').send(body);
      },
    ],
  },
  'putModelSettings base_url': {
    sends: 'a secret',
    acts: [
      async () => (http) =>
        http.put('/v1/model_settings').send({ keys: [], base_url: 'https://gateway.example' }),
    ],
  },
  'createMcpServer url': { sends: 'no secret', because: 'as of `createTool`' },
  'createMcpServer auth.issuer': { sends: 'no secret', because: 'as of `createTool`' },
  'createMcpServer headers.*.secret': { sends: 'a secret', acts: [mcpActs(sending).create] },
  'createMcpServer auth.client_secret.secret': { sends: 'a secret', acts: [mcpActs(credentials).create] },
  'createMcpServer auth.private_key.secret': { sends: 'a secret', acts: [mcpActs(assertion).create] },
  'updateMcpServer headers.*.secret': { sends: 'a secret', acts: [mcpActs(sending).update] },
  'updateMcpServer auth.client_secret.secret': { sends: 'a secret', acts: [mcpActs(credentials).update] },
  'updateMcpServer auth.private_key.secret': { sends: 'a secret', acts: [mcpActs(assertion).update] },
  'updateMcpServer url': {
    sends: 'a secret',
    acts: [
      mcpMove(sending, (config) => ({ ...config, url: 'https://thief.example/' })),
      mcpMove(credentials, (config) => ({ ...config, url: 'https://thief.example/' })),
    ],
  },
  'updateMcpServer auth.issuer': {
    sends: 'a secret',
    acts: [mcpMove(credentials, withIssuer), mcpMove(assertion, withIssuer)],
  },
  'createWebhookEndpoint url': WEBHOOK,
  'updateWebhookEndpoint url': WEBHOOK,
  'startTurn webhook_url': WEBHOOK,
  'submitTurn webhook_url': WEBHOOK,
  'resumeTurn webhook_url': WEBHOOK,
  'rerunTurn webhook_url': WEBHOOK,
  'createBatch defaults.webhook_url': WEBHOOK,
  'createBatch items.*.webhook_url': WEBHOOK,
  'a2aCreatePushNotificationConfig url': PUSH,
  'a2aSendMessage configuration.taskPushNotificationConfig.url': PUSH,
  'a2aSendStreamingMessage configuration.taskPushNotificationConfig.url': PUSH,
  'createSchedule turn.webhook_url': WEBHOOK,
  'updateSchedule turn.webhook_url': WEBHOOK,
  'startTurn input.*.source.url': CONTENT,
  'submitTurn input.*.source.url': CONTENT,
  'rerunTurn input.*.source.url': CONTENT,
  'createBatch items.*.input.*.source.url': CONTENT,
  'createSchedule turn.input.*.source.url': CONTENT,
  'updateSchedule turn.input.*.source.url': CONTENT,
  'submitToolOutputs tool_outputs.*.output.*.source.url': CONTENT,
};

/** Where a body names a secret or an address, in dotted paths; `*` stands for any item or name. */
function fieldsIn(schema: Schema, path: string[] = [], above: readonly Schema[] = []): string[] {
  const own = document.resolve(schema);
  if (above.includes(own)) return [];
  const here = schema['x-names-secret'] === true || own['x-names-secret'] === true || own['format'] === 'uri';
  const inside = (part: unknown, name: string[]): string[] =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? fieldsIn(part as Schema, [...path, ...name], [...above, own])
      : [];
  const lists = ['anyOf', 'oneOf', 'allOf'].flatMap((word) => (own[word] ?? []) as Schema[]);
  return [
    ...(here ? [path.join('.')] : []),
    ...Object.entries(own['properties'] ?? {}).flatMap(([name, part]) => inside(part, [name])),
    ...inside(own['items'], ['*']),
    ...inside(own['additionalProperties'], ['*']),
    ...lists.flatMap((part) => inside(part, [])),
  ];
}

test('every field of the API that names a secret or an address is in the table of scopes that may set it', () => {
  const found = document.operations.flatMap(({ id, body }) =>
    body === null ? [] : fieldsIn(body).map((field) => `${id} ${field}`),
  );
  expect([...new Set(found)].toSorted()).toEqual(Object.keys(FIELDS).toSorted());
  for (const [field, { sends, because, acts = [] }] of Object.entries(FIELDS)) {
    const isExplained = sends === 'a secret' ? acts.length > 0 : because !== undefined;
    expect([field, isExplained]).toEqual([field, true]);
  }
});

test('to combine a secret and a destination needs a scope for secrets, whatever else a key may do', async () => {
  for (const [field, { acts = [] }] of Object.entries(FIELDS)) {
    const { scope } = document.operations.find(({ id }) => field.startsWith(`${id} `)) ?? {};
    if (scope === undefined) throw new Error(`There is no operation of ${field}.`);
    for (const prepare of acts) {
      const without = SCOPES.filter((each) => !['secrets:use', 'secrets:write', 'admin'].includes(each));
      const act = await prepare();
      const before = await api.readAllRows();
      for (const scopes of [[scope], without].filter((each) => !each.includes('admin'))) {
        const refused = await act(await keyWith(...scopes));
        expect([field, scopes, refused.status, refused.body.code]).toEqual([
          field,
          scopes,
          403,
          'insufficient_scope',
        ]);
      }
      const rows = await api.readAllRows();
      expect({ ...rows, api_keys: [] }).toEqual({ ...before, api_keys: [] });
      for (const scopes of [[scope, 'secrets:use'], [scope, 'secrets:write'], ['admin']] as Scope[][]) {
        const allowed = await (await prepare())(await keyWith(...scopes));
        expect([field, scopes, allowed.status < 300, allowed.body.errors]).toEqual([
          field,
          scopes,
          true,
          undefined,
        ]);
      }
    }
  }
});

test('a key with only tools:write changes the other fields of a tool that sends a secret', async () => {
  const name = await secret();
  const id = await toolThatSends(name, RECONCILED);
  const http = await keyWith('tools:write');
  const update = (change: object) =>
    http.post(`/v1/tools/${id}`).send({ ...TOOL, ...sending(name), ...RECONCILED, ...change });
  await update({ description: 'Other.', timeout_ms: 1_000 }).expect(200);
  await update({ headers: { ...sending(name).headers, 'X-Plain': 'yes' } }).expect(200);
  // To remove the secret is allowed; to add it again, or to move the tool meanwhile, is not.
  await update({ headers: {} }).expect(200);
  await update({}).expect(403);
  await update({ headers: {}, url: 'https://other.example/' }).expect(200);
  await postTool({}, http).expect(201);
});

test('a secret that is bound to hosts is accepted for tools at those hosts only', async () => {
  const bound = await secret({ allowed_hosts: ['Tools.Example', 'other.example:8443'] });
  const url = (text: string) => ({ ...sending(bound), url: text });
  await postTool(url('https://tools.example/any')).expect(201);
  await postTool(url('https://tools.example:9000/')).expect(201);
  await postTool(url('https://TOOLS.example./')).expect(201);
  await postTool(url('https://other.example:8443/')).expect(201);
  for (const [body, host] of [
    [url('https://other.example/'), 'other.example'],
    [url('https://sub.tools.example/'), 'sub.tools.example'],
    [url('https://tools.example.thief.example/'), 'tools.example.thief.example'],
    [url('https://thief.example/?tools.example'), 'thief.example'],
    [{ ...sending(bound), ...RECONCILED, reconcile_url: 'https://thief.example/' }, 'thief.example'],
  ] as const) {
    const refused = await postTool(body).expect(400);
    expect(refused.body.errors).toEqual([
      {
        path: 'headers.Authorization.secret',
        message: `the secret ${bound} is not sent to ${host}: its allowed_hosts do not contain this host`,
      },
    ]);
  }
  const missing = await postTool(sending('nowhere')).expect(400);
  expect(missing.body.errors).toEqual([
    { path: 'headers.Authorization.secret', message: 'there is no secret nowhere' },
  ]);
});

test('a new value keeps the hosts of the previous one, unless it names others', async () => {
  const name = await secret({ allowed_hosts: ['a.example', 'b.example:443', '[::1]:80'] });
  const hosts = async () => (await api.client.http.get(`/v1/secrets/${name}`).expect(200)).body.allowed_hosts;
  expect(await hosts()).toEqual(['a.example', 'b.example:443', '[::1]:80']);
  await putSecret(name).expect(200);
  expect(await hosts()).toHaveLength(3);
  await putSecret(name, { allowed_hosts: ['c.example'] }).expect(200);
  expect(await hosts()).toEqual(['c.example']);
  await putSecret(name, { allowed_hosts: null }).expect(200);
  expect(await hosts()).toBeNull();
  const { items } = (await api.client.http.get('/v1/audit_entries?action=secret.put').expect(200)).body;
  expect(items[1]).toMatchObject({ subject: name, details: { version: 3, allowed_hosts: ['c.example'] } });
  for (const host of [
    '',
    'https://a.example',
    'a.example/x',
    'a b',
    'user@a.example',
    'a.example:99999',
    '*',
    '*.a.example',
    'a:b:c',
  ]) {
    const refused = await putSecret(name, { allowed_hosts: [host] });
    expect([host, refused.status]).toEqual([host, 400]);
  }
});

test('a model key is accepted for tools at its allowed_hosts only, whichever was set first', async () => {
  const forSettings = await secret();
  await api.client.http
    .put('/v1/model_settings')
    .send({ keys: [forSettings] })
    .expect(200);
  const forAgent = await secret();
  const named = await agent({ model_keys: [forAgent] });
  for (const name of [forSettings, forAgent]) {
    expect((await api.client.http.get(`/v1/secrets/${name}`).expect(200)).body.model_key).toBe(true);
    const refused = await postTool(sending(name)).expect(400);
    expect(refused.body.errors[0].message).toContain('is a model key');
    // Not even after it was deleted and stored again.
    await api.client.http.delete(`/v1/secrets/${name}`).expect(204);
    await putSecret(name).expect(200);
    await postTool(sending(name)).expect(400);
    await putSecret(name, { allowed_hosts: ['tools.example', 'gateway.example'] }).expect(200);
    await postTool(sending(name)).expect(201);
    await putSecret(name, { allowed_hosts: null }).expect(200);
    await expect(
      api.secretBox.read(api.client.tenantId, name, { url: TOOL.url, by: 'tool' }),
    ).rejects.toMatchObject({ code: 'secret_refused' });
    expect(
      await api.secretBox.read(api.client.tenantId, name, { url: 'https://gateway.example', by: 'model' }),
    ).not.toBeNull();
  }
  // A secret that tools send cannot become a model key.
  const shared = await secret();
  await toolThatSends(shared);
  const refused = await api.client.http
    .post('/v1/agents')
    .send({ name: 'a', model: 'm', model_keys: [shared] });
  expect([refused.status, refused.body.errors[0].path]).toEqual([400, 'model_keys.0']);
  // It is an ordinary secret again once no agent names it and it has a new value.
  await api.client.http.post(`/v1/agents/${named}`).send({ model_keys: null }).expect(200);
  expect((await putSecret(forAgent).expect(200)).body.model_key).toBe(false);
});

test('a model key that is bound to hosts is sent to no other gateway', async () => {
  const bound = await secret({ allowed_hosts: ['gateway.example'] });
  const put = (body: object) => api.client.http.put('/v1/model_settings').send({ keys: [bound], ...body });
  const refused = await put({ base_url: 'https://thief.example' }).expect(400);
  expect(refused.body.errors[0]).toMatchObject({
    path: 'keys.0',
    message: expect.stringContaining('thief.example'),
  });
  await put({ base_url: 'https://gateway.example/v1' }).expect(200);
  const other = await secret({ allowed_hosts: ['elsewhere.example'] });
  const body = { name: 'a', model: 'm', model_keys: [other] };
  expect((await api.client.http.post('/v1/agents').send(body).expect(400)).body.errors[0].path).toBe(
    'model_keys.0',
  );
  const read = (url: string) => api.secretBox.read(api.client.tenantId, bound, { url, by: 'model' });
  expect((await read('https://gateway.example'))?.reveal()).toBe('a value of a secret');
  await expect(read('https://thief.example')).rejects.toMatchObject({ code: 'secret_refused' });
  await api.client.http.put('/v1/model_settings').send({ keys: [] }).expect(200);
});
