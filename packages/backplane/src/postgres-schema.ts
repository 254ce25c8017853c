import { setTimeout as delay } from 'node:timers/promises';
import { TerminalError } from '@turnpike/contract';
import { PostgresConnection } from 'bullmq';
import pg from 'pg';
import { BackplaneUnavailableError, plainError } from './errors.ts';
import type { PostgresTarget } from './postgres-target.ts';
import { settlesWithin } from './with-timeout.ts';

const TRY_AGAIN_MS = 250;
const CLOSE_LIMIT_MS = 2_000;

/** Errors that pass once the server is back or less busy: network errors, and SQLSTATE classes 08, 53, 57. */
const PASSING = /^(E[A-Z_]+|08...|53...|57...)$/;

/**
 * Creates or updates BullMQ's schema. An advisory lock serializes processes that start together. Waits up to
 * `limitMs` for a server that is away; throws `BackplaneUnavailableError` after that, and `TerminalError` for an error
 * that does not pass.
 */
export async function preparePostgresSchema(target: PostgresTarget, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    const left = Math.max(1, end - performance.now());
    try {
      return await migrate(target, left);
    } catch (error) {
      if (error instanceof TerminalError) throw error;
      const plain = plainError(error);
      if (!isPassing(plain)) {
        throw new TerminalError(
          'backplane_schema_failed',
          isForbidden(plain)
            ? `The role may not make the backplane's schema ${target.schema}: grant it CREATE on the database, or make the backplane a Redis (REDIS_URL).`
            : `The backplane's schema ${target.schema} cannot be made: ${plain.message}`,
          plain,
        );
      }
      if (performance.now() + TRY_AGAIN_MS > end) {
        throw new BackplaneUnavailableError(
          `making the schema ${target.schema} in ${limitMs} ms (${plain.message})`,
          plain,
        );
      }
    }
    await delay(TRY_AGAIN_MS);
  }
}

/** Notifications, and the search path of BullMQ's tables, need a session of its own. Throws `TerminalError`. */
async function refusePooler(target: PostgresTarget, limitMs: number): Promise<void> {
  const client = new pg.Client({
    connectionString: target.connectionString,
    connectionTimeoutMillis: limitMs,
    query_timeout: limitMs,
  });
  await client.connect();
  try {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    // A pooler has process ids of its own. The driver has that of its connection; its types do not say so.
    if (rows[0]?.pid === Reflect.get(client, 'processID')) return;
  } finally {
    await settlesWithin(client.end(), CLOSE_LIMIT_MS);
  }
  throw new TerminalError(
    'backplane_pooled',
    'The backplane cannot be reached through a connection pooler: it needs LISTEN. Set BACKPLANE_URL to the address of Postgres itself, or make the backplane a Redis (REDIS_URL).',
  );
}

async function migrate(target: PostgresTarget, limitMs: number): Promise<void> {
  await refusePooler(target, limitMs);
  const connection = new PostgresConnection({
    ...target,
    migrate: true,
    max: 1,
    connectionTimeoutMillis: limitMs,
    query_timeout: limitMs,
  });
  try {
    await connection.waitUntilReady();
  } finally {
    await settlesWithin(connection.close(), CLOSE_LIMIT_MS);
  }
}

function isPassing(error: Error): boolean {
  if ('code' in error && typeof error.code === 'string') return PASSING.test(error.code);
  return /timeout|terminated/i.test(error.message);
}

/** SQLSTATE 42501: a right is missing. */
function isForbidden(error: Error): boolean {
  return 'code' in error && error.code === '42501';
}
