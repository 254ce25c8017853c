import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { z } from 'zod';
import { isLockTimeout, withMigrationLock } from './migration-lock.ts';
import { appliedMigrations } from './migration-state.ts';
import type { MigrationList } from '@prisma/schema-engine-wasm/schema_engine_bg';
import { prepareSchema } from './prepare-schema.ts';
import {
  NO_FILTERS,
  readMigrations,
  readSchema,
  withSchemaEngine,
  type SchemaFile,
} from './schema-engine.ts';
import { MIGRATION_SETTINGS } from '../database/service-settings.ts';
import { connectionTo, readSessionTarget } from '../database/session-settings.ts';

export interface MigrateOptions {
  /** How long to wait for another migration of the same database, in milliseconds. Default: a minute. */
  lockTimeoutMs?: number;
  /** Called with a sentence about the process that holds the lock. */
  onWait?(holder: string): void;
  /** How long a migration waits for the lock of a table, whose queries queue behind it. Milliseconds. Default: 2 s. */
  tableLockMs?: number;
  /** How often that is tried. Default: 30. */
  tries?: number;
  /** How long the queries have the table in between: half of it up to one and a half. Milliseconds. Default: 3 s. */
  pauseMs?: number;
}

/**
 * Applies the migrations in `folder` (the repository's `prisma/`) that this database does not have yet, in
 * the schema that the URL names, which is created if needed. Returns their names. `prisma migrate deploy`
 * agrees with the result. A migration that fails changes nothing, and the next run tries it again; so does this one where
 * a table was locked for too long, so that no query waits behind a migration for longer than `tableLockMs`. Throws
 * `MigrationLockedError`, `MigrationForbiddenError`, `DatabaseSettingsError`, and the server's error for a
 * migration.
 */
export async function migrate(
  databaseUrl: string,
  folder: string,
  {
    lockTimeoutMs = 60_000,
    onWait = () => undefined,
    tableLockMs,
    tries = 30,
    pauseMs = 3_000,
  }: MigrateOptions = {},
): Promise<string[]> {
  const target = readSessionTarget(databaseUrl, MIGRATION_SETTINGS, { isDirect: true });
  const migrationsList = await readMigrations(folder);
  const file = await readSchema(folder);
  const pool = new pg.Pool({
    ...connectionTo(target),
    application_name: 'turnpike-migrate',
    connectionTimeoutMillis: 5_000,
  });
  // The statement that uses a broken connection reports it.
  pool.on('error', () => undefined);
  const { schema } = target;
  try {
    return await withMigrationLock(pool, { limitMs: lockTimeoutMs, onWait }, async () => {
      const known = await appliedMigrations(pool, schema);
      const missing = migrationsList.migrationDirectories.filter(({ path }) => !known.includes(path));
      if (missing.length === 0) return [];
      await prepareSchema(pool, schema);
      const parts = { schema, file, migrationsList, ...(tableLockMs === undefined ? {} : { tableLockMs }) };
      for (let attempt = 1; ; attempt += 1) {
        const blocked = await applyAll(pool, parts);
        if (blocked === null) return missing.map(({ path }) => path);
        if (attempt >= tries) throw blocked;
        onWait(blocked.message);
        await setTimeout(pauseMs * (0.5 + Math.random()));
      }
    });
  } finally {
    await pool.end();
  }
}

/** Null once all are applied; the error to throw at last where a table's lock did not become free. */
async function applyAll(
  pool: pg.Pool,
  {
    migrationsList,
    ...engineParts
  }: { schema: string; file: SchemaFile; migrationsList: MigrationList; tableLockMs?: number },
): Promise<Error | null> {
  let failure: Error | undefined;
  const onFailure = (error: Error): void => {
    failure = error;
  };
  return withSchemaEngine(pool, { ...engineParts, onFailure }, async (engine) => {
    try {
      await engine.applyMigrations({ migrationsList, filters: NO_FILTERS });
      return null;
    } catch (error) {
      if (failure === undefined) throw error;
      const name = await markRolledBack(pool);
      if (!isLockTimeout(failure)) throw new Error(`${name}: ${failure.message}`, { cause: error });
      return new Error(`${name}: ${await describeBlockers(pool)}`, { cause: error });
    }
  });
}

/*
 * The engine refuses to continue after a migration that did not finish. This one left nothing: it may be
 * tried again.
 */
async function markRolledBack(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query(
    `UPDATE _prisma_migrations SET rolled_back_at = now()
     WHERE finished_at IS NULL AND rolled_back_at IS NULL RETURNING migration_name AS name`,
  );
  return z.array(z.object({ name: z.string() })).parse(rows)[0]?.name ?? 'A migration';
}

const BLOCKERS = `
SELECT pid, coalesce(nullif(application_name, ''), 'without a name') AS name, extract(epoch FROM now() - xact_start)::int AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
  AND application_name <> 'turnpike-migrate'
ORDER BY xact_start LIMIT 1`;

async function describeBlockers(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query(BLOCKERS);
  const found = z.array(z.object({ pid: z.int(), name: z.string(), seconds: z.int() })).parse(rows);
  const oldest = found.map(
    ({ pid, name, seconds }) =>
      ` The oldest transaction is that of the Postgres process ${pid} (application ${name}), ${seconds} s old.`,
  );
  return `a lock on a table did not become free in time, and nothing was changed.${oldest.join('')}`;
}
