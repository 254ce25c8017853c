import { TerminalError } from '@turnpike/contract';
import type pg from 'pg';
import { z } from 'zod';

/** The key that Prisma's engine takes too, so that `prisma migrate deploy` elsewhere and we exclude each other. */
const KEY = 72_707_369;

/** Somebody else migrates this database, or left the lock behind. */
class MigrationLockedError extends TerminalError {
  constructor(message: string) {
    super('migration_locked', message);
  }
}

/**
 * Runs `work` while nobody else migrates this database. The lock belongs to a transaction, not to a session:
 * behind a pooler a session outlives its client, and a lock of the session with it.
 * `onWait` is told who holds the lock, once, where it is not free. Throws `MigrationLockedError` where it does not
 * become free in `limitMs`.
 */
export async function withMigrationLock<Result>(
  pool: pg.Pool,
  { limitMs, onWait }: { limitMs: number; onWait(holder: string): void },
  work: () => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  // Held idle, it may break in our hands: its COMMIT fails then, and says so.
  client.on('error', () => undefined);
  let isDone = false;
  try {
    await client.query('BEGIN');
    // Held idle for as long as the migrations take.
    await client.query(`SET LOCAL idle_in_transaction_session_timeout = 0`);
    await client.query(`SET LOCAL statement_timeout = 0`);
    await client.query(`SET LOCAL lock_timeout = ${limitMs}`);
    if (!(await isTaken(client))) {
      onWait(await describeHolder(pool));
      await take(client).catch(async (error: unknown) => {
        if (!isLockTimeout(error)) throw error;
        throw new MigrationLockedError(
          `It waited ${limitMs / 1_000} s for another migration of this database. ${await describeHolder(pool)}`,
        );
      });
    }
    const result = await work();
    await client.query('COMMIT');
    isDone = true;
    return result;
  } finally {
    // The end of its connection ends the transaction too.
    client.release(!isDone);
  }
}

const takenSchema = z.tuple([z.object({ taken: z.boolean() })]);

async function isTaken(client: pg.PoolClient): Promise<boolean> {
  const { rows } = await client.query('SELECT pg_try_advisory_xact_lock($1) AS taken', [KEY]);
  return takenSchema.parse(rows)[0].taken;
}

async function take(client: pg.PoolClient): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1)::text', [KEY]);
}

/** SQLSTATE 55P03: a lock that did not become free in time. */
export function isLockTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '55P03';
}

const holderSchema = z.array(
  z.object({
    pid: z.int(),
    name: z.string(),
    role: z.string(),
    place: z.string(),
    state: z.string(),
    since: z.string(),
  }),
);

const HOLDERS = `
SELECT pid, coalesce(nullif(application_name, ''), 'without a name') AS name, coalesce(usename, 'unknown') AS role,
       coalesce(host(client_addr), 'this machine') AS place, coalesce(state, 'unknown') AS state,
       to_char(coalesce(xact_start, state_change, backend_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = ${KEY} AND objsubid = 1
  AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())`;

/** A sentence about whoever holds the lock, and what to do about it. */
async function describeHolder(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query(HOLDERS);
  const [holder] = holderSchema.parse(rows);
  if (holder === undefined) return 'Its lock has just become free.';
  const { pid, name, role, place, state, since } = holder;
  return (
    `Its lock is held by the Postgres process ${pid} (application ${name}, role ${role}, from ${place}, ${state} since ${since}). ` +
    `If no migration runs there, it was left behind: end it with SELECT pg_terminate_backend(${pid}).`
  );
}
