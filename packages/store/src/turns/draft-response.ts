import { acceptedResponse, type ResumeTurn } from '@turnpike/contract';
import type { StoredResponse } from '../idempotency/idempotency.ts';
import { traceIdOf } from '@turnpike/telemetry';
import { json } from '../database/sql.ts';
import { asTurn, submittedFields } from './stored-turn.ts';

/** SQL for a time as JSON, as `JSON.stringify` writes it. */
const jsonTime = (time: string): string =>
  `to_json(to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))::text`;

/** What of the response only the statement knows that stores the turn: SQL for each field's JSON. */
const FILLED = {
  sequence: 'turn.sequence::text',
  agent_id: 'to_json(turn.agent_id)::text',
  agent_version: 'turn.agent_version::text',
  run_at: `coalesce(${jsonTime('turn.run_at')}, 'null')`,
  created_at: jsonTime('turn.created_at'),
  deadline_at: jsonTime('turn.deadline_at'),
};

/** No client can know it before: the id is new. */
const placeholder = (turnId: string, field: string): string => `${turnId}:${field}`;

/** What is known of a turn before it is stored. */
interface UnstoredTurn {
  id: string;
  sessionId: string;
  submitted: ResumeTurn;
  resumes?: string | null;
  traceparent?: string | null;
}

/** The response to the submit of a turn that is not stored yet, with placeholders in its body. */
export function draftResponse(turn: UnstoredTurn): StoredResponse {
  const { metadata, overrides, priority, budgetMicros } = submittedFields(turn.submitted);
  const accepted = asTurn({
    ...UNKNOWN,
    id: turn.id,
    sessionId: turn.sessionId,
    // As it is stored.
    metadata: asStored(metadata),
    overrides: overrides === null ? null : asStored(overrides),
    priority,
    budgetMicros,
    resumes: turn.resumes ?? null,
    traceId: traceIdOf(turn.traceparent ?? null) ?? null,
  });
  const fields = Object.keys(FILLED).map((field) => [field, placeholder(turn.id, field)]);
  return acceptedResponse(accepted, JSON.stringify({ ...accepted, ...Object.fromEntries(fields) }));
}

/** SQL for the body of a response: `draft` is SQL too, and `turn` the turn that was stored. */
export const filledBody = (draft: string): string =>
  Object.entries(FILLED).reduce(
    (body, [field, value]) => `replace(${body}, to_json(turn.id || ':${field}')::text, ${value})`,
    draft,
  );

const asStored = <Value>(value: Value): Value => JSON.parse(json(value)) as Value;

/** A turn that was just accepted. */
const UNKNOWN = {
  sequence: 0,
  agentId: '',
  agentVersion: 0,
  status: 'queued',
  stopReason: null,
  output: null,
  outputIsJson: false,
  partial: false,
  error: null,
  copiedFrom: null,
  runAt: null,
  waitingFor: null,
  inputTokens: 0,
  outputTokens: 0,
  cacheCreationInputTokens: 0,
  cacheReadInputTokens: 0,
  costMicros: 0,
  totalCostMicros: 0,
  parentTurnId: null,
  parentToolCallId: null,
  batchId: null,
  stepCount: 0,
  attempts: 0,
  createdAt: new Date(0),
  startedAt: null,
  finishedAt: null,
  deadlineAt: new Date(0),
  actionExpiresAt: null,
  actions: null,
  awaitedChildTurns: null,
} as const;
