import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { idSchema, newId } from '@turnpike/contract';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { untilTrue } from '../../../../tests/support/until-true.ts';
import { claimDelivery } from './claim-delivery.ts';
import { deadLetterDeliveries, expireDeliveries, purgeDeliveries } from './purge-deliveries.ts';
import {
  countOpenReceivers,
  pickWaitingDeliveries,
  reissueDeliveryJobs,
  takeFreshDeliveries,
  takeUncheckedDeliveries,
  type PickedDelivery,
} from './pick-deliveries.ts';
import { postponeDelivery, recordDelivery, type AttemptOutcome } from './record-delivery.ts';
import { transaction, type Sql } from '../database/sql.ts';
import { createTenant } from '../tenants/tenants.ts';
import { announceEvent, deleteWebhookEndpoint, insertWebhookEndpoint } from './webhook-endpoints.ts';

let database: TestDatabase;
let tenantId: string;
beforeAll(async () => {
  database = await openTestDatabase(10);
  tenantId = await createTenant(database, 'Acme');
});
afterEach(async () => {
  await database.pool.query(
    'TRUNCATE deliveries, webhook_endpoints, webhook_receivers, tenant_events CASCADE',
  );
});
afterAll(() => database.close());

async function endpoint(): Promise<string> {
  const id = newId('webhookEndpoint');
  const wanted = {
    url: 'https://hooks.example.com/',
    description: '',
    events: ['budget.exhausted' as const],
    format: 'turnpike' as const,
  };
  await insertWebhookEndpoint(database.pool, { ...wanted, id, tenantId });
  return id;
}

function announce(sql: Sql = database.pool, onlyEndpoint?: string): Promise<void> {
  const event = { id: newId('event'), tenantId, type: 'budget.exhausted', payload: { budget: { spent: 1 } } };
  return announceEvent(sql, { ...event, ...(onlyEndpoint === undefined ? {} : { onlyEndpoint }) });
}

async function read(columns: string): Promise<Record<string, unknown>[]> {
  return (await database.pool.query<Record<string, unknown>>(`SELECT ${columns} FROM deliveries ORDER BY id`))
    .rows;
}

/** One dispatch pass, as a worker makes it. */
async function pick(window = 100, limit = 100): Promise<PickedDelivery[]> {
  // Columns round times to milliseconds: what became due just now may be due half a millisecond from now.
  await database.pool.query('SELECT pg_sleep(0.001)');
  const waiting = await pickWaitingDeliveries(database.pool, { limit, window, probeMs: 60_000 });
  const fresh = await takeFreshDeliveries(database.pool, { limit: 10_000, window });
  return [...waiting.picked, ...fresh.picked];
}

async function pickOne(): Promise<PickedDelivery> {
  const [picked] = await pick();
  if (picked === undefined) throw new Error('No delivery is due.');
  return picked;
}

const claim = (picked: PickedDelivery, leaseMs = 60_000) =>
  claimDelivery(database.pool, { ...picked, leaseMs });
const record = (
  held: { id: string; claim: number },
  outcome: AttemptOutcome,
  breaker = { failuresToOpen: 1_000, openMs: 1_000, mostOpenMs: 10_000 },
) =>
  recordDelivery(
    database.pool,
    held,
    outcome,
    { durationMs: 5, responseStatus: 500, responseBody: '', errorCode: 'status_refused' },
    {
      disabling: { afterMs: 1_000_000, leastFailures: 5 },
      breaker,
      receiverWell: outcome.result === 'delivered',
    },
  );

/** Opens after three failures in a row, for longer than a test takes. */
const BREAKER = { failuresToOpen: 3, openMs: 1_000_000, mostOpenMs: 4_000_000 };

/** Inserts deliveries for each of these receivers. */
async function insertWaiting(receivers: readonly string[], each: number): Promise<void> {
  await database.pool.query(
    `INSERT INTO deliveries (id, tenant_id, url, lane, event_id, type, payload)
     SELECT turnpike_new_id('dlv'), $1, 'https://hooks.invalid/', receiver, 'evt', 'ping', '{}'
     FROM unnest($2::text[]) AS receiver, generate_series(1, $3)`,
    [tenantId, receivers, each],
  );
}

