import { ProblemError } from '@turnpike/contract';
import type pg from 'pg';
import { z } from 'zod';
import { findDeleted } from './find-deleted.ts';
import { packResponse, unpackResponse, type PackedResponse } from './pack-response.ts';
import { json, query, transaction, type Sql } from '../database/sql.ts';

/** An HTTP response as it is sent: a replay is the same byte for byte. */
export interface StoredResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** A request with an `Idempotency-Key`. */
export interface IdempotentRequest {
  tenantId: string;
  /** Method and path: the same key on another route is another request. */
  route: string;
  key: string;
  /** SHA-256 of what was asked for. */
  fingerprint: Buffer;
}

/** How long the record of a key is kept. */
export const KEPT_HOURS = 24;

/** A boolean SQL expression: true where the caller holds the lock of the key until its transaction ends. */
export const tryLockKey = (key: string): string => `pg_try_advisory_xact_lock(hashtextextended(${key}, 1))`;

const LOCK = {
  name: 'lock-idempotency-key',
  text: `SELECT ${tryLockKey('$1')} AS locked`,
  row: z.object({ locked: z.boolean() }),
};

const READ = {
  name: 'read-idempotency-record',
  text: `
SELECT fingerprint, status, headers, body, packed, omitted, expires_at <= now() AS "isExpired"
FROM idempotency_records WHERE tenant_id = $1 AND route = $2 AND key = $3`,
  row: z.object({
    fingerprint: z.instanceof(Buffer),
    status: z.int(),
    headers: z.record(z.string(), z.string()),
    body: z.string().nullable(),
    packed: z.instanceof(Buffer).nullable(),
    omitted: z.array(z.string()),
    isExpired: z.boolean(),
  }),
};

const DELETE = {
  name: 'delete-idempotency-record',
  text: `DELETE FROM idempotency_records WHERE tenant_id = $1 AND route = $2 AND key = $3 RETURNING key`,
  row: z.object({ key: z.string() }),
};

/**
 * Executes `work` in a transaction, at most once for the key of `request`
 * (draft-ietf-httpapi-idempotency-key-header-07), which is null where the request has no key. The response is
 * recorded in that transaction, so there is never a record without what `work` wrote, nor the reverse. Where `work`
 * throws, nothing is kept, and the key may be used again.
 * Throws `ProblemError`: `idempotency_key_in_use` while another request with the key is executed,
 * `idempotency_key_reused` where the key was used with another body, `result_deleted` where what the first
 * request was about, or created, was deleted.
 */
export function runOnce<Done>(
  pool: pg.Pool,
  request: IdempotentRequest | null,
  work: (sql: Sql) => Promise<Done>,
  responseOf: (done: Done) => StoredResponse,
): Promise<{ done: Done } | { replay: StoredResponse }> {
  return transaction(
    pool,
    async (sql) => {
      const replay = request === null ? null : await claimKey(sql, request);
      if (replay !== null) return { replay };
      const done = await work(sql);
      const record = request === null ? null : await newRecord(request, responseOf(done));
      return { done, record };
    },
    (sql, result) =>
      'replay' in result || result.record === null ? undefined : insertRecord(sql, result.record),
  );
}

const WAIT = {
  name: 'wait-for-idempotency-key',
  text: `SELECT true AS free FROM pg_advisory_xact_lock(hashtextextended($1, 1))`,
  row: z.object({ free: z.boolean() }),
};

/** What the lock of its key is of, as `insertTurns` writes it in SQL. */
const lockTextOf = ({ tenantId, route, key }: IdempotentRequest): string => `${tenantId} ${route} ${key}`;

/** Resolves once nobody holds the key: Postgres reports an error before it ends the transaction and frees its locks. */
export async function untilKeyFree(sql: Sql, request: IdempotentRequest): Promise<void> {
  await query(sql, WAIT, [lockTextOf(request)]);
}

