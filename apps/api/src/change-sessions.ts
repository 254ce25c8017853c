import {
  newId,
  ProblemError,
  type CreateSession,
  type Session,
  type UpdateSession,
} from '@turnpike/contract';
import { deleteSession, insertSession, updateSession } from '@turnpike/store';
import { tooManySessions } from '@turnpike/turns';
import type { Call, Services } from './route.ts';

type Asker = Pick<Call<unknown, unknown, unknown>, 'sql' | 'tenantId' | 'limits'>;

export const noSession = (id: string): ProblemError =>
  new ProblemError('not_found', `There is no session ${id}.`);

/** `afterCommit` is to be called once it is committed. Throws `not_found` for the agent, and `session_limit`. */
export async function createSession(
  { capacity }: Pick<Services, 'capacity'>,
  { sql, tenantId, limits }: Asker,
  { agent_id: agentId, metadata = {}, budget_micros: budgetMicros, user_id: userId }: CreateSession,
): Promise<{ session: Session; afterCommit: () => void }> {
  const mostSessions = capacity.limitToEnforce('sessions', tenantId, limits);
  const { session, full, sessions } = await insertSession(sql, {
    id: newId('session'),
    tenantId,
    agentId,
    metadata,
    mostSessions,
    budgetMicros: budgetMicros ?? null,
    userId: userId ?? null,
  });
  if (full) throw tooManySessions(mostSessions);
  if (session === null) throw new ProblemError('not_found', `There is no agent ${agentId}.`);
  return { session, afterCommit: () => capacity.added('sessions', tenantId, sessions) };
}

/** Throws `not_found`. */
export async function changeSession(
  { sql, tenantId }: Asker,
  id: string,
  change: UpdateSession,
): Promise<Session> {
  const session = await updateSession(sql, { id, tenantId }, change);
  if (session === null) throw noSession(id);
  return session;
}

/** Erases a session; a running turn is stopped. `afterCommit` as for `createSession`. Throws `not_found`. */
export async function eraseSession(
  { backplane, dispatcher }: Pick<Services, 'backplane' | 'dispatcher'>,
  { sql, tenantId }: Asker,
  id: string,
): Promise<{ afterCommit: () => void }> {
  if (!(await deleteSession(sql, tenantId, id))) throw noSession(id);
  return {
    afterCommit() {
      dispatcher.changed({ tenantId });
      // Clients that follow a turn of it read again, and find that it is gone.
      backplane.live.changed({ sessionId: id, turnId: id, eventCount: null });
    },
  };
}
