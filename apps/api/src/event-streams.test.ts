import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Backplane } from '@turnpike/backplane';
import { problemSchema, type Turn } from '@turnpike/contract';
import { pruneEvents } from '@turnpike/store';
import { announceTurns } from '@turnpike/turns';
import { startRedis } from '../../../tests/support/redis-server.ts';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { Follower } from './testing/follow-events.ts';
import { HeldTurn } from './testing/held-turn.ts';

const SERVERS = { redis: process.env['TEST_REDIS_URL'], postgres: process.env['TEST_DATABASE_URL'] };
/** Longer than a test: what arrives before it came by signals, not by the read that makes up for lost ones. */
const WITHOUT_SIGNALS_MS = 9_000;

async function startTurn({ client: { http } }: TestApi, sessionId?: string): Promise<Turn> {
  if (sessionId !== undefined) {
    return (await http.post(`/v1/sessions/${sessionId}/turns`).send({ input: 'Hi' }).expect(202)).body;
  }
  const agent = await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  return (await http.post('/v1/turns').send({ agent_id: agent.body.id, input: 'Hi' }).expect(202)).body;
}

describe.each(Object.entries(SERVERS))(
  'a client that follows a turn, with a backplane on %s',
  (name, url) => {
    if (url === undefined) {
      test.skip(`is not tried, since this machine has no ${name} for tests`, () => undefined);
      return;
    }
    let api: TestApi;
    let elsewhere: Backplane;
    const opened: Follower[] = [];

    beforeAll(async () => {
      const database = await createTestDatabase();
      api = await startTestApi(database, {
        ...(name === 'redis' ? { backplaneUrl: url } : {}),
        streams: { heartbeatMs: 200 },
      });
      elsewhere = await api.openSecondBackplane();
    });
    afterEach(async () => {
      for (const follower of opened.splice(0)) follower.close();
      await untilTrue('no stream is open', () => api.streams.count === 0);
    });
    afterAll(() => api.stop());

    const follow = async (path: string, headers: Record<string, string> = {}): Promise<Follower> => {
      const follower = await Follower.open(api.url, path, api.client.apiKey, headers);
      opened.push(follower);
      return follower;
    };
    const followTurn = (id: string, more = ''): Promise<Follower> => follow(`/v1/turns/${id}/events${more}`);

    test('gets past and new events and previews of text, and then an end', async () => {
      const began = performance.now();
      const { id } = await startTurn(api);
      const follower = await followTurn(id);
      expect(follower.status).toBe(200);
      expect(follower.response.headers).toMatchObject({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
      });
      expect(follower.response.headers['content-encoding']).toBeUndefined();
      await follower.untilEvent('turn.queued');
      const held = await HeldTurn.claim(api, elsewhere, id);
      await follower.untilEvent('step.started');
      for (const piece of ['Hel', 'lo, ', 'wörld', ' 😀']) held.say(piece);
      await follower.until('the text is there', ({ text }) => text === 'Hello, wörld 😀');
      await held.complete('Hello, wörld 😀');
      await follower.until('it ends', ({ ended }) => ended);
      expect(performance.now() - began).toBeLessThan(WITHOUT_SIGNALS_MS);

      expect(follower.ids).toEqual(['1', '2', '3', '4', '5']);
      expect(follower.types.filter((type) => type !== 'message.delta')).toEqual([
        'turn.queued',
        'turn.started',
        'step.started',
        'step.completed',
        'turn.completed',
      ]);
      expect(follower.retryMs).toBeGreaterThan(0);
      const [step, end] = follower.received.slice(-2).map(({ event }) => event);
      expect(step).toMatchObject({
        turn_id: id,
        sequence_number: 4,
        step: { index: 0, type: 'model_call', content: [{ type: 'text', text: 'Hello, wörld 😀' }] },
      });
      const { body } = await api.client.http.get(`/v1/turns/${id}`).expect(200);
      expect(end).toMatchObject({ turn: body });
    });

    test('gets text with other line separators in one line of data, unchanged', async () => {
      const text = 'a\u0085b\u2028c\u2029d\ne\u2028';
      const { id } = await startTurn(api);
      const follower = await followTurn(id);
      const held = await HeldTurn.claim(api, elsewhere, id);
      await follower.untilEvent('step.started');
      held.say(text);
      await follower.until('the text is there', (seen) => seen.text === text);
      await held.complete(text);
      await follower.until('it ends', ({ ended }) => ended);
      expect(follower.received.at(-2)).toMatchObject({
        event: { step: { content: [{ type: 'text', text }] } },
      });
      expect(follower.raw).toContain(String.raw`a\u0085b\u2028c\u2029d\ne\u2028`);
      expect(follower.raw).not.toMatch(/[\u0085\u2028\u2029]/);
    });

    test('gets all events long after the end, from the start and from every cursor', async () => {
      const { id } = await startTurn(api);
      const held = await HeldTurn.claim(api, elsewhere, id);
      await held.completeStep('One.');
      await held.complete('Two.');
      const all = await followTurn(id);
      await all.until('it ends', ({ ended }) => ended);
      expect(all.ids).toEqual(['1', '2', '3', '4', '5', '6', '7']);
      for (const [position] of all.ids.entries()) {
        const after = await followTurn(id, `?after=${position}`);
        await after.until('it ends', ({ ended }) => ended);
        expect(after.received).toEqual(all.received.slice(position));
        // As an EventSource that reconnects sends it, with its URL unchanged.
        const back = await follow(`/v1/turns/${id}/events?after=0`, { 'last-event-id': String(position) });
        await back.until('it ends', ({ ended }) => ended);
        expect(back.received).toEqual(after.received);
      }
      const over = await followTurn(id, '?after=7');
      expect(over.status).toBe(204);
    });

    test('that joins in the middle of a step gets the text so far, and then the rest', async () => {
      const { id } = await startTurn(api);
      const held = await HeldTurn.claim(api, elsewhere, id);
      held.say('Once upon ');
      const first = await followTurn(id);
      await first.until('the text is there', ({ text }) => text === 'Once upon ');
      held.say('a time');
      const late = await followTurn(id, '?after=3');
      await late.until('the text is there', ({ text }) => text === 'Once upon a time');
      expect(late.received[0]).toMatchObject({
        id: undefined,
        event: { offset: 0, attempt: 3, step_index: 0 },
      });
      held.say(' there was');
      for (const follower of [first, late]) {
        await follower.until('the rest is there', ({ text }) => text === 'Once upon a time there was');
      }
      // A process without a feed yet, such as the one that a client reconnects to.
      const { body } = await api.client.http
        .get(`/v1/turns/${id}/events`)
        .set('Accept', 'application/json')
        .expect(200);
      expect(body.items.map((fact: { type: string }) => fact.type)).toEqual(first.types.slice(0, 3));
      await held.complete('Once upon a time there was');
      await late.until('it ends', ({ ended }) => ended);
    });

    test('gets step.restarted, and no text of the attempt before it', async () => {
      const { id } = await startTurn(api);
      const held = await HeldTurn.claim(api, elsewhere, id);
      const follower = await followTurn(id);
      held.say('A first try');
      await follower.until('the text is there', ({ text }) => text === 'A first try');
      const before = held.eventCount;
      await held.restartStep();
      await follower.untilEvent('step.restarted');
      held.say('A second');
      await follower.until('the text is there', ({ text }) => text === 'A second');
      // From a worker that does not know yet that it lost its lease.
      held.say(' of a zombie', before);
      held.say(' try');
      await follower.until('the text is there', ({ text }) => text === 'A second try');
      expect(JSON.stringify(follower.received)).not.toContain('zombie');
      await held.complete('A second try');
      await follower.until('it ends', ({ ended }) => ended);
    });

    test('gets a comment while there are no events', async () => {
      const { id } = await startTurn(api);
      const follower = await followTurn(id);
      await follower.until('there are comments', ({ comments }) => comments.length >= 2);
      expect(follower.types).toEqual(['turn.queued']);
    });

    test('gets an end that no worker signalled: a cancel', async () => {
      const { id } = await startTurn(api);
      const follower = await followTurn(id);
      await follower.untilEvent('turn.queued');
      await api.client.http.post(`/v1/turns/${id}/cancel`).expect(202);
      await follower.until('it ends', ({ ended }) => ended);
      expect(follower.types).toEqual(['turn.queued', 'turn.cancelled']);
    });

    test('of a session gets its turns one after another, and new ones too', async () => {
      const first = await startTurn(api);
      const path = `/v1/sessions/${first.session_id}/events`;
      const follower = await follow(path);
      const held = await HeldTurn.claim(api, elsewhere, first.id);
      // It waits: its events come after the end of the turn before it.
      const second = await startTurn(api, first.session_id);
      held.say('One');
      await follower.until('the text is there', ({ text }) => text === 'One');
      await held.complete('One');
      await follower.until('the second is there', ({ ids }) => ids.includes('2.1'));
      api.dispatcher.changed({ sessionId: first.session_id, tenantId: api.client.tenantId });
      const next = await HeldTurn.claim(api, elsewhere, second.id);
      await follower.until('it began', ({ ids }) => ids.includes('2.3'));
      next.say('Two');
      await follower.until('the text is there', ({ text }) => text === 'Two');
      await next.complete('Two');
      const third = await startTurn(api, first.session_id);
      await follower.until('the third is there', ({ ids }) => ids.includes('3.1'));
      expect(follower.ids).toEqual([
        '1.1',
        '1.2',
        '1.3',
        '1.4',
        '1.5',
        '2.1',
        '2.2',
        '2.3',
        '2.4',
        '2.5',
        '3.1',
      ]);
      expect(follower.ended).toBe(false);
      const back = await follow(path, { 'last-event-id': '1.4' });
      await back.until('it is where the other is', ({ ids }) => ids.includes('3.1'));
      expect(back.ids).toEqual(follower.ids.slice(4));
      await api.client.http.post(`/v1/turns/${third.id}/cancel`).expect(202);
      await back.until('the cancel is there', ({ ids }) => ids.includes('3.2'));
    });

    test('with an expired cursor gets the oldest one that is kept, and without a cursor the events that are kept', async () => {
      const { id, session_id: sessionId } = await startTurn(api);
      await (await HeldTurn.claim(api, elsewhere, id)).complete('Hello.');
      const second = await startTurn(api, sessionId);
      const old = `UPDATE turns SET finished_at = now() - interval '8 days' WHERE id = $1`;
      await api.database.pool.query(old, [id]);
      expect(await pruneEvents(api.database.pool, 9, 100)).toBe(0);
      expect(await pruneEvents(api.database.pool, 7, 100)).toBe(1);
      expect(await pruneEvents(api.database.pool, 7, 100)).toBe(0);
      const refused = await api.client.http.get(`/v1/turns/${id}/events?after=2`).expect(410);
      const problem = problemSchema.parse(refused.body);
      expect(problem).toMatchObject({ code: 'cursor_expired', oldest_cursor: '4' });
      const rest = await followTurn(id, `?after=${problem.oldest_cursor}`);
      await rest.until('it ends', ({ ended }) => ended);
      expect(rest.ids).toEqual(['5']);
      const kept = await followTurn(id);
      await kept.until('it ends', ({ ended }) => ended);
      expect(kept.received).toEqual(rest.received);

      const path = `/v1/sessions/${sessionId}/events`;
      const ofSession = await api.client.http.get(`${path}?after=1.3`).expect(410);
      expect(ofSession.body).toMatchObject({ code: 'cursor_expired', oldest_cursor: '1.4' });
      const follower = await follow(`${path}?after=1.4`);
      await follower.until('the second is there', ({ ids }) => ids.length === 2);
      expect(follower.ids).toEqual(['1.5', '2.1']);
      await api.client.http.post(`/v1/turns/${second.id}/cancel`).expect(202);
    });

    test('gets pages of events where it accepts JSON', async () => {
      const { id } = await startTurn(api);
      await (await HeldTurn.claim(api, elsewhere, id)).complete('Hello.');
      const numbers: number[] = [];
      for (let after: string | null = '0'; after !== null;) {
        const page: { body: { items: { sequence_number: number }[]; next_cursor: string | null } } =
          await api.client.http
            .get(`/v1/turns/${id}/events?limit=2&after=${after}`)
            .set('Accept', 'application/json')
            .expect(200);
        numbers.push(...page.body.items.map((fact) => fact.sequence_number));
        after = page.body.next_cursor;
      }
      expect(numbers).toEqual([1, 2, 3, 4, 5]);
    });

    test('ends when its turn or session is erased', async () => {
      const { id, session_id: sessionId } = await startTurn(api);
      const follower = await followTurn(id);
      await follower.untilEvent('turn.queued');
      await api.client.http.delete(`/v1/sessions/${sessionId}`).expect(204);
      await follower.until('it ends', ({ ended }) => ended);
      expect((await followTurn(id)).status).toBe(404);
    });
  },
);

