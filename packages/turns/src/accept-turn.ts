import { inputBlocks, newId, ProblemError } from '@turnpike/contract';
import type { ContentBlock, ResumeTurn, StartTurn, SubmitTurn } from '@turnpike/contract';
import {
  agentHasVersion,
  cancelOpenTurns,
  findRefusal,
  insertTurn,
  insertTurnOnce,
  insertTurnWithSession,
  inTransaction,
  lockWaiting,
  steerTurn,
  type AcceptedTurn,
  type CancelledTurn,
  type Database,
  type NewSessionTurn,
  type NewTurn,
  type Once,
  type RefusedTurn,
  type Sql,
  type StoredResponse,
} from '@turnpike/store';
import { TRANSITIONS } from './transitions.ts';

/** A day: longer than any agent should think, short enough that nothing is forgotten for ever. */
const DEFAULT_DEADLINE_MS = 24 * 60 * 60 * 1000;

/** What is to be counted before a turn is added: the most that its tenant may have of it. Left out: not counted. */
export interface Caps {
  waiting?: number | null;
  sessions?: number | null;
}

/** So often is a session asked whether it is idle, where it was busy at first and has no open turn a moment later. */
const MOST_TRIES = 5;

const NOTHING_COUNTED = { waiting: null, sessions: null };

/** A submission that is stored, and what became of other turns by it. */
export interface Acceptance extends AcceptedTurn {
  /** Turns that it cancelled, or asked to stop: to be announced. */
  cancelled: CancelledTurn[];
}

/**
 * Stores a turn of a session that is there; once this is committed, the turn will end. What it does
 * to a busy session is its `multitask_strategy`; with `steer` it becomes part of the turn that runs,
 * and that turn is the answer.
 * Throws `ProblemError`: `not_found`, `agent_deleted`, `session_busy`, `queue_full`, and `invalid_request` for a
 * version that the agent does not have.
 */
export async function acceptTurn(
  sql: Sql,
  tenantId: string,
  sessionId: string,
  submission: SubmitTurn,
  caps: Caps = {},
  traceparent: string | null = null,
): Promise<Acceptance> {
  const strategy = submission.multitask_strategy;
  if (strategy === 'steer') {
    const steered = await steer(sql, tenantId, sessionId, submission);
    if (steered !== null) return steered;
  }
  if (strategy === 'interrupt' || strategy === 'rollback') {
    return inTransaction(sql, async (transaction) => {
      if (caps.waiting != null) await lockWaiting(transaction, tenantId);
      const session = { tenantId, sessionId, forget: strategy === 'rollback' };
      const cancelled = await cancelOpenTurns(transaction, session, TRANSITIONS.cancel.from);
      const accepted = await enqueue(transaction, tenantId, sessionId, submission, caps, traceparent);
      return { ...accepted, cancelled };
    });
  }
  return enqueue(sql, tenantId, sessionId, submission, caps, traceparent);
}

async function steer(
  sql: Sql,
  tenantId: string,
  sessionId: string,
  submission: SubmitTurn,
): Promise<Acceptance | null> {
  const message = {
    tenantId,
    sessionId,
    messageId: newId('message'),
    content: inputBlocks(submission.input),
    webhookUrl: webhookUrlOf(submission),
  };
  const turn = await steerTurn(sql, message, TRANSITIONS.steer.from);
  return turn === null ? null : { turn, isHead: false, counted: NOTHING_COUNTED, cancelled: [] };
}

async function enqueue(
  sql: Sql,
  tenantId: string,
  sessionId: string,
  submission: SubmitTurn,
  caps: Caps,
  traceparent: string | null,
): Promise<Acceptance> {
  const onlyIfIdle = submission.multitask_strategy === 'reject';
  const turn = newTurn(tenantId, sessionId, inputBlocks(submission.input), submission, caps);
  for (let tries = 1; ; tries++) {
    const accepted = await insertTurn(sql, { ...turn, onlyIfIdle, traceparent });
    if (accepted.turn !== null) return { ...accepted, cancelled: [] };
    throwWhereFull(accepted, caps);
    await throwWithoutVersion(sql, tenantId, { sessionId }, submission);
    const refusal = await rejectionReasonOf(sql, tenantId, sessionId, onlyIfIdle);
    // None: the turn that stood in the way has ended since, so the session is asked again.
    if (refusal !== null) throw refusal;
    if (tries === MOST_TRIES) {
      const detail = 'Turns of this session begin and end all the time.';
      throw new ProblemError('session_busy', detail, { retryAfterSeconds: 1 });
    }
  }
}

async function rejectionReasonOf(
  sql: Sql,
  tenantId: string,
  sessionId: string,
  onlyIfIdle: boolean,
): Promise<ProblemError | null> {
  const found = await findRefusal(sql, tenantId, sessionId);
  if (found === null) return new ProblemError('not_found', `There is no session ${sessionId}.`);
  if (found.isAgentDeleted) {
    const detail = `The agent of ${sessionId} was deleted, so it takes no more turns.`;
    return new ProblemError('agent_deleted', detail);
  }
  const { openTurnId } = found;
  if (!onlyIfIdle || openTurnId === null) return null;
  return new ProblemError('session_busy', `${openTurnId} has not ended yet.`, {
    blockingTurnId: openTurnId,
    retryAfterSeconds: 1,
  });
}

