import type { AuditDetails } from '@turnpike/contract';
import { insertAuditEntry, type Sql } from '@turnpike/store';
import { z } from 'zod';
import type { Actor, Route, RouteResult } from './route.ts';

const VERBS: Record<string, string> = {
  create: 'created',
  update: 'updated',
  delete: 'deleted',
  rotate: 'rotated',
  revoke: 'revoked',
  put: 'put',
};

/**
 * What an operation is called in the audit log; null for one that is not audited: reads, and the use of agents
 * (the scope `turns:write`). An administrative operation that declares no name gets one from its operation id,
 * `createAgent` is `agent.created`, so that a new operation is audited by default.
 */
export function auditedAs(
  route: Pick<Route, 'method' | 'scope' | 'audit' | 'noAct' | 'operationId' | 'tag'>,
): string | null {
  if (route.audit !== undefined) return route.audit;
  if (route.method === 'get' || route.scope === 'turns:write' || route.noAct !== undefined) return null;
  const [verb = '', ...noun] = route.operationId.replaceAll(/[A-Z]/g, (letter) => ` ${letter}`).split(' ');
  const words = noun.length === 0 ? route.tag.split(' ') : noun;
  return `${words.join('_').toLowerCase()}.${VERBS[verb] ?? verb}`;
}

const namedSchema = z.object({ id: z.string() });

/** Writes what an operation did to the audit log, in the transaction of the act. */
export async function auditOperation(
  sql: Sql,
  actor: Actor,
  action: string,
  done: { params: Record<string, unknown>; result: RouteResult },
): Promise<void> {
  const { params, result } = done;
  const named = Object.values(params).at(-1) ?? namedSchema.safeParse(result.body).data?.id;
  const subject = result.audited?.subject ?? (typeof named === 'string' ? named : null);
  await auditAct(sql, actor, { action, subject, details: result.audited?.details ?? {} });
}

/** Writes an act to the audit log, in the transaction of the act. */
export async function auditAct(
  sql: Sql,
  { tenantId, keyId, requestId }: Actor,
  act: { action: string; subject: string | null; details: AuditDetails },
): Promise<void> {
  await insertAuditEntry(sql, { tenantId, actor: { type: 'api_key', id: keyId }, requestId, ...act });
}
