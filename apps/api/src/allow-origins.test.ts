import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import supertest, { type Test } from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { readConfig } from './config.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { playWorker } from './testing/play-worker.ts';
import { TEST_MASTER_KEYS } from '../../../tests/support/master-keys.ts';

const OURS = 'https://app.example.com';
const THEIRS = 'https://elsewhere.example';

const headersOf = async (asked: Test): Promise<Record<string, unknown>> => (await asked).headers;
const allowed = { 'access-control-allow-origin': OURS };
const readable = {
  ...allowed,
  vary: 'Origin',
  'access-control-expose-headers':
    'Location,Retry-After,RateLimit,RateLimit-Policy,X-Request-Id,Idempotent-Replayed,Preference-Applied,Allow',
};

describe('with an origin on the list', () => {
  let api: TestApi;
  let turnId: string;
  beforeAll(async () => {
    api = await startTestApi(await createTestDatabase(), { corsOrigins: [OURS, 'http://localhost:5173'] });
    const agent = await api.client.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
    const body = { agent_id: agent.body.id, input: 'Hi' };
    turnId = (await api.client.http.post('/v1/turns').send(body).expect(202)).body.id;
    await playWorker(api, turnId);
  });
  afterAll(() => api.stop());

  const preflight = (origin: string): Test =>
    supertest(api.url)
      .options('/v1/turns')
      .set('Origin', origin)
      .set('Access-Control-Request-Method', 'POST')
      .set('Access-Control-Request-Headers', 'authorization, content-type, idempotency-key');

  test('a preflight needs no key, and gets what pages may send', async () => {
    const response = await preflight(OURS).expect(204);
    expect(response.headers).toMatchObject({
      ...allowed,
      'access-control-allow-methods': 'GET,POST,PUT,DELETE',
      'access-control-max-age': '600',
    });
    const headers = String(response.headers['access-control-allow-headers']).toLowerCase().split(',');
    expect(headers).toEqual(expect.arrayContaining(['authorization', 'content-type', 'idempotency-key']));
    expect(response.headers).not.toHaveProperty('access-control-allow-credentials');
  });

  test.each<[string, number, () => Test]>([
    ['a response', 200, () => api.client.http.get('/v1/turns')],
    ['a stream', 200, () => api.client.http.get(`/v1/turns/${turnId}/events`)],
    ['a stream that is over', 204, () => api.client.http.get(`/v1/turns/${turnId}/events?after=5`)],
    ['a problem of who asks', 401, () => supertest(api.url).get('/v1/turns')],
    ['a problem of what is asked', 400, () => api.client.http.post('/v1/turns').send({})],
    ['a path that is not there', 404, () => api.client.http.get('/v1/nothing')],
    ['a method that is not there', 405, () => api.client.http.delete('/v1/turns')],
  ])('%s (%i) can be read by its pages, the headers too, and by no others', async (_what, status, ask) => {
    const ours = await ask().set('Origin', OURS);
    expect(ours.status).toBe(status);
    expect(ours.headers).toMatchObject(readable);
    expect(ours.headers).not.toHaveProperty('access-control-allow-credentials');
    for (const origin of [THEIRS, `${OURS}.elsewhere.example`, 'null', 'http://app.example.com']) {
      const theirs = await headersOf(ask().set('Origin', origin));
      expect(theirs).not.toHaveProperty('access-control-allow-origin');
    }
  });

  test('a preflight from another origin is refused', async () => {
    expect(await headersOf(preflight(THEIRS))).not.toHaveProperty('access-control-allow-origin');
  });

  test('an OPTIONS request that is no preflight is refused as an unknown method', async () => {
    const response = await supertest(api.url).options('/v1/turns').expect(405);
    expect(response.headers['allow']).toBe('POST, GET');
  });

  test('paths outside of the API can be read by no page of another origin', async () => {
    const response = await supertest(api.url).get('/openapi.json').set('Origin', OURS).expect(200);
    expect(response.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

test('without a list, no page of another origin can read anything', async () => {
  const api = await startTestApi(await createTestDatabase());
  try {
    const headers = await headersOf(api.client.http.get('/v1/turns').set('Origin', OURS));
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    await supertest(api.url)
      .options('/v1/turns')
      .set('Origin', OURS)
      .set('Access-Control-Request-Method', 'POST')
      .expect(405);
  } finally {
    await api.stop();
  }
});

describe('CORS_ORIGINS', () => {
  const read = (origins: string) =>
    readConfig({
      DATABASE_URL: 'postgres://localhost/turnpike',
      TURNPIKE_MASTER_KEYS: TEST_MASTER_KEYS,
      CORS_ORIGINS: origins,
    }).corsOrigins;

  test('is a list of origins, empty by default', () => {
    expect(read('')).toEqual([]);
    expect(read(`${OURS}, http://localhost:5173`)).toEqual([OURS, 'http://localhost:5173']);
  });

  test.each([
    '*',
    'null',
    'app.example.com',
    `${OURS}/`,
    `${OURS}/path`,
    'https://*.example.com',
    'HTTPS://A.B',
  ])('refuses %s at the start, by its name', (origin) => {
    expect(() => read(origin)).toThrow(/CORS_ORIGINS.*https:\/\/app\.example\.com/s);
  });
});