async function makeAttempt(picked: PickedDelivery, outcome: AttemptOutcome): Promise<boolean> {
  const held = await claim(picked);
  if (held === null) return false;
  const recorded = await record(held, outcome, BREAKER);
  return recorded?.breakerOpened ?? false;
}

const FAILED = { result: 'failed', retryInMs: 60_000_000 } as const;
const countQueued = async (): Promise<number> =>
  (await read('hinted_at')).filter((row) => row['hinted_at'] !== null).length;
/** Ends the time of the open breakers: they are half-open. */
const halfOpen = () =>
  database.pool.query(
    'UPDATE webhook_receivers SET open_until = now(), try_at = now() WHERE open_until > now()',
  );

test('an event and its deliveries are committed together, or neither is', async () => {
  const id = await endpoint();
  await expect(
    transaction(database.pool, async (sql) => {
      await announce(sql);
      throw new Error('Rolled back.');
    }),
  ).rejects.toThrow('Rolled back.');
  expect(await read('id')).toEqual([]);
  await announce();
  const [delivery] = await read('id, endpoint_id, status');
  expect(delivery).toMatchObject({ endpoint_id: id, status: 'pending' });
  expect(idSchema('delivery').safeParse(delivery?.['id']).success).toBe(true);
  const { rows: events } = await database.pool.query('SELECT type FROM tenant_events');
  expect(events).toEqual([{ type: 'budget.exhausted' }]);
});

test('ids that the database makes sort by time among those that a process makes', async () => {
  const before = newId('delivery');
  await new Promise((resolve) => setTimeout(resolve, 5));
  const { rows } = await database.pool.query<{ id: string }>(
    `SELECT turnpike_new_id('dlv') AS id FROM generate_series(1, 1000)`,
  );
  await new Promise((resolve) => setTimeout(resolve, 5));
  const after = newId('delivery');
  expect(new Set(rows.map(({ id }) => id)).size).toBe(1_000);
  for (const { id } of rows) {
    expect(idSchema('delivery').safeParse(id).success).toBe(true);
    expect([before, id, after].toSorted()).toEqual([before, id, after]);
  }
});

test('an event for one endpoint is delivered to no other', async () => {
  const [one] = [await endpoint(), await endpoint()];
  await announce(database.pool, one);
  expect(await read('endpoint_id')).toEqual([{ endpoint_id: one }]);
});

test('no more deliveries of a receiver are picked than its window, and one pass picks for every receiver', async () => {
  const lanes = [await endpoint(), await endpoint(), await endpoint()];
  for (const lane of lanes.slice(1)) await announce(database.pool, lane);
  await database.pool.query(
    `INSERT INTO deliveries (id, tenant_id, endpoint_id, lane, event_id, type, payload)
     SELECT turnpike_new_id('dlv'), $1, $2, $2, 'evt', 'ping', '{}' FROM generate_series(1, 5000)`,
    [tenantId, lanes[0]],
  );
  expect(await pick(3)).toHaveLength(5);
  expect(await pick(3)).toEqual([]);
  const { rows } = await database.pool.query(
    'SELECT lane, count(*)::int FROM deliveries WHERE hinted_at IS NOT NULL GROUP BY lane ORDER BY lane',
  );
  expect(rows).toEqual(lanes.toSorted().map((lane) => ({ lane, count: lane === lanes[0] ? 3 : 1 })));
});

test('concurrent passes pick each delivery once', async () => {
  for (let lane = 0; lane < 5; lane++) await endpoint();
  for (let event = 0; event < 20; event++) await announce();
  const picked = (await Promise.all(Array.from({ length: 8 }, () => pick()))).flat();
  expect(picked).toHaveLength(100);
  expect(new Set(picked.map(({ deliveryId }) => deliveryId)).size).toBe(100);
});

test('a pass that is limited to some receivers leaves the others to the next pass', async () => {
  await insertWaiting(['a', 'b', 'c', 'd', 'e'], 3);
  expect(await pick(1)).toHaveLength(5);
  await database.pool.query('UPDATE deliveries SET hinted_at = NULL WHERE hinted_at IS NOT NULL');
  await database.pool.query('UPDATE webhook_receivers SET try_at = now()');
  const seen: number[] = [];
  for (let pass = 0; pass < 3; pass++) seen.push((await pick(1, 2)).length);
  expect(seen).toEqual([2, 2, 1]);
});

