import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TURN_STATUSES } from '@turnpike/contract';
import { createTenant, openDatabase } from '@turnpike/store';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { edgesThatPass } from '../../../tests/support/status-edges.ts';
import { TRANSITIONS } from './transitions.ts';

let made: Awaited<ReturnType<typeof createTestDatabase>>;
beforeAll(async () => {
  made = await createTestDatabase();
});
afterAll(() => made.drop());

test('the database refuses every change of a turn’s status that is not in the table, and no other', async () => {
  const database = openDatabase({
    url: made.url,
    poolSize: 1,
    applicationName: 'test',
    onError: () => undefined,
  });
  try {
    const tenantId = await createTenant(database, 'Acme');
    await database.pool.query(`INSERT INTO sessions (id, tenant_id, agent_id) VALUES ('s', $1, 'a')`, [
      tenantId,
    ]);
    const passing = await edgesThatPass(database.pool, 'turns', TURN_STATUSES, {
      store: `INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, deadline_at, status,
                leased_until, action_expires_at, finished_at)
              SELECT 't', tenant_id, id, 1, 'a', 1, now(), $1, ${fields('$1')} FROM sessions`,
      move: `UPDATE turns SET status = $1,
               (leased_until, action_expires_at, finished_at) = (SELECT ${fields('$1')}) WHERE id = 't'`,
    });
    const listed = Object.values(TRANSITIONS).flatMap(({ to }) =>
      Object.entries(to).flatMap(([from, ends]) => ends.map((end) => `${from} ${end}`)),
    );
    expect(passing).toEqual([...new Set(listed)].toSorted());
  } finally {
    await database.close();
  }
});

/** What the table's checks require for a status. */
const fields = (status: string): string => `
  CASE WHEN ${status} IN ('in_progress', 'cancelling') THEN now() END,
  CASE WHEN ${status} = 'requires_action' THEN now() END,
  CASE WHEN ${status} IN ('completed', 'failed', 'cancelled', 'incomplete') THEN now() END`;
