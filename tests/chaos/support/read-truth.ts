import type { Effect, ToolCallStatus, TurnStatus } from '@turnpike/contract';
import type { ChaosCluster } from './chaos-cluster.ts';

/** A turn with its whole journal, as it is in Postgres. Times are milliseconds since 1970. */
export interface StoredTurn {
  id: string;
  sessionId: string;
  sequence: number;
  status: TurnStatus;
  stopReason: string | null;
  epoch: number;
  attempts: number;
  lostLeases: number;
  stepCount: number;
  messageCount: number;
  eventCount: number;
  isLeased: boolean;
  isDispatched: boolean;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  output: StoredBlock[] | null;
  steps: StoredStep[];
  messages: { index: number; role: string; content: StoredBlock[] }[];
  events: { number: number; type: string }[];
  toolCalls: StoredCall[];
}

export interface StoredBlock {
  type: string;
  text?: string;
  name?: string;
  id?: string;
  tool_use_id?: string;
}

export interface StoredStep {
  index: number;
  type: string;
  epoch: number;
  stopReason: string | null;
  providerRequestId: string | null;
  startedAt: number;
  completedAt: number;
}

export interface StoredCall {
  id: string;
  stepIndex: number;
  name: string;
  input: unknown;
  effect: Effect;
  status: ToolCallStatus;
  isError: boolean;
  output: StoredBlock[] | null;
  completedAt: number | null;
}

export interface Truth {
  /** By session, and in each by sequence. */
  turns: StoredTurn[];
  /** Turns that the sessions believe to be open. */
  openTurns: number;
}

const ms = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::double precision`;

const TURNS = `
SELECT id, session_id AS "sessionId", sequence, status, stop_reason AS "stopReason", epoch, attempts,
  lost_leases AS "lostLeases", ${ms('created_at')} AS "createdAt",
  step_count AS "stepCount", message_count AS "messageCount", event_count AS "eventCount",
  leased_until IS NOT NULL AS "isLeased", dispatched_at IS NOT NULL AS "isDispatched",
  ${ms('started_at')} AS "startedAt", ${ms('finished_at')} AS "finishedAt", output,
  (SELECT coalesce(json_agg(json_build_object('index', index, 'type', type, 'epoch', epoch,
      'stopReason', stop_reason, 'providerRequestId', provider_request_id, 'startedAt', ${ms('started_at')},
      'completedAt', ${ms('completed_at')}) ORDER BY index), '[]')
   FROM steps WHERE turn_id = turns.id) AS steps,
  (SELECT coalesce(json_agg(json_build_object('index', index, 'role', role, 'content', content) ORDER BY index), '[]')
   FROM messages WHERE turn_id = turns.id) AS messages,
  (SELECT coalesce(json_agg(json_build_object('number', sequence_number, 'type', type) ORDER BY sequence_number), '[]')
   FROM events WHERE turn_id = turns.id) AS events,
  (SELECT coalesce(json_agg(json_build_object('id', id, 'stepIndex', step_index, 'name', name, 'input', input,
      'effect', effect, 'status', status, 'isError', is_error, 'output', output,
      'completedAt', ${ms('completed_at')}) ORDER BY step_index, position), '[]')
   FROM tool_calls WHERE turn_id = turns.id) AS "toolCalls"
FROM turns ORDER BY session_id, sequence`;

/** All that Postgres says, read past every program of ours. */
export async function readTruth(chaos: ChaosCluster): Promise<Truth> {
  const { pool } = chaos.cluster.database;
  const { rows: turns } = await pool.query<StoredTurn>(TURNS);
  const { rows } = await pool.query<{ open: number }>(
    'SELECT coalesce(sum(abs(open_turns)), 0)::int AS open FROM sessions',
  );
  return { turns, openTurns: rows[0]?.open ?? 0 };
}
