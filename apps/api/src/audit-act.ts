import { insertAuditEntry, type Sql } from '@turnpike/store';
import { z } from 'zod';
import type { Route, RouteResult } from './route.ts';

/** Who acted, and in which request. */
export interface Actor {
  tenantId: string;
  keyId: string;
  requestId: string;
}

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
  route: Pick<Route, 'method' | 'scope' | 'audit' | 'operationId' | 'tag'>,
): string | null {
  if (route.audit !== undefined) return route.audit;
  if (route.method === 'get' || route.scope === 'turns:write') return null;
  const [verb = '', ...noun] = route.operationId.replaceAll(/[A-Z]/g, (letter) => ` ${letter}`).split(' ');
  const words = noun.length === 0 ? route.tag.split(' ') : noun;
  return `${words.join('_').toLowerCase()}.${VERBS[verb] ?? verb}`;
}

/** As `auditedAs`, of one request with its result: some operations are an act in some of their requests only. */
export function actOf(route: Route, result: RouteResult): string | null {
  if (route.auditSome === undefined) return auditedAs(route);
  return result.audited === undefined ? null : route.auditSome;
}

const namedSchema = z.object({ id: z.string() });

/** Writes an act to the audit log, in the transaction of the act. */
export async function auditAct(
  sql: Sql,
  { tenantId, keyId, requestId }: Actor,
  action: string,
  done: { params: Record<string, unknown>; result: RouteResult },
): Promise<void> {
  const { params, result } = done;
  const named = Object.values(params).at(-1) ?? namedSchema.safeParse(result.body).data?.id;
  const subject = result.audited?.subject ?? (typeof named === 'string' ? named : null);
  await insertAuditEntry(sql, {
    tenantId,
    actor: { type: 'api_key', id: keyId },
    action,
    subject,
    requestId,
    details: result.audited?.details ?? {},
  });
}
