import { idBoundary, type IdKind } from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { query, transaction, type Sql } from '../database/sql.ts';
import { OPEN_STATUSES } from '../turns/open-statuses.ts';

/** What is kept for a limited number of days. */
export const PURGEABLE = [
  'sessions',
  'turns',
  'batches',
  'scheduleRuns',
  'agentVersions',
  'ledgerEntries',
  'auditEntries',
  'revokedKeys',
] as const;
export type Purgeable = (typeof PURGEABLE)[number];

/** Of these a tenant may have a time of its own: the limit of that name, in days. */
const OWN_RETENTION = {
  sessions: 'session_retention_days',
  turns: 'turn_retention_days',
  batches: 'batch_retention_days',
  auditEntries: 'audit_retention_days',
} as const satisfies Partial<Record<Purgeable, string>>;

export interface PurgeStep {
  /** The one whose rows are looked at, which has a time of its own; null: those of all others. */
  tenantId: string | null;
  /** The last id that was looked at; empty at first. */
  after: string;
  keptDays: number;
  /** The number of rows to look at. */
  limit: number;
}

export interface PurgeResult {
  deleted: number;
  /** Where to continue; null at the end. */
  last: string | null;
}

/*
 * A purge reads a table by its primary key: ids sort by time, so old rows come first and no further index is
 * needed. The first statement locks what it finds; a second one, which sees everything that was committed
 * before the locks, decides what to delete.
 */
interface Kind {
  id: IdKind;
  /**
   * Reads a window: $1 is the id before it, $2 the id at which it ends, $3 its size, $4 the tenant, null for all. Locks
   * the rows that decide; `free` if it could.
   */
  look(whose: Whose): string;
  /** Deletes those of these ids ($1) that are older than $2. `isPurged`: a further condition on rows of its table. */
  purge(isPurged: string): string;
  table: string;
  isAudit?: boolean;
}

/** A statement for each, since each is found by another index. */
type Whose = 'all' | 'tenant';

/** The condition of a window on the rows of one tenant; of all, $4 is there and null. */
const isOf = (table: string, whose: Whose): string =>
  whose === 'tenant' ? `${table}.tenant_id = $4` : '$4::text IS NULL';

const window = (table: string, whose: Whose, id = 'id'): string =>
  `SELECT ${id} AS id FROM ${table} WHERE ${isOf(table, whose)} AND ${id} > $1 AND ${id} < $2 ORDER BY ${id} LIMIT $3`;

