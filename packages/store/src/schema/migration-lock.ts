import { TerminalError } from '@turnpike/contract';
import { setTimeout } from 'node:timers/promises';
import type pg from 'pg';
import { z } from 'zod';

/**
 * The lock key of Prisma's engine, so that `prisma migrate deploy` and `turnpike migrate` exclude each other.
 */
const KEY = 72_707_369;
const TRY_EVERY_MS = 100;

/** Another process migrates this database, or left its lock behind. */
class MigrationLockedError extends TerminalError {
  constructor(message: string) {
    super('migration_locked', message);
  }
}

/**
 * Runs `work` while no other process migrates this database. The lock belongs to a transaction rather than to
 * a session: behind a pooler a session, and its locks, outlive the client. `onWait` is called once, with the
 * holder, if the lock is not free. Throws `MigrationLockedError` if it does not become free within `limitMs`.
 */
export async function withMigrationLock<Result>(
  pool: pg.Pool,
  { limitMs, onWait }: { limitMs: number; onWait(holder: string): void },
  work: () => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  // The connection is idle and may break: then its COMMIT fails and reports it.
  client.on('error', () => undefined);
  let isDone = false;
  try {
    await client.query('BEGIN');
    // Idle for as long as the migrations take.
    await client.query(`SET LOCAL idle_in_transaction_session_timeout = 0`);
    await client.query(`SET LOCAL statement_timeout = 0`);
    if (!(await take(client))) {
      onWait(await describeHolder(pool));
      const givesUpAt = performance.now() + limitMs;
      while (!(await take(client))) {
        if (performance.now() >= givesUpAt)
          throw new MigrationLockedError(
            `It waited ${limitMs / 1_000} s for another migration of this database. ${await describeHolder(pool)}`,
          );
        await setTimeout(TRY_EVERY_MS);
      }
    }
    const result = await work();
    await client.query('COMMIT');
    isDone = true;
    return result;
  } finally {
    // Closing the connection ends the transaction too.
    client.release(!isDone);
  }
}

const takenSchema = z.tuple([z.object({ taken: z.boolean() })]);

/**
 * Takes the lock if it is free. A statement that waits for it would have a snapshot, as has one that is not closed: an
 * index that the holder builds concurrently would wait for that, and each for the other.
 */
async function take(client: pg.PoolClient): Promise<boolean> {
  const { rows } = await client.query('SELECT pg_try_advisory_xact_lock($1) AS taken', [KEY]);
  // Closes the statement.
  await client.query('SET LOCAL lock_timeout = 0');
  return takenSchema.parse(rows)[0].taken;
}

/** SQLSTATE 55P03: a lock timeout. */
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

/** A sentence about the holder of the lock, and what to do. */
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
