import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Session, Turn } from '@turnpike/contract';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { playWorker } from './testing/play-worker.ts';

let api: TestApi;
/** In the order of their creation: three sessions with two turns each. */
const sessions: Session[] = [];
const turns: Turn[] = [];
const CUSTOMERS = ['ada', 'grace', 'ada'];
const HARD = { 'key with spaces & [brackets]': 'a=b&c, “ü”\n' };

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  // Another tenant has the same metadata, and is in none of these lists.
  for (const { http } of [await api.addTenant(), api.client]) {
    sessions.length = 0;
    turns.length = 0;
    const agent = await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
    for (const customer of CUSTOMERS) {
      const metadata = { customer, env: 'prod' };
      const body = { agent_id: agent.body.id, metadata };
      const session: Session = (await http.post('/v1/sessions').send(body).expect(201)).body;
      sessions.push(session);
      const path = `/v1/sessions/${session.id}/turns`;
      turns.push((await http.post(path).send({ input: 'Hi', metadata }).expect(202)).body);
      turns.push((await http.post(path).send({ input: 'Hi' }).expect(202)).body);
    }
  }
  const [first] = turns;
  await playWorker(api, first?.id ?? '');
  await api.client.http.post(`/v1/turns/${turns[2]?.id}/cancel`).expect(202);
  await api.dispatcher.settle();
});
afterAll(() => api.stop());

const list = async (path: string): Promise<string[]> => {
  const { body } = await api.client.http.get(path).expect(200);
  return body.items.map(({ id }: { id: string }) => id);
};
const listPages = async (path: string): Promise<string[]> => {
  const found: string[] = [];
  for (let cursor = ''; ;) {
    const { body } = await api.client.http.get(`${path}&limit=1${cursor}`).expect(200);
    found.push(...body.items.map(({ id }: { id: string }) => id));
    if (body.next_cursor === null) return found;
    cursor = `&cursor=${body.next_cursor}`;
  }
};
const newestFirst = (things: readonly (Turn | Session | undefined)[]): (string | undefined)[] =>
  things.map((thing) => thing?.id).toReversed();
const customer = (name: string): string => `metadata[customer]=${name}`;

describe('several statuses', () => {
  test.each([
    ['named one after another', 'status=completed&status=cancelled'],
    ['named with commas', 'status=completed,cancelled'],
    ['named twice', 'status=completed,cancelled&status=completed'],
  ])('%s select turns in any of them', async (_title, query) => {
    expect(await listPages(`/v1/turns?${query}`)).toEqual(newestFirst([turns[0], turns[2]]));
  });

  test('filter the turns of a session too', async () => {
    const path = `/v1/turns?session_id=${sessions[0]?.id}`;
    expect(await list(`${path}&status=completed&status=failed`)).toEqual([turns[0]?.id]);
  });

  test.each(['status=', 'status=queued,', 'status=queued,done', 'status=done&status=queued'])(
    'that cannot be are refused: %s',
    async (query) => {
      for (const path of ['/v1/turns', '/v1/deliveries']) {
        const { body } = await api.client.http.get(`${path}?${query}`).expect(400);
        expect(body).toMatchObject({ code: 'invalid_request', errors: expect.anything() });
      }
    },
  );
});

