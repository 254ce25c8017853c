import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { agentConfigSchema, newId, ProblemError } from '@turnpike/contract';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { insertTurn, insertTurnWithSession } from './accept-turn.ts';
import { insertTurnOnce, type Once } from './accept-turn-once.ts';
import { insertAgent } from '../agents/agents.ts';
import { openDatabase, type Database } from '../database/database.ts';
import { runOnce } from '../idempotency/idempotency.ts';
import { createTenant } from '../tenants/tenants.ts';

/** Two processes that accept: each has a pool of its own, and so its own groups. */
let one: Database;
let other: Database;
let drop: () => Promise<void>;
let tenantId: string;
const agentId = newId('agent');
beforeAll(async () => {
  const made = await createTestDatabase();
  drop = made.drop;
  const open = (): Database =>
    openDatabase({ url: made.url, poolSize: 6, applicationName: 'test', onError: () => undefined });
  [one, other] = [open(), open()];
  tenantId = await createTenant(one, 'Acme');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(one.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
});
afterAll(async () => {
  await Promise.all([one.close(), other.close()]);
  await drop();
});

async function newSessions(count: number): Promise<string[]> {
  const started = Array.from({ length: count }, () =>
    insertTurnWithSession(one.pool, { ...newTurn(tenantId), agentId, sessionMetadata: {} }),
  );
  return (await Promise.all(started)).flatMap(({ turn }) => turn?.session_id ?? []);
}

const add = (database: Database, sessionId: string, onlyIfIdle = false) =>
  insertTurn(database.pool, { ...newTurn(tenantId, sessionId, sessionId), onlyIfIdle });

test('a crowd at two processes: each turn is stored once, and no session has a gap, a double or two heads', async () => {
  const sessions = await newSessions(5);
  expect(sessions).toHaveLength(5);
  const submits = Array.from({ length: 200 }, (_, place) =>
    add(place % 2 === 0 ? one : other, sessions[place % sessions.length] ?? ''),
  );
  const answers = await Promise.all(submits);
  for (const [place, { turn }] of answers.entries()) {
    // Each has the answer to its own submit.
    expect(turn?.session_id).toBe(sessions[place % sessions.length]);
    expect(turn?.metadata).toEqual({ text: turn?.session_id });
  }
  const { rows } = await one.pool.query<{ sequences: number[]; heads: number; open: number; texts: number }>(
    `SELECT array_agg(turns.sequence ORDER BY turns.sequence) AS sequences,
       count(*) FILTER (WHERE turns.ready_at IS NOT NULL)::int AS heads, max(sessions.open_turns) AS open,
       (SELECT count(*)::int FROM messages WHERE messages.session_id = sessions.id) AS texts
     FROM sessions JOIN turns ON turns.session_id = sessions.id WHERE sessions.id = ANY ($1) GROUP BY sessions.id`,
    [sessions],
  );
  const sequences = Array.from({ length: 41 }, (_, place) => place + 1);
  expect(rows).toEqual(sessions.map(() => ({ sequences, heads: 1, open: 41, texts: 41 })));
});

test('submits to sessions that did not exist before share transactions too', async () => {
  const sessions = await newSessions(300);
  expect(new Set(sessions).size).toBe(300);
  const { rows } = await one.pool.query<{ transactions: number }>(
    'SELECT count(DISTINCT xmin::text)::int AS transactions FROM turns WHERE session_id = ANY ($1)',
    [sessions],
  );
  expect(rows[0]?.transactions).toBeLessThan(30);
});

test('a session that somebody holds keeps its own submit waiting, and no other', async () => {
  const [held = '', free = ''] = await newSessions(2);
  const holder = await other.pool.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE', [held]);
    let isStored = false;
    const waiting = add(one, held).then((answer) => {
      isStored = true;
      return answer;
    });
    for (let round = 0; round < 5; round++) expect((await add(one, free)).turn).not.toBeNull();
    expect(isStored).toBe(false);
    await holder.query('COMMIT');
    expect((await waiting).turn?.sequence).toBe(2);
  } finally {
    holder.release();
  }
});

test('of those that need an idle session one is stored, and those to nothing are refused alone', async () => {
  const [busy = ''] = await newSessions(1);
  const unknown = newId('session');
  const answers = await Promise.all([
    add(one, busy, true),
    add(one, unknown),
    add(one, busy),
    add(other, busy, true),
  ]);
  expect(answers.map(({ turn }) => turn?.sequence ?? null)).toEqual([null, null, 2, null]);
});