test('a delivery that the window has no slot for waits, and is picked when there is one', async () => {
  await insertWaiting(['a'], 5);
  const [first, ...others] = await pick(2);
  expect(others).toHaveLength(1);
  expect(await pick(2)).toEqual([]);
  if (first === undefined) throw new Error('Nothing was picked.');
  await makeAttempt(first, { result: 'delivered' });
  await untilTrue('the next delivery is picked', async () => (await pick(2)).length === 1);
});

test('a circuit breaker opens after failures in a row, withdraws queued jobs, and lets one probe through at a time', async () => {
  await insertWaiting(['down'], 20);
  const queued = await pick(10);
  const opened: boolean[] = [];
  for (const picked of queued.slice(0, 3)) opened.push(await makeAttempt(picked, FAILED));
  expect(opened).toEqual([false, false, true]);
  expect(await countQueued()).toBe(0);
  expect(await countOpenReceivers(database.pool)).toBe(1);
  // Jobs that were in the queue when it opened are stale.
  expect(await claim(queued[5] ?? { deliveryId: '', jobNumber: 0 })).toBeNull();
  await insertWaiting(['down'], 3);
  expect(await pick(10)).toEqual([]);

  const length = async (): Promise<number> => {
    const { rows } = await database.pool.query<{ seconds: number }>(
      'SELECT extract(epoch FROM open_until - now())::float AS seconds FROM webhook_receivers',
    );
    return rows[0]?.seconds ?? 0;
  };
  const before = await length();
  await halfOpen();
  const probes = await pick(10);
  expect(probes).toHaveLength(1);
  expect(await pick(10)).toEqual([]);
  for (const probe of probes) expect(await makeAttempt(probe, FAILED)).toBe(true);
  expect(await length()).toBeGreaterThan(before * 1.2);
  expect(await pick(10)).toEqual([]);

  await halfOpen();
  for (const probe of await pick(10)) await makeAttempt(probe, { result: 'delivered' });
  expect(await countOpenReceivers(database.pool)).toBe(0);
  expect(await pick(10)).toHaveLength(10);
});

test('a failure of an attempt that began before the breaker opened does not extend its time', async () => {
  await insertWaiting(['down'], 5);
  const held = await Promise.all((await pick(5)).map((picked) => claim(picked)));
  const opened: (boolean | undefined)[] = [];
  for (const delivery of held) {
    if (delivery !== null) opened.push((await record(delivery, FAILED, BREAKER))?.breakerOpened);
  }
  expect(opened).toEqual([false, false, true, false, false]);
});