const withRedis = process.env['TEST_REDIS_URL'] === undefined ? test.skip : test;

withRedis('events arrive although Redis is down, and the whole text once it is back and empty', async () => {
  const redis = await startRedis();
  if (redis === null) throw new Error('There is no redis-server on PATH.');
  const api = await startTestApi(await createTestDatabase(), {
    backplaneUrl: redis.url,
    streams: { readEveryMs: 1_000 },
  });
  const elsewhere = await api.openSecondBackplane();
  const { id } = await startTurn(api);
  const follower = await Follower.open(api.url, `/v1/turns/${id}/events`, api.client.apiKey);
  try {
    const held = await HeldTurn.claim(api, elsewhere, id);
    held.say('Before, ');
    await follower.until('the text is there', ({ text }) => text === 'Before, ');
    await redis.kill();
    await held.completeStep('Before, ');
    held.say('while it was away, ');
    const { id: other } = await startTurn(api);
    const late = await Follower.open(api.url, `/v1/turns/${other}/events`, api.client.apiKey);
    await late.untilEvent('turn.queued');
    late.close();
    await follower.until('the step is there', ({ ids }) => ids.includes('5'));
    await redis.start();
    await follower.until('the text is there', ({ text }) => text === 'while it was away, ');
    held.say('and after.');
    await follower.until('the text is there', ({ text }) => text === 'while it was away, and after.');
    await redis.kill();
    await held.complete('while it was away, and after.');
    await follower.until('it ends', ({ ended }) => ended);
    expect(follower.ids).toEqual(['1', '2', '3', '4', '5', '6', '7']);
  } finally {
    follower.close();
    await api.stop();
    await redis.stop();
  }
});

