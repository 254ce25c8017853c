import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId, type Agent, type Turn } from '@turnpike/contract';
import type { Test } from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { agentRoutes } from './routes/agents.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { toolRoutes } from './routes/tools.ts';
import { turnRoutes } from './routes/turns.ts';
import { deliveryRoutes } from './routes/deliveries.ts';
import { webhookEndpointRoutes } from './routes/webhook-endpoints.ts';
import { startApiOnTrial, type ApiOnTrial, type Client } from './testing/api-on-trial.ts';
import { playWorker } from './testing/play-worker.ts';

let api: ApiOnTrial;
let theirs: Client;
let agent: Agent;
let turn: Turn;
let toolId: string;
let endpointId: string;
let deliveryId: string;

beforeAll(async () => {
  api = await startApiOnTrial(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  theirs = await api.addTenant();
  agent = (await theirs.http.post('/v1/agents').send({ name: 'secret', model: 'm' }).expect(201)).body;
  toolId = (
    await theirs.http
      .post('/v1/tools')
      .send({ ...TOOL, name: 'theirs' })
      .expect(201)
  ).body.id;
  const endpoint = { url: 'https://example.com/' };
  endpointId = (await theirs.http.post('/v1/webhook_endpoints').send(endpoint).expect(201)).body.id;
  const ping = await theirs.http.post(`/v1/webhook_endpoints/${endpointId}/ping`).expect(202);
  deliveryId = ping.body.id;
  const body = { agent_id: agent.id, input: 'A secret.' };
  turn = (await theirs.http.post('/v1/turns').send(body).expect(202)).body;
  await playWorker(api, turn.id, 1);
});

afterAll(() => api.stop());

const withIds = [
  ...agentRoutes,
  ...sessionRoutes,
  ...turnRoutes,
  ...toolRoutes,
  ...webhookEndpointRoutes,
  ...deliveryRoutes,
].filter(({ path }) => path.includes(':'));

const TOOL = { description: 'Does it.', input_schema: { type: 'object' }, url: 'https://example.com/' };

/** A body that would be taken for a thing of one's own. */
const BODIES: Record<string, object> = {
  updateAgent: { model: 'mine now' },
  updateTool: { ...TOOL, description: 'Mine now.' },
  updateWebhookEndpoint: { url: 'https://mine.example.com/' },
  rotateWebhookEndpointSecret: { overlap_seconds: 0 },
  redeliverToEndpoint: { since: new Date(0).toISOString(), until: new Date(1).toISOString() },
  submitTurn: { input: 'Tell me all.' },
  resumeTurn: {},
  updateSession: { metadata: { mine: 'now' } },
  submitToolOutputs: { tool_outputs: [{ tool_call_id: newId('toolCall'), output: 'Mine.' }] },
};

const addressOf = (path: string): string =>
  path
    .replace(':agent_id', agent.id)
    .replace(':session_id', turn.session_id)
    .replace(':turn_id', turn.id)
    .replace(':tool_id', toolId)
    .replace(':webhook_endpoint_id', endpointId)
    .replace(':delivery_id', deliveryId);

function ask(client: Client, method: string, path: string, body: object | undefined): Test {
  const request = method === 'get' ? client.http.get(path) : client.http.post(path);
  if (method === 'delete') return client.http.delete(path);
  return body === undefined ? request : request.send(body);
}

test.each(withIds.map((route) => [`${route.method.toUpperCase()} ${route.path}`, route] as const))(
  "another tenant's ids name nothing in %s, and nothing changes",
  async (_title, route) => {
    const before = await api.readAllRows();
    const body = BODIES[route.operationId];
    expect(route.body !== undefined).toBe(body !== undefined);

    const answer = await ask(api.client, route.method, addressOf(route.path), body);
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
    // As what is nowhere: the answer does not tell that it is somebody's.
    const nowhere = addressOf(route.path).replace(/(?<=_01)[0-9a-z]{4}/, '0000');
    const same = await ask(api.client, route.method, nowhere, body);
    expect({ ...same.body, detail: '', request_id: '' }).toEqual({
      ...answer.body,
      detail: '',
      request_id: '',
    });
    expect(await api.readAllRows()).toEqual(before);
  },
);

test("another tenant's ids in a body name nothing", async () => {
  for (const path of ['/v1/sessions', '/v1/turns']) {
    const body = { agent_id: agent.id, ...(path === '/v1/turns' ? { input: 'Hi' } : {}) };
    const answer = await api.client.http.post(path).send(body);
    expect([path, answer.status]).toEqual([path, 404]);
  }
});

test.each([
  '/v1/agents',
  '/v1/sessions',
  '/v1/turns',
  '/v1/tools',
  '/v1/secrets',
  '/v1/webhook_endpoints',
  '/v1/deliveries',
  () => `/v1/deliveries?turn_id=${turn.id}`,
  () => `/v1/sessions?agent_id=${agent.id}`,
  () => `/v1/turns?agent_id=${agent.id}`,
  () => `/v1/turns?session_id=${turn.session_id}`,
  () => `/v1/turns?session_id=${turn.session_id}&cursor=${turn.id}`,
  () => `/v1/turns?status=completed`,
])("a list holds nothing of another tenant's: %s", async (path) => {
  const answer = await api.client.http.get(typeof path === 'string' ? path : path()).expect(200);
  expect(answer.body).toEqual({ object: 'list', items: [], next_cursor: null });
});

test('the owner finds all of it as it was', async () => {
  for (const route of withIds.filter(({ method }) => method === 'get')) {
    const answer = await ask(theirs, 'get', addressOf(route.path), undefined);
    expect([route.path, answer.status]).toEqual([route.path, 200]);
  }
});