test('an idle pass reads the same few pages with ten thousand deliveries behind a hundred dead receivers', async () => {
  /** Pages that a pass with nothing to do reads. */
  const idlePass = async (): Promise<number> => {
    let pages = 0;
    for (const statement of [
      'SELECT picked, receivers FROM turnpike_pick_waiting_deliveries(500, 10, 1000)',
      `SELECT id FROM deliveries WHERE fresh AND status IN ('pending', 'failed') AND hinted_at IS NULL ORDER BY id LIMIT 500`,
    ]) {
      const { rows } = await database.pool.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${statement}`,
      );
      const plan = rows[0]?.['QUERY PLAN'][0].Plan;
      pages += (plan?.['Shared Hit Blocks'] ?? 0) + (plan?.['Shared Read Blocks'] ?? 0);
    }
    return pages;
  };
  const receivers = Array.from({ length: 100 }, (_, n) => `dead-${n}`);
  await insertWaiting(receivers, 100);
  const opened = await Promise.all((await pick(3)).map((picked) => makeAttempt(picked, FAILED)));
  expect(opened.filter(Boolean)).toHaveLength(100);
  // A delivery whose attempt failed waits behind its receiver again: once.
  await pick();
  await database.pool.query('VACUUM ANALYZE deliveries, webhook_receivers');
  const versions = () => read('ctid, xmin');
  const before = await versions();
  await idlePass();
  const pages = await idlePass();
  for (let pass = 0; pass < 5; pass++) expect(await pick()).toEqual([]);
  expect(await versions()).toEqual(before);
  await database.pool.query('TRUNCATE deliveries, webhook_receivers CASCADE');
  await idlePass();
  expect(pages).toBeLessThanOrEqual((await idlePass()) + 20);
});

test('no delivery is lost, however passes, attempts and new deliveries interleave', async () => {
  const receivers = ['a', 'b', 'c'];
  await insertWaiting(receivers, 40);
  const over = new AbortController();
  const work = async (): Promise<void> => {
    for (let turn = 0; !over.signal.aborted; turn++) {
      for (const picked of await pick(4)) {
        const held = await claim(picked);
        if (held === null) continue;
        if (turn % 3 === 0)
          await postponeDelivery(database.pool, held, { delayMs: 1, giveUpAfterMs: 1_000_000 });
        else if (turn % 3 === 1) await record(held, { result: 'failed', retryInMs: 1 });
        else await record(held, { result: 'delivered' });
      }
      if (turn < 5) await insertWaiting(receivers, 1);
    }
  };
  const workers = Array.from({ length: 6 }, work);
  await untilTrue('all are delivered', async () => {
    const rows = await read('status');
    return rows.every(({ status }) => status === 'delivered');
  }).finally(() => over.abort());
  await Promise.all(workers);
});

test('a pass that waits for a lock loses no delivery that starts to wait meanwhile', async () => {
  await insertWaiting(['b'], 1);
  const held = await claim(await pickOne());
  if (held === null) throw new Error('The delivery was not claimed.');
  await database.pool.query(
    `INSERT INTO webhook_receivers (id, tenant_id, try_at)
     SELECT id, $1, now() - interval '1 second' FROM unnest('{a,b}'::text[]) AS id`,
    [tenantId],
  );
  let pass: Promise<unknown> = Promise.resolve();
  await transaction(database.pool, async (sql) => {
    await sql.query(`SELECT FROM webhook_receivers WHERE id = 'a' FOR UPDATE`);
    let isOver = false;
    pass = pickWaitingDeliveries(database.pool, { limit: 10, window: 1, probeMs: 1_000 }).finally(
      () => (isOver = true),
    );
    await untilTrue('the pass has ended or waits for the lock', async () => {
      const { rows } = await database.pool.query(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return isOver || rows.length > 0;
    });
    await postponeDelivery(database.pool, held, { delayMs: 0, giveUpAfterMs: 1_000_000 });
    await takeFreshDeliveries(database.pool, { limit: 10, window: 0 });
  });
  await pass;
  await untilTrue('the delivery is picked', async () => (await pick(1)).length === 1);
});

test('a delivery that could not be attempted for too long becomes a dead letter', async () => {
  await insertWaiting(['down'], 4);
  await database.pool.query(
    `UPDATE deliveries SET next_attempt_at = now() - interval '1 hour' WHERE id IN (SELECT id FROM deliveries ORDER BY id LIMIT 3)`,
  );
  const expire = () => expireDeliveries(database.pool, { afterMs: 60_000, limit: 2 });
  expect([await expire(), await expire(), await expire()]).toEqual([2, 1, 0]);
  expect(await read('status')).toEqual(['dead', 'dead', 'dead', 'pending'].map((status) => ({ status })));
});

test('one worker at a time holds a delivery, and a worker that lost it records nothing', async () => {
  await endpoint();
  await announce();
  const job = await pickOne();
  const claims = await Promise.all(Array.from({ length: 5 }, () => claim(job, 1)));
  const [first] = claims.filter((held) => held !== null);
  expect(first).toMatchObject({ tries: 0, url: 'https://hooks.example.com/' });
  // Its lease has expired: another worker claims it.
  const second = await claim(job);
  expect(second?.claim).toBeGreaterThan(first?.claim ?? 0);
  if (first === undefined || second === null) throw new Error('The delivery was not claimed.');
  expect(await record(first, { result: 'delivered' })).toBeNull();
  await postponeDelivery(database.pool, first, { delayMs: 0, giveUpAfterMs: 1_000_000 });
  expect(await claim(job)).toBeNull();
  expect(await record(second, { result: 'failed', retryInMs: 60_000 })).toEqual({
    disabled: null,
    breakerOpened: false,
  });
  expect(await read('status, attempts')).toEqual([{ status: 'failed', attempts: 1 }]);
  expect(await pick()).toEqual([]);
});

test('a lost job is reissued with a new number, and the old number is stale', async () => {
  await endpoint();
  await announce();
  const job = await pickOne();
  expect(await takeUncheckedDeliveries(database.pool, { limit: 10, olderThanMs: 60_000 })).toEqual([]);
  const unchecked = await takeUncheckedDeliveries(database.pool, { limit: 10, olderThanMs: 0 });
  expect(unchecked).toEqual([job]);
  const [raised] = await reissueDeliveryJobs(database.pool, unchecked);
  expect(raised?.jobNumber).toBe(job.jobNumber + 1);
  expect(await claim(job)).toBeNull();
  if (raised === undefined) throw new Error('The job was not reissued.');
  expect(await claim(raised)).not.toBeNull();
  // A worker holds the delivery: its job is not lost.
  expect(await takeUncheckedDeliveries(database.pool, { limit: 10, olderThanMs: 0 })).toEqual([]);
});

test('reissuing lost jobs waits for no lock: a delivery that is locked is skipped', async () => {
  await endpoint();
  for (let event = 0; event < 3; event++) await announce();
  const [first, ...others] = await pick();
  await transaction(database.pool, async (sql) => {
    await sql.query('SELECT FROM deliveries WHERE id = $1 FOR UPDATE', [first?.deliveryId]);
    const reissued = await reissueDeliveryJobs(database.pool, [...others, ...(first ? [first] : [])]);
    expect(new Set(reissued)).toEqual(
      new Set(others.map((job) => ({ ...job, jobNumber: job.jobNumber + 1 }))),
    );
  });
});

test('a postponed delivery counts no attempt, and becomes a dead letter if it is postponed for too long', async () => {
  await endpoint();
  await announce();
  const held = await claim(await pickOne());
  if (held === null) throw new Error('The delivery was not claimed.');
  await postponeDelivery(database.pool, held, { delayMs: 0, giveUpAfterMs: 60_000 });
  expect(await read('status, attempts, tries')).toEqual([{ status: 'pending', attempts: 0, tries: 0 }]);
  await database.pool.query(`UPDATE deliveries SET begun_at = now() - interval '2 minutes'`);
  const again = await claim(await pickOne());
  if (again === null) throw new Error('The delivery was not claimed.');
  await postponeDelivery(database.pool, again, { delayMs: 0, giveUpAfterMs: 60_000 });
  expect(await read('status')).toEqual([{ status: 'dead' }]);
});

test('the log of attempts keeps the newest 20', async () => {
  await endpoint();
  await announce();
  for (let attempt = 0; attempt < 30; attempt++) {
    const held = await claim(await pickOne());
    if (held === null) throw new Error('The delivery was not claimed.');
    await record(held, { result: 'failed', retryInMs: 0 });
    await database.pool.query('UPDATE webhook_endpoints SET failures = 0');
  }
  const { rows } = await database.pool.query(
    'SELECT min(number), max(number), count(*)::int FROM delivery_attempts',
  );
  expect(rows).toEqual([{ min: 11, max: 30, count: 20 }]);
});

test('old deliveries are purged in batches, dead letters later, and deleted endpoints last', async () => {
  const id = await endpoint();
  for (let event = 0; event < 6; event++) await announce();
  const day = 24 * 60 * 60 * 1_000;
  await database.pool.query(`UPDATE deliveries SET created_at = now() - interval '31 days'`);
  await database.pool.query(
    `UPDATE deliveries SET status = 'delivered', delivered_at = now() WHERE id IN (SELECT id FROM deliveries LIMIT 3)`,
  );
  await deleteWebhookEndpoint(database.pool, tenantId, id);
  await database.pool.query(`UPDATE webhook_endpoints SET deleted_at = now() - interval '2 days'`);
  const purgeOld = (): Promise<number> => purgeDeliveries(database.pool, { keepMs: 30 * day, limit: 2 });
  expect([await purgeOld(), await purgeOld(), await purgeOld()]).toEqual([2, 1, 0]);
  expect(await deadLetterDeliveries(database.pool, 2)).toBe(2);
  expect(await deadLetterDeliveries(database.pool, 2)).toBe(1);
  expect(await read('status')).toEqual([{ status: 'dead' }, { status: 'dead' }, { status: 'dead' }]);
  await database.pool.query(`UPDATE deliveries SET created_at = now() - interval '61 days'`);
  await purgeOld();
  await purgeOld();
  await purgeOld();
  expect(await read('id')).toEqual([]);
  expect((await database.pool.query('SELECT id FROM webhook_endpoints')).rows).toEqual([]);
});
