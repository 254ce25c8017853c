import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  agentConfigSchema,
  newId,
  ProblemError,
  startTurnSchema,
  submitTurnSchema,
} from '@turnpike/contract';
import {
  createTenant,
  insertAgent,
  openDatabase,
  type Database,
  type IdempotentRequest,
} from '@turnpike/store';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { doneOf, submitTo } from './testing/submit-to.ts';

/** Two processes that accept turns: each has its own pool, and so its own groups. */
let one: Database;
let other: Database;
let submits: Map<Database, ReturnType<typeof submitTo>>;
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
  submits = new Map([one, other].map((database) => [database, submitTo(database, tenantId)]));
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(one.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
});
afterAll(async () => {
  await Promise.all([one.close(), other.close()]);
  await drop();
});

const submit = (
  database: Database,
  ...given: Parameters<ReturnType<typeof submitTo>>
): ReturnType<ReturnType<typeof submitTo>> => {
  const submitHere = submits.get(database);
  if (submitHere === undefined) throw new Error('There is no such process.');
  return submitHere(...given);
};

/** Submits a turn that creates its session. */
const start = (database: Database, text: string, key?: IdempotentRequest) => {
  const submission = startTurnSchema.parse({ agent_id: agentId, input: text, metadata: { text } });
  return submit(database, { of: 'new_session', submission }, key);
};

async function newSessions(count: number): Promise<string[]> {
  const started = await Promise.all(Array.from({ length: count }, () => start(one, 'Hello.')));
  return started.map((result) => doneOf(result).turn.session_id);
}

/** Submits a turn that knows its session. Returns the code where it is refused. */
async function add(database: Database, sessionId: string, onlyIfIdle = false) {
  const submission = submitTurnSchema.parse({
    input: sessionId,
    metadata: { text: sessionId },
    multitask_strategy: onlyIfIdle ? 'reject' : 'enqueue',
  });
  try {
    return doneOf(await submit(database, { of: 'session', sessionId, submission })).turn;
  } catch (error) {
    if (error instanceof ProblemError) return error.code;
    throw error;
  }
}

test('a crowd at two processes: each turn is stored once, and no session has a gap, a double or two heads', async () => {
  const sessions = await newSessions(5);
  expect(sessions).toHaveLength(5);
  const submitted = await Promise.all(
    Array.from({ length: 200 }, (_, index) =>
      add(index % 2 === 0 ? one : other, sessions[index % sessions.length] ?? ''),
    ),
  );
  for (const [index, turn] of submitted.entries()) {
    // Each has the result of its own submit.
    const session = sessions[index % sessions.length];
    expect(turn).toMatchObject({ session_id: session, metadata: { text: session } });
  }
  const { rows } = await one.pool.query<{ sequences: number[]; heads: number; open: number; texts: number }>(
    `SELECT array_agg(turns.sequence ORDER BY turns.sequence) AS sequences,
       count(*) FILTER (WHERE turns.ready_at IS NOT NULL)::int AS heads, max(sessions.open_turns) AS open,
       (SELECT count(*)::int FROM messages WHERE messages.session_id = sessions.id) AS texts
     FROM sessions JOIN turns ON turns.session_id = sessions.id WHERE sessions.id = ANY ($1) GROUP BY sessions.id`,
    [sessions],
  );
  const sequences = Array.from({ length: 41 }, (_, index) => index + 1);
  expect(rows).toEqual(sessions.map(() => ({ sequences, heads: 1, open: 41, texts: 41 })));
});

test('submits that arrive together share transactions, those that create their session too', async () => {
  const sessions = await newSessions(300);
  expect(new Set(sessions).size).toBe(300);
  const { rows } = await one.pool.query<{ transactions: number }>(
    'SELECT count(DISTINCT xmin::text)::int AS transactions FROM turns WHERE session_id = ANY ($1)',
    [sessions],
  );
  expect(rows[0]?.transactions).toBeLessThan(30);
});

test('a locked session keeps its own submit waiting, and no other', async () => {
  const [held = '', free = ''] = await newSessions(2);
  const holder = await other.pool.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE', [held]);
    let isStored = false;
    const waiting = add(one, held).then((turn) => {
      isStored = true;
      return turn;
    });
    for (let sequence = 2; sequence < 7; sequence++) expect(await add(one, free)).toMatchObject({ sequence });
    expect(isStored).toBe(false);
    await holder.query('COMMIT');
    expect(await waiting).toMatchObject({ sequence: 2 });
  } finally {
    holder.release();
  }
});

test('of a group, those that need an idle session or have none are refused alone', async () => {
  const [busy = ''] = await newSessions(1);
  const results = await Promise.all([
    add(one, busy, true),
    add(one, newId('session')),
    add(one, busy),
    add(other, busy, true),
  ]);
  expect(results).toEqual([
    'session_busy',
    'not_found',
    expect.objectContaining({ sequence: 2 }),
    'session_busy',
  ]);
});

const requestOf = (key: string): IdempotentRequest => ({
  tenantId,
  route: 'POST /v1/turns',
  key,
  fingerprint: Buffer.alloc(32, 1),
});