describe('metadata', () => {
  test('selects turns and sessions with that entry, page by page', async () => {
    expect(await listPages(`/v1/turns?${customer('ada')}`)).toEqual(newestFirst([turns[0], turns[4]]));
    expect(await listPages(`/v1/sessions?${customer('ada')}`)).toEqual(
      newestFirst([sessions[0], sessions[2]]),
    );
  });

  test('of several entries selects those with all of them', async () => {
    const both = `${customer('grace')}&metadata[env]=prod`;
    expect(await list(`/v1/turns?${both}`)).toEqual([turns[2]?.id]);
    expect(await list(`/v1/sessions?${both}`)).toEqual([sessions[1]?.id]);
    expect(await list(`/v1/turns?${customer('grace')}&metadata[env]=test`)).toEqual([]);
  });

  test('combines with other filters', async () => {
    const path = `/v1/turns?${customer('ada')}`;
    expect(await list(`${path}&status=completed`)).toEqual([turns[0]?.id]);
    expect(await list(`${path}&session_id=${sessions[2]?.id}`)).toEqual([turns[4]?.id]);
    expect(await list(`${path}&created_after=${turns[1]?.created_at}`)).toEqual([turns[4]?.id]);
  });

  test('follows a change of the metadata of a session', async () => {
    const id = sessions[1]?.id;
    await api.client.http.post(`/v1/sessions/${id}`).send({ metadata: HARD }).expect(200);
    expect(await list(`/v1/sessions?${customer('grace')}`)).toEqual([]);
    const query = new URLSearchParams(
      Object.entries(HARD).map(([key, value]): [string, string] => [`metadata[${key}]`, value]),
    ).toString();
    expect(await list(`/v1/sessions?${query}`)).toEqual([id]);
    const before = { metadata: sessions[1]?.metadata };
    await api.client.http.post(`/v1/sessions/${id}`).send(before).expect(200);
    expect(await list(`/v1/sessions?${customer('grace')}`)).toEqual([id]);
  });

  test('is deleted with its turn or session', async () => {
    const { http } = await api.addTenant();
    const agent = await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
    const body = { agent_id: agent.body.id, input: 'Hi', metadata: { a: 'b' }, session_metadata: { a: 'b' } };
    const turn = await http.post('/v1/turns').send(body).expect(202);
    const { rows: before } = await api.database.pool.query(
      `SELECT turn_id AS id FROM turn_labels UNION ALL SELECT session_id FROM session_labels`,
    );
    await http.delete(`/v1/sessions/${turn.body.session_id}`).expect(204);
    const { rows: after } = await api.database.pool.query(
      `SELECT turn_id AS id FROM turn_labels UNION ALL SELECT session_id FROM session_labels`,
    );
    expect(before.length - after.length).toBe(2);
  });

  test.each([
    'metadata=ada',
    'metadata[]=ada',
    'metadata[customer]=ada&metadata[customer]=grace',
    'metadata[customer]=ada&metadata=ada',
    'metadata[__proto__]=ada',
    'metadata[a%00]=ada',
    `metadata[${'k'.repeat(65)}]=ada`,
    `metadata[a]=${'v'.repeat(513)}`,
    Array.from({ length: 17 }, (_, n) => `metadata[k${n}]=v`).join('&'),
  ])('that is invalid is refused: %s', async (query) => {
    for (const path of ['/v1/turns', '/v1/sessions']) {
      const { body } = await api.client.http.get(`${path}?${query}`).expect(400);
      expect(body.code).toBe('invalid_request');
    }
  });

  test('is refused by lists without that filter', async () => {
    await api.client.http.get(`/v1/deliveries?${customer('ada')}`).expect(400);
  });
});

describe('a range of time', () => {
  test('selects what was created from its start on, and before its end', async () => {
    const [, , from, , until] = turns;
    const isIn = ({ created_at: at }: Turn | Session): boolean =>
      at >= (from?.created_at ?? '') && at < (until?.created_at ?? '');
    const range = `created_after=${from?.created_at}&created_before=${until?.created_at}`;
    const expected = turns.filter(isIn);
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.length).toBeLessThan(turns.length);
    expect(await listPages(`/v1/turns?${range}`)).toEqual(newestFirst(expected));
    expect(await listPages(`/v1/sessions?${range}`)).toEqual(newestFirst(sessions.filter(isIn)));
    const ofSession = expected.filter((turn) => turn.session_id === sessions[1]?.id);
    const path = `/v1/turns?session_id=${sessions[1]?.id}&${range}`;
    expect(await listPages(path)).toEqual(newestFirst(ofSession));
  });

  test('goes by the time of the database, not by the time in an id', async () => {
    const [turn] = turns;
    const at = new Date(Date.parse(turn?.created_at ?? '') - 50 * 60_000).toISOString();
    await api.database.pool.query('UPDATE turns SET created_at = $2 WHERE id = $1', [turn?.id, at]);
    const before = new Date(Date.parse(at) + 60_000).toISOString();
    expect(await list(`/v1/turns?created_before=${before}`)).toEqual([turn?.id]);
    expect(await list(`/v1/turns?created_after=${before}`)).toEqual(newestFirst(turns.slice(1)));
    await api.database.pool.query('UPDATE turns SET created_at = $2 WHERE id = $1', [
      turn?.id,
      turn?.created_at,
    ]);
  });

  test.each(['1970-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z', '2026-11-30T12:00:00%2B14:00'])(
    'accepts %s at both ends',
    async (moment) => {
      for (const path of ['/v1/turns', '/v1/sessions', '/v1/deliveries'])
        await list(`${path}?created_after=${moment}&created_before=${moment}`);
    },
  );

  test.each(['', 'yesterday', '2026-11-30', '0000-01-01T00:00:00Z', '1'])(
    'that cannot be is refused: "%s"',
    async (moment) => {
      await api.client.http.get(`/v1/turns?created_after=${moment}`).expect(400);
      await api.client.http.get(`/v1/deliveries?created_before=${moment}`).expect(400);
    },
  );
});