const KINDS: Record<Purgeable, Kind> = {
  /*
   * Invariant: a session is deleted as a whole, while no turn can be added to it, and only if all its turns
   * are old. Sessions that its turns started are deleted before it, and not before the turns of the session are old
   * that it all began with.
   */
  sessions: {
    id: 'session',
    table: 'sessions',
    look: (whose) => `
WITH old AS MATERIALIZED (${window('sessions', whose)}), locked AS MATERIALIZED (
  SELECT sessions.id FROM sessions WHERE id IN (SELECT id FROM old) AND open_turns = 0 FOR UPDATE SKIP LOCKED
)
SELECT old.id, locked.id IS NOT NULL AS free FROM old LEFT JOIN locked USING (id) ORDER BY old.id`,
    purge: (isPurged) => `
DELETE FROM sessions WHERE id = ANY ($1) AND ${isPurged} AND created_at < $2 AND open_turns = 0
  AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.session_id = sessions.id
                  AND (turns.finished_at IS NULL OR turns.finished_at >= $2))
  AND NOT EXISTS (SELECT 1 FROM sessions AS child WHERE child.parent_session_id = sessions.id)
  AND NOT EXISTS (SELECT 1 FROM turns JOIN turns AS root ON root.id = turns.root_turn_id
                  JOIN turns AS recent ON recent.session_id = root.session_id
                  WHERE turns.session_id = sessions.id AND (recent.finished_at IS NULL OR recent.finished_at >= $2))
RETURNING 1`,
  },
  /*
   * Invariant: what remains of a session is a valid conversation. A turn is deleted with all its messages,
   * and kept if a later turn that is kept resumes it or depends on it. The sum of a session's turns is
   * compared with its budget, so turns of a session with a budget are kept, and child turns of those.
   */
  turns: {
    id: 'turn',
    table: 'turns',
    look: (whose) => `
WITH old AS MATERIALIZED (
  SELECT id, session_id FROM turns WHERE ${isOf('turns', whose)} AND id > $1 AND id < $2 ORDER BY id LIMIT $3
), locked AS MATERIALIZED (
  SELECT sessions.id FROM sessions WHERE id IN (SELECT session_id FROM old) AND budget_micros IS NULL
    AND NOT EXISTS (SELECT 1 FROM turns JOIN turns AS root ON root.id = turns.root_turn_id
                    JOIN sessions AS top ON top.id = root.session_id
                    WHERE turns.session_id = sessions.id AND top.budget_micros IS NOT NULL)
  FOR NO KEY UPDATE SKIP LOCKED
)
SELECT old.id, locked.id IS NOT NULL AS free FROM old LEFT JOIN locked ON locked.id = old.session_id ORDER BY old.id`,
    purge: (isPurged) => `
WITH old AS MATERIALIZED (
  SELECT id, session_id, sequence FROM turns WHERE id = ANY ($1) AND ${isPurged} AND finished_at < $2
), kept AS MATERIALIZED (
  SELECT turns.session_id, max(turns.sequence) AS sequence FROM turns
  WHERE turns.session_id IN (SELECT session_id FROM old) AND turns.resumes IS NOT NULL
    AND (turns.finished_at IS NULL OR turns.finished_at >= $2)
  GROUP BY 1
)
DELETE FROM turns WHERE id = ANY (ARRAY(
  SELECT old.id FROM old LEFT JOIN kept USING (session_id)
  WHERE kept.sequence IS NULL OR kept.sequence < old.sequence))
RETURNING 1`,
  },
  /* Marked for deletion: its lines are too many for one statement (remove-batches.ts). */
  batches: {
    id: 'batch',
    table: 'turn_batches',
    look: (whose) => `SELECT id, true AS free FROM (${window('turn_batches', whose)}) AS old`,
    purge: (isPurged) =>
      `UPDATE turn_batches SET status = 'deleting' WHERE id = ANY ($1) AND ${isPurged} AND ended_at < $2 AND status <> 'deleting' RETURNING 1`,
  },
  /*
   * The run of a turn that is open is kept: the next tick may have to wait for it. That the turn has ended is noted with the
   * next tick, which may never come.
   */
  scheduleRuns: {
    id: 'scheduleRun',
    table: 'schedule_runs',
    look: (whose) => `SELECT id, true AS free FROM (${window('schedule_runs', whose)}) AS old`,
    purge: (isPurged) => `
DELETE FROM schedule_runs AS runs WHERE id = ANY ($1) AND ${isPurged} AND created_at < $2
  AND NOT (is_open AND EXISTS (SELECT 1 FROM turns WHERE turns.id = runs.turn_id AND turns.finished_at IS NULL))
RETURNING 1`,
  },
  /*
   * Invariant: a turn finds its version. A version with an open turn is kept. A turn that names an older
   * version share-locks its row until it is stored (`HAS_VERSION`, where turns are inserted), and the second
   * statement sees it.
   */
  agentVersions: {
    id: 'agent',
    table: 'agents',
    look: (whose) => `
WITH old AS MATERIALIZED (${window('agents', whose)}), locked AS MATERIALIZED (
  SELECT agent_id FROM agent_versions WHERE agent_id IN (SELECT id FROM old) FOR UPDATE SKIP LOCKED
)
SELECT old.id, (SELECT count(*) FROM locked WHERE locked.agent_id = old.id)
  = (SELECT count(*) FROM agent_versions WHERE agent_versions.agent_id = old.id) AS free
FROM old ORDER BY old.id`,
    purge: (isPurged) => `
WITH open AS MATERIALIZED (
  SELECT DISTINCT agent_id, agent_version FROM turns WHERE status IN ${OPEN_STATUSES}
)
DELETE FROM agent_versions AS versions USING agents
WHERE agents.id = ANY ($1) AND ${isPurged} AND versions.agent_id = agents.id
  AND CASE WHEN agents.deleted_at IS NOT NULL THEN agents.deleted_at < $2
      ELSE versions.version < agents.version AND EXISTS (
        SELECT 1 FROM agent_versions AS later WHERE later.agent_id = versions.agent_id
          AND later.version > versions.version AND later.created_at < $2) END
  AND NOT EXISTS (SELECT 1 FROM open WHERE open.agent_id = versions.agent_id AND open.agent_version = versions.version)
RETURNING 1`,
  },
  ledgerEntries: {
    id: 'step',
    table: 'ledger_entries',
    look: (whose) => `SELECT id, true AS free FROM (${window('ledger_entries', whose, 'step_id')}) AS old`,
    purge: (isPurged) =>
      `DELETE FROM ledger_entries WHERE step_id = ANY ($1) AND ${isPurged} AND counted AND spent_at < $2 RETURNING 1`,
  },
  auditEntries: {
    id: 'auditEntry',
    table: 'audit_entries',
    look: (whose) => `SELECT id, true AS free FROM (${window('audit_entries', whose)}) AS old`,
    purge: (isPurged) =>
      `DELETE FROM audit_entries WHERE id = ANY ($1) AND ${isPurged} AND at < $2 RETURNING 1`,
    isAudit: true,
  },
  /* Revoked keys and expired ones. */
  revokedKeys: {
    id: 'apiKey',
    table: 'api_keys',
    look: (whose) => `SELECT id, true AS free FROM (${window('api_keys', whose)}) AS old`,
    purge: (isPurged) =>
      `DELETE FROM api_keys WHERE id = ANY ($1) AND ${isPurged} AND least(revoked_at, expires_at) < $2 RETURNING 1`,
  },
};

