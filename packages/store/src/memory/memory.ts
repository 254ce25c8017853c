import {
  contentBlockSchema,
  LeaseLostError,
  MemoryFullError,
  type MemoryCallScope,
  type MemoryFiles,
  type MemoryScope,
  type MemoryReader,
  type MemoryStore,
  type ToolOutput,
} from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { readLimits } from '../tenants/tenant-limits.ts';
import { json, query, transaction, type Sql } from '../database/sql.ts';

/** How long Postgres waits for a worker that froze inside the transaction, in milliseconds. */
const IDLE_LIMIT_MS = 10_000;

/** Waits for the lock of this memory, which the end of the transaction releases. */
const LOCK = {
  name: 'lock-memory',
  text: `
SELECT set_config('idle_in_transaction_session_timeout', $3, true) AS limit,
  pg_advisory_xact_lock(hashtextextended('turnpike.memory ' || $1 || ' ' || $2, 0))::text AS locked`,
  row: z.object({ limit: z.string() }),
};

const outputSchema = z.object({ content: z.array(contentBlockSchema), isError: z.boolean() });

/* By the clock: the transaction may have waited for the lock longer than the lease lasted. */
const HELD = `turns.id = $1 AND turns.tenant_id = $2 AND turns.epoch = $3 AND turns.leased_until > clock_timestamp()`;

const LOOK_UP = {
  name: 'look-up-memory-call',
  text: `
SELECT EXISTS (SELECT FROM turns WHERE ${HELD}) AS held,
  (SELECT output FROM memory_calls WHERE tool_call_id = $4 AND tenant_id = $2) AS output`,
  row: z.object({ held: z.boolean(), output: outputSchema.nullable() }),
};

/*
 * Invariant: nothing is committed under a lease that may have been replaced. This is the last statement, and
 * the turn's row stays locked until the commit, so a claim, a cancel or a delete comes either wholly before
 * it, and then no row qualifies, or wholly after it. It is the last statement so that the turn's own
 * heartbeat seldom waits for it.
 */
const RECORD = {
  name: 'record-memory-call',
  text: `
WITH lease AS (SELECT turns.id FROM turns WHERE ${HELD} FOR SHARE)
INSERT INTO memory_calls (tool_call_id, tenant_id, output) SELECT $4, $2, $5::jsonb FROM lease
RETURNING tool_call_id AS id`,
  row: z.object({ id: z.string() }),
};

/**
 * The files of the memory tool. Within this process, changes of one tenant are made one at a time, so a
 * tenant uses one connection.
 */
export function createMemoryStore(database: Database): MemoryStore {
  const lastChanges = new Map<string, Promise<unknown>>();

  const inOrder = <Result>(tenantId: string, change: () => Promise<Result>): Promise<Result> => {
    const result = (lastChanges.get(tenantId) ?? Promise.resolve()).then(change);
    const settle = (): void => {
      if (lastChanges.get(tenantId) === settled) lastChanges.delete(tenantId);
    };
    const settled: Promise<void> = result.then(settle, settle);
    lastChanges.set(tenantId, settled);
    return result;
  };

  return {
    read: (scope, work) => work(readerOf(database.pool, scope)),
    once: (scope, work) =>
      inOrder(scope.tenantId, () => transaction(database.pool, (sql) => changeOnce(sql, scope, work))),
  };
}

async function changeOnce(
  sql: Sql,
  scope: MemoryCallScope,
  work: (files: MemoryFiles) => Promise<ToolOutput>,
): Promise<ToolOutput> {
  const { tenantId, namespace, turnId, epoch, toolCallId } = scope;
  await query(sql, LOCK, [tenantId, namespace, String(IDLE_LIMIT_MS)]);
  const [call] = await query(sql, LOOK_UP, [turnId, tenantId, epoch, toolCallId]);
  if (call?.held !== true) throw new LeaseLostError(turnId);
  if (call.output !== null) return call.output;
  const output = await work(filesOf(sql, scope));
  const recorded = await query(sql, RECORD, [turnId, tenantId, epoch, toolCallId, json(output)]);
  if (recorded.length === 0) throw new LeaseLostError(turnId);
  return output;
}

