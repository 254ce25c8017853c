import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Backplane } from '@turnpike/backplane';
import { turnSchema, type Turn } from '@turnpike/contract';
import { announceTurns, watchTurns } from '@turnpike/turns';
import { startRedis } from '../../../tests/support/redis-server.ts';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { playWorker } from './testing/play-worker.ts';

/** The wait of requests that something else is to end, and the time by which it must have. */
const WAIT_SECONDS = 40;
const SOON_MS = 25_000;

interface Polled {
  status: number;
  headers: Headers;
  turn: Turn;
  tookMs: number;
}

async function poll(api: TestApi, path: string, options: RequestInit = {}): Promise<Polled> {
  const began = performance.now();
  const headers = { authorization: `Bearer ${api.client.apiKey}`, ...(options.headers as object) };
  const response = await fetch(`${api.url}/v1/turns/${path}`, { ...options, headers });
  const turn = turnSchema.parse(await response.json());
  return { status: response.status, headers: response.headers, turn, tookMs: performance.now() - began };
}

async function startTurn({ client: { http } }: TestApi): Promise<string> {
  const agent = await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const turn = await http.post('/v1/turns').send({ agent_id: agent.body.id, input: 'Hi' }).expect(202);
  return turn.body.id;
}

const untilWaiting = (api: TestApi, count: number): Promise<void> =>
  untilTrue(`${count} clients wait`, () => api.waiters.count === count);