describe('a process that serves streams', () => {
  let api: TestApi;
  let elsewhere: Backplane;
  beforeAll(async () => {
    api = await startTestApi(await createTestDatabase(), {
      backplaneUrl: process.env['TEST_REDIS_URL'],
      streams: { maxStreams: 40, maxStreamsPerTenant: 30 },
    });
    elsewhere = await api.openSecondBackplane();
  });
  afterAll(() => api.stop());

  const follow = (id: string): Promise<Follower> =>
    Follower.open(api.url, `/v1/turns/${id}/events`, api.client.apiKey);

  test('reads the database once for all streams of a turn, and does not poll', async () => {
    const { id } = await startTurn(api);
    const followers = await Promise.all(Array.from({ length: 20 }, () => follow(id)));
    for (const follower of followers) await follower.untilEvent('turn.queued');
    await untilTrue(
      'the first looks are over',
      () => api.database.pool.idleCount === api.database.pool.totalCount,
    );
    const { pool } = api.database;
    const query = pool.query.bind(pool) as (...given: unknown[]) => Promise<unknown>;
    let reads = 0;
    Object.assign(pool, {
      query(...given: unknown[]) {
        if ((given[0] as { name?: string }).name === 'read-turn-events') reads += 1;
        return query(...given);
      },
    });
    try {
      const held = await HeldTurn.claim(api, elsewhere, id);
      held.say('Hello.');
      for (const follower of followers)
        await follower.until('the text is there', ({ text }) => text === 'Hello.');
      await held.complete('Hello.');
      for (const follower of followers) await follower.until('it ends', ({ ended }) => ended);
    } finally {
      Reflect.deleteProperty(pool, 'query');
    }
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThan(10);
    for (const follower of followers) expect(follower.ids).toEqual(['1', '2', '3', '4', '5']);
  });

  test('refuses streams above its bounds with too_many_streams', async () => {
    const { id } = await startTurn(api);
    const followers = await Promise.all(Array.from({ length: 30 }, () => follow(id)));
    const refused = await api.client.http.get(`/v1/turns/${id}/events`).expect(429);
    expect(refused.headers['retry-after']).toBeDefined();
    expect(problemSchema.parse(refused.body).code).toBe('too_many_streams');
    const other = await api.addTenant();
    const agent = await other.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
    const turn = await other.http
      .post('/v1/turns')
      .send({ agent_id: agent.body.id, input: 'Hi' })
      .expect(202);
    const path = `/v1/turns/${turn.body.id}/events`;
    const theirs = await Promise.all(
      Array.from({ length: 10 }, () => Follower.open(api.url, path, other.apiKey)),
    );
    expect(theirs.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    await other.http.get(path).expect(429);
    for (const follower of [...followers, ...theirs]) follower.close();
    await untilTrue('all streams have ended', () => api.streams.count === 0);
    const again = await follow(id);
    expect(again.status).toBe(200);
    again.close();
    await untilTrue(
      'no stream and no feed is left',
      () => api.streams.count === 0 && api.streams.feedCount === 0,
    );
  });

  test('holds back previews of a client that does not read, joins them when it does, and delays no other client', async () => {
    const { id } = await startTurn(api);
    const held = await HeldTurn.claim(api, elsewhere, id);
    const [slow, quick] = await Promise.all([follow(id), follow(id)]);
    for (const follower of [slow, quick]) await follower.untilEvent('step.started');
    slow.pause();
    let text = '';
    // More than the socket buffers between the two hold, in many pieces.
    for (let step = 0; step < 100; step++) {
      text = `${step} `.repeat(80_000);
      for (let from = 0; from < text.length; from += 10_000) held.say(text.slice(from, from + 10_000));
      await quick.until('it has the text', () => quick.text === text);
      await held.restartStep();
      await quick.until('it began anew', ({ ids }) => ids.at(-1) === String(held.eventCount));
    }
    held.say('The end.');
    await quick.until('it has the text', () => quick.text === 'The end.');
    slow.resume();
    await slow.until('it has the text', () => slow.text === 'The end.');
    await held.complete('The end.');
    for (const follower of [slow, quick]) await follower.until('it ends', ({ ended }) => ended);
    expect(slow.ids).toEqual(quick.ids);
    expect(slow.raw.length).toBeLessThan(quick.raw.length / 2);
  });

  test('disconnects a client that receives nothing while events accumulate; it reconnects and has missed none', async () => {
    const { id } = await startTurn(api);
    const held = await HeldTurn.claim(api, elsewhere, id);
    const slow = await follow(id);
    await slow.untilEvent('step.started');
    slow.pause();
    const text = 'x'.repeat(500_000);
    await untilTrue('it is disconnected', async () => {
      await held.completeStep(text);
      return api.streams.count === 0;
    });
    slow.resume();
    await slow.until('it knows', ({ closed }) => closed);
    expect(slow.ended).toBe(false);
    const back = await Follower.open(api.url, `/v1/turns/${id}/events`, api.client.apiKey, {
      'last-event-id': slow.ids.at(-1) ?? '0',
    });
    await held.complete('The end.');
    await back.until('it ends', ({ ended }) => ended);
    expect([...slow.ids, ...back.ids]).toEqual(
      Array.from({ length: held.eventCount }, (_, index) => String(index + 1)),
    );
  });

  test('ends all streams when it stops, and clients go on at another process', async () => {
    const { id } = await startTurn(api);
    const follower = await follow(id);
    await follower.untilEvent('turn.queued');
    api.streams.close();
    await follower.until('it ends', ({ ended }) => ended);
    await api.client.http.get(`/v1/turns/${id}/events`).expect(503);
    await announceTurns(elsewhere, [{ turn_id: id, status: 'queued' }]);
  });
});
