import { RetryableError, storableJsonText, TerminalError } from '@turnpike/contract';
import pg from 'pg';
import { z } from 'zod';
import { DatabaseSettingsError } from './session-settings.ts';

/** A pool, or one client inside a transaction. */
export type Sql = pg.Pool | pg.PoolClient;

/** A prepared statement. `name` identifies its plan; `row` is the schema of each row. */
export interface Statement<Row extends z.ZodType> {
  name: string;
  text: string;
  row: Row;
}

/** The database did not answer or refused the connection; the request itself may be fine. */
export class StoreUnavailableError extends RetryableError {}

/**
 * Runs one statement in one round trip, for `limitMs` at most if given. Throws `StoreUnavailableError` if
 * trying again may help.
 */
export function query<Row extends z.ZodType>(
  sql: Sql,
  statement: Statement<Row>,
  values: readonly unknown[],
  limitMs?: number,
): Promise<z.infer<Row>[]> {
  const ask = (): Promise<z.infer<Row>[]> => queryOnce(sql, statement, values, limitMs);
  return sql instanceof pg.Pool ? againAfterDeadlock(ask) : ask();
}

async function queryOnce<Row extends z.ZodType>(
  sql: Sql,
  statement: Statement<Row>,
  values: readonly unknown[],
  limitMs?: number,
): Promise<z.infer<Row>[]> {
  try {
    const { name, text } = statement;
    // The driver supports this setting for one query; its types do not.
    const limit: object = limitMs === undefined ? {} : { query_timeout: limitMs };
    const answer = await sql.query({ name, text, values: [...values], ...limit });
    // Row by row: making a schema for the list costs more than using it.
    return answer.rows.map((row: unknown) => statement.row.parse(row));
  } catch (error) {
    throw asStoreError(error);
  }
}

/** A row that is not parsed yet. */
export type UnreadRow = z.infer<typeof unreadSchema>;
const unreadSchema = z.looseObject({ id: z.string() });

/**
 * As `query`, for a group: the row of each of these ids, in their order, null if there is none. The caller
 * parses each row by itself, so that one that cannot be parsed does not fail the others of the group, which
 * are committed.
 */
export async function queryInOrder(
  sql: Sql,
  statement: Pick<Statement<z.ZodType>, 'name' | 'text'>,
  values: readonly unknown[],
  ids: readonly string[],
): Promise<(UnreadRow | null)[]> {
  const rows = await query(sql, { ...statement, row: unreadSchema }, values);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
}

/**
 * Commits all statements of `work`, or none. Throws what `work` throws. BEGIN is sent with the first
 * statement of `work`, and COMMIT with `last`, which may write what depends on the result: two round trips
 * less. If `last` fails, the COMMIT after it on the wire is a rollback. After a deadlock both run again, so
 * they must have no effects outside the transaction.
 */
export function transaction<Result>(
  pool: pg.Pool,
  work: (sql: pg.PoolClient) => Promise<Result>,
  last?: (sql: pg.PoolClient, result: Result) => Promise<unknown> | undefined,
): Promise<Result> {
  return againAfterDeadlock(() => transactionOnce(pool, work, last));
}

async function transactionOnce<Result>(
  pool: pg.Pool,
  work: (sql: pg.PoolClient) => Promise<Result>,
  last?: (sql: pg.PoolClient, result: Result) => Promise<unknown> | undefined,
): Promise<Result> {
  let client: pg.PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    throw asStoreError(error);
  }
  let broken: Error | undefined;
  // The pool listens to idle clients only; an error of this one without a listener would end the process.
  const onBreak = (error: Error): void => {
    broken = error;
  };
  client.on('error', onBreak);
  try {
    const begun = client.query('BEGIN');
    // Results come in order: once a statement of `work` has its result, so has this one.
    begun.catch(() => undefined);
    const result = await work(client);
    await begun;
    await Promise.all([last?.(client, result), client.query('COMMIT')]);
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((rollback: Error) => {
      broken = rollback;
    });
    throw asStoreError(error);
  } finally {
    client.off('error', onBreak);
    client.release(broken);
  }
}

