import { ProblemError } from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { findDeleted } from './find-deleted.ts';
import { packResponse, unpackResponse, type PackedResponse } from './pack-response.ts';
import { json, query, transaction, type Sql } from '../database/sql.ts';

/** An answer as it goes out: what is stored is sent again byte for byte. */
export interface StoredResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export interface IdempotentRequest {
  tenantId: string;
  /** Method and path: the same key elsewhere is another request. */
  route: string;
  key: string;
  /** SHA-256 of what was asked for. */
  fingerprint: Buffer;
}

const KEPT_HOURS = 24;

/** A boolean SQL expression, true where nobody else works on the key until the transaction ends. */
export const lockedKey = (key: string): string => `pg_try_advisory_xact_lock(hashtextextended(${key}, 1))`;

const LOCK = {
  name: 'lock-idempotency-key',
  text: `SELECT ${lockedKey('$1')} AS locked`,
  row: z.object({ locked: z.boolean() }),
};

const READ = {
  name: 'read-idempotency-record',
  text: `
SELECT fingerprint, status, headers, body, packed, omitted FROM idempotency_records
WHERE tenant_id = $1 AND route = $2 AND key = $3 AND expires_at > now()`,
  row: z.object({
    fingerprint: z.instanceof(Buffer),
    status: z.int(),
    headers: z.record(z.string(), z.string()),
    body: z.string().nullable(),
    packed: z.instanceof(Buffer).nullable(),
    omitted: z.array(z.string()),
  }),
};

const WRITE = {
  name: 'write-idempotency-record',
  text: `
INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, headers, body, packed, omitted, expires_at)
VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, now() + $10::int * interval '1 hour')
ON CONFLICT (tenant_id, route, key) DO UPDATE
SET fingerprint = excluded.fingerprint, status = excluded.status, headers = excluded.headers,
    body = excluded.body, packed = excluded.packed, omitted = excluded.omitted,
    created_at = now(), expires_at = excluded.expires_at
RETURNING key`,
  row: z.object({ key: z.string() }),
};

/**
 * Does `work` once for this key (draft-ietf-httpapi-idempotency-key-header-07). The record is
 * committed with what `work` wrote, so there is never one without the other; where `work`
 * throws, nothing is kept, and the key may be used again.
 * Throws `ProblemError`: `idempotency_key_in_use` while another request with the key runs,
 * `idempotency_key_reused` where the key was used for something else, `result_deleted` where what the first
 * request was about, or made, is no longer there.
 */
export function runOnce(
  database: Database,
  request: IdempotentRequest,
  work: (sql: Sql) => Promise<StoredResponse>,
): Promise<{ answer: StoredResponse; replayed: boolean }> {
  const { tenantId, route, key, fingerprint } = request;
  return transaction(
    database.pool,
    async (sql) => {
      // Two statements in one round trip: the second begins when the lock is held, so it sees what was
      // committed by whoever held it before.
      const [[lock], [record]] = await Promise.all([
        query(sql, LOCK, [`${tenantId} ${route} ${key}`]),
        query(sql, READ, [tenantId, route, key]),
      ]);
      if (lock?.locked !== true) {
        throw new ProblemError(
          'idempotency_key_in_use',
          'Another request with this Idempotency-Key is being worked on. Try again in a moment.',
          { retryAfterSeconds: 1 },
        );
      }
      if (record === undefined) {
        const made = await work(sql);
        return { answer: made, packed: await packResponse(made.body) };
      }
      if (!record.fingerprint.equals(fingerprint)) {
        throw new ProblemError(
          'idempotency_key_reused',
          'This Idempotency-Key was used with another body. Use a new key for a new request.',
        );
      }
      return { answer: await replay(sql, tenantId, route, record), packed: null };
    },
    (sql, { answer: { status, headers }, packed }) => {
      if (packed === null) return undefined;
      const record = [status, json(headers), packed.body, packed.packed, packed.omitted];
      return query(sql, WRITE, [tenantId, route, key, fingerprint, ...record, KEPT_HOURS]);
    },
  ).then(({ answer, packed }) => ({ answer, replayed: packed === null }));
}

async function replay(
  sql: Sql,
  tenantId: string,
  route: string,
  { status, headers, ...stored }: z.infer<typeof READ.row>,
): Promise<StoredResponse> {
  const body = await unpackResponse(sql, tenantId, stored);
  const [deleted] = await findDeleted(sql, tenantId, idsNamedBy(route, body ?? ''));
  if (body !== null && deleted === undefined) return { status, headers, body };
  throw new ProblemError(
    'result_deleted',
    `This request was done before, and ${deleted ?? 'what it made'} was deleted since. Nothing was done again.`,
  );
}

const ID = /^[a-z]+_[0-9a-z]{26}$/;
const answerSchema = z.object({ id: z.string() });

/** What a request was about, by its address, and what its answer shows. */
function idsNamedBy(route: string, body: string): string[] {
  const inAddress = route.split('/').filter((part) => ID.test(part));
  const shown = answerSchema.safeParse(body === '' ? null : JSON.parse(body));
  return shown.success ? [...inAddress, shown.data.id] : inAddress;
}

const WRITE_NEW = {
  name: 'write-idempotency-records',
  text: `
INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, headers, body, packed, omitted, expires_at)
SELECT tenant_id, route, key, decode(fingerprint, 'hex'), status, headers, body, decode(packed, 'hex'),
  ARRAY(SELECT jsonb_array_elements_text(omitted)), now() + $10::int * interval '1 hour'
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::jsonb[], $7::text[], $8::text[], $9::jsonb[])
  AS given(tenant_id, route, key, fingerprint, status, headers, body, packed, omitted)
RETURNING key`,
  row: z.object({ key: z.string() }),
};

/** Fails where there is a record of one of these keys, also one whose time has passed. */
export async function writeResponses(
  sql: Sql,
  records: readonly { request: IdempotentRequest; answer: StoredResponse; packed: PackedResponse }[],
): Promise<void> {
  await query(sql, WRITE_NEW, [
    records.map(({ request }) => request.tenantId),
    records.map(({ request }) => request.route),
    records.map(({ request }) => request.key),
    records.map(({ request }) => request.fingerprint.toString('hex')),
    records.map(({ answer }) => answer.status),
    records.map(({ answer }) => json(answer.headers)),
    records.map(({ packed }) => packed.body),
    records.map(({ packed }) => packed.packed?.toString('hex') ?? null),
    records.map(({ packed }) => json(packed.omitted)),
    KEPT_HOURS,
  ]);
}

const FORGET = {
  name: 'forget-idempotency-records',
  text: `
WITH over AS MATERIALIZED (
  SELECT tenant_id, route, key FROM idempotency_records
  WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_records AS records USING over
WHERE records.tenant_id = over.tenant_id AND records.route = over.route AND records.key = over.key
RETURNING records.key`,
  row: z.object({ key: z.string() }),
};

/** Deletes up to `limit` records whose time has passed; returns how many there were. */
export async function purgeIdempotencyRecords(sql: Sql, limit: number): Promise<number> {
  const forgotten = await query(sql, FORGET, [limit]);
  return forgotten.length;
}
