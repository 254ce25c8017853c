import { RetryableError, TerminalError } from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from './database.ts';
import { appliedMigrations, NotMigratedError } from '../schema/migration-state.ts';
import { DatabaseSettingsError } from './session-settings.ts';

/** SQLSTATEs of a connection whose startup options are refused: retrying cannot help. */
const REFUSED_OPTIONS = new Set(['42601', '42704', '22023', '42501', '08P01']);

/**
 * For the start of a program. Throws `DatabaseSettingsError` if the database's sessions have settings that
 * Turnpike cannot work with. A database that does not answer does not prevent the start: `onAway` is called.
 */
export async function checkSettings(database: Database, onAway: (error: unknown) => void): Promise<void> {
  try {
    await database.ping();
  } catch (error) {
    if (error instanceof DatabaseSettingsError) throw error;
    const { code, message } = refusalSchema.safeParse(error).data ?? {};
    if (code !== undefined && REFUSED_OPTIONS.has(code)) {
      throw new DatabaseSettingsError(
        `The database refuses the startup options of the address: ${message}. A connection pooler may take none: leave out what is after ? in the address, but for the schema, and give the role these settings.`,
      );
    }
    onAway(error);
  }
}

/** SQLSTATE of a missing right. */
const FORBIDDEN = '42501';

const refusalSchema = z.object({ code: z.string(), message: z.string() });

const STATE = `SELECT pg_is_in_recovery() AS is_standby, current_setting('transaction_read_only') = 'on' AS is_read_only`;

const stateSchema = z.tuple([z.object({ is_standby: z.boolean(), is_read_only: z.boolean() })]);

/**
 * Whether turns can be accepted and run on this database: it accepts writes, and has all of `migrations`.
 * Throws an error whose message says what is wrong; `NotMigratedError` for missing migrations.
 */
export async function checkDatabase(database: Database, migrations: readonly string[]): Promise<void> {
  const { pool, schema } = database;
  const { rows } = await pool.query(STATE);
  const [{ is_standby: isStandby, is_read_only: isReadOnly }] = stateSchema.parse(rows);
  if (isStandby)
    throw new RetryableError('database_read_only', 'The database is a standby: it takes no writes.');
  if (isReadOnly) {
    throw new RetryableError(
      'database_read_only',
      'The database takes no writes: default_transaction_read_only is on.',
    );
  }
  const applied = new Set(
    await appliedMigrations(pool, schema).catch((error: unknown) => {
      if (refusalSchema.safeParse(error).data?.code !== FORBIDDEN) throw error;
      throw new TerminalError(
        'database_forbidden',
        `The role of DATABASE_URL may not read the tables in the schema ${schema}: grant it USAGE on the schema, and SELECT, INSERT, UPDATE, DELETE on its tables.`,
      );
    }),
  );
  const missing = migrations.filter((name) => !applied.has(name));
  if (missing.length === 0) return;
  const which = missing.length === migrations.length ? 'all of them' : missing.join(', ');
  throw new NotMigratedError(
    `The schema ${schema} of the database lacks migrations of this version (${which}): run turnpike migrate.`,
  );
}