const once = (key: string): Once => ({
  request: { tenantId, route: 'POST /v1/turns', key, fingerprint: Buffer.alloc(32, 1) },
  answer: ({ turn }) => ({ status: 202, headers: { Location: turn.id }, body: JSON.stringify(turn.id) }),
});
/** A turn that knows its key. */
const keyedTurn = (key: string) => ({
  ...newTurn(tenantId, newId('session'), key),
  agentId,
  sessionMetadata: {},
});
const startOnce = (database: Database, key: string) =>
  insertTurnOnce(database.pool, 'start', keyedTurn(key), once(key));

/** As the API does what may not share: null where somebody else was first. */
async function startAlone(database: Database, key: string): Promise<string | null> {
  try {
    const { answer, replayed } = await runOnce(database, once(key).request, async (sql) => {
      const { turn } = await insertTurnWithSession(sql, keyedTurn(key));
      return { status: 202, headers: {}, body: JSON.stringify(turn?.id) };
    });
    return replayed ? null : answer.body;
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'idempotency_key_in_use') return null;
    throw error;
  }
}

/** The turns of each key, and the answer that is kept for it. */
async function storedFor(keys: readonly string[]) {
  const { rows } = await one.pool.query<{ key: string; turns: string[]; body: string; xmin: string }>(
    `SELECT records.key, records.body::jsonb #>> '{}' AS body, records.xmin::text,
       (SELECT array_agg(turns.id) FROM turns WHERE turns.metadata ->> 'text' = records.key) AS turns
     FROM idempotency_records AS records WHERE records.key = ANY ($1) ORDER BY records.key`,
    [keys],
  );
  return rows;
}

const someKeys = (count: number): string[] => {
  const name = newId('event');
  return Array.from({ length: count }, (_, place) => `${name}-${String(place).padStart(3, '0')}`);
};

test('requests with keys share transactions too, each with the answer that is kept for it', async () => {
  const keys = someKeys(200);
  const accepted = await Promise.all(keys.map((key) => startOnce(one, key)));
  const stored = await storedFor(keys);
  const expected = keys.map((key, place) => ({
    key,
    turns: [JSON.parse(accepted[place]?.body ?? 'null')],
    body: JSON.parse(accepted[place]?.body ?? 'null'),
  }));
  expect(stored.map(({ key, turns, body }) => ({ key, turns, body }))).toEqual(expected);
  expect(new Set(stored.map(({ xmin }) => xmin)).size).toBeLessThan(30);
  expect(await Promise.all(keys.map((key) => startOnce(other, key)))).toEqual(keys.map(() => null));
});

test('of those with one key one is stored, at whatever process and in whatever way', async () => {
  for (let round = 0; round < 10; round++) {
    const keys = someKeys(12);
    const answers = await Promise.all([
      ...keys.map((key) => startOnce(one, key)),
      ...keys.toReversed().map((key) => startOnce(other, key)),
      ...keys.flatMap((key) => [startAlone(one, key), startAlone(other, key), startOnce(one, key)]),
    ]);
    expect(answers.filter((answer) => answer !== null)).toHaveLength(keys.length);
    for (const { turns, body } of await storedFor(keys)) expect(turns).toEqual([body]);
  }
});

test('a request whose answer cannot be kept stores nothing, and hurts none of those that came with it', async () => {
  const keys = someKeys(20);
  const broken = keys[7] ?? '';
  await one.pool.query(
    `ALTER TABLE idempotency_records ADD CONSTRAINT not_this CHECK (key <> '${broken}') NOT VALID`,
  );
  try {
    const ends = await Promise.allSettled(keys.map((key) => startOnce(one, key)));
    expect(ends.map(({ status }) => status === 'fulfilled')).toEqual(keys.map((key) => key !== broken));
    const left = keys.filter((key) => key !== broken);
    expect((await storedFor(keys)).map(({ key }) => key)).toEqual(left);
    const { rows } = await one.pool.query(`SELECT 1 FROM turns WHERE metadata ->> 'text' = $1`, [broken]);
    expect(rows).toHaveLength(0);
  } finally {
    await one.pool.query('ALTER TABLE idempotency_records DROP CONSTRAINT not_this');
  }
});
