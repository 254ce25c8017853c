import { inputBlocks, newId, withFileSources, type File, type ResumeTurn } from '@turnpike/contract';
import type { NewTurn } from '@turnpike/store';
import type { PlainCommand } from './submit-command.ts';

/** A day: longer than any agent should run, and short enough that a turn which is stuck is noticed. */
const DEFAULT_DEADLINE_MS = 24 * 60 * 60 * 1000;

/** The caps to count under when a turn is added; null where there is capacity for certain. */
export interface Caps {
  waiting: number | null;
  sessions: number | null;
}

/** The row of a turn that is asked for. One that resumes another has no input. `files`: those that the input names. */
export function newTurn(
  { tenantId, requested, agentVersion, batchId, traceparent }: Omit<PlainCommand, 'limits' | 'idempotency'>,
  caps: Caps,
  sessionId: string,
  files: ReadonlyMap<string, File> = new Map(),
): NewTurn {
  const { submission } = requested;
  const webhookUrl = webhookUrlOf(submission);
  const row = {
    id: newId('turn'),
    tenantId,
    sessionId,
    messageId: newId('message'),
    eventId: newId('event'),
    input: 'input' in submission ? withFileSources(inputBlocks(submission.input), files) : null,
    submitted: { ...submission, ...(webhookUrl === null ? {} : { webhook_url: webhookUrl }) },
    deadlineMs: submission.deadline_ms ?? DEFAULT_DEADLINE_MS,
    agentVersion: agentVersion ?? submission.agent_version ?? null,
    traceparent,
    batchId: batchId ?? null,
    mostWaiting: caps.waiting,
  };
  if (requested.of === 'session') {
    return { ...row, onlyIfIdle: requested.submission.multitask_strategy === 'reject' };
  }
  if (requested.of === 'stopped_turn') return { ...row, resumes: requested.turnId };
  return {
    ...row,
    agentId: requested.submission.agent_id,
    sessionMetadata: requested.submission.session_metadata ?? {},
    userId: requested.submission.user_id ?? null,
    sessionBudgetMicros: requested.submission.session_budget_micros ?? null,
    mostSessions: caps.sessions,
  };
}

/** As the URL parser writes it: deliveries are grouped by its origin. */
export function webhookUrlOf({ webhook_url: url }: ResumeTurn): string | null {
  return url === undefined ? null : new URL(url).href;
}
