import { insertAuditEntry, type Sql } from '@turnpike/store';
import { z } from 'zod';
import type { Answer, Route } from './route.ts';

/** Whose request it is. */
export interface Requester {
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
 * What an operation is called in the audit log; null for one that is not written there: what reads, and what
 * belongs to the work itself (the scope `turns:write`). An administrative operation that names no act of its
 * own has one all the same, so that a new one cannot be forgotten: `createAgent` is `agent.created`.
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

/** As `auditedAs`, of a request that was answered so: one operation may be an act in some of its requests only. */
export function actOf(route: Route, answer: Answer): string | null {
  if (route.auditSome === undefined) return auditedAs(route);
  return answer.audited === undefined ? null : route.auditSome;
}

const namedSchema = z.object({ id: z.string() });

/** Writes an act that was done down, in its own transaction. */
export async function auditAct(
  sql: Sql,
  { tenantId, keyId, requestId }: Requester,
  action: string,
  done: { params: Record<string, unknown>; answer: Answer },
): Promise<void> {
  const { params, answer } = done;
  const named = Object.values(params).at(-1) ?? namedSchema.safeParse(answer.body).data?.id;
  const subject = answer.audited?.subject ?? (typeof named === 'string' ? named : null);
  await insertAuditEntry(sql, {
    tenantId,
    actor: { type: 'api_key', id: keyId },
    action,
    subject,
    requestId,
    details: answer.audited?.details ?? {},
  });
}
