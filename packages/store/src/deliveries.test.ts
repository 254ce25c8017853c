import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { idSchema, newId } from '@turnpike/contract';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { claimDelivery } from './claim-delivery.ts';
import { openDatabase, type Database } from './database.ts';
import { buryDeliveries, forgetDeliveries } from './forget-deliveries.ts';
import {
  pickDueDeliveries,
  raiseDeliveryHints,
  takeUncheckedDeliveries,
  type PickedDelivery,
} from './pick-deliveries.ts';
import { putBackDelivery, recordDelivery, type AttemptOutcome } from './record-delivery.ts';
import { transaction, type Sql } from './sql.ts';
import { createTenant } from './tenants.ts';
import { announceEvent, deleteWebhookEndpoint, insertWebhookEndpoint } from './webhook-endpoints.ts';

let database: Database;
let drop: () => Promise<void>;
let tenantId: string;
beforeAll(async () => {
  const made = await createTestDatabase();
  drop = made.drop;
  database = openDatabase({ url: made.url, poolSize: 10, applicationName: 'test', onError: () => undefined });
  tenantId = await createTenant(database, 'Acme');
});
afterEach(async () => {
  await database.pool.query('TRUNCATE deliveries, webhook_endpoints, tenant_events CASCADE');
});
afterAll(async () => {
  await database.close();
  await drop();
});