/**
 * Runs a part of the transaction of `sql`: where `work` throws, what it wrote is undone, and the transaction may go on.
 * Locks that were acquired before it are kept. Throws what `work` throws.
 */
export async function savepoint<Result>(sql: Sql, work: () => Promise<Result>): Promise<Result> {
  const begun = sql.query('SAVEPOINT part');
  // Results come in order: once a statement of `work` has its result, so has this one.
  begun.catch(() => undefined);
  try {
    const result = await work();
    await begun;
    await sql.query('RELEASE SAVEPOINT part');
    return result;
  } catch (error) {
    // Where this fails too, so does the transaction.
    await sql.query('ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part').catch(() => undefined);
    throw asStoreError(error);
  }
}

/** As `transaction`, or within the transaction of `sql` if it is a client. */
export function inTransaction<Result>(sql: Sql, work: (sql: Sql) => Promise<Result>): Promise<Result> {
  return sql instanceof pg.Pool ? transaction(sql, work) : work(sql);
}

/** How often a transaction that lost a deadlock is tried, the first time included. */
const MOST_BEGINNINGS = 4;

/**
 * The lock order (decision 8) excludes every deadlock that we know of. If there is one all the same, Postgres
 * ends one of the two transactions and logs it; that one has written nothing, and is tried again.
 */
async function againAfterDeadlock<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let beginnings = 1; ; beginnings++) {
    try {
      return await work();
    } catch (error) {
      if (beginnings === MOST_BEGINNINGS || !isDeadlock(error)) throw error;
    }
  }
}

function isDeadlock(error: unknown): boolean {
  const cause = error instanceof StoreUnavailableError ? error.cause : error;
  return databaseErrorSchema.safeParse(cause).data?.code === '40P01';
}

const databaseErrorSchema = z.object({ code: z.string(), constraint: z.string().optional() });

/** True for a violation of this constraint or unique index. */
export function violates(error: unknown, constraint: string): boolean {
  const parsed = databaseErrorSchema.safeParse(error);
  return parsed.success && parsed.data.constraint === constraint;
}

/** True if the database cancelled a statement because of a timeout. */
export function isTimeout(error: unknown): boolean {
  return databaseErrorSchema.safeParse(error).data?.code === '57014';
}

/** SQLSTATE classes that mean "not now": connection, resources, shutdown, and serialization conflicts. */
const UNAVAILABLE = /^(08|53|57P|57014|55P03|25P03|25006|40|E[A-Z_]+$)/;

/** SQLSTATE class 22: a value that no column accepts. Sending it again cannot help. */
const UNSTORABLE = /^22/;

function asStoreError(error: unknown): unknown {
  const parsed = databaseErrorSchema.safeParse(error);
  if (parsed.success && UNSTORABLE.test(parsed.data.code)) {
    return new TerminalError('unstorable', 'A value cannot be stored.', error);
  }
  const unavailable = parsed.success
    ? UNAVAILABLE.test(parsed.data.code) || error instanceof DatabaseSettingsError
    : error instanceof Error && /connection|timeout/i.test(error.message) && !(error instanceof z.ZodError);
  if (!unavailable || error instanceof StoreUnavailableError) return error;
  return new StoreUnavailableError('store_unavailable', 'The database cannot be reached.', undefined, error);
}

/**
 * JSON for a `jsonb` parameter, without NUL and lone surrogates, which Postgres refuses. Text from models and
 * tools is cleaned where it enters; this covers everything else, so that nothing is lost because of one
 * character.
 */
export function json(value: unknown): string {
  try {
    return storableJsonText(JSON.stringify(value));
  } catch (error) {
    // Nested too deeply for the stack.
    if (error instanceof RangeError) {
      throw new TerminalError('unstorable', 'A value cannot be stored.', error);
    }
    throw error;
  }
}
