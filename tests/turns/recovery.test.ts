import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { freePort } from '../support/free-port.ts';
import { startRedis } from '../support/redis-server.ts';
import { untilTrue } from '../support/until-true.ts';

const FAST = { JOB_AGE_MS: '300', MAX_LOST_LEASES: '2' };
/** Where a lease has to end for the test to go on; elsewhere a slow machine must not lose one. */
const SHORT_LEASE = { LEASE_MS: '2000' };

/** Each test starts the workers that it needs. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ workers: 0, environment: FAST });
});
beforeEach(() => cluster.control.reset());
afterEach(async () => {
  await Promise.all(cluster.workers.splice(0).map((worker) => worker.end('SIGKILL')));
});
afterAll(() => cluster.stop());

test('an API that is killed after the commit and before the job loses no turn', async () => {
  const agent = await cluster.createAgent();
  await cluster.api?.end('SIGKILL');
  // This one can commit, and can enqueue no job: nothing listens at its backplane's port.
  await cluster.startApi({ BACKPLANE_URL: `redis://127.0.0.1:${await freePort()}` });
  const turns = await Promise.all(
    [1, 2, 3].map((number) => cluster.submit({ agentId: agent.id }, `Hello ${number}`)),
  );
  await cluster.api?.end('SIGKILL');

  await Promise.all([cluster.startWorker(), cluster.startApi()]);
  for (const { id } of turns) {
    expect(await cluster.untilEnded(id)).toMatchObject({ status: 'completed', attempts: 1 });
  }
});

test('a worker that is killed in a model call is replaced, and only the unfinished call is made again', async () => {
  await cluster.startWorker(SHORT_LEASE);
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
  await cluster.startWorker(SHORT_LEASE);
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
  await cluster.startWorker({ LEASE_MS: '3000' });
  await cluster.control.setScript({
    rules: [{ match: { text: 'poison' }, times: 2, fault: { type: 'hang' } }],
  });
  const agent = await cluster.createAgent();
  const submitted = await cluster.submit({ agentId: agent.id }, 'poison');
  for (const attempt of [1, 2]) {
    await cluster.control.calls({ waitFor: attempt });
    await cluster.workers.at(-1)?.end('SIGKILL');
    await cluster.startWorker({ LEASE_MS: '3000' });
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
  if (redis === null) throw new Error('There is no redis-server any more.');
  const other = await Cluster.start({ workers: 0, backplaneUrl: redis.url, environment: FAST });
  try {
    const agent = await other.createAgent();
    const turns: Turn[] = [];
    for (let number = 1; number <= 20; number++) {
      turns.push(await other.submit({ agentId: agent.id }, `Question ${number}`));
    }
    await redis.kill();
    const during = await other.submit({ agentId: agent.id }, 'Asked while Redis was away');
    await redis.start();
    await other.startWorker();
    for (const turn of [...turns, during]) {
      expect(await other.untilEnded(turn.id)).toMatchObject({ status: 'completed', attempts: 1 });
    }
    expect(await other.control.stats()).toMatchObject({ calls: 21, duplicates: 0 });
  } finally {
    await other.stop();
    await redis.stop();
  }
});

test('a worker that is told to stop gives its turns back and repeats nothing that was finished', async () => {
  await cluster.startWorker({ DRAIN_MS: '1000' });
  await cluster.control.setScript({
    rules: [{ match: { text: 'long' }, times: 1, fault: { type: 'hang', after_events: 2 } }],
  });
  const agent = await cluster.createAgent();
  const submitted = await cluster.submit({ agentId: agent.id }, 'a long one');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  expect(await cluster.workers[0]?.end('SIGTERM')).toBe(0);
  const { rows } = await cluster.database.pool.query('SELECT status, lost_leases FROM turns WHERE id = $1', [
    submitted.id,
  ]);
  expect(rows).toEqual([{ status: 'queued', lost_leases: 0 }]);
  await cluster.startWorker();
  expect(await cluster.untilEnded(submitted.id)).toMatchObject({ status: 'completed', attempts: 2 });
});

test('a turn whose deadline passes ends incomplete, and its session goes on', async () => {
  await cluster.startWorker();
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
  await cluster.startWorker();
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
    ['busy', 'later', 'wrong'].map((input) => cluster.submit({ agentId: agent.id }, input)),
  );
  // A long wait gives the worker's slot back, and says meanwhile what it waits for.
  await untilTrue('the turn that must wait is released', async () => {
    const turn = await cluster.read(String(later?.id));
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

test('the worker of a cancelled turn is killed before it confirms: the end of its lease confirms it', async () => {
  const worker = await cluster.startWorker({ LEASE_MS: '1500' });
  await cluster.control.setScript({ rules: [{ times: 1, fault: { type: 'hang', after_events: 2 } }] });
  const agent = await cluster.createAgent();
  const { id } = await cluster.submit({ agentId: agent.id }, 'please hang');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  worker.process.kill('SIGSTOP');
  expect((await cluster.cancel(id)).status).toBe('cancelling');
  await worker.end('SIGKILL');
  expect((await cluster.untilEnded(id)).status).toBe('cancelled');
});
