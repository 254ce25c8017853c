import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { newId } from '@turnpike/contract';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { createTenant } from '../tenants/tenants.ts';
import { lookForDeliveries, type DeliveriesFound } from './look-for-deliveries.ts';

let database: TestDatabase;
let tenantId: string;

beforeAll(async () => {
  database = await openTestDatabase(2);
  tenantId = await createTenant(database, 'Acme');
});
afterAll(() => database.close());
beforeEach(() => ask('TRUNCATE deliveries, webhook_receivers, webhook_endpoints CASCADE'));

const ask = async (text: string, values: unknown[] = []): Promise<void> => {
  await database.pool.query(text, values);
};

/** A delivery that waits for its time, but for these columns (SQL). */
async function deliveryWith(columns: Record<string, string>): Promise<void> {
  const all = {
    lane: `'l'`,
    url: `'https://a.example/'`,
    status: `'pending'`,
    fresh: 'false',
    next_attempt_at: `now() + interval '1 hour'`,
    ...columns,
  };
  await ask(
    `INSERT INTO deliveries (id, tenant_id, event_id, type, payload, ${Object.keys(all).join(', ')})
     VALUES ($1, $2, 'e', 'turn.completed', '{}', ${Object.values(all).join(', ')})`,
    [newId('delivery'), tenantId],
  );
}

async function look(): Promise<string[]> {
  const found = await lookForDeliveries(database.pool, { jobAgeMs: 1_000, giveUpAfterMs: 3_600_000 });
  return Object.entries(found).flatMap(([name, isFound]) => (isFound ? [name] : []));
}
const PAST = `now() - interval '1 minute'`;

test('deliveries that wait for their time, are in the queue, or have ended are no work', async () => {
  await deliveryWith({});
  await deliveryWith({ hinted_at: 'now()', next_attempt_at: PAST });
  await deliveryWith({
    status: `'delivered'`,
    delivered_at: 'now()',
    next_attempt_at: `now() - interval '1 day'`,
  });
  await ask(
    `INSERT INTO webhook_receivers (id, tenant_id, try_at) VALUES ('l', $1, now() + interval '1 hour')`,
    [tenantId],
  );
  expect(await look()).toEqual([]);
});

test.each<[keyof DeliveriesFound, () => Promise<void>]>([
  [
    'waiting',
    () => ask(`INSERT INTO webhook_receivers (id, tenant_id, try_at) VALUES ('l', $1, ${PAST})`, [tenantId]),
  ],
  ['fresh', () => deliveryWith({ fresh: 'true' })],
  ['unchecked', () => deliveryWith({ hinted_at: PAST })],
  [
    'undeliverable',
    async () => {
      await ask(
        `INSERT INTO webhook_endpoints (id, tenant_id, url, events, enabled, disabled_at, disabled_reason)
         VALUES ('l', $1, 'https://a.example/', '{}', false, now(), 'gone')`,
        [tenantId],
      );
      await deliveryWith({ endpoint_id: `'l'`, url: 'NULL' });
    },
  ],
  ['expired', () => deliveryWith({ next_attempt_at: `now() - interval '1 day'` })],
])('%s are found', async (name, make) => {
  await make();
  expect(await look()).toEqual([name]);
});
