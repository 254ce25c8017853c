import { setTimeout as delay } from 'node:timers/promises';
import { TerminalError } from '@turnpike/contract';
import { PostgresConnection } from 'bullmq';
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

async function migrate(target: PostgresTarget, limitMs: number): Promise<void> {
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