describe('a client that waits for a turn', () => {
  let api: TestApi;
  /** The backplane of the worker. */
  let elsewhere: Backplane;

  beforeAll(async () => {
    api = await startTestApi(await createTestDatabase(), {
      backplaneUrl: process.env['TEST_REDIS_URL'],
      poolSize: 5,
    });
    elsewhere = await api.openSecondBackplane();
  });

  afterEach(() => untilWaiting(api, 0));
  afterAll(() => api.stop());

  const announce = (turnId: string): Promise<void> =>
    announceTurns(elsewhere, [{ turn_id: turnId, status: 'completed' }]);
  const finish = async (turnId: string): Promise<void> => {
    await playWorker(api, turnId);
    await announce(turnId);
  };

  test('gets the turn as soon as another process signals its end', async () => {
    const turnId = await startTurn(api);
    const response = poll(api, `${turnId}?wait=${WAIT_SECONDS}`);
    await untilWaiting(api, 1);
    await finish(turnId);
    const { status, turn, headers, tookMs } = await response;
    expect([status, turn.status, turn.output_text]).toEqual([200, 'completed', 'Hello.']);
    expect(headers.get('retry-after')).toBeNull();
    expect(tookMs).toBeLessThan(SOON_MS);
  });

  test('gets a turn that has ended at once', async () => {
    const turnId = await startTurn(api);
    await playWorker(api, turnId);
    const { turn, tookMs } = await poll(api, `${turnId}?wait=${WAIT_SECONDS}`);
    expect(turn.status).toBe('completed');
    expect(tookMs).toBeLessThan(SOON_MS);
  });

  test('gets a turn that requires an action at once', async () => {
    const turnId = await startTurn(api);
    await api.dispatcher.settle();
    const { pool } = api.database;
    await pool.query(`UPDATE turns SET status = 'in_progress', leased_until = now() WHERE id = $1`, [turnId]);
    await pool.query(
      `UPDATE turns SET status = 'requires_action', action_expires_at = now(), leased_until = NULL, dispatched_at = NULL
       WHERE id = $1`,
      [turnId],
    );
    const { turn, headers, tookMs } = await poll(api, `${turnId}?wait=${WAIT_SECONDS}`);
    expect(turn.status).toBe('requires_action');
    expect(headers.get('retry-after')).toBeNull();
    expect(tookMs).toBeLessThan(SOON_MS);
  });

  test('gets an end that comes between its read and its wait', async () => {
    const turnId = await startTurn(api);
    const { pool } = api.database;
    const query = pool.query.bind(pool) as (...given: unknown[]) => Promise<unknown>;
    const heard = new Set<string>();
    const unwatch = await watchTurns(api.backplane, (signal) => heard.add(signal.turn_id));
    let looks = 0;
    const slowly = async (...given: unknown[]): Promise<unknown> => {
      const rows = await query(...given);
      const isLook = (given[0] as { name?: string }).name === 'read-turns';
      // The first read has the old state; its result is held back until the signal has arrived.
      if (isLook && looks++ === 0) {
        await finish(turnId);
        await untilTrue('the signal has arrived', () => heard.has(turnId));
      }
      return rows;
    };
    Object.assign(pool, { query: slowly });
    try {
      const { turn, tookMs } = await poll(api, `${turnId}?wait=${WAIT_SECONDS}`);
      expect(turn.status).toBe('completed');
      expect(looks).toBe(2);
      expect(tookMs).toBeLessThan(SOON_MS);
    } finally {
      Reflect.deleteProperty(pool, 'query');
      await unwatch();
    }
  });

  test('never misses an end, at whatever moment', async () => {
    const turnIds = await Promise.all(Array.from({ length: 40 }, () => startTurn(api)));
    const ends = turnIds.map(async (turnId, index) => {
      const response = poll(api, `${turnId}?wait=${WAIT_SECONDS}`);
      // Some before, some during, some after the read.
      if (index % 2 === 0) await new Promise(setImmediate);
      await finish(turnId);
      return response;
    });
    for (const { turn, tookMs } of await Promise.all(ends)) {
      expect(turn.status).toBe('completed');
      expect(tookMs).toBeLessThan(SOON_MS);
    }
  });

  test('waits on after a signal of a change that is no end', async () => {
    const turnId = await startTurn(api);
    const response = poll(api, `${turnId}?wait=${WAIT_SECONDS}`);
    let hasResponse = false;
    void response.then(() => (hasResponse = true));
    await untilWaiting(api, 1);
    await announce(turnId);
    await announce(turnId);
    const { status } = await poll(api, turnId);
    expect([status, hasResponse, api.waiters.count]).toEqual([200, false, 1]);
    await finish(turnId);
    expect((await response).turn.status).toBe('completed');
  });

  test('gets the current state when its time has passed, with Retry-After', async () => {
    const turnId = await startTurn(api);
    const { status, turn, headers } = await poll(api, `${turnId}?wait=1`);
    expect([status, turn.status, headers.get('retry-after')]).toEqual([200, 'queued', '1']);
  });

  test('gets an end without a signal when its time has passed', async () => {
    const turnId = await startTurn(api);
    const response = poll(api, `${turnId}?wait=4`);
    await untilWaiting(api, 1);
    await playWorker(api, turnId);
    expect((await response).turn.status).toBe('completed');
  });

  test('may send its wait as Prefer, and gets Preference-Applied', async () => {
    const turnId = await startTurn(api);
    const waiting = poll(api, turnId, { headers: { prefer: `respond-async, wait=${WAIT_SECONDS}` } });
    await untilWaiting(api, 1);
    await finish(turnId);
    const { turn, headers } = await waiting;
    expect([turn.status, headers.get('preference-applied')]).toEqual(['completed', `wait=${WAIT_SECONDS}`]);
    const capped = await poll(api, turnId, { headers: { prefer: 'wait=3600' } });
    expect(capped.headers.get('preference-applied')).toBe('wait=60');
  });

  test('gets the wait of the query where query and header differ', async () => {
    const turnId = await startTurn(api);
    const { headers, tookMs } = await poll(api, `${turnId}?wait=0`, { headers: { prefer: 'wait=60' } });
    expect(headers.get('preference-applied')).toBeNull();
    expect(tookMs).toBeLessThan(SOON_MS);
  });

  test('leaves no waiter behind when it disconnects', async () => {
    const turnId = await startTurn(api);
    const clients = Array.from({ length: 10 }, () => new AbortController());
    const responses = clients.map(({ signal }) => poll(api, `${turnId}?wait=60`, { signal }));
    const refused = Promise.allSettled(responses);
    await untilWaiting(api, 10);
    for (const client of clients) client.abort();
    expect((await refused).every(({ status }) => status === 'rejected')).toBe(true);
    await untilWaiting(api, 0);
    expect((await poll(api, turnId)).turn.status).toBe('queued');
  });

  test('leaves no waiter behind when it disconnects before it is authenticated', async () => {
    const turnId = await startTurn(api);
    const { apiKey } = await api.addTenant();
    const headers = { authorization: `Bearer ${apiKey}` };
    const blocker = await api.database.pool.connect();
    await blocker.query('BEGIN');
    await blocker.query('LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE');
    const client = new AbortController();
    const gone = poll(api, `${turnId}?wait=60`, { headers, signal: client.signal }).catch(() => 'gone');
    await untilTrue('its key is looked up', async () => {
      // Not by the blocker: inside a transaction the view stays as it was first read.
      const { rows } = await api.database.pool.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
    const linesBefore = api.logLines.length;
    client.abort();
    expect(await gone).toBe('gone');
    await untilTrue('the server has noticed', () => api.logLines.length > linesBefore);
    // This look-up is shared, so this response comes after the other request has gone on.
    const other = fetch(`${api.url}/v1/turns/${turnId}`, { headers });
    await blocker.query('ROLLBACK');
    blocker.release();
    expect((await other).status).toBe(404);
    await untilTrue('no client waits', () => api.waiters.count === 0);
  });

  test("gets not_found at once for another tenant's turn", async () => {
    const turnId = await startTurn(api);
    const { http } = await api.addTenant();
    await http.get(`/v1/turns/${turnId}?wait=60`).expect(404);
  });

  test('gets not_found when the turn is erased while it waits', async () => {
    const turnId = await startTurn(api);
    const { turn } = await poll(api, turnId);
    const response = api.client.http.get(`/v1/turns/${turnId}?wait=${WAIT_SECONDS}`).then((it) => it);
    await untilWaiting(api, 1);
    await api.client.http.delete(`/v1/sessions/${turn.session_id}`).expect(204);
    await announce(turnId);
    expect((await response).status).toBe(404);
  });

  test('holds no database connection: fifty wait, and the whole pool is free', async () => {
    const turnId = await startTurn(api);
    await api.dispatcher.settle();
    const responses = Array.from({ length: 50 }, () => poll(api, `${turnId}?wait=${WAIT_SECONDS}`));
    await untilWaiting(api, 50);
    const { pool } = api.database;
    await untilTrue('no connection is in use', () => pool.idleCount === pool.totalCount);
    expect(pool.waitingCount).toBe(0);
    // They still wait, and other requests are served.
    await Promise.all(Array.from({ length: 20 }, () => api.client.http.get('/v1/agents').expect(200)));
    expect(api.waiters.count).toBe(50);
    await finish(turnId);
    const statuses = (await Promise.all(responses)).map((response) => response.turn.status);
    expect(statuses).toEqual(Array.from({ length: 50 }, () => 'completed'));
  });
});

const withRedis = process.env['TEST_REDIS_URL'] === undefined ? test.skip : test;
withRedis('after signals were lost every waiting client reads again', async () => {
  const redis = await startRedis();
  if (redis === null) throw new Error('There is no redis-server on PATH.');
  const api = await startTestApi(await createTestDatabase(), { backplaneUrl: redis.url });
  try {
    const turnIds = await Promise.all(Array.from({ length: 10 }, () => startTurn(api)));
    const responses = turnIds.map((turnId) => poll(api, `${turnId}?wait=${WAIT_SECONDS}`));
    await untilWaiting(api, 10);
    await redis.kill();
    for (const turnId of turnIds) await playWorker(api, turnId);
    await redis.start();
    for (const { turn, tookMs } of await Promise.all(responses)) {
      expect(turn.status).toBe('completed');
      expect(tookMs).toBeLessThan(SOON_MS);
    }
  } finally {
    await api.stop();
    await redis.stop();
  }
});

test('once the process stops, every waiting client gets the current state, and no new one waits', async () => {
  const api = await startTestApi(await createTestDatabase(), {
    backplaneUrl: process.env['TEST_REDIS_URL'],
  });
  try {
    const turnId = await startTurn(api);
    const response = poll(api, `${turnId}?wait=${WAIT_SECONDS}`);
    await untilWaiting(api, 1);
    api.waiters.close();
    const late = await poll(api, `${turnId}?wait=${WAIT_SECONDS}`);
    for (const { turn, tookMs } of [await response, late]) {
      expect(turn.status).toBe('queued');
      expect(tookMs).toBeLessThan(SOON_MS);
    }
  } finally {
    await api.stop();
  }
});
