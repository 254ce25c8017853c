import { afterEach, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { freePort } from '../support/free-port.ts';
import { startRedis } from '../support/redis-server.ts';
import { untilTrue } from '../support/until-true.ts';

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

const FAST = { RECONCILE_EVERY_MS: '100', JOB_AGE_MS: '300' };
/** Where a lease has to end for the test to go on; elsewhere a slow machine must not lose one. */
const SHORT_LEASE = { ...FAST, LEASE_MS: '2000' };

test('an API that is killed after the commit and before the job loses no turn', async () => {
  cluster = await Cluster.start({ workers: 0, environment: FAST });
  const agent = await cluster.createAgent();
  await cluster.api?.end('SIGKILL');
  // This one can commit, and can job nobody: its backplane is a port where nobody listens.
  await cluster.startApi({ BACKPLANE_URL: `redis://127.0.0.1:${await freePort()}` });
  const turns = await Promise.all(
    [1, 2, 3].map(async (number) => cluster?.submit({ agentId: agent.id }, `Hello ${number}`)),
  );
  await cluster.api?.end('SIGKILL');

  await cluster.startWorker();
  await cluster.startApi();
  for (const turn of turns) {
    expect(await cluster.untilEnded(String(turn?.id))).toMatchObject({ status: 'completed', attempts: 1 });
  }
});

test('a worker that is killed in a model call is replaced, and only the unfinished call is made again', async () => {
  cluster = await Cluster.start({ workers: 1, environment: SHORT_LEASE });
  await cluster.control.setScript({
    rules: [
      { match: { step: 1 }, times: 1, fault: { type: 'hang', after_events: 2 } },
      { match: { step: 0 }, reply: { tool_uses: [{ name: 'current_time' }] } },
    ],
  });
  const agent = await cluster.createAgent({ tools: [{ type: 'builtin', name: 'current_time' }] });
  const submitted = await cluster.submit({ agentId: agent.id }, 'What time is it?');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  await cluster.workers[0]?.end('SIGKILL');
  await cluster.startWorker();

  const turn = await cluster.untilEnded(submitted.id);
  expect(turn).toMatchObject({ status: 'completed', attempts: 2, step_count: 3 });
  expect(await cluster.control.stats()).toMatchObject({ calls: 3, completed: 2, duplicates: 0, rejected: 0 });
});

test('a worker that was frozen beyond its lease commits nothing, and says so', async () => {
  cluster = await Cluster.start({ workers: 1, environment: SHORT_LEASE });
  await cluster.control.setScript({ rules: [{ times: 1, fault: { type: 'hang', after_events: 2 } }] });
  const agent = await cluster.createAgent();
  const submitted = await cluster.submit({ agentId: agent.id }, 'Hello');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  const [frozen] = cluster.workers;
  frozen?.process.kill('SIGSTOP');
  await cluster.startWorker();
  const turn = await cluster.untilEnded(submitted.id);
  expect(turn).toMatchObject({ status: 'completed', attempts: 2, step_count: 1 });

  frozen?.process.kill('SIGCONT');
  await cluster.control.release();
  await untilTrue('the zombie says that its lease is lost', () =>
    Boolean(frozen?.lines.some((line) => line.includes('The lease was lost'))),
  );
  const { body } = await cluster.request('GET', `/v1/turns/${turn.id}`);
  expect(body).toEqual(turn);
});

test('a turn that kills worker after worker fails visibly, its history readable', async () => {
  cluster = await Cluster.start({
    workers: 1,
    environment: { ...FAST, LEASE_MS: '1000', MAX_LOST_LEASES: '2' },
  });
  await cluster.control.setScript({
    rules: [{ match: { text: 'poison' }, times: 2, fault: { type: 'hang' } }],
  });
  const agent = await cluster.createAgent();
  const submitted = await cluster.submit({ agentId: agent.id }, 'poison');
  for (const attempt of [1, 2]) {
    await cluster.control.calls({ waitFor: attempt });
    await cluster.workers.at(-1)?.end('SIGKILL');
    await cluster.startWorker();
  }
  const turn = await cluster.untilEnded(submitted.id);
  expect(turn).toMatchObject({
    status: 'failed',
    attempts: 2,
    error: { code: 'max_attempts', retry_status: 'exhausted' },
  });
  const after = await cluster.submit({ sessionId: turn.session_id }, 'Are you still there?');
  expect((await cluster.untilEnded(after.id)).status).toBe('completed');
});

const withRedis = process.env['TEST_REDIS_URL'] === undefined ? test.skip : test;

withRedis('Redis killed and restarted empty while turns wait: all complete', async () => {
  const redis = await startRedis();
  if (redis === null) throw new Error('redis-server was there a moment ago.');
  try {
    cluster = await Cluster.start({ workers: 0, backplaneUrl: redis.url, environment: FAST });
    const agent = await cluster.createAgent();
    const turns: Turn[] = [];
    for (let number = 1; number <= 20; number++) {
      turns.push(await cluster.submit({ agentId: agent.id }, `Question ${number}`));
    }
    await redis.kill();
    const during = await cluster.submit({ agentId: agent.id }, 'Asked while Redis was away');
    await redis.start();
    await cluster.startWorker();
    for (const turn of [...turns, during]) {
      expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed', attempts: 1 });
    }
    expect(await cluster.control.stats()).toMatchObject({ calls: 21, duplicates: 0 });
  } finally {
    await redis.stop();
  }
});

test('a worker that is told to stop gives its turns back and repeats nothing that was finished', async () => {
  cluster = await Cluster.start({ workers: 1, environment: { ...FAST, DRAIN_MS: '3000' } });
  await cluster.control.setScript({
    rules: [{ match: { text: 'long' }, times: 1, fault: { type: 'hang', after_events: 2 } }],
  });
  const agent = await cluster.createAgent();
  const submitted = await cluster.submit({ agentId: agent.id }, 'a long one');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  expect(await cluster.workers[0]?.end('SIGTERM')).toBe(0);
  const { rows } = await cluster.database.pool.query('SELECT status, lost_leases FROM turns');
  expect(rows).toEqual([{ status: 'queued', lost_leases: 0 }]);
  await cluster.startWorker();
  expect(await cluster.untilEnded(submitted.id)).toMatchObject({ status: 'completed', attempts: 2 });
});

test('a turn whose deadline passes ends incomplete, and its session goes on', async () => {
  cluster = await Cluster.start({ workers: 1, environment: FAST });
  await cluster.control.setScript({
    rules: [{ match: { text: 'slow' }, times: 1, fault: { type: 'hang', after_events: 2 } }],
  });
  const agent = await cluster.createAgent();
  const { body } = await cluster.request('POST', '/v1/turns', {
    agent_id: agent.id,
    input: 'slow',
    deadline_ms: 1000,
  });
  const turn = await cluster.untilEnded((body as Turn).id);
  expect(turn).toMatchObject({ status: 'incomplete', stop_reason: 'deadline' });
  const next = await cluster.submit({ sessionId: turn.session_id }, 'and now?');
  expect((await cluster.untilEnded(next.id)).status).toBe('completed');
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
});

test('a model that is overloaded is asked again, and one that refuses the request is not', async () => {
  cluster = await Cluster.start({ workers: 1, environment: FAST });
  await cluster.control.setScript({
    rules: [
      { match: { text: 'busy' }, times: 1, fault: { type: 'status', status: 529 } },
      {
        match: { text: 'later' },
        times: 1,
        fault: { type: 'status', status: 429, headers: { 'retry-after': '6' } },
      },
      { match: { text: 'wrong' }, fault: { type: 'status', status: 400, message: 'no' } },
    ],
  });
  const agent = await cluster.createAgent();
  const [busy, later, wrong] = await Promise.all(
    ['busy', 'later', 'wrong'].map(async (input) => cluster?.submit({ agentId: agent.id }, input)),
  );
  // A long wait gives the worker's place back, and says meanwhile what it waits for.
  await untilTrue('the turn that must wait is given back', async () => {
    const turn = await cluster?.read(String(later?.id));
    return (
      turn?.status === 'queued' &&
      turn.error?.code === 'model_rate_limited' &&
      turn.error.retry_status === 'retrying'
    );
  });
  expect(await cluster.untilEnded(String(wrong?.id))).toMatchObject({
    status: 'failed',
    error: { code: 'model_rejected_request', retry_status: 'terminal' },
  });
  expect(await cluster.untilEnded(String(busy?.id))).toMatchObject({ status: 'completed', attempts: 1 });
  expect(await cluster.untilEnded(String(later?.id))).toMatchObject({
    status: 'completed',
    attempts: 2,
    error: null,
  });
});
