import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { agentConfigSchema, MOST_PUSH_CONFIGS, newId } from '@turnpike/contract';
import { createEnvironmentKeys, parseMasterKeys } from '@turnpike/secrets';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { untilTrue } from '../../../../tests/support/until-true.ts';
import { insertAgent } from '../agents/agents.ts';
import { openSecretBox, type SecretBox } from '../secrets/secret-box.ts';
import { createTenant } from '../tenants/tenants.ts';
import { insertTurn } from '../turns/insert-turn.ts';
import { claimDelivery, type ClaimedDelivery } from './claim-delivery.ts';
import { takeFreshDeliveries } from './pick-deliveries.ts';
import { addPushConfig, listPushConfigs, readPushCredentials, removePushConfig } from './push-configs.ts';

let database: TestDatabase;
let secretBox: SecretBox;
let [tenantId, theirs, agentId, turnId] = ['', '', newId('agent'), ''];
beforeAll(async () => {
  database = await openTestDatabase(4);
  const key = `k:${Buffer.alloc(32, 'a key').toString('base64')}`;
  secretBox = openSecretBox(database, createEnvironmentKeys(parseMasterKeys(key)));
  [tenantId, theirs] = [await createTenant(database, 'Ours'), await createTenant(database, 'Theirs')];
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
});
beforeEach(async () => {
  const turn = { ...newTurn(tenantId), agentId, sessionMetadata: {} };
  await insertTurn(database.pool, turn);
  turnId = turn.id;
  await database.pool.query('TRUNCATE deliveries CASCADE');
});
afterAll(async () => {
  secretBox.close();
  await database.close();
});

const OLD = 'https://old.example/';
const NEW = 'https://new.example/';

const add = (url: string, authorization: string, ofTenant = tenantId, id = 'mine'): Promise<boolean> =>
  addPushConfig(
    database.pool,
    secretBox,
    { tenantId: ofTenant, turnId },
    { id, url, scheme: 'Bearer' },
    { token: null, authorization },
  );

/** An event of the turn, with the deliveries that its trigger makes. */
const ADD_EVENT = `
WITH turn AS (UPDATE turns SET event_count = event_count + 1 WHERE id = $1 RETURNING id, tenant_id, event_count)
INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
SELECT id, event_count, turnpike_new_id('evt'), tenant_id, 'turn.started', '{}' FROM turn`;
const addEvent = () => database.pool.query(ADD_EVENT, [turnId]);

const statuses = async (): Promise<unknown[]> =>
  (await database.pool.query('SELECT status, url FROM deliveries ORDER BY id')).rows;

async function claim(): Promise<ClaimedDelivery | null> {
  const { picked } = await takeFreshDeliveries(database.pool, { limit: 10, window: 10 });
  const [job] = picked;
  if (job === undefined) throw new Error('No delivery is due.');
  return claimDelivery(database.pool, { ...job, leaseMs: 60_000 });
}

test('a delivery that a worker holds is not sent with the credentials of a configuration that replaced its own', async () => {
  await add(OLD, 'Bearer old');
  await addEvent();
  const held = await claim();
  if (held === null) throw new Error('It cannot be claimed.');
  expect(await readPushCredentials(database.pool, secretBox, held)).toMatchObject({
    authorization: 'Bearer old',
  });
  await add(NEW, 'Bearer new');
  expect(await readPushCredentials(database.pool, secretBox, held)).toBeNull();
  expect(await statuses()).toEqual([{ status: 'dead', url: OLD }]);
});

test('a configuration that is added again with its URL keeps what waits for it', async () => {
  await add(OLD, 'Bearer old');
  await addEvent();
  await add(OLD, 'Bearer new');
  const held = await claim();
  if (held === null) throw new Error('It cannot be claimed.');
  expect(await readPushCredentials(database.pool, secretBox, held)).toMatchObject({
    authorization: 'Bearer new',
  });
});

test('a delivery whose configuration has another URL is not claimed', async () => {
  await add(OLD, 'Bearer old');
  await addEvent();
  // As a version that did not end deliveries left it.
  await database.pool.query('UPDATE push_configs SET url = $1', [NEW]);
  expect(await claim()).toBeNull();
});

test('an event that is committed while its configuration is removed leaves nothing that waits', async () => {
  await add(OLD, 'Bearer old');
  const writer = await database.pool.connect();
  try {
    await writer.query('BEGIN');
    await writer.query(ADD_EVENT, [turnId]);
    const removing = removePushConfig(database.pool, tenantId, turnId, 'mine');
    await untilTrue('the removal waits for the turn', async () => {
      const { rows } = await database.pool.query(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      return rows.length > 0;
    });
    await writer.query('COMMIT');
    await removing;
  } finally {
    writer.release();
  }
  expect(await statuses()).toEqual([{ status: 'dead', url: OLD }]);
});

test('of two configurations that are added at once, where there is room for one, one is added', async () => {
  for (let index = 1; index < MOST_PUSH_CONFIGS; index++) await add(OLD, '', tenantId, `before-${index}`);
  const holder = await database.pool.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT FROM turns WHERE id = $1 FOR NO KEY UPDATE', [turnId]);
    const adding = Promise.all(['one', 'other'].map((id) => add(OLD, '', tenantId, id)));
    await untilTrue('both wait for the turn', async () => {
      const { rows } = await database.pool.query(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      return rows.length === 2;
    });
    await holder.query('COMMIT');
    expect(new Set(await adding)).toEqual(new Set([false, true]));
  } finally {
    holder.release();
  }
  expect(await listPushConfigs(database.pool, tenantId, turnId)).toHaveLength(MOST_PUSH_CONFIGS);
});

test('another tenant adds, lists and removes nothing of a turn that is not its own', async () => {
  expect(await add(NEW, 'Bearer theirs', theirs)).toBe(false);
  await add(OLD, 'Bearer old');
  expect(await listPushConfigs(database.pool, theirs, turnId)).toEqual([]);
  await removePushConfig(database.pool, theirs, turnId, 'mine');
  expect(await listPushConfigs(database.pool, tenantId, turnId)).toEqual([
    { id: 'mine', url: OLD, scheme: 'Bearer' },
  ]);
});