async function endpoint(): Promise<string> {
  const id = newId('webhookEndpoint');
  const wanted = {
    url: 'https://hooks.example.com/',
    description: '',
    events: ['budget.exhausted' as const],
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

async function pick(window = 100): Promise<PickedDelivery[]> {
  return (await pickDueDeliveries(database.pool, { after: '', lanes: 100, window })).picked;
}

async function pickOne(): Promise<PickedDelivery> {
  const [picked] = await pick();
  if (picked === undefined) throw new Error('Nothing is due.');
  return picked;
}

const claim = (picked: PickedDelivery, leaseMs = 60_000) =>
  claimDelivery(database.pool, { ...picked, leaseMs });
const record = (held: { id: string; claim: number }, outcome: AttemptOutcome) =>
  recordDelivery(
    database.pool,
    held,
    outcome,
    { durationMs: 5, responseStatus: 500, responseBody: '', errorCode: 'status_refused' },
    { afterMs: 1_000_000, leastFailures: 5 },
  );

test('an event and its deliveries are committed together, or neither is', async () => {
  const id = await endpoint();
  await expect(
    transaction(database.pool, async (sql) => {
      await announce(sql);
      throw new Error('It is taken back.');
    }),
  ).rejects.toThrow('It is taken back.');
  expect(await read('id')).toEqual([]);
  await announce();
  const [delivery] = await read('id, endpoint_id, status');
  expect(delivery).toMatchObject({ endpoint_id: id, status: 'pending' });
  expect(idSchema('delivery').safeParse(delivery?.['id']).success).toBe(true);
  const { rows: events } = await database.pool.query('SELECT type FROM tenant_events');
  expect(events).toEqual([{ type: 'budget.exhausted' }]);
});

test('ids that the database makes lie in time where those lie that we make', async () => {
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

test('an event that is meant for one endpoint goes to no other', async () => {
  const [one] = [await endpoint(), await endpoint()];
  await announce(database.pool, one);
  expect(await read('endpoint_id')).toEqual([{ endpoint_id: one }]);
});

test('a lane has no more picked than its window, and every lane has its share in one look', async () => {
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

test('many that pick at once pick each delivery once', async () => {
  for (let lane = 0; lane < 5; lane++) await endpoint();
  for (let event = 0; event < 20; event++) await announce();
  const picked = (await Promise.all(Array.from({ length: 8 }, () => pick()))).flat();
  expect(picked).toHaveLength(100);
  expect(new Set(picked.map(({ deliveryId }) => deliveryId)).size).toBe(100);
});

test('a walk that stops at so many lanes goes on after the last of them', async () => {
  for (let lane = 0; lane < 5; lane++) await endpoint();
  await announce();
  const seen: number[] = [];
  for (let after: string | null = ''; after !== null;) {
    const { picked, next } = await pickDueDeliveries(database.pool, { after, lanes: 2, window: 1 });
    seen.push(picked.length);
    after = next;
  }
  expect(seen).toEqual([2, 2, 1]);
});

test('a delivery is in the hands of one worker at a time, and who lost it records nothing', async () => {
  await endpoint();
  await announce();
  const hint = await pickOne();
  const claims = await Promise.all(Array.from({ length: 5 }, () => claim(hint, 1)));
  const [first] = claims.filter((held) => held !== null);
  expect(first).toMatchObject({ tries: 0, url: 'https://hooks.example.com/' });
  // Its time is over: another one has it.
  const second = await claim(hint);
  expect(second?.claim).toBeGreaterThan(first?.claim ?? 0);
  if (first === undefined || second === null) throw new Error('It was not claimed.');
  expect(await record(first, { result: 'delivered' })).toBeNull();
  await putBackDelivery(database.pool, first, { delayMs: 0, giveUpAfterMs: 1_000_000 });
  expect(await claim(hint)).toBeNull();
  expect(await record(second, { result: 'failed', retryInMs: 60_000 })).toEqual({ disabled: null });
  expect(await read('status, attempts')).toEqual([{ status: 'failed', attempts: 1 }]);
  expect(await pick()).toEqual([]);
});

test('a hint that was lost is given a new number, and the old one is good for nothing', async () => {
  await endpoint();
  await announce();
  const hint = await pickOne();
  expect(await takeUncheckedDeliveries(database.pool, { limit: 10, olderThanMs: 60_000 })).toEqual([]);
  const unchecked = await takeUncheckedDeliveries(database.pool, { limit: 10, olderThanMs: 0 });
  expect(unchecked).toEqual([hint]);
  const [raised] = await raiseDeliveryHints(database.pool, unchecked);
  expect(raised?.hint).toBe(hint.hint + 1);
  expect(await claim(hint)).toBeNull();
  if (raised === undefined) throw new Error('It was not raised.');
  expect(await claim(raised)).not.toBeNull();
  // Somebody works on it: nothing is lost.
  expect(await takeUncheckedDeliveries(database.pool, { limit: 10, olderThanMs: 0 })).toEqual([]);
});

test('what is put back counts as no attempt, and is given up when it could not be tried for too long', async () => {
  await endpoint();
  await announce();
  const held = await claim(await pickOne());
  if (held === null) throw new Error('It was not claimed.');
  await putBackDelivery(database.pool, held, { delayMs: 0, giveUpAfterMs: 60_000 });
  expect(await read('status, attempts, tries')).toEqual([{ status: 'pending', attempts: 0, tries: 0 }]);
  await database.pool.query(`UPDATE deliveries SET begun_at = now() - interval '2 minutes'`);
  const again = await claim(await pickOne());
  if (again === null) throw new Error('It was not claimed.');
  await putBackDelivery(database.pool, again, { delayMs: 0, giveUpAfterMs: 60_000 });
  expect(await read('status')).toEqual([{ status: 'dead' }]);
});

test('the log of a delivery has a bound', async () => {
  await endpoint();
  await announce();
  for (let attempt = 0; attempt < 30; attempt++) {
    const held = await claim(await pickOne());
    if (held === null) throw new Error('It was not claimed.');
    await record(held, { result: 'failed', retryInMs: 0 });
    await database.pool.query('UPDATE webhook_endpoints SET failures = 0');
  }
  const { rows } = await database.pool.query(
    'SELECT min(number), max(number), count(*)::int FROM delivery_attempts',
  );
  expect(rows).toEqual([{ min: 11, max: 30, count: 20 }]);
});

test('old deliveries are forgotten in batches, dead ones later, and an endpoint that was deleted last of all', async () => {
  const id = await endpoint();
  for (let event = 0; event < 6; event++) await announce();
  const day = 24 * 60 * 60 * 1_000;
  await database.pool.query(`UPDATE deliveries SET created_at = now() - interval '31 days'`);
  await database.pool.query(
    `UPDATE deliveries SET status = 'delivered', delivered_at = now() WHERE id IN (SELECT id FROM deliveries LIMIT 3)`,
  );
  await deleteWebhookEndpoint(database.pool, tenantId, id);
  await database.pool.query(`UPDATE webhook_endpoints SET deleted_at = now() - interval '2 days'`);
  const forget = (): Promise<number> => forgetDeliveries(database.pool, { keepMs: 30 * day, limit: 2 });
  expect([await forget(), await forget(), await forget()]).toEqual([2, 1, 0]);
  expect(await buryDeliveries(database.pool, 2)).toBe(2);
  expect(await buryDeliveries(database.pool, 2)).toBe(1);
  expect(await read('status')).toEqual([{ status: 'dead' }, { status: 'dead' }, { status: 'dead' }]);
  await database.pool.query(`UPDATE deliveries SET created_at = now() - interval '61 days'`);
  await forget();
  await forget();
  await forget();
  expect(await read('id')).toEqual([]);
  expect((await database.pool.query('SELECT id FROM webhook_endpoints')).rows).toEqual([]);
});
