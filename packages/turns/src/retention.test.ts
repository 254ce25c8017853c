import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { openBackplane, type Backplane } from '@turnpike/backplane';
import { agentConfigSchema, idBoundary, newId, type IdKind } from '@turnpike/contract';
import {
  addAgentVersion,
  changeLimits,
  createApiKey,
  createTenant,
  deleteAgent,
  insertAgent,
  insertAuditEntry,
  insertTurn,
  revokeApiKey,
} from '@turnpike/store';
import { newTurn } from '../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../tests/support/test-database.ts';
import { Dispatcher } from './dispatcher.ts';
import { Reconciliation } from './reconcile.ts';
import { retentionSettings, retentionVariables } from './retention-settings.ts';
import { Retention } from './retention.ts';
import { z } from 'zod';

let database: TestDatabase;
let backplane: Backplane;
let tenantId: string;
let agentId: string;
beforeAll(async () => {
  database = await openTestDatabase(4);
  backplane = await openBackplane({ url: database.url, prefix: 'test', onError: () => undefined });
});
afterAll(async () => {
  await backplane.close();
  await database.close();
});
beforeEach(async () => {
  tenantId = await createTenant(database, 'Acme');
  agentId = await makeAgent();
});
/** Rows that one test aged must not affect the next test. */
afterEach(() => run('DELETE FROM turns; DELETE FROM sessions; DELETE FROM ledger_entries'));

const run = async (text: string, values?: unknown[]) => (await database.pool.query(text, values)).rows;
const ids = async (table: string, id = 'id'): Promise<string[]> =>
  (await run(`SELECT ${id} AS id FROM ${table} WHERE tenant_id = $1 ORDER BY 1`, [tenantId])).map(
    (row) => row.id,
  );

const config = agentConfigSchema.parse({ model: 'm' });
async function makeAgent(): Promise<string> {
  const id = newId('agent');
  await insertAgent(database.pool, { id, tenantId, name: 'a', metadata: {}, config });
  return id;
}

/** With the settings as a program reads them. */
const keeping = (environment: Record<string, string>): Retention =>
  new Retention(database, retentionSettings(z.object(retentionVariables).parse(environment)));

function reconciliation(environment: Record<string, string>): Reconciliation {
  const dispatcher = new Dispatcher({ database, backplane, onError: () => undefined });
  const settings = retentionSettings(z.object(retentionVariables).parse(environment));
  return new Reconciliation(
    { database, backplane, dispatcher },
    { maxLostLeases: 5, jobAgeMs: 5_000, toolWaitMs: 10_000, ...settings },
  );
}

async function startTurn(): Promise<{ id: string; session: string }> {
  const session = newId('session');
  const { turn } = await insertTurn(database.pool, {
    ...newTurn(tenantId, session),
    agentId,
    sessionMetadata: { a: 'b' },
  });
  return { id: turn?.id ?? '', session };
}
async function addTurn(
  session: string,
  more: { resumes?: string; agentVersion?: number } = {},
): Promise<string> {
  const { turn } = await insertTurn(database.pool, {
    ...newTurn(tenantId, session),
    ...more,
    onlyIfIdle: false,
  });
  return turn?.id ?? '';
}

/**
 * Makes a turn that old: created and ended that many days ago. An id contains its time, so the turn gets a
 * new id, which is returned.
 */
