import {
  auditActorSchema,
  auditDetailsSchema,
  newId,
  type AuditEntry,
  type NewAuditEntry,
} from '@turnpike/contract';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { json, query, type Sql } from '../database/sql.ts';

/*
 * Invariant: an entry is inserted in the transaction of the act that it records, so there is never one
 * without the other. A trigger refuses every change of an entry.
 */
const INSERT = {
  name: 'insert-audit-entry',
  text: `
INSERT INTO audit_entries (id, tenant_id, actor_type, actor_id, action, subject, request_id, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::jsonb) RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Inserts an entry. `sql` is the transaction of the act. */
export async function insertAuditEntry(sql: Sql, entry: NewAuditEntry): Promise<void> {
  const { tenantId, actor, action, subject, requestId, details } = entry;
  const actorId = actor.type === 'api_key' ? actor.id : null;
  const values = [newId('auditEntry'), tenantId, actor.type, actorId, action, subject, requestId ?? null];
  await query(sql, INSERT, [...values, json(details ?? {})]);
}

const entryRow = z
  .object({
    id: z.string(),
    at: z.date(),
    actorType: z.string(),
    actorId: z.string().nullable(),
    action: z.string(),
    subject: z.string().nullable(),
    requestId: z.string().nullable(),
    details: auditDetailsSchema,
  })
  .transform((row): AuditEntry => ({
    id: row.id,
    object: 'audit_entry',
    at: row.at.toISOString(),
    actor: auditActorSchema.parse({ type: row.actorType, id: row.actorId }),
    action: row.action,
    subject: row.subject,
    request_id: row.requestId,
    details: row.details,
  }));

export interface AuditFilter {
  action?: string | undefined;
  /** The id of a key, or `operator`. */
  actor?: string | undefined;
  /** Not before. */
  from?: Date | undefined;
  /** Before. */
  to?: Date | undefined;
}

/** A tenant's entries, newest first, those after `cursor` (the id of the last one seen). */
export async function listAuditEntries(
  database: Database,
  tenantId: string,
  page: { cursor: string | null; limit: number },
  { action, actor, from, to }: AuditFilter,
): Promise<AuditEntry[]> {
  const rows = await database.prisma.auditEntry.findMany({
    where: {
      tenantId,
      ...(action === undefined ? {} : { action }),
      ...(actor === undefined ? {} : actor === 'operator' ? { actorType: actor } : { actorId: actor }),
      at: { ...(from === undefined ? {} : { gte: from }), ...(to === undefined ? {} : { lt: to }) },
      ...(page.cursor === null ? {} : { id: { lt: page.cursor } }),
    },
    orderBy: { id: 'desc' },
    take: page.limit,
  });
  return rows.map((row) => entryRow.parse(row));
}
