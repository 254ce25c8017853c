import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WEBHOOK_EVENT_TYPES, type Awaiting } from '@turnpike/contract';
import supertest from 'supertest';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from '../testing/test-api.ts';
import { readDocument, type ApiDocument, type Operation } from '../testing/read-operations.ts';
import { ask, TenantThings } from '../testing/tenant-things.ts';
import { turnThatWaitsFor } from '../testing/waiting-turn.ts';
import { BODY_EXAMPLES } from './body-examples.ts';

let api: TestApi;
let document: ApiDocument;
/** The document as it is served. */
let served: Record<string, unknown>;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  document = await readDocument(api.url);
  served = (await supertest(api.url).get('/openapi.json').expect(200)).body;
});
afterAll(() => api.stop());

const operation = (id: string): Operation => {
  const found = document.operations.find((each) => each.id === id);
  if (found === undefined) throw new Error(`There is no operation ${id}.`);
  return found;
};

/** What an operation needs that no minimal body creates. */
const PREPARED: Record<string, (things: TenantThings, example: string) => Promise<void>> = {
  async submitToolOutputs(things, example) {
    const awaiting: Record<string, Awaiting> = { output: 'output', outcome: 'outcome' };
    const agentId = await things.need('agent');
    const turn = await turnThatWaitsFor(api, things.client, agentId, [awaiting[example] ?? 'approval']);
    things.known.set('turn', turn.id).set('call', turn.calls[0] ?? '');
  },
  async resumeTurn(things) {
    await things.client.http.post(`/v1/turns/${await things.need('turn')}/cancel`).expect(202);
  },
  async rerunTurn(things) {
    await things.client.http.post(`/v1/turns/${await things.need('turn')}/cancel`).expect(202);
  },
  async putModelSettings(things) {
    await things.client.http.put('/v1/secrets/anthropic').send({ value: 'sk-ant-test' }).expect(200);
  },
  async openaiUpdateConversation(things) {
    // A conversation is of the only agent.
    await things.need('agent');
  },
  createTool: putShopToken,
  createMcpServer: putShopToken,
  async acceptMcpTools(things) {
    const id = await things.need('mcp');
    const { tenantId } = things.client;
    const hash = '0'.repeat(64);
    await api.database.pool.query("INSERT INTO mcp_tool_lists VALUES ($1, $2, '[]')", [tenantId, hash]);
    await api.database.pool.query('UPDATE mcp_servers SET tools_hash = $2 WHERE id = $1', [id, hash]);
  },
  updateTool: putShopToken,
};

async function putShopToken({ client }: TenantThings): Promise<void> {
  await client.http.put('/v1/secrets/shop_token').send({ value: 'shop-token' }).expect(200);
}

describe('every example of a body is accepted with ids of existing objects', () => {
  const examples = Object.entries(BODY_EXAMPLES).flatMap(([id, ofOperation]) =>
    Object.keys(ofOperation).map((name) => [id, name] as const),
  );
  test.each(examples)('%s: %s', async (id, name) => {
    const { path, method } = operation(id);
    const things = new TenantThings(await api.addTenant(), document);
    things.known.set('key', things.client.keyId);
    await PREPARED[id]?.(things, name);
    const { value } = exampleOf(path, method, name);
    const ids = new Map<string, string>();
    for (const [, prefix = ''] of JSON.stringify(value).matchAll(/"([a-z]+)_01kapjt9e8f7ga5vxq3c2m4n6r"/g))
      ids.set(prefix, await things.need(prefix));
    const body = JSON.stringify(value).replaceAll(
      /"([a-z]+)_01kapjt9e8f7ga5vxq3c2m4n6r"/g,
      (_, prefix: string) => JSON.stringify(ids.get(prefix)),
    );
    const address = await things.addressOf(operation(id));
    const response = await ask(things.client, method, address, JSON.parse(body));
    expect([response.status < 300, response.body]).toEqual([true, expect.anything()]);
  });
});

/** The examples in the document, not those in the code. */
function exampleOf(path: string, method: string, name: string): { value: unknown } {
  const keys = ['paths', path, method, 'requestBody', 'content', 'application/json', 'examples', name];
  return keys.reduce<unknown>((part, key) => Reflect.get(Object(part), key), served) as { value: unknown };
}

test('every operation with a body has an example, and every parameter a description', () => {
  const undescribed = document.operations.flatMap(({ id, body, parameters }) => [
    ...(body !== null && BODY_EXAMPLES[id] === undefined ? [`${id}: no example`] : []),
    ...parameters.filter(({ description }) => description === undefined).map(({ name }) => `${id}: ${name}`),
  ]);
  expect(undescribed).toEqual([]);
});

test('every response of an operation is described with its headers, also those for a wrong method or media type', () => {
  for (const { id, method, responses } of document.operations) {
    const headersOf = (status: string): string[] => Object.keys(responses[status]?.headers ?? {});
    for (const status of Object.keys(responses))
      expect([id, status, headersOf(status)]).toEqual([id, status, expect.arrayContaining(['X-Request-Id'])]);
    expect(headersOf('405')).toContain('Allow');
    expect(headersOf('401')).toContain('WWW-Authenticate');
    expect(headersOf('429')).toEqual(
      expect.arrayContaining(['Retry-After', 'RateLimit', 'RateLimit-Policy']),
    );
    if (method !== 'post' && method !== 'put') continue;
    expect([id, Object.keys(responses)]).toEqual([id, expect.arrayContaining(['413', '415'])]);
  }
  expect(Object.keys(operation('streamTurnEvents').responses)).toContain('204');
});

test('a stream is text for generated clients, and a page has its schema', () => {
  for (const id of ['streamTurnEvents', 'streamSessionEvents']) {
    const content = operation(id).responses['200']?.content;
    expect(content?.['text/event-stream']?.schema).toMatchObject({ type: 'string' });
    expect(content?.['application/json']?.schema).toEqual({ $ref: '#/components/schemas/TurnFactList' });
  }
});

test('every type of webhook is described, with the headers that its signature is in', () => {
  const webhooks = served['webhooks'] as Record<string, { post: { parameters: { name: string }[] } }>;
  expect(Object.keys(webhooks).toSorted()).toEqual([...WEBHOOK_EVENT_TYPES, 'ping'].toSorted());
  for (const { post } of Object.values(webhooks))
    expect(post.parameters.map(({ name }) => name)).toEqual([
      'webhook-id',
      'webhook-timestamp',
      'webhook-signature',
    ]);
});

test('both ways to send a key are described and accepted', async () => {
  const schemes = (served['components'] as { securitySchemes: object }).securitySchemes;
  expect(schemes).toMatchObject({
    apiKey: { type: 'http', scheme: 'bearer' },
    apiKeyHeader: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
  });
  const { apiKey } = api.client;
  await supertest(api.url).get('/v1/limits').set('Authorization', `Bearer ${apiKey}`).expect(200);
  await supertest(api.url).get('/v1/limits').set('X-Api-Key', apiKey).expect(200);
});
