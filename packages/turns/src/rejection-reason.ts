import { ProblemError } from '@turnpike/contract';
import { agentHasVersion, findRefusal, keyInUse, type Refusal, type Sql } from '@turnpike/store';
import type { Caps } from './new-turn.ts';
import type { PlainCommand, PlainTurn } from './submit-command.ts';

/** Why a turn was refused; null where only the locks of its key and its session can tell. */
export function rejectionWithoutLocks(refusal: Refusal, caps: Caps): ProblemError | null {
  if (refusal === 'queue_full') {
    return new ProblemError('queue_full', `${caps.waiting} turns wait already, which is the limit.`, {
      retryAfterSeconds: 1,
    });
  }
  if (refusal === 'session_limit') return tooManySessions(caps.sessions);
  return refusal === 'key_in_use' ? keyInUse() : null;
}

/** To retry does not help: a session stays until a client deletes it. */
export function tooManySessions(limit: number | null): ProblemError {
  return new ProblemError('session_limit', `There are ${limit} sessions, which is the limit; delete some.`);
}

/** Why a turn was refused whose session is locked, so that the reason cannot change meanwhile. */
export async function rejectionUnderLocks(
  sql: Sql,
  { tenantId, requested }: PlainCommand,
  sessionId: string,
  refusal: Refusal,
  caps: Caps,
): Promise<ProblemError> {
  return (
    rejectionWithoutLocks(refusal, caps) ??
    (await versionMissing(sql, tenantId, requested, sessionId)) ??
    (requested.of === 'new_session'
      ? new ProblemError('not_found', `There is no agent ${requested.submission.agent_id}.`)
      : sessionUnavailable(sql, tenantId, sessionId))
  );
}

async function versionMissing(
  sql: Sql,
  tenantId: string,
  requested: PlainTurn,
  sessionId: string,
): Promise<ProblemError | null> {
  const { agent_version: version } = requested.submission;
  if (version === undefined) return null;
  const agent = requested.of === 'new_session' ? { agentId: requested.submission.agent_id } : { sessionId };
  if ((await agentHasVersion(sql, tenantId, agent, version)) !== false) return null;
  return new ProblemError('invalid_request', 'The body is not valid.', {
    issues: [{ path: 'agent_version', message: `the agent has no version ${version}` }],
  });
}

async function sessionUnavailable(sql: Sql, tenantId: string, sessionId: string): Promise<ProblemError> {
  const found = await findRefusal(sql, tenantId, sessionId);
  if (found === null) return new ProblemError('not_found', `There is no session ${sessionId}.`);
  if (found.isAgentDeleted) {
    const detail = `The agent of ${sessionId} was deleted, so it accepts no more turns.`;
    return new ProblemError('agent_deleted', detail);
  }
  const { openTurnId } = found;
  if (openTurnId === null) {
    const detail = 'What kept the session from accepting a turn has changed meanwhile. Try again.';
    return new ProblemError('session_busy', detail, { retryAfterSeconds: 1 });
  }
  return new ProblemError('session_busy', `${openTurnId} has not ended yet.`, {
    blockingTurnId: openTurnId,
    retryAfterSeconds: 1,
  });
}