async function age(turnId: string, days: number, ended = true): Promise<string> {
  const old = oldId('turn', days);
  await run(
    'ALTER TABLE turns DISABLE TRIGGER ALL; ALTER TABLE messages DISABLE TRIGGER ALL; ALTER TABLE events DISABLE TRIGGER ALL',
  );
  await run('UPDATE messages SET turn_id = $2 WHERE turn_id = $1', [turnId, old]);
  await run('UPDATE events SET turn_id = $2 WHERE turn_id = $1', [turnId, old]);
  await run('UPDATE turns SET resumes = $2 WHERE resumes = $1', [turnId, old]);
  await run(
    `UPDATE turns SET id = $2, status = CASE WHEN $4 THEN 'failed' ELSE status END, ready_at = NULL,
       finished_at = CASE WHEN $4 THEN now() - $3::int * interval '1 day' END WHERE id = $1`,
    [turnId, old, days, ended],
  );
  if (ended)
    await run(
      'UPDATE sessions SET open_turns = open_turns - 1 WHERE id = (SELECT session_id FROM turns WHERE id = $1)',
      [old],
    );
  await run(
    'ALTER TABLE turns ENABLE TRIGGER ALL; ALTER TABLE messages ENABLE TRIGGER ALL; ALTER TABLE events ENABLE TRIGGER ALL',
  );
  return old;
}
async function ageSession(id: string, days: number): Promise<string> {
  const old = oldId('session', days);
  await run(
    'ALTER TABLE turns DISABLE TRIGGER ALL; ALTER TABLE sessions DISABLE TRIGGER ALL; ALTER TABLE session_labels DISABLE TRIGGER ALL',
  );
  for (const table of ['turns', 'messages', 'session_labels'])
    await run(`UPDATE ${table} SET session_id = $2 WHERE session_id = $1`, [id, old]);
  await run(`UPDATE sessions SET id = $2, created_at = now() - $3::int * interval '1 day' WHERE id = $1`, [
    id,
    old,
    days,
  ]);
  await run(
    'ALTER TABLE turns ENABLE TRIGGER ALL; ALTER TABLE sessions ENABLE TRIGGER ALL; ALTER TABLE session_labels ENABLE TRIGGER ALL',
  );
  return old;
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** An id of that time, different from all others. */
function oldId(kind: IdKind, days: number): string {
  const boundary = idBoundary(kind, Date.now() - days * DAY_MS);
  return boundary.slice(0, -10) + newId(kind).slice(-10);
}

test('one pass deletes all expired idempotency records, however many there are', async () => {
  await run(
    `INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, headers, body, expires_at)
     SELECT $1, 'POST /', 'k' || n, '', 202, '{}', '', now() + CASE WHEN n > 5000 THEN 1 ELSE -1 END * interval '1 hour'
     FROM generate_series(1, 5003) AS n`,
    [tenantId],
  );
  const pass = () => reconciliation({}).pass();
  expect(await pass()).toMatchObject({ purgedIdempotencyRecords: 5_000 });
  expect(await ids('idempotency_records', 'key')).toEqual(['k5001', 'k5002', 'k5003']);
});

test('nothing is deleted unless a retention is set', async () => {
  const { id, session } = await startTurn();
  await age(id, 3_000);
  await ageSession(session, 3_000);
  await run(`UPDATE api_keys SET revoked_at = now() - interval '9 years'`);
  expect(await keeping({}).purge()).toBe(0);
});

test('an idle session is deleted as a whole; one with an open or a recent turn is kept as a whole', async () => {
  const idle = await startTurn();
  const open = await startTurn();
  const young = await startTurn();
  const empty = await startTurn();
  await age(idle.id, 40);
  await age(open.id, 40);
  await age(young.id, 40);
  await run('DELETE FROM turns WHERE id = $1', [empty.id]);
  await run('UPDATE sessions SET open_turns = 0 WHERE id = $1', [empty.session]);
  const waiting = await age(await addTurn(open.session), 40, false);
  const last = await age(await addTurn(young.session), 20);
  for (const { session } of [idle, empty]) await ageSession(session, 40);
  const stay = [await ageSession(open.session, 40), await ageSession(young.session, 40)];
  expect(await keeping({ SESSION_RETENTION_DAYS: '30' }).purge()).toBe(2);
  expect((await ids('sessions')).toSorted()).toEqual(stay.toSorted());
  expect(await ids('turns')).toHaveLength(4);
  expect(await ids('turns')).toEqual(expect.arrayContaining([waiting, last]));
  for (const table of ['turns', 'messages', 'session_labels'])
    expect(new Set(await ids(table, 'session_id'))).toEqual(new Set(stay));
});

test('a tenant may have a time of its own for each kind: shorter, longer or for ever', async () => {
  const agedTurn = async (): Promise<string> => {
    const { id, session } = await startTurn();
    const old = await age(id, 40);
    await ageSession(session, 40);
    return old;
  };
  const of = async (limits: Parameters<typeof changeLimits>[2]): Promise<string> => {
    tenantId = await createTenant(database, 'Another');
    agentId = await makeAgent();
    await changeLimits(database.pool, tenantId, limits);
    await agedTurn();
    return tenantId;
  };
  const counts = async (tenant: string): Promise<number[]> => {
    const found = await Promise.all(
      ['sessions', 'turns'].map((table) => run(`SELECT 1 FROM ${table} WHERE tenant_id = $1`, [tenant])),
    );
    return found.map((rows) => rows.length);
  };
  const usual = await of({});
  const shorter = await of({ session_retention_days: 10 });
  const longer = await of({ session_retention_days: 60 });
  const ever = await of({ session_retention_days: 0 });
  const other = await of({ session_retention_days: 0, turn_retention_days: 20 });
  // By the settings alone nothing goes yet.
  expect(await keeping({ SESSION_RETENTION_DAYS: '50' }).purge()).toBe(2);
  expect(await Promise.all([usual, shorter, longer, ever, other].map(counts))).toEqual([
    [1, 1],
    [0, 0],
    [1, 1],
    [1, 1],
    [1, 0],
  ]);
  expect(await keeping({ SESSION_RETENTION_DAYS: '30' }).purge()).toBe(1);
  expect(await Promise.all([usual, longer, ever].map(counts))).toEqual([
    [0, 0],
    [1, 1],
    [1, 1],
  ]);
  // The limit is taken back: the settings count again.
  await changeLimits(database.pool, longer, { session_retention_days: null });
  expect(await keeping({ SESSION_RETENTION_DAYS: '30' }).purge()).toBe(1);
});

test('more tenants with a time of their own than one pass looks at are all looked at', async () => {
  const tenants: string[] = [];
  for (let number = 0; number < 45; number++) {
    tenantId = await createTenant(database, `Tenant ${number}`);
    agentId = await makeAgent();
    await changeLimits(database.pool, tenantId, { session_retention_days: 10 });
    const { id, session } = await startTurn();
    await age(id, 40);
    await ageSession(session, 40);
    tenants.push(tenantId);
  }
  const retention = keeping({});
  const deleted = [];
  for (let pass = 0; pass < 4; pass++) deleted.push(await retention.purge());
  expect(deleted.reduce((sum, count) => sum + count, 0)).toBe(45);
  await run('UPDATE tenants SET limits = $1 WHERE id = ANY ($2)', ['{}', tenants]);
});

test('the session of a child turn is kept while that of its parent is active, and goes before it', async () => {
  const parent = await startTurn();
  const child = await startTurn();
  const old = await age(parent.id, 40);
  const young = await age(await addTurn(parent.session), 20);
  const below = await age(child.id, 40);
  await run('UPDATE turns SET parent_turn_id = $2, root_turn_id = $2, ancestors = ARRAY[$2] WHERE id = $1', [
    below,
    old,
  ]);
  const session = await ageSession(parent.session, 40);
  const childSession = await ageSession(child.session, 41);
  await run('UPDATE sessions SET parent_session_id = $2 WHERE id = $1', [childSession, session]);
  const purge = () => keeping({ SESSION_RETENTION_DAYS: '30' }).purge();
  expect(await purge()).toBe(0);
  expect((await ids('sessions')).toSorted()).toEqual([session, childSession].toSorted());

  await run(`UPDATE turns SET finished_at = now() - interval '40 days' WHERE id = $1`, [young]);
  let deleted = 0;
  for (let pass = 0; pass < 2; pass++) deleted += await purge();
  expect(deleted).toBe(2);
  expect(await ids('sessions')).toEqual([]);
});

test('old turns of an active session are deleted, except open ones and those that a kept turn depends on', async () => {
  const plain = await startTurn();
  await age(plain.id, 40);
  const second = await age(await addTurn(plain.session), 39);
  const open = await age(await addTurn(plain.session), 38, false);

  // The last turn resumes the one before it, which has the input.
  const resumed = await startTurn();
  const question = await age(resumed.id, 40);
  const goesOn = await age(await addTurn(resumed.session, { resumes: question }), 39);
  const young = await age(await addTurn(resumed.session, { resumes: goesOn }), 10);

  // The cost of its turns counts against its budget.
  const paid = await startTurn();
  await run('UPDATE sessions SET budget_micros = 5 WHERE id = $1', [paid.session]);
  const counted = await age(paid.id, 40);

  expect(await ids('turns')).toContain(second);
  expect(await keeping({ TURN_RETENTION_DAYS: '30' }).purge()).toBe(2);
  expect((await ids('turns')).toSorted()).toEqual([open, question, goesOn, young, counted].toSorted());
  const [{ last_sequence: sequence }] = await run('SELECT last_sequence FROM sessions WHERE id = $1', [
    plain.session,
  ]);
  expect(sequence).toBe(3);
  await addTurn(plain.session);
  expect(await run('SELECT sequence FROM turns WHERE session_id = $1 ORDER BY 1', [plain.session])).toEqual([
    { sequence: 3 },
    { sequence: 4 },
  ]);
});

test('versions that were replaced long ago are deleted, except those of open turns and the newest', async () => {
  const { session } = await startTurn();
  for (let version = 2; version <= 5; version += 1)
    await addAgentVersion(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  // The open turn has version 1; versions 2 to 4 were replaced 40, 40 and 10 days ago.
  await run(
    `UPDATE agent_versions SET created_at = now() - interval '40 days' WHERE agent_id = $1 AND version < 5`,
    [agentId],
  );
  await run(
    `UPDATE agent_versions SET created_at = now() - interval '10 days' WHERE agent_id = $1 AND version = 5`,
    [agentId],
  );
  const deleted = await makeAgent();
  await deleteAgent(database.pool, tenantId, deleted);
  await run(`UPDATE agents SET deleted_at = now() - interval '40 days' WHERE id = $1`, [deleted]);
  for (const id of [agentId, deleted]) {
    const old = oldId('agent', 50);
    await run('ALTER TABLE agent_versions DISABLE TRIGGER ALL');
    await run('UPDATE agent_versions SET agent_id = $2 WHERE agent_id = $1', [id, old]);
    await run('UPDATE agents SET id = $2 WHERE id = $1', [id, old]);
    await run('UPDATE turns SET agent_id = $2 WHERE agent_id = $1', [id, old]);
    await run('UPDATE sessions SET agent_id = $2 WHERE agent_id = $1', [id, old]);
    await run('ALTER TABLE agent_versions ENABLE TRIGGER ALL');
  }
  const pinned = async (version: number): Promise<string> => addTurn(session, { agentVersion: version });
  expect(await pinned(2)).not.toBe('');
  const purge = () => keeping({ AGENT_VERSION_RETENTION_DAYS: '30' }).purge();

  // A turn that names version 3 is being stored.
  const storing = await database.pool.connect();
  try {
    await storing.query('BEGIN');
    const next = { ...newTurn(tenantId, session), agentVersion: 3, onlyIfIdle: false };
    const { turn } = await insertTurn(storing, next);
    expect(turn?.agent_version).toBe(3);
    // Version 3 has a turn and is kept, as are the other versions of its agent; those of the deleted agent
    // are not.
    expect(await purge()).toBe(1);
  } finally {
    await storing.query('ROLLBACK');
    storing.release();
  }
  expect(await purge()).toBe(1);
  expect(await ids('agent_versions', 'version')).toEqual([1, 2, 4, 5]);
  expect(await pinned(3)).toBe('');
});

test('ledger entries, audit entries and keys that no longer work are deleted after their retention, and not before', async () => {
  const key = (name: string) => createApiKey(database.pool, { tenantId, name, scopes: ['admin'] });
  const [working, revoked, expired] = [await key('w'), await key('r'), await key('e')];
  await revokeApiKey(database.pool, revoked.apiKey.id);
  const act = { tenantId, action: 'limits.changed', subject: tenantId };
  await insertAuditEntry(database.pool, { ...act, actor: { type: 'operator' } });
  const aged = async (table: string, id: string, kind: IdKind, column: string): Promise<void> => {
    await run(`ALTER TABLE ${table} DISABLE TRIGGER ALL`);
    for (const known of await ids(table, id))
      await run(`UPDATE ${table} SET ${id} = $2, ${column} = now() - interval '40 days' WHERE ${id} = $1`, [
        known,
        oldId(kind, 40),
      ]);
    await run(`ALTER TABLE ${table} ENABLE TRIGGER ALL`);
  };
  const spend = (counted: boolean) =>
    run(
      `INSERT INTO ledger_entries (step_id, tenant_id, session_id, turn_id, agent_id, model, input_tokens, output_tokens,
         cache_creation_input_tokens, cache_read_input_tokens, cost_micros, counted)
       VALUES ($1, $2, 's', 't', 'a', 'm', 1, 1, 0, 0, 1, $3)`,
      [newId('step'), tenantId, counted],
    );
  await spend(true);
  await spend(false);
  await aged('ledger_entries', 'step_id', 'step', 'spent_at');
  await aged('audit_entries', 'id', 'auditEntry', 'at');
  await spend(true);
  await insertAuditEntry(database.pool, { ...act, actor: { type: 'operator' } });
  await run(`UPDATE api_keys SET revoked_at = now() - interval '40 days' WHERE id = $1`, [revoked.apiKey.id]);
  await run(`UPDATE api_keys SET expires_at = now() - interval '40 days' WHERE id = $1`, [expired.apiKey.id]);
  await run(`UPDATE api_keys SET id = replace(id, 'key_', 'key_0')`);

  expect(
    await keeping({
      LEDGER_RETENTION_DAYS: '50',
      AUDIT_RETENTION_DAYS: '50',
      REVOKED_KEY_RETENTION_DAYS: '50',
    }).purge(),
  ).toBe(0);
  expect(
    await keeping({
      LEDGER_RETENTION_DAYS: '32',
      AUDIT_RETENTION_DAYS: '30',
      REVOKED_KEY_RETENTION_DAYS: '30',
    }).purge(),
  ).toBe(4);
  // One is recent, and one is not in the sums yet.
  expect(await ids('ledger_entries', 'step_id')).toHaveLength(2);
  expect(await ids('audit_entries')).toHaveLength(1);
  expect(await ids('api_keys')).toEqual([working.apiKey.id.replace('key_', 'key_0')]);
  await expect(run('DELETE FROM audit_entries')).rejects.toThrow('append-only');
  expect(() => keeping({ LEDGER_RETENTION_DAYS: '31' })).toThrow('32 at least');
});

test('a purge visits all windows, including those where everything is kept', async () => {
  await run(
    `INSERT INTO sessions (id, tenant_id, agent_id, created_at, open_turns)
     SELECT 's' || lpad(n::text, 5, '0'), $1, 'a', now() - interval '40 days', (n % 2)::int FROM generate_series(1, 210) AS n`,
    [tenantId],
  );
  expect(await keeping({ SESSION_RETENTION_DAYS: '30' }).purge()).toBe(105);
  expect(await ids('sessions')).toHaveLength(105);
});