const DAY_MS = 24 * 60 * 60 * 1000;
/** The largest difference between an id's time (a process's clock) and a row's time (the database's). */
const MOST_SKEW_MS = 60 * 60 * 1000;

const NOW = {
  name: 'read-clock',
  text: 'SELECT now() AS now',
  row: z.object({ now: z.date() }),
};
const lookedSchema = z.object({ id: z.string(), free: z.boolean() });
const deletedSchema = z.object({});

const ALLOW = {
  name: 'allow-audit-purge',
  text: `SELECT turnpike_allow_audit_purge(), 'on' AS allowed`,
  row: z.object({ allowed: z.string() }),
};

/** Allows the deletion of audit entries until the transaction ends. */
export async function allowAuditPurge(sql: Sql): Promise<void> {
  await query(sql, ALLOW, []);
}

/** Rows of tenants that have are left to the walks of those. */
function hasNoTimeOfItsOwn(purgeable: Purgeable, table: string): string {
  if (!hasOwn(purgeable)) return 'true';
  return `NOT EXISTS (SELECT 1 FROM tenants
    WHERE tenants.id = ${table}.tenant_id AND tenants.limits ? '${OWN_RETENTION[purgeable]}')`;
}

const hasOwn = (purgeable: Purgeable): purgeable is keyof typeof OWN_RETENTION =>
  Object.hasOwn(OWN_RETENTION, purgeable);

const OWN = {
  name: 'tenants-with-own-retention',
  text: `
SELECT id AS "tenantId", (limits ->> $1)::int AS "keptDays" FROM tenants
WHERE limits ? $1 AND id > $2 ORDER BY id LIMIT $3`,
  row: z.object({ tenantId: z.string(), keptDays: z.int() }),
};

/** Tenants whose rows of this kind have a time of their own, after this id. `keptDays`: 0 for ever. */
export function listOwnRetention(
  sql: Sql,
  purgeable: Purgeable,
  page: { after: string; limit: number },
): Promise<{ tenantId: string; keptDays: number }[]> {
  return hasOwn(purgeable)
    ? query(sql, OWN, [OWN_RETENTION[purgeable], page.after, page.limit])
    : Promise.resolve([]);
}

/** Looks at the next rows of a kind, and deletes those whose retention has passed. */
export function purge(database: Database, purgeable: Purgeable, step: PurgeStep): Promise<PurgeResult> {
  const kind = KINDS[purgeable];
  return transaction(database.pool, async (sql) => {
    const [clock] = await query(sql, NOW, []);
    const end = new Date((clock?.now.getTime() ?? Date.now()) - step.keptDays * DAY_MS);
    const boundary = idBoundary(kind.id, Math.max(0, end.getTime() + MOST_SKEW_MS));
    const whose = step.tenantId === null ? 'all' : 'tenant';
    const look = { name: `look-for-old-${purgeable}-of-${whose}`, text: kind.look(whose), row: lookedSchema };
    const looked = await query(sql, look, [step.after, boundary, step.limit, step.tenantId]);
    const ids = looked.flatMap(({ id, free }) => (free ? [id] : []));
    const last = looked.length < step.limit ? null : (looked.at(-1)?.id ?? null);
    if (ids.length === 0) return { deleted: 0, last };
    if (kind.isAudit === true) await allowAuditPurge(sql);
    const text = kind.purge(whose === 'tenant' ? 'true' : hasNoTimeOfItsOwn(purgeable, kind.table));
    const remove = { name: `purge-${purgeable}-of-${whose}`, text, row: deletedSchema };
    const deleted = await query(sql, remove, [ids, end]);
    return { deleted: deleted.length, last };
  });
}