/** Locks the key until the transaction ends. Returns the recorded response where there is one. */
async function claimKey(sql: Sql, request: IdempotentRequest): Promise<StoredResponse | null> {
  const { tenantId, route, key, fingerprint } = request;
  // Two statements in one round trip: the second begins when the lock is held, so it sees what the transaction
  // that held it before has committed.
  const [[lock], [record]] = await Promise.all([
    query(sql, LOCK, [lockTextOf(request)]),
    query(sql, READ, [tenantId, route, key]),
  ]);
  if (lock?.locked !== true) throw keyInUse();
  if (record === undefined) return null;
  if (record.isExpired) {
    await query(sql, DELETE, [tenantId, route, key]);
    return null;
  }
  if (!record.fingerprint.equals(fingerprint)) {
    throw new ProblemError(
      'idempotency_key_reused',
      'This Idempotency-Key was used with another body. Use a new key for a new request.',
    );
  }
  return replayOf(sql, tenantId, route, record);
}

/** For a request whose key is locked by another transaction. */
export function keyInUse(): ProblemError {
  return new ProblemError(
    'idempotency_key_in_use',
    'Another request with this Idempotency-Key is being executed. Try again in a moment.',
    { retryAfterSeconds: 1 },
  );
}

async function replayOf(
  sql: Sql,
  tenantId: string,
  route: string,
  { status, headers, ...packed }: z.infer<typeof READ.row>,
): Promise<StoredResponse> {
  const body = await unpackResponse(sql, tenantId, packed);
  const [deleted] = await findDeleted(sql, tenantId, idsNamedBy(route, body ?? ''));
  if (body !== null && deleted === undefined) return { status, headers, body };
  throw new ProblemError(
    'result_deleted',
    `This request was executed before, and ${deleted ?? 'what it created'} was deleted since. Nothing was done again.`,
  );
}

const ID = /^[a-z]+_[0-9a-z]{26}$/;
const bodySchema = z.object({ id: z.string() });

/** The ids in a request's path, and the id of what its response shows. */
function idsNamedBy(route: string, body: string): string[] {
  const inPath = route.split('/').filter((part) => ID.test(part));
  const shown = bodySchema.safeParse(body === '' ? null : JSON.parse(body));
  return shown.success ? [...inPath, shown.data.id] : inPath;
}

/** What is kept of a request that was executed. */
interface IdempotencyRecord {
  request: IdempotentRequest;
  response: StoredResponse;
  packed: PackedResponse;
}

async function newRecord(request: IdempotentRequest, response: StoredResponse): Promise<IdempotencyRecord> {
  return { request, response, packed: await packResponse(response.body) };
}

/** Violated by a second record of a key. */
export const RECORD_KEY = 'idempotency_records_pkey';

const INSERT = {
  name: 'insert-idempotency-record',
  text: `
INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, headers, body, packed, omitted, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + ${KEPT_HOURS} * interval '1 hour')
RETURNING key`,
  row: z.object({ key: z.string() }),
};

/**
 * Inserts the record in the transaction of what it is about. Fails, and with it the transaction, where there is a
 * record of its key, even an expired one: `violates(error, RECORD_KEY)`.
 */
async function insertRecord(sql: Sql, { request, response, packed }: IdempotencyRecord): Promise<void> {
  await query(sql, INSERT, [
    request.tenantId,
    request.route,
    request.key,
    request.fingerprint,
    response.status,
    json(response.headers),
    packed.body,
    packed.packed,
    packed.omitted,
  ]);
}

const PURGE = {
  name: 'purge-idempotency-records',
  text: `
WITH expired AS MATERIALIZED (
  SELECT tenant_id, route, key FROM idempotency_records
  WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_records AS records USING expired
WHERE records.tenant_id = expired.tenant_id AND records.route = expired.route AND records.key = expired.key
RETURNING records.key`,
  row: z.object({ key: z.string() }),
};

/** Deletes up to `limit` expired records; returns how many it deleted. */
export async function purgeIdempotencyRecords(sql: Sql, limit: number): Promise<number> {
  const purged = await query(sql, PURGE, [limit]);
  return purged.length;
}