/**
 * Stores a turn together with a session for it.
 * Throws `ProblemError`: `not_found`, `queue_full`, `session_limit`, and `invalid_request` for a version that the
 * agent does not have.
 */
export async function acceptTurnWithSession(
  sql: Sql,
  tenantId: string,
  submission: StartTurn,
  caps: Caps = {},
  traceparent: string | null = null,
): Promise<AcceptedTurn> {
  const accepted = await insertTurnWithSession(sql, {
    ...newSessionTurn(tenantId, submission, caps),
    traceparent,
  });
  if (accepted.turn !== null) return accepted;
  throwWhereFull(accepted, caps);
  await throwWithoutVersion(sql, tenantId, { agentId: submission.agent_id }, submission);
  throw new ProblemError('not_found', `There is no agent ${submission.agent_id}.`);
}

/**
 * As `acceptTurn`, in a transaction that keeps the answer and that others share. Returns that answer, null where
 * nothing was stored, for whatever reason: what it is, `acceptTurn` tells in a transaction of `runOnce`.
 */
export async function acceptTurnOnce(
  { pool }: Database,
  tenantId: string,
  sessionId: string,
  submission: SubmitTurn,
  traceparent: string | null,
  once: Once,
): Promise<StoredResponse | null> {
  const strategy = submission.multitask_strategy;
  // The others do more than to store a turn.
  if (strategy !== 'enqueue' && strategy !== 'reject') return null;
  const turn = newTurn(tenantId, sessionId, inputBlocks(submission.input), submission, {});
  return insertTurnOnce(pool, 'accept', { ...turn, onlyIfIdle: strategy === 'reject', traceparent }, once);
}

/** As `acceptTurnOnce`, of `acceptTurnWithSession`. */
export async function acceptTurnWithSessionOnce(
  { pool }: Database,
  tenantId: string,
  submission: StartTurn,
  traceparent: string | null,
  once: Once,
): Promise<StoredResponse | null> {
  return insertTurnOnce(pool, 'start', { ...newSessionTurn(tenantId, submission, {}), traceparent }, once);
}

/** Throws `ProblemError`, `queue_full` or `session_limit`, where that is why nothing was stored. */
export function throwWhereFull({ full }: RefusedTurn, caps: Caps): void {
  if (full === 'turns') {
    throw new ProblemError('queue_full', `${caps.waiting} turns wait already, which is the limit.`, {
      retryAfterSeconds: 1,
    });
  }
  if (full === 'sessions') throw tooManySessions(caps.sessions);
}

/** Throws `invalid_request` where the version that a submission names is why nothing was stored. */
export async function throwWithoutVersion(
  sql: Sql,
  tenantId: string,
  of: { agentId: string } | { sessionId: string },
  { agent_version: version }: ResumeTurn,
): Promise<void> {
  if (version === undefined || (await agentHasVersion(sql, tenantId, of, version)) !== false) return;
  throw new ProblemError('invalid_request', 'The body is not valid.', {
    issues: [{ path: 'agent_version', message: `the agent has no version ${version}` }],
  });
}

/** Waiting helps nobody here: a session goes when somebody deletes it. */
export function tooManySessions(limit: number | null | undefined): ProblemError {
  return new ProblemError('session_limit', `There are ${limit} sessions, which is the limit; delete some.`);
}

/** The row of a turn; `input` is null for one that goes on with another. */
export function newTurn(
  tenantId: string,
  sessionId: string,
  input: ContentBlock[] | null,
  submission: ResumeTurn,
  caps: Caps,
): NewTurn {
  return {
    id: newId('turn'),
    tenantId,
    sessionId,
    messageId: newId('message'),
    eventId: newId('event'),
    input,
    metadata: submission.metadata ?? {},
    deadlineMs: submission.deadline_ms ?? DEFAULT_DEADLINE_MS,
    runAt: submission.run_at ?? null,
    priority: submission.priority ?? 0,
    mostWaiting: caps.waiting ?? null,
    budgetMicros: submission.budget_micros ?? null,
    webhookUrl: webhookUrlOf(submission),
    agentVersion: submission.agent_version ?? null,
  };
}

function newSessionTurn(tenantId: string, submission: StartTurn, caps: Caps): NewSessionTurn {
  return {
    ...newTurn(tenantId, newId('session'), inputBlocks(submission.input), submission, caps),
    agentId: submission.agent_id,
    sessionMetadata: submission.session_metadata ?? {},
    sessionBudgetMicros: submission.session_budget_micros ?? null,
    mostSessions: caps.sessions ?? null,
  };
}

/** As the parser writes it: its beginning is what deliveries are grouped by. */
function webhookUrlOf({ webhook_url: url }: ResumeTurn): string | null {
  return url === undefined ? null : new URL(url).href;
}
