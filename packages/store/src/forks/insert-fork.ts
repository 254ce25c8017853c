import { type Metadata, type Session } from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from '../database/sql.ts';
import { SESSION_COLUMNS, sessionRow, storedSessionSchema } from '../sessions/stored-session.ts';
import type { ForkPoint } from './fork-point.ts';

/** As old as the id that it copies: rows are listed, and deleted when their retention has passed, by their ids. */
const copyOf = (id: string): string =>
  `left(${id}, strpos(${id}, '_') + 10) || right(turnpike_new_id('copy'), 16)`;

/*
 * Copies the beginning of a session into a new one (decision 18).
 *
 * Invariants:
 * - One statement, so one snapshot: a session that is erased meanwhile is copied as a whole, or not at all. All that it
 *   copies is of turns that have ended, or of steps that are committed, which never change.
 * - A copy cost nothing, so that sums over turns and steps stay what was spent, and no copy is in the ledger.
 * - A copy has no events, so no webhook tells of it; nothing of it is open, so no worker runs it.
 * - A copy is as old as its original.
 * - What is not copied: containers, since two sessions would change the files of one; and what only the run of a turn
 *   needs (leases, lists of MCP servers, durable steps of tools).
 */
const INSERT = {
  name: 'insert-fork',
  text: `
WITH given AS MATERIALIZED (
  SELECT $1::text AS id, $2::text AS tenant_id, $3::text AS source_id, $4::int AS last_sequence, $5::int AS cut_message,
    $6::int AS cut_step, $7::text AS agent_id, $8::jsonb AS metadata, $9::boolean AS has_budget, $10::bigint AS budget_micros,
    $11::int AS most_sessions, $12::text AS turn_id, $13::text AS rerun_of
), room AS MATERIALIZED (
  SELECT sessions, coalesce(sessions >= most_sessions, false) AS full
  FROM (SELECT most_sessions,
          CASE WHEN most_sessions IS NOT NULL THEN turnpike_count_sessions(tenant_id, most_sessions) END AS sessions
        FROM given) AS counted
), source AS MATERIALIZED (
  SELECT given.*, sessions.metadata AS source_metadata, sessions.budget_micros AS source_budget, sessions.user_id, agents.id AS runs
  FROM given JOIN sessions ON sessions.id = given.source_id AND sessions.tenant_id = given.tenant_id
  JOIN agents ON agents.id = coalesce(given.agent_id, sessions.agent_id) AND agents.tenant_id = given.tenant_id
  CROSS JOIN room
  WHERE agents.deleted_at IS NULL AND NOT room.full
), forked AS (
  INSERT INTO sessions (id, tenant_id, agent_id, metadata, budget_micros, user_id, last_sequence, forked_from, forked_turn_id,
                        forked_step, rerun_of)
  SELECT id, tenant_id, runs, coalesce(metadata, source_metadata),
    CASE WHEN has_budget THEN budget_micros ELSE source_budget END, user_id, last_sequence, source_id, turn_id, cut_step, rerun_of
  FROM source
  RETURNING ${SESSION_COLUMNS}
), original AS MATERIALIZED (
  SELECT turns.id, turns.sequence, source.id AS session_id, ${copyOf('turns.id')} AS copy_id,
    source.cut_message IS NOT NULL AND turns.sequence = source.last_sequence AS is_cut, source.cut_message, source.cut_step
  FROM source JOIN turns ON turns.session_id = source.source_id AND turns.sequence <= source.last_sequence
), message AS (
  INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, step_index, role, content, partial,
                        refused, created_at)
  SELECT original.copy_id, messages.index, ${copyOf('messages.id')}, messages.tenant_id, original.session_id,
    original.sequence, messages.step_index, messages.role, messages.content, messages.partial, messages.refused,
    messages.created_at
  FROM original JOIN messages ON messages.turn_id = original.id
  WHERE NOT original.is_cut OR messages.index <= original.cut_message
  RETURNING turn_id
), step AS (
  INSERT INTO steps (turn_id, index, id, tenant_id, type, model, stop_reason, input_tokens, output_tokens,
                     cache_creation_input_tokens, cache_read_input_tokens, attempts, provider_request_id, epoch,
                     started_at, completed_at)
  SELECT original.copy_id, steps.index, ${copyOf('steps.id')}, steps.tenant_id, steps.type, steps.model,
    steps.stop_reason, 0, 0, 0, 0, steps.attempts, steps.provider_request_id, steps.epoch, steps.started_at,
    steps.completed_at
  FROM original JOIN steps ON steps.turn_id = original.id
  WHERE NOT original.is_cut OR steps.index <= original.cut_step
  RETURNING turn_id
), tool_call AS (
  INSERT INTO tool_calls (id, tenant_id, turn_id, step_index, position, tool_use_id, name, input, input_text, effect,
                          on_unknown, accepted_by, status, output, is_error, child_turn_id, attempts, created_at,
                          started_at, completed_at)
  SELECT ${copyOf('calls.id')}, calls.tenant_id, original.copy_id, calls.step_index, calls.position, calls.tool_use_id,
    calls.name, calls.input, calls.input_text, calls.effect, calls.on_unknown, calls.accepted_by,
    CASE WHEN asked.only THEN 'pending' ELSE calls.status END, CASE WHEN NOT asked.only THEN calls.output END,
    calls.is_error AND NOT asked.only, CASE WHEN NOT asked.only THEN calls.child_turn_id END,
    CASE WHEN asked.only THEN 0 ELSE calls.attempts END, calls.created_at,
    CASE WHEN NOT asked.only THEN calls.started_at END, CASE WHEN NOT asked.only THEN calls.completed_at END
  FROM original JOIN tool_calls AS calls ON calls.turn_id = original.id
  CROSS JOIN LATERAL (SELECT original.is_cut AND calls.step_index = original.cut_step AS only) AS asked
  WHERE NOT original.is_cut OR calls.step_index <= original.cut_step
), turn AS (
  INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, overrides, status, stop_reason, output,
                     output_is_json, partial, error, metadata, priority, run_at, resumes, copied_from, step_count,
                     message_count, pool, code_tools, rolled_back, created_at, started_at, finished_at, deadline_at)
  SELECT original.copy_id, turns.tenant_id, original.session_id, turns.sequence, turns.agent_id, turns.agent_version,
    turns.overrides, CASE WHEN is_cut THEN 'cancelled' ELSE turns.status END,
    CASE WHEN NOT is_cut THEN turns.stop_reason END, CASE WHEN NOT is_cut THEN turns.output END,
    turns.output_is_json AND NOT is_cut, turns.partial AND NOT is_cut, CASE WHEN NOT is_cut THEN turns.error END,
    turns.metadata, turns.priority, turns.run_at,
    CASE WHEN turns.resumes IS NOT NULL THEN coalesce((
      SELECT earlier.copy_id FROM original AS earlier WHERE earlier.id = turns.resumes), turns.resumes) END,
    turns.id, coalesce(steps.count, 0), coalesce(messages.count, 0), turns.pool, turns.code_tools,
    turns.rolled_back AND NOT is_cut, turns.created_at, turns.started_at, coalesce(turns.finished_at, now()),
    turns.deadline_at
  FROM original JOIN turns ON turns.id = original.id
  LEFT JOIN (SELECT turn_id, count(*)::int AS count FROM step GROUP BY 1) AS steps ON steps.turn_id = original.copy_id
  LEFT JOIN (SELECT turn_id, count(*)::int AS count FROM message GROUP BY 1) AS messages ON messages.turn_id = original.copy_id
), summary AS (
  INSERT INTO summaries (session_id, through_sequence, tenant_id, turn_id, step_index, content, created_at)
  SELECT source.id, summaries.through_sequence, summaries.tenant_id, coalesce(writer.copy_id, summaries.turn_id),
    summaries.step_index, summaries.content, summaries.created_at
  FROM source JOIN summaries ON summaries.session_id = source.source_id
    AND summaries.through_sequence <= source.last_sequence
  LEFT JOIN original AS writer ON writer.id = summaries.turn_id
  -- One that was written after the point is of a later time, though it tells of turns before.
  WHERE CASE WHEN writer.id IS NULL THEN NOT EXISTS (SELECT 1 FROM turns WHERE turns.id = summaries.turn_id)
             ELSE NOT writer.is_cut OR summaries.step_index <= writer.cut_step END
)
SELECT room.sessions AS counted, room.full, forked.* FROM room LEFT JOIN forked ON true`,
  row: z.union([
    storedSessionSchema.extend({ counted: z.int().nullable(), full: z.literal(false) }),
    z.looseObject({ id: z.null(), counted: z.int().nullable(), full: z.boolean() }),
  ]),
};