const LIST = {
  name: 'list-memory-files',
  text: `
SELECT path, octet_length(content) AS bytes FROM memory_files
WHERE tenant_id = $1 AND namespace = $2 ORDER BY path`,
  row: z.object({ path: z.string(), bytes: z.int() }),
};

const READ = {
  name: 'read-memory-file',
  text: `SELECT content FROM memory_files WHERE tenant_id = $1 AND namespace = $2 AND path = $3`,
  row: z.object({ content: z.string() }),
};

/**
 * For all memories of a tenant, each of which has a lock of its own. Acquired after that lock, and held until
 * the commit.
 */
const LOCK_CAPACITY = {
  name: 'lock-memory-room',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('turnpike.memory_room ' || $1, 0))::text AS locked`,
  row: z.object({ locked: z.string() }),
};

const COUNT = {
  name: 'count-memory',
  text: `
SELECT count(*)::int AS files, coalesce(sum(octet_length(content)), 0)::double precision AS bytes,
  coalesce(max(octet_length(content)) FILTER (WHERE namespace = $2 AND path = $3), -1) AS before
FROM memory_files WHERE tenant_id = $1`,
  row: z.object({ files: z.int(), bytes: z.int(), before: z.int() }),
};

/** Throws `MemoryFullError` if a file is new or grows beyond what the tenant may keep. */
async function checkCapacity(
  sql: Sql,
  { tenantId, namespace }: MemoryScope,
  path: string,
  bytes: number,
): Promise<void> {
  const limits = await readLimits(sql, tenantId);
  if (limits === null) return;
  await query(sql, LOCK_CAPACITY, [tenantId]);
  const [kept] = await query(sql, COUNT, [tenantId, namespace, path]);
  if (kept === undefined || bytes <= kept.before) return;
  const { max_memory_files: mostFiles, max_memory_bytes: mostBytes } = limits;
  if (kept.before < 0 && kept.files >= mostFiles) {
    throw new MemoryFullError(`All memories together have ${kept.files} files, and no more are kept`);
  }
  if (kept.bytes - Math.max(0, kept.before) + bytes > mostBytes) {
    throw new MemoryFullError(
      `All memories together would have more than the ${mostBytes} bytes that are kept`,
    );
  }
}

const WRITE = {
  name: 'write-memory-file',
  text: `
INSERT INTO memory_files (tenant_id, namespace, path, content) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, namespace, path) DO UPDATE SET content = excluded.content, updated_at = now()
RETURNING path`,
  row: z.object({ path: z.string() }),
};

const REMOVE = {
  name: 'remove-memory-files',
  text: `DELETE FROM memory_files WHERE tenant_id = $1 AND namespace = $2 AND path = ANY ($3) RETURNING path`,
  row: z.object({ path: z.string() }),
};

const MOVE = {
  name: 'move-memory-files',
  text: `
UPDATE memory_files SET path = move.new_path, updated_at = now()
FROM unnest($3::text[], $4::text[]) AS move(old_path, new_path)
WHERE tenant_id = $1 AND namespace = $2 AND path = move.old_path RETURNING path`,
  row: z.object({ path: z.string() }),
};

function readerOf(sql: Sql, { tenantId, namespace }: MemoryScope): MemoryReader {
  return {
    list: () => query(sql, LIST, [tenantId, namespace]),
    async read(path) {
      const [file] = await query(sql, READ, [tenantId, namespace, path]);
      return file?.content ?? null;
    },
  };
}

function filesOf(sql: Sql, scope: MemoryScope): MemoryFiles {
  const { tenantId, namespace } = scope;
  return {
    ...readerOf(sql, scope),
    async write(path, content) {
      await checkCapacity(sql, scope, path, Buffer.byteLength(content));
      await query(sql, WRITE, [tenantId, namespace, path, content]);
    },
    async remove(paths) {
      await query(sql, REMOVE, [tenantId, namespace, paths]);
    },
    async move(moves) {
      const olds = moves.map((move) => move.from);
      const news = moves.map((move) => move.to);
      await query(sql, MOVE, [tenantId, namespace, olds, news]);
    },
  };
}
