import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { isFinal } from '@turnpike/contract';
import { startTcpProxy, type TcpProxy } from '../../packages/backplane/src/testing/tcp-proxy.ts';
import { startChance } from '../chaos/support/seeded-random.ts';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';
import type { Program } from '../support/program.ts';
import { untilTrue } from '../support/until-true.ts';
import { FollowingClient } from './support/follow.ts';
import { FAST, killHolder, portOf, startSecondApi } from './support/mishaps.ts';

/** How often the connection is cut, after which of these a worker is killed, and at which the API. */
const CUTS = byLength({ short: 8, long: 20 });
const WORKERS_KILLED = new Set(byLength({ short: [2, 6], long: [4, 9, 14] }));
const API_KILLED = byLength({ short: 4, long: 7 });
const WORDS = Array.from({ length: 300 }, (_, index) => `word${index} wört😀`).join(' ');

let cluster: Cluster | undefined;
const proxies: TcpProxy[] = [];
const apis: Program[] = [];
const clients: FollowingClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  await Promise.all(apis.splice(0).map((api) => api.end('SIGKILL')));
  await cluster?.stop();
  cluster = undefined;
});

async function startApiBeside(running: Cluster): Promise<Program> {
  const second = await startSecondApi(running);
  apis.push(second);
  return second;
}

async function proxyTo(program: Program): Promise<TcpProxy> {
  const proxy = await startTcpProxy(portOf(program));
  proxies.push(proxy);
  return proxy;
}

function follow(port: number, path: string, apiKey: string): FollowingClient {
  const client = new FollowingClient(`http://127.0.0.1:${port}${path}`, apiKey);
  clients.push(client);
  return client;
}

test(`a stream that is cut ${CUTS} times, while an API and workers are killed, misses nothing and shows nothing twice`, async () => {
  const chance = startChance();
  cluster = await Cluster.start({ workers: 2, environment: FAST });
  const running = cluster;
  await running.control.setScript({
    defaults: { tokens_per_second: 120, chunk: 3 },
    rules: [
      { match: { step: 0 }, reply: { text: 'I look at the clock.', tool_uses: [{ name: 'current_time' }] } },
      // It does not end before it was cut often enough, however slow the machine is.
      { match: { step: 1 }, reply: { text: WORDS }, fault: { type: 'hang', after_events: 150 } },
    ],
  });
  const second = await startApiBeside(running);
  const agent = await running.createAgent({ tools: [{ type: 'builtin', name: 'current_time' }] });
  const submitted = await running.submit({ agentId: agent.id }, 'What time is it?');
  const path = `/v1/turns/${submitted.id}/events`;
  const cutApi = second;
  const proxy = await proxyTo(cutApi);
  const cut = follow(proxy.port, path, running.apiKey);
  const left = follow(Number(running.api?.hello['port']), path, running.apiKey);
  const session = follow(proxy.port, `/v1/sessions/${submitted.session_id}/events`, running.apiKey);

  let cutsBeforeTheEnd = 0;
  for (let number = 0; number < CUTS; number++) {
    const { connections } = cut;
    await untilTrue('it is connected', () => cut.isOpen && connections <= cut.connections);
    await delay(chance.between(0, 400));
    if (number === API_KILLED) {
      await cutApi.end('SIGKILL');
      const next = await startApiBeside(running);
      proxy.retarget(portOf(next));
    } else proxy.drop();
    if (WORKERS_KILLED.has(number)) {
      await killHolder(running, submitted.id);
      await running.startWorker();
    }
    if (!cut.shown.types.includes('turn.completed')) cutsBeforeTheEnd += 1;
    await untilTrue('it came back', () => cut.connections > connections || cut.isOver);
    if (cut.isOver) break;
  }
  await untilTrue(
    'the turn has ended',
    async () => {
      await running.control.release();
      return isFinal((await running.read(submitted.id)).status);
    },
    120_000,
  );
  const turn = await running.read(submitted.id);
  expect(turn).toMatchObject({ status: 'completed', output_text: WORDS });
  await Promise.all([cut.untilOver(), left.untilOver()]);
  await untilTrue('the session has the end', () => session.shown.types.includes('turn.completed'));

  const { rows } = await running.database.pool.query<{ number: number; type: string }>(
    `SELECT sequence_number AS number, type FROM events WHERE turn_id = $1 ORDER BY 1`,
    [submitted.id],
  );
  for (const { shown } of [cut, left, session]) {
    expect(shown.types).toEqual(rows.map(({ type }) => type));
    expect(shown.text).toBe(WORDS);
    // What was on the screen was at every moment a beginning of what came of it.
    const texts = ['I look at the clock.', WORDS];
    const beside = shown.shownBeside(WORDS).filter((text) => !texts[0]?.startsWith(text));
    expect(beside).toEqual([]);
    expect(shown.previews).toBeGreaterThan(0);
  }
  const numbers = rows.map(({ number }) => String(number));
  expect(cut.shown.cursors).toEqual(numbers);
  expect(left.shown.cursors).toEqual(numbers);
  expect(session.shown.cursors).toEqual(numbers.map((number) => `1.${number}`));
  expect(cut.refusals).toEqual([204]);
  expect(cut.shown.restarts).toBeGreaterThan(0);
  expect(cutsBeforeTheEnd).toBe(CUTS);
});

