import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { addCustomer, type Customer } from './support/tenant-of.ts';

/** Turns at once of each of two workers. */
const CONCURRENCY = 20;
/** Turns that wait, more than run meanwhile. */
const BACKLOG = byLength({ short: 2_000, long: 5_000 });
/** Turns whose tenants are counted. */
const COUNTED = 1_000;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ workers: 2, environment: { CONCURRENCY: String(CONCURRENCY) } });
});
afterAll(() => cluster.stop());

const runningOf = async (tenantId: string): Promise<number> => {
  const { rows } = await cluster.database.pool.query(
    `SELECT count(*)::int AS n FROM turns WHERE tenant_id = $1 AND status = 'in_progress'`,
    [tenantId],
  );
  return rows[0].n;
};

/** Submits turns one after another, each when the one before has ended; the median time of one, in ms. */
async function medianTime(customer: Customer, turns: number): Promise<number> {
  const times: number[] = [];
  for (let number = 0; number < turns; number++) {
    const startedAt = performance.now();
    const { id } = await customer.submit('one of few');
    expect((await customer.untilEnded(id)).status).toBe('completed');
    times.push(performance.now() - startedAt);
  }
  return times.toSorted((one, other) => one - other)[Math.floor(turns / 2)] ?? Infinity;
}

test(`beside a tenant with ${BACKLOG} waiting turns, another waits at most twice as long as alone`, async () => {
  // The model's time is what counts, not the machine's. The calls of many end at different moments.
  const many = [800, 1_050, 1_300, 1_550].map((first_token_ms, index, all) => ({
    match: { text: 'one of many' },
    probability: 1 / (all.length - index),
    pace: { first_token_ms },
  }));
  await cluster.control.setScript({ rules: [...many, { pace: { first_token_ms: 1_200 } }] });
  const few = await addCustomer(cluster, 'Few');
  const alone = await medianTime(few, 3);

  const crowd = await addCustomer(cluster, 'Many');
  await crowd.fillQueue(BACKLOG, 'one of many');
  await untilTrue('it has every slot', async () => (await runningOf(crowd.tenantId)) === 2 * CONCURRENCY);
  const beside = await medianTime(few, 3);
  // It was beside a backlog all the time, and that had the slots that were left.
  const { rows } = await cluster.database.pool.query(
    `SELECT count(*)::int AS n FROM turns WHERE tenant_id = $1 AND status = 'queued'`,
    [crowd.tenantId],
  );
  expect(rows[0].n).toBeGreaterThan(1_000);
  expect(await runningOf(crowd.tenantId)).toBeGreaterThan(CONCURRENCY);
  await crowd.leave();
  expect(beside).toBeLessThanOrEqual(2 * alone);
});

test(`of ${COUNTED} turns of three tenants with weights 3, 1 and 1, each has its share within 10 %`, async () => {
  await cluster.control.reset();
  await cluster.control.setScript({ rules: [{ pace: { first_token_ms: 300 } }] });
  const customers = await Promise.all(
    [3, 1, 1].map((weight, index) => addCustomer(cluster, `Share ${index}`, { weight })),
  );
  await Promise.all(customers.map((customer) => customer.fillQueue(0.9 * COUNTED, 'Hi')));
  // What starts before all have turns that wait says nothing of shares.
  const { rows: clock } = await cluster.database.pool.query<{ at: string }>(
    'SELECT clock_timestamp()::text AS at',
  );
  const ids = customers.map(({ tenantId }) => tenantId);
  const started = async (): Promise<{ tenant: string }[]> => {
    const { rows } = await cluster.database.pool.query<{ tenant: string }>(
      `SELECT tenant_id AS tenant FROM turns WHERE tenant_id = ANY ($1) AND started_at > $2::timestamptz
         ORDER BY started_at LIMIT $3`,
      [ids, clock[0]?.at, COUNTED],
    );
    return rows;
  };
  await untilTrue('enough turns have started', async () => (await started()).length === COUNTED);
  const rows = await started();
  const shares = ids.map((id) => rows.filter(({ tenant }) => tenant === id).length);
  await Promise.all(customers.map((customer) => customer.leave()));
  for (const [index, share] of [0.6, 0.2, 0.2].entries()) {
    expect(shares[index]).toBeGreaterThanOrEqual(share * COUNTED * 0.9);
    expect(shares[index]).toBeLessThanOrEqual(share * COUNTED * 1.1);
  }
});

