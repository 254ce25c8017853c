import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';

const REDIS = process.env['TEST_REDIS_URL'];
const onRedis = REDIS === undefined ? test.skip : test;

/** Each test starts the workers that it needs. */
let cluster: Cluster;
let agentId: string;
beforeAll(async () => {
  cluster = await Cluster.start({
    workers: 0,
    environment: { RECONCILE_EVERY_MS: '100', JOB_AGE_MS: '300' },
  });
  agentId = (await cluster.createAgent()).id;
});
beforeEach(() => cluster.control.reset());
afterEach(async () => {
  await Promise.all(cluster.workers.splice(0).map((worker) => worker.end('SIGKILL')));
  await cluster.database.pool.query('DELETE FROM workers');
});
afterAll(() => cluster.stop());

/** `lost_leases` is -1 from a hand-over until its worker's first heartbeat. */
async function isHandedOver(turnId: string): Promise<boolean> {
  const { rows } = await cluster.database.pool.query<{ handed: boolean }>(
    'SELECT lost_leases = -1 AS handed FROM turns WHERE id = $1',
    [turnId],
  );
  return rows[0]?.handed === true;
}

let inputs = 0;
const submit = (sessionId?: string): Promise<Turn> =>
  cluster.submit(sessionId === undefined ? { agentId } : { sessionId }, `Hello ${++inputs}`);

/**
 * Submits one turn after another until one of them is handed over; the others have ended then. `around` is what
 * happens before each and, where it was not handed over, after it.
 */
async function untilHandedOver(
  sessionId?: string,
  around: { before: () => void; after: () => void } = { before: () => undefined, after: () => undefined },
): Promise<Turn> {
  for (;;) {
    around.before();
    const turn = await submit(sessionId);
    if (await isHandedOver(turn.id)) return turn;
    around.after();
    await cluster.untilEnded(turn.id);
  }
}

onRedis('a turn that comes while a worker has a free slot is handed to it, and runs once', async () => {
  await cluster.startWorker();
  const first = await untilHandedOver();
  expect(first.status).toBe('queued');
  expect(await cluster.untilEnded(first.id)).toMatchObject({
    status: 'completed',
    attempts: 1,
    step_count: 1,
  });
  // A later turn of its session, which has a history to be read.
  const later = await untilHandedOver(first.session_id);
  expect(await cluster.untilEnded(later.id)).toMatchObject({ status: 'completed', attempts: 1 });
  const said = await cluster.conversation(first.session_id);
  expect(said.map((text) => text.split(':')[0])).toEqual(
    said.map((_, index) => (index % 2 ? 'assistant' : 'user')),
  );
  expect(await cluster.control.stats()).toMatchObject({ duplicates: 0, rejected: 0 });
});

onRedis('a turn that runs for long is confirmed, and its worker keeps it', async () => {
  await cluster.startWorker({ LEASE_MS: '2000' });
  await cluster.control.setScript({
    rules: [{ match: { text: 'long' }, fault: { type: 'hang', after_events: 2 } }],
  });
  await untilHandedOver();
  const long = await cluster.submit({ agentId }, 'a long one');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  await untilTrue('it is confirmed', async () => !(await isHandedOver(long.id)));
  await cluster.control.release();
  expect(await cluster.untilEnded(long.id)).toMatchObject({ attempts: 1 });
});

onRedis('a turn that was handed to a worker which is frozen runs on another, and once', async () => {
  const frozen = await cluster.startWorker();
  const turn = await untilHandedOver(undefined, {
    before: () => frozen.process.kill('SIGSTOP'),
    after: () => frozen.process.kill('SIGCONT'),
  });
  // As after its time.
  await cluster.database.pool.query('UPDATE turns SET leased_until = now() WHERE id = $1', [turn.id]);
  await cluster.startWorker();
  expect(await cluster.untilEnded(turn.id)).toMatchObject({
    status: 'completed',
    attempts: 1,
    step_count: 1,
  });
  frozen.process.kill('SIGCONT');
  // It reads the message now, and takes turns again after it.
  const [other] = cluster.workers.splice(1);
  await other?.end('SIGTERM');
  expect(await cluster.untilEnded((await submit()).id)).toMatchObject({ status: 'completed' });
  expect(await cluster.control.stats()).toMatchObject({ duplicates: 0 });
});

onRedis('a turn for a worker that was killed is queued at once, and no crash is counted', async () => {
  let killed = await cluster.startWorker();
  let turn: Turn;
  for (;;) {
    await cluster.untilEnded((await untilHandedOver()).id);
    await killed.end('SIGKILL');
    turn = await submit();
    await untilTrue('it is queued', async () => (await cluster.read(turn.id)).status === 'queued');
    const { rows } = await cluster.database.pool.query(
      'SELECT epoch, lost_leases, dispatched_at IS NOT NULL AS dispatched FROM turns WHERE id = $1',
      [turn.id],
    );
    // 0: it was not handed over.
    const epoch = (rows[0] as { epoch: number }).epoch;
    expect(rows).toEqual([{ epoch, lost_leases: 0, dispatched: true }]);
    killed = await cluster.startWorker();
    if (epoch === 1) break;
    await cluster.untilEnded(turn.id);
  }
  expect(await cluster.untilEnded(turn.id)).toMatchObject({ status: 'completed', attempts: 1 });
});

onRedis(
  'a worker that drains gives back what was handed to it, and a worker without a free slot is handed nothing',
  async () => {
    const worker = await cluster.startWorker({ CONCURRENCY: '4' });
    await cluster.untilEnded((await untilHandedOver()).id);
    await cluster.control.setScript({
      rules: [{ match: { text: 'held' }, fault: { type: 'hang', after_events: 2 } }],
    });
    const held = await Promise.all([1, 2, 3, 4, 5, 6].map(() => cluster.submit({ agentId }, 'held')));
    await cluster.control.calls({ waitFor: 4, outcome: 'hung' });
    await untilTrue('all that it has is confirmed', async () => {
      const handed = await Promise.all(held.map(({ id }) => isHandedOver(id)));
      return !handed.includes(true);
    });
    const statuses = (await Promise.all(held.map(({ id }) => cluster.read(id)))).map(({ status }) => status);
    expect(statuses.filter((status) => status === 'in_progress')).toHaveLength(4);
    expect(await worker.end('SIGTERM')).toBe(0);
    await cluster.control.reset();
    await cluster.startWorker();
    for (const { id } of held) expect(await cluster.untilEnded(id)).toMatchObject({ status: 'completed' });
  },
);