test('a retried stream is said to begin anew, and its text is shown once', async () => {
  cluster = await Cluster.start({ workers: 1, environment: FAST });
  await cluster.control.setScript({
    defaults: { tokens_per_second: 200, chunk: 2 },
    rules: [
      {
        times: 1,
        fault: { type: 'cut', after_events: 6 },
        reply: { text: 'A try that is cut off in the middle of it.' },
      },
      { reply: { text: 'Another one, which is whole.' } },
    ],
  });
  const agent = await cluster.createAgent();
  const submitted = await cluster.submit({ agentId: agent.id }, 'Hello');
  const client = follow(
    Number(cluster.api?.hello['port']),
    `/v1/turns/${submitted.id}/events`,
    cluster.apiKey,
  );
  await client.untilOver();
  expect(client.shown.types).toEqual([
    'turn.queued',
    'turn.started',
    'step.started',
    'step.restarted',
    'step.completed',
    'turn.completed',
  ]);
  expect(client.shown.before).toEqual([
    {
      shown: expect.stringMatching(/^(Another.*)?$/),
      completed: 'Another one, which is whole.',
    },
  ]);
});

test('two clients at two APIs are shown the same text while it comes, also with no Redis', async () => {
  for (const backplaneUrl of [process.env['TEST_REDIS_URL'], undefined]) {
    cluster = await Cluster.start({
      workers: 1,
      environment: FAST,
      ...(backplaneUrl === undefined
        ? { backplaneUrl: process.env['TEST_DATABASE_URL'] ?? '' }
        : { backplaneUrl }),
    });
    await cluster.control.setScript({
      defaults: { tokens_per_second: 60, chunk: 2 },
      rules: [{ reply: { text: WORDS.slice(0, 1_000) }, fault: { type: 'hang', after_events: 60 } }],
    });
    const agent = await cluster.createAgent();
    const submitted = await cluster.submit({ agentId: agent.id }, 'Hello');
    const path = `/v1/turns/${submitted.id}/events`;
    const second = await startApiBeside(cluster);
    const both = [Number(cluster.api?.hello['port']), portOf(second)].map((port) =>
      follow(port, path, String(cluster?.apiKey)),
    );
    await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
    const [one, other] = both.map(({ shown }) => shown);
    await untilTrue('both are shown a part', () => one?.text !== '' && one?.text === other?.text);
    expect(WORDS.startsWith(String(one?.text))).toBe(true);
    // One that comes now is shown at once what the others were.
    const late = follow(portOf(second), path, cluster.apiKey);
    await untilTrue('the late one is shown it too', () => late.shown.text === one?.text);
    await cluster.control.release();
    await Promise.all([...both, late].map((client) => client.untilOver()));
    for (const { shown } of [...both, late]) expect(shown.text).toBe(WORDS.slice(0, 1_000));
    for (const client of clients.splice(0)) client.close();
    await second.end('SIGKILL');
    await cluster.stop();
    cluster = undefined;
  }
});