test('of turns that wait, those with a higher priority start first', async () => {
  await cluster.control.setScript({ rules: [{ match: { text: 'hang' }, fault: { type: 'hang' } }] });
  const customer = await addCustomer(cluster, 'Urgent', { max_running_turns: 1 });
  const first = await customer.submit('hang');
  await cluster.control.calls({ waitFor: 1, outcome: 'hung' });
  const submitted: Turn[] = [];
  for (const priority of [0, -100, 100, 7, 0]) submitted.push(await customer.submit('Hi', { priority }));
  expect(submitted.map(({ priority }) => priority)).toEqual([0, -100, 100, 7, 0]);
  await cluster.control.release();
  const ended: Turn[] = [];
  for (const { id } of [first, ...submitted]) ended.push(await customer.untilEnded(id));
  const inOrder = ended
    .slice(1)
    .toSorted((one, other) => Date.parse(one.started_at ?? '') - Date.parse(other.started_at ?? ''));
  expect(inOrder.map(({ id }) => submitted.findIndex((turn) => turn.id === id))).toEqual([2, 3, 0, 4, 1]);
});

test('a scheduled turn waits for its time, and later turns of its session wait behind it', async () => {
  await cluster.control.setScript({});
  const customer = await addCustomer(cluster, 'Later');
  const soon = new Date(Date.now() + 3_000).toISOString();
  const scheduled = await customer.submit('Hi', { run_at: soon, deadline_ms: 60_000 });
  expect(scheduled).toMatchObject({ status: 'queued', run_at: soon });
  expect(Date.parse(scheduled.deadline_at)).toBe(Date.parse(soon) + 60_000);
  const path = `/v1/sessions/${scheduled.session_id}/turns`;
  const behind = (await customer.request('POST', path, { input: 'Hi' })).body as Turn;
  // Others need not wait for it.
  const other = await customer.submit('Hi');
  expect((await customer.untilEnded(other.id)).status).toBe('completed');

  const first = await customer.untilEnded(scheduled.id);
  const second = await customer.untilEnded(behind.id);
  expect([first.status, second.status]).toEqual(['completed', 'completed']);
  expect(Date.parse(first.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(soon));
  expect(Date.parse(second.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(first.finished_at ?? ''));
});

test('a turn behind another may be scheduled too, and a time in the past delays nothing', async () => {
  const customer = await addCustomer(cluster, 'Past');
  const past = await customer.submit('Hi', { run_at: '2001-02-03T04:05:06+02:00' });
  expect(past.run_at).toBe('2001-02-03T02:05:06.000Z');
  expect((await customer.untilEnded(past.id)).status).toBe('completed');
  const path = `/v1/sessions/${past.session_id}/turns`;
  const soon = new Date(Date.now() + 1_500).toISOString();
  const turns: Turn[] = [];
  for (const more of [{}, { run_at: soon }, {}]) {
    turns.push((await customer.request('POST', path, { input: 'Hi', ...more })).body as Turn);
  }
  const ended: Turn[] = [];
  for (const { id } of turns) ended.push(await customer.untilEnded(id));
  expect(ended.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
  expect(Date.parse(ended[1]?.started_at ?? '')).toBeGreaterThanOrEqual(Date.parse(soon));
});

test('a scheduled turn can be cancelled before its time, and what stood behind it goes on', async () => {
  const customer = await addCustomer(cluster, 'Never mind');
  const scheduled = await customer.submit('Hi', { run_at: new Date(Date.now() + 3_600_000).toISOString() });
  const path = `/v1/sessions/${scheduled.session_id}/turns`;
  const behind = (await customer.request('POST', path, { input: 'Hi' })).body as Turn;
  const cancelled = await customer.request('POST', `/v1/turns/${scheduled.id}/cancel`);
  expect(cancelled.body).toMatchObject({ status: 'cancelled' });
  expect((await customer.untilEnded(behind.id)).status).toBe('completed');
});

test('the workers that are counted are those that live: one that stops is gone, one that dies is not for long', async () => {
  const count = async (): Promise<number> => {
    const { rows } = await cluster.database.pool.query(
      `SELECT count(*)::int AS n FROM workers WHERE concurrency = $1`,
      [CONCURRENCY],
    );
    return rows[0].n;
  };
  expect(await count()).toBe(2);
  const [stopped, killed] = await Promise.all([cluster.startWorker(), cluster.startWorker()]);
  await untilTrue('all four are known', async () => (await count()) === 4);
  await stopped.end('SIGTERM');
  expect(await count()).toBe(3);
  await killed.end('SIGKILL');
  // As if 30 s had passed.
  await cluster.database.pool.query(
    `UPDATE workers SET seen_at = now() - interval '31 seconds' WHERE id LIKE '%-' || $1 || '-%'`,
    [String(killed.process.pid)],
  );
  await untilTrue('it is counted no more', async () => (await count()) === 2);
});
