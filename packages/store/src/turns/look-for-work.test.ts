import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId } from '@turnpike/contract';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { createTenant } from '../tenants/tenants.ts';
import { lookForWork, type WorkFound } from './look-for-work.ts';

let database: TestDatabase;
let tenantId: string;

beforeAll(async () => {
  database = await openTestDatabase(2);
  tenantId = await createTenant(database, 'Acme');
});
afterAll(() => database.close());

async function ask(text: string, values: unknown[] = []): Promise<void> {
  await database.pool.query(text, values);
}

/** A turn of a session of its own, with these columns. */
async function turnWith(columns: Record<string, string>): Promise<void> {
  const sessionId = newId('session');
  await ask(`INSERT INTO sessions (id, tenant_id, agent_id) VALUES ($1, $2, 'a')`, [sessionId, tenantId]);
  const all = { deadline_at: `now() + interval '1 day'`, ...columns };
  await ask(
    `INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, ${Object.keys(all).join(', ')})
     VALUES ($1, $2, $3, 1, 'a', 1, ${Object.values(all).join(', ')})`,
    [newId('turn'), tenantId, sessionId],
  );
}

const look = async (): Promise<string[]> => {
  const found: WorkFound = await lookForWork(database.pool, {
    jobAgeMs: 1_000,
    eventRetentionDays: 30,
  });
  return Object.entries(found).flatMap(([name, isFound]) => (isFound === true ? [name] : []));
};
const PAST = `now() - interval '1 minute'`;
const LATER = `now() + interval '1 hour'`;

test('turns that wait for their time, run, or are in the queue are no work', async () => {
  await turnWith({ ready_at: 'now()', available_at: LATER, outage: `'away'` });
  await turnWith({ status: `'in_progress'`, dispatched_at: 'now()', leased_until: LATER, ready_at: 'now()' });
  await turnWith({ status: `'requires_action'`, action_expires_at: LATER, ready_at: 'now()' });
  await turnWith({ ready_at: 'now()', dispatched_at: 'now()', hinted_at: 'now()' });
  await turnWith({ status: `'completed'`, finished_at: PAST, ready_at: PAST });
  expect(await look()).toEqual([]);
});

test.each<[keyof WorkFound, () => Promise<void>]>([
  [
    'expiredLeases',
    () => turnWith({ status: `'in_progress'`, leased_until: PAST, dispatched_at: PAST, ready_at: PAST }),
  ],
  ['expiredActions', () => turnWith({ status: `'requires_action'`, action_expires_at: PAST })],
  [
    'missedDeadlines',
    () => turnWith({ deadline_at: PAST, ready_at: PAST, dispatched_at: 'now()', hinted_at: 'now()' }),
  ],
  ['unreadySessions', () => turnWith({})],
  ['oldEvents', () => turnWith({ status: `'completed'`, finished_at: `now() - interval '31 days'` })],
  ['dueTurns', () => turnWith({ ready_at: PAST, available_at: PAST })],
  ['readyTurns', () => turnWith({ ready_at: PAST })],
  ['turnsWithoutWorker', () => turnWith({ ready_at: PAST, waiting_for: `'{}'`, available_at: LATER })],
  ['families', () => turnWith({ ready_at: PAST, available_at: LATER, parent_turn_id: `'turn_parent'` })],
  ['families', () => turnWith({ ready_at: PAST, available_at: LATER, waits_for_children: 'true' })],
  ['uncheckedJobs', () => turnWith({ ready_at: PAST, dispatched_at: PAST, hinted_at: PAST })],
  [
    'probes',
    () => ask(`INSERT INTO outages (tenant_id, id, probe_at) VALUES ($1, 'away', ${PAST})`, [tenantId]),
  ],
  ['lateWorkers', () => ask(`INSERT INTO workers (id, concurrency, seen_at) VALUES ('w', 1, ${PAST})`)],
  [
    'spending',
    () =>
      ask(
        `INSERT INTO ledger_entries (step_id, tenant_id, session_id, turn_id, agent_id, model, input_tokens, output_tokens,
           cache_creation_input_tokens, cache_read_input_tokens, cost_micros, counted)
         VALUES ('s', $1, 's', 't', 'a', 'm', 1, 1, 0, 0, 1, false)`,
        [tenantId],
      ),
  ],
  [
    'expiredRecords',
    () =>
      ask(
        `INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, headers, body, expires_at)
         VALUES ($1, 'r', 'k', '', 200, '{}', '', ${PAST})`,
        [tenantId],
      ),
  ],
])('%s are found', async (name, make) => {
  await ask('TRUNCATE sessions, workers, outages, ledger_entries, idempotency_records CASCADE');
  await make();
  expect(await look()).toEqual([name]);
});
