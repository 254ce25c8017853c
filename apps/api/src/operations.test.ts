import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import supertest from 'supertest';
import { freePort } from '../../../tests/support/free-port.ts';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';

describe('with everything up', () => {
  let api: TestApi;
  let stopping = false;

  beforeAll(async () => {
    api = await startTestApi(await createTestDatabase(), {
      backplaneUrl: process.env['TEST_REDIS_URL'],
      isStopping: () => stopping,
    });
  });

  afterAll(() => api.stop());

  test('the probes succeed, without a key', async () => {
    const live = await supertest(api.url).get('/livez').expect(200);
    expect(live.body).toEqual({ status: 'ok' });
    const ready = await supertest(api.url).get('/readyz').expect(200);
    expect(ready.body).toEqual({ status: 'ok', checks: { postgres: 'up', backplane: 'up' } });
    expect(ready.headers['cache-control']).toBe('no-store');
  });

  test('the root names the service and its documentation, as JSON or as a page for browsers', async () => {
    const asked = await supertest(api.url).get('/').expect(200);
    expect(asked.body).toMatchObject({ name: 'Turnpike', docs: '/docs', openapi: '/openapi.json' });
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
    const page = await supertest(api.url).get('/').set('Accept', browser).expect(200);
    expect(page.headers['content-type']).toMatch(/^text\/html/);
    expect(page.text).toContain('<a href="docs">');
    await supertest(api.url).get(asked.body.openapi).expect(200);
    await supertest(api.url).get('/docs/').expect(200);
  });

  test('a process that is stopping is alive, and not ready', async () => {
    stopping = true;
    try {
      await supertest(api.url).get('/livez').expect(200);
      const ready = await supertest(api.url).get('/readyz').expect(503);
      expect(ready.body.status).toBe('stopping');
    } finally {
      stopping = false;
    }
  });

  test('every response forbids sniffing, framing and caching', async () => {
    for (const path of ['/livez', '/openapi.json', '/v1/agents', '/nothing']) {
      const { headers } = await supertest(api.url).get(path);
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      });
      expect(headers['x-request-id']).toMatch(/^req_/);
      expect(headers).not.toHaveProperty('x-powered-by');
    }
  });

  test.each(['/docs', '/docs/'])(
    'the page at %s loads with all that it needs from this host alone',
    async (path) => {
      const page = await supertest(api.url).get(path).redirects(2).expect(200);
      expect(page.headers['content-type']).toMatch(/^text\/html/);
      const address = new URL(page.request.url ?? '', api.url);
      const named = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
      const needed = named.filter((name) => !name.startsWith('#'));
      expect(needed.length).toBeGreaterThanOrEqual(4);
      for (const name of needed) {
        const part = new URL(name, address);
        expect(part.host).toBe(address.host);
        const response = await supertest(api.url).get(part.pathname).expect(200);
        expect([name, response.headers['content-type']]).toEqual([name, expect.not.stringContaining('html')]);
      }
      expect(page.text.replaceAll(/xmlns(:\w+)?="[^"]+"/g, '')).not.toMatch(/https?:\/\//);
    },
  );

  test('the docs page loads nothing from another host, has no inline script, and shows the document of this API', async () => {
    const page = await supertest(api.url).get('/docs/').expect(200);
    const policy = page.headers['content-security-policy'] ?? '';
    expect(policy).toMatch(/default-src 'none'; script-src 'self'; style-src 'self'/);
    expect(policy).not.toMatch(/https?:|upgrade-insecure-requests|unsafe|\*/);
    expect(page.text).not.toMatch(/<style|style=|<script>|\son\w+=/);
    const script = await supertest(api.url).get('/docs/page.js').expect(200);
    const [, named = ''] = /url: '([^']+)'/.exec(script.text) ?? [];
    const document = await supertest(api.url)
      .get(new URL(named, `${api.url}/docs/`).pathname)
      .expect(200);
    expect(document.body.paths['/v1/turns'].post.operationId).toBe('startTurn');
  });

  test('only the files that the docs page needs are served', async () => {
    for (const name of ['package.json', 'index.html', 'swagger-ui-bundle.js.map', 'oauth2-redirect.html'])
      await supertest(api.url).get(`/docs/${name}`).expect(404);
  });

  test('metrics are not on the port that clients use', async () => {
    const response = await supertest(api.url).get('/metrics').expect(404);
    expect(response.body).toMatchObject({ code: 'not_found' });
  });
});

test('while the backplane is down, the process is alive, not ready, and says why', async () => {
  const backplaneUrl = `redis://127.0.0.1:${await freePort()}`;
  const api = await startTestApi(await createTestDatabase(), { backplaneUrl });
  try {
    await supertest(api.url).get('/livez').expect(200);
    const ready = await supertest(api.url).get('/readyz').expect(503);
    expect(ready.body).toEqual({
      status: 'not_ready',
      checks: { postgres: 'up', backplane: 'down' },
      problems: ['The backplane did not respond: ping.'],
    });
  } finally {
    await api.stop();
  }
});

test('while the database gives no connection, the process is alive, not ready, and says why', async () => {
  const api = await startTestApi(await createTestDatabase(), {
    backplaneUrl: process.env['TEST_REDIS_URL'],
    poolSize: 2,
  });
  const held = [await api.database.pool.connect(), await api.database.pool.connect()];
  try {
    await supertest(api.url).get('/livez').expect(200);
    const ready = await supertest(api.url).get('/readyz').expect(503);
    expect(ready.body).toEqual({
      status: 'not_ready',
      checks: { postgres: 'down', backplane: 'up' },
      problems: ['postgres: no response in 2000 ms.'],
    });
  } finally {
    for (const client of held) client.release();
    await api.stop();
  }
});