/** Submits a turn that knows its key. Returns its id where it was executed; null where it was not. */
async function startOnce(submitStart: typeof start, database: Database, key: string): Promise<string | null> {
  try {
    const result = await submitStart(database, key, requestOf(key));
    return 'done' in result ? result.done.turn.id : null;
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'idempotency_key_in_use') return null;
    throw error;
  }
}

/** As `start`, of a process that counts: in a transaction that is not shared. */
const startCounted: typeof start = (database, text, key) => {
  const submission = startTurnSchema.parse({ agent_id: agentId, input: text, metadata: { text } });
  return submitTo(database, tenantId, { isCounted: true })({ of: 'new_session', submission }, key);
};

/** The turns of each key, and the turn of the response that is recorded for it. */
async function storedFor(keys: readonly string[]) {
  const { rows } = await one.pool.query<{ key: string; turns: string[]; shown: string; xmin: string }>(
    `SELECT records.key, records.body::jsonb ->> 'id' AS shown, records.xmin::text,
       (SELECT array_agg(turns.id) FROM turns WHERE turns.metadata ->> 'text' = records.key) AS turns
     FROM idempotency_records AS records WHERE records.key = ANY ($1) ORDER BY records.key`,
    [keys],
  );
  return rows;
}

const someKeys = (count: number): string[] => {
  const name = newId('event');
  return Array.from({ length: count }, (_, index) => `${name}-${String(index).padStart(3, '0')}`);
};

test('submits with keys share transactions too, each with the record of its own response', async () => {
  const keys = someKeys(200);
  const ids = await Promise.all(keys.map((key) => startOnce(start, one, key)));
  const stored = await storedFor(keys);
  expect(stored.map(({ key, turns, shown }) => ({ key, turns, shown }))).toEqual(
    keys.map((key, index) => ({ key, turns: [ids[index]], shown: ids[index] })),
  );
  expect(new Set(stored.map(({ xmin }) => xmin)).size).toBeLessThan(30);
  expect(await Promise.all(keys.map((key) => startOnce(start, other, key)))).toEqual(keys.map(() => null));
});

test('of the submits with one key one is executed, at whatever process, shared or alone', async () => {
  for (let round = 0; round < 6; round++) {
    const keys = someKeys(12);
    const results = await Promise.all([
      ...keys.map((key) => startOnce(start, one, key)),
      ...keys.toReversed().map((key) => startOnce(start, other, key)),
      ...keys.flatMap((key) => [
        startOnce(startCounted, one, key),
        startOnce(startCounted, other, key),
        startOnce(start, one, key),
      ]),
    ]);
    expect(results.filter((id) => id !== null)).toHaveLength(keys.length);
    for (const { turns, shown } of await storedFor(keys)) expect(turns).toEqual([shown]);
  }
});

test('a submit whose record cannot be stored stores nothing, and none of its group fails with it', async () => {
  const keys = someKeys(20);
  const broken = keys[7] ?? '';
  await one.pool.query(
    `ALTER TABLE idempotency_records ADD CONSTRAINT not_this CHECK (key <> '${broken}') NOT VALID`,
  );
  try {
    const ends = await Promise.allSettled(keys.map((key) => startOnce(start, one, key)));
    expect(ends.map(({ status }) => status === 'fulfilled')).toEqual(keys.map((key) => key !== broken));
    const left = keys.filter((key) => key !== broken);
    expect((await storedFor(keys)).map(({ key }) => key)).toEqual(left);
    const { rows } = await one.pool.query(`SELECT 1 FROM turns WHERE metadata ->> 'text' = $1`, [broken]);
    expect(rows).toHaveLength(0);
  } finally {
    await one.pool.query('ALTER TABLE idempotency_records DROP CONSTRAINT not_this');
  }
});

/** Holds every insert of a turn, after its statement looked for records, until the returned function is called. */
async function holdInserts(): Promise<() => Promise<void>> {
  const gate = 4_713;
  const holder = await other.pool.connect();
  await holder.query(`
    CREATE FUNCTION hold_insert() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(${gate});
      RETURN NEW;
    END $$;
    CREATE TRIGGER hold_insert BEFORE INSERT ON turns FOR EACH ROW EXECUTE FUNCTION hold_insert()`);
  await holder.query('SELECT pg_advisory_lock($1)', [gate]);
  return async () => {
    await holder.query('SELECT pg_advisory_unlock($1)', [gate]);
    await holder.query('DROP FUNCTION hold_insert CASCADE');
    holder.release();
  };
}

test.each([
  ['shared', start],
  ['alone', startCounted],
])(
  'a record that was committed after a submit, %s, looked for it is replayed, and no turn is stored',
  async (_how, submitStart) => {
    const [key = ''] = someKeys(1);
    const release = await holdInserts();
    const result = submitStart(one, key, requestOf(key));
    await untilTrue('the turn is inserted, and not committed', async () => {
      const { rows } = await other.pool.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
    await other.pool.query(
      `INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, headers, body, expires_at)
     VALUES ($1, 'POST /v1/turns', $2, $3, 202, '{}', '{}', now() + interval '1 hour')`,
      [tenantId, key, Buffer.alloc(32, 1)],
    );
    await release();
    expect(await result).toEqual({ replay: { status: 202, headers: {}, body: '{}' } });
    const { rows } = await one.pool.query(`SELECT 1 FROM turns WHERE metadata ->> 'text' = $1`, [key]);
    expect(rows).toHaveLength(0);
  },
);