export interface NewFork {
  id: string;
  tenantId: string;
  point: ForkPoint;
  /** Null: that of the session. */
  agentId: string | null;
  /** Null: that of the session. */
  metadata: Metadata | null;
  /** Null: none. Left out: that of the session. */
  budgetMicros?: number | null | undefined;
  /** The most sessions that its tenant may have; null if the caller knows that there is capacity. */
  mostSessions: number | null;
  /** The turn that it is forked for, to be made again. */
  rerunOf: string | null;
}

/**
 * Stores a session that begins as a copy of another one up to a point. Without one in the result, the agent does not
 * exist or was deleted, the session was erased meanwhile, or (`full`) the tenant has too many.
 */
export async function insertFork(
  sql: Sql,
  { point, ...fork }: NewFork,
): Promise<{ session: Session | null; full: boolean; sessions: number | null }> {
  const [row] = await query(sql, INSERT, [
    fork.id,
    fork.tenantId,
    point.sessionId,
    point.sequence,
    point.cut?.messageIndex ?? null,
    point.cut?.stepIndex ?? null,
    fork.agentId,
    fork.metadata === null ? null : json(fork.metadata),
    fork.budgetMicros !== undefined,
    fork.budgetMicros ?? null,
    fork.mostSessions,
    point.turnId,
    fork.rerunOf,
  ]);
  if (row === undefined) throw new Error('A count returned no row.');
  return { session: row.id === null ? null : sessionRow.parse(row), full: row.full, sessions: row.counted };
}

const COPY_OF = {
  name: 'find-copy-of-turn',
  text: `SELECT id FROM turns WHERE session_id = $1 AND copied_from = $2`,
  row: z.object({ id: z.string() }),
};

/** The copy of a turn in a fork. Null if the fork has none. */
export async function findCopy(sql: Sql, sessionId: string, turnId: string): Promise<string | null> {
  const [copy] = await query(sql, COPY_OF, [sessionId, turnId]);
  return copy?.id ?? null;
}
