import { RetryableError, storableJsonText, TerminalError } from '@turnpike/contract';
import pg from 'pg';
import { z } from 'zod';
import { DatabaseSettingsError } from './session-settings.ts';

/** A pool, or one client inside a transaction. */
export type Sql = pg.Pool | pg.PoolClient;

/** A prepared statement: its name is its plan's, `row` is what each row must look like. */
export interface Statement<Row extends z.ZodType> {
  name: string;
  text: string;
  row: Row;
}

/** The database did not answer, or did not take us: nothing is known to be wrong with the request. */
export class StoreUnavailableError extends RetryableError {}

/**
 * Runs one statement, in one round trip; waits no longer than `limitMs`, where that is given.
 * Throws `StoreUnavailableError` where trying again may help.
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
    // The driver knows this setting of a single query; its types do not.
    const limit: object = limitMs === undefined ? {} : { query_timeout: limitMs };
    const answer = await sql.query({ name, text, values: [...values], ...limit });
    // Row by row: to make a schema for the list costs more than to use it.
    return answer.rows.map((row: unknown) => statement.row.parse(row));
  } catch (error) {
    throw asStoreError(error);
  }
}

/** A row that is still to be read. */
export type UnreadRow = z.infer<typeof unreadSchema>;
const unreadSchema = z.looseObject({ id: z.string() });

/**
 * As `query`, for a group: the row of each of these ids in its place, null where there is none. Each is to be read
 * by itself, so that one that cannot be read does not cost the others of the group what was committed for them.
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
 * All statements of `work` are committed, or none. Throws what `work` throws. The beginning leaves with the
 * first statement of `work`, and `last`, which may write what depends on the result, with the commit: two round
 * trips less. Where `last` fails, the commit that follows it on the wire is a rollback. After a deadlock both are
 * run again, so they do nothing that is not undone by a rollback.
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
  // The pool listens to idle clients only; one that breaks in our hands would end the process.
  const onBreak = (error: Error): void => {
    broken = error;
  };
  client.on('error', onBreak);
  try {
    const begun = client.query('BEGIN');
    // Statements are answered in their order: who waits for one of `work` has waited for this one.
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

/** As `transaction`, inside the one that `sql` is in already where it is a client. */
export function inTransaction<Result>(sql: Sql, work: (sql: Sql) => Promise<Result>): Promise<Result> {
  return sql instanceof pg.Pool ? transaction(sql, work) : work(sql);
}

/** So often is begun what lost a deadlock, the first time included. */
const MOST_BEGINNINGS = 4;

/**
 * The order of locks (decision 8) leaves no deadlock that we know of. Where there is one after all, Postgres ends one
 * of the two and says so in its log; that one has written nothing, and begins again.
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

/** True where the database ended a statement for the time that it took. */
export function isTimeout(error: unknown): boolean {
  return databaseErrorSchema.safeParse(error).data?.code === '57014';
}

/** SQLSTATE classes that say "not now": connection, resources, shutdown, and lost races between locks. */
const UNAVAILABLE = /^(08|53|57P|57014|55P03|25P03|25006|40|E[A-Z_]+$)/;

/** SQLSTATE class 22: a value that no column takes. To send it again cannot help. */
const UNSTORABLE = /^22/;

function asStoreError(error: unknown): unknown {
  const parsed = databaseErrorSchema.safeParse(error);
  if (parsed.success && UNSTORABLE.test(parsed.data.code)) {
    return new TerminalError('unstorable', 'What was to be stored cannot be stored.', error);
  }
  const unavailable = parsed.success
    ? UNAVAILABLE.test(parsed.data.code) || error instanceof DatabaseSettingsError
    : error instanceof Error && /connection|timeout/i.test(error.message) && !(error instanceof z.ZodError);
  if (!unavailable || error instanceof StoreUnavailableError) return error;
  return new StoreUnavailableError('store_unavailable', 'The database cannot be reached.', undefined, error);
}

/**
 * JSON for a `jsonb` parameter. Postgres refuses NUL and lone surrogates. What models and tools say has none: it is
 * cleaned where it comes in. This is for whatever else may have one, so that nothing is lost for one character.
 */
export function json(value: unknown): string {
  try {
    return storableJsonText(JSON.stringify(value));
  } catch (error) {
    // Nested too deep for the stack: what a model can write, and nobody can read.
    if (error instanceof RangeError) {
      throw new TerminalError('unstorable', 'What was to be stored cannot be stored.', error);
    }
    throw error;
  }
}
