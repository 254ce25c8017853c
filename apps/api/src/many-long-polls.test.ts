import { Agent, get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { turnSchema, type Turn } from '@turnpike/contract';
import { changeLimits } from '@turnpike/store';
import { announceTurns } from '@turnpike/turns';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { RequestCoalescer } from './request-coalescer.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { playWorker } from './testing/play-worker.ts';

const WAITING = 2_000;
const TURNS = 20;
const agent = new Agent({ maxSockets: WAITING });

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What is in use: garbage that happens to be there yet would count the machine's speed too. */
function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(async () => {
  agent.destroy();
  await api.stop();
});

/** How often clients had to ask again: a busy machine refuses some connections, and some waits pass. */
let again = 0;

async function poll(turnId: string): Promise<Turn> {
  const headers = { authorization: `Bearer ${api.client.apiKey}` };
  const [response] = (await once(
    get(`${api.url}/v1/turns/${turnId}?wait=60`, { headers, agent }),
    'response',
  )) as [IncomingMessage];
  let text = '';
  for await (const piece of response.setEncoding('utf8')) text += String(piece);
  const turn = response.statusCode === 503 ? null : turnSchema.parse(JSON.parse(text));
  if (turn?.status === 'completed') return turn;
  again += 1;
  return poll(turnId);
}

test('two thousand clients wait at once in little memory, and an end is read once for all that wait for it', async () => {
  await changeLimits(api.database.pool, api.client.tenantId, { requests_per_second: 100_000 });
  const made = await api.client.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const turnIds: string[] = [];
  for (let number = 0; number < TURNS; number++) {
    const turn = await api.client.http
      .post('/v1/turns')
      .send({ agent_id: made.body.id, input: 'Hi' })
      .expect(202);
    turnIds.push(turn.body.id);
  }
  const before = heapUsed();
  const responses: Promise<Turn>[] = [];
  // Turn by turn: a kernel does not queue two thousand new connections for one server.
  for (const id of turnIds) {
    responses.push(...Array.from({ length: WAITING / TURNS }, () => poll(id)));
    await untilTrue('all clients wait', () => api.waiters.count === responses.length);
  }
  // The memory of the clients is in this process too.
  expect(heapUsed() - before).toBeLessThan(WAITING * 150_000);

  for (const turnId of turnIds) await playWorker(api, turnId);
  const { pool } = api.database;
  const query = pool.query.bind(pool) as (...given: unknown[]) => Promise<unknown>;
  let reads = 0;
  const askedAgain = again;
  Object.assign(pool, {
    query(...given: unknown[]) {
      const { name, values } = given[0] as { name?: string; values?: unknown[][] };
      if (name === 'read-turns') reads += values?.[0]?.length ?? 0;
      return query(...given);
    },
  });
  try {
    await announceTurns(
      api.backplane,
      turnIds.map((turnId) => ({ turn_id: turnId, status: 'completed' })),
    );
    const statuses = new Set((await Promise.all(responses)).map(({ status }) => status));
    expect([...statuses]).toEqual(['completed']);
  } finally {
    Reflect.deleteProperty(pool, 'query');
  }
  expect(reads).toBeGreaterThanOrEqual(TURNS);
  expect(reads).toBeLessThanOrEqual(TURNS + again - askedAgain);
  expect(api.waiters.count).toBe(0);
});

test('a read is shared by callers of the same tick, and by no later ones', async () => {
  const reads = new RequestCoalescer<number>();
  let count = 0;
  const make = async (): Promise<number> => ++count;
  const together = await Promise.all([reads.read('a', make), reads.read('a', make), reads.read('b', make)]);
  expect(together).toEqual([1, 1, 2]);
  await new Promise(process.nextTick);
  expect(await reads.read('a', make)).toBe(3);
});
