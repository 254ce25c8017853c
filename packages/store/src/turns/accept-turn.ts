import type { ContentBlock, Metadata, Turn } from '@turnpike/contract';
import pg from 'pg';
import { z } from 'zod';
import { GroupCommit, MOST_SHARED_BYTES, perPool } from '../database/group-commit.ts';
import { json, query, type Sql } from '../database/sql.ts';
import { asTurn, storedTurnSchema, TURN_COLUMNS } from './stored-turn.ts';

export interface NewTurn {
  id: string;
  tenantId: string;
  sessionId: string;
  messageId: string;
  eventId: string;
  /** Null for a turn that goes on with another. */
  input: ContentBlock[] | null;
  metadata: Metadata;
  /** From this moment on; left out: at once. */
  runAt?: string | null;
  /** Counted from when it may run. */
  deadlineMs: number;
  priority?: number;
  /** What its tenant may have waiting, where that is to be counted; left out where there is room for certain. */
  mostWaiting?: number | null;
  budgetMicros?: number | null;
  /** The turn that it goes on with. */
  resumes?: string | null;
  /** Who is told of its end, beside the tenant's endpoints. */
  webhookUrl?: string | null;
  /** The version of the agent that answers; left out: the newest. */
  agentVersion?: number | null;
  /** The span of the request that brought it, as W3C trace context writes it. */
  traceparent?: string | null;
}

/** What was counted before anything was added; null where it was not. */
export interface Counted {
  waiting: number | null;
  sessions: number | null;
}

export interface AcceptedTurn {
  turn: Turn;
  /** True when nothing of the session stands before it and its time has come: it may be dispatched. */
  isHead: boolean;
  counted: Counted;
}

/** Nothing was stored: `full` says of what the tenant has too much; null where the reason is another. */
export interface RefusedTurn {
  turn: null;
  full: 'turns' | 'sessions' | null;
  counted: Counted;
}

const room = { waiting: z.int().nullable(), sessions: z.int().nullable() };

const acceptedSchema = storedTurnSchema
  .extend({ ...room, accepted: z.literal(true), isHead: z.boolean() })
  .transform(({ accepted: _accepted, isHead, waiting, sessions, ...row }): AcceptedTurn => ({
    turn: asTurn(row),
    isHead,
    counted: { waiting, sessions },
  }));

const refusedSchema = z
  .object({ ...room, accepted: z.literal(false), full: z.enum(['turns', 'sessions']).nullable() })
  .transform(({ full, waiting, sessions }): RefusedTurn => ({
    turn: null,
    full,
    counted: { waiting, sessions },
  }));

const answerSchema = z.discriminatedUnion('accepted', [acceptedSchema, refusedSchema]);

/** What a statement stores at once: one turn, or a group of turns that need no counting. */
export type Given = NewTurn & { onlyIfIdle?: boolean } & Partial<Omit<NewSessionTurn, keyof NewTurn>>;

/** A turn that makes its session. `mostSessions` as `mostWaiting`. */
export interface NewSessionTurn extends NewTurn {
  agentId: string;
  sessionMetadata: Metadata;
  sessionBudgetMicros?: number | null;
  mostSessions?: number | null;
}

/*
 * Each statement takes columns of values, one place a turn. `room` is one row: (waiting, sessions, full), what
 * was counted under a lock, where the caps are not null: then one turn is given, and the functions, with their
 * invariant, are in the migration that made them. Both heads give at most one row `session` for each turn:
 * (turn_id, id, tenant_id, agent_id, agent_version, sequence, open_turns).
 */

/** `more`: the types and names of columns beside those of `COLUMNS`, and which of the turns are taken. */
const givenWith = (more: { types: string; names: string; where: string }): string => `
WITH given AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::jsonb[],
    $8::double precision[], $9::timestamptz[], $10::int[], $11::bigint[], $12::text[], $13::text[], $14::text[],
    $15::boolean[], $16::text[], $17::jsonb[], $18::bigint[], $19::int[]${more.types})
  AS given(turn_id, tenant_id, session_id, message_id, event_id, input, metadata, deadline_ms, run_at, priority,
    budget_micros, resumes, traceparent, webhook_url, only_if_idle, agent_id, session_metadata,
    session_budget_micros, agent_version${more.names})
  ${more.where}
), room AS MATERIALIZED (
  SELECT waiting, sessions,
    CASE WHEN waiting >= $20::int THEN 'turns' WHEN sessions >= $21::int THEN 'sessions' END AS full
  FROM (
    SELECT waiting,
      CASE WHEN $21::int IS NOT NULL THEN turnpike_count_sessions((SELECT tenant_id FROM given), $21) END AS sessions
    FROM (
      SELECT CASE WHEN $20::int IS NOT NULL
        THEN turnpike_count_waiting((SELECT tenant_id FROM given), $20) END AS waiting
    ) AS first
  ) AS counted
)`;

const GIVEN = givenWith({ types: '', names: '', where: '' });

/**
 * A version that the turn names must be there: no worker could take the turn up without it. Asked by a scalar
 * subquery, which is always a look-up; EXISTS may read the whole table once. It is shared until the turn is stored,
 * so that a purge of old versions (purge.ts) sees the turn or keeps the version.
 */
const HAS_VERSION = `(given.agent_version IS NULL
      OR (SELECT true FROM agent_versions WHERE agent_id = agents.id AND version = given.agent_version
          FOR KEY SHARE))`;
const VERSION = 'coalesce(given.agent_version, agents.version)';

const takeNextSequence = (of: 'all' | 'free'): string => `, session AS (
  UPDATE sessions
  SET last_sequence = sessions.last_sequence + 1, open_turns = sessions.open_turns + 1
  FROM given, agents, room
  WHERE sessions.id = given.session_id AND sessions.tenant_id = given.tenant_id
    ${of === 'free' ? 'AND sessions.id IN (SELECT id FROM free)' : ''}
    AND (sessions.open_turns = 0 OR NOT given.only_if_idle)
    AND agents.id = sessions.agent_id AND agents.deleted_at IS NULL AND room.full IS NULL AND ${HAS_VERSION}
  RETURNING given.turn_id, sessions.id, sessions.tenant_id, sessions.agent_id, ${VERSION} AS agent_version,
    sessions.last_sequence AS sequence, sessions.open_turns
)`;

/** A group waits for no lock: it would hold others meanwhile, and two groups could wait for each other. */
const TAKE_FREE_SESSIONS = `, free AS MATERIALIZED (
  SELECT sessions.id FROM sessions WHERE sessions.id IN (SELECT session_id FROM given)
  FOR NO KEY UPDATE SKIP LOCKED
)${takeNextSequence('free')}`;

const MAKE_SESSION = `, session AS MATERIALIZED (
  SELECT given.turn_id, given.session_id AS id, given.tenant_id, agents.id AS agent_id,
    ${VERSION} AS agent_version, 1 AS sequence, 1 AS open_turns
  FROM room, given JOIN agents ON agents.id = given.agent_id AND agents.tenant_id = given.tenant_id
  WHERE agents.deleted_at IS NULL AND room.full IS NULL AND ${HAS_VERSION}
), made AS (
  INSERT INTO sessions (id, tenant_id, agent_id, metadata, budget_micros, last_sequence, open_turns)
  SELECT session.id, session.tenant_id, session.agent_id, given.session_metadata, given.session_budget_micros,
    session.sequence, session.open_turns
  FROM session JOIN given USING (turn_id)
)`;

/*
 * Invariant: sequence numbers of a session have no gap and no double, and a turn is marked
 * ready exactly when no open turn stands before it. Both hold because the session's row is
 * locked from its update to the commit, and `open_turns` is read from the locked row, not
 * from the statement's snapshot. A statement takes one turn of a session at most.
 */
const INSERT_TURN = `, turn AS (
  INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, metadata,
                     message_count, event_count, ready_at, deadline_at, run_at, available_at, priority,
                     budget_micros, resumes, traceparent, webhook_url)
  SELECT session.turn_id, session.tenant_id, session.id, session.sequence, session.agent_id,
         session.agent_version, given.metadata, (given.input IS NOT NULL)::int, 1,
         CASE WHEN session.open_turns = 1 THEN now() END,
         greatest(now(), given.run_at) + given.deadline_ms * interval '1 millisecond',
         given.run_at, CASE WHEN given.run_at > now() THEN given.run_at END, given.priority,
         given.budget_micros, given.resumes, given.traceparent, given.webhook_url
  FROM session JOIN given USING (turn_id)
  RETURNING *
), message AS (
  INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
  SELECT turn_id, 0, given.message_id, session.tenant_id, session.id, session.sequence, 'user', given.input
  FROM session JOIN given USING (turn_id)
  WHERE given.input IS NOT NULL
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT turn_id, 1, given.event_id, session.tenant_id, 'turn.queued', '{}'
  FROM session JOIN given USING (turn_id)
)
SELECT ${TURN_COLUMNS}, turns.id IS NOT NULL AS accepted, room.waiting, room.sessions, room.full,
  turns.ready_at IS NOT NULL AND turns.available_at IS NULL AS "isHead"
FROM room LEFT JOIN turn AS turns ON true`;

const HEADS = { accept: TAKE_FREE_SESSIONS, start: MAKE_SESSION };
/** Turns for sessions that are there, or that make theirs. */
export type GroupKind = keyof typeof HEADS;

const ACCEPT = {
  name: 'accept-turn',
  text: GIVEN + takeNextSequence('all') + INSERT_TURN,
  row: answerSchema,
};
const ACCEPT_FREE = { name: 'accept-turns', text: GIVEN + HEADS.accept + INSERT_TURN, row: answerSchema };
const START = { name: 'start-session-turns', text: GIVEN + HEADS.start + INSERT_TURN, row: answerSchema };

/** Stores a group of those turns for which `where` holds; their columns from $22 on are `types` and `names`. */
export const groupStatement = (
  name: string,
  kind: GroupKind,
  more: { types: string; names: string; where: string },
): typeof START => ({ name, text: givenWith(more) + HEADS[kind] + INSERT_TURN, row: answerSchema });

const NOTHING: RefusedTurn = { turn: null, full: null, counted: { waiting: null, sessions: null } };

/**
 * Stores a turn of a session that is there. Refused without `full` where the session or its agent is not
 * there any more, or where it must be idle and is not. With the pool, and where nothing must be counted, it
 * shares a statement with those that come meanwhile.
 */
export async function insertTurn(
  sql: Sql,
  turn: NewTurn & { onlyIfIdle: boolean },
): Promise<AcceptedTurn | RefusedTurn> {
  const shared = await insertInGroup(sql, 'accept', turn);
  if (shared !== null && shared.turn !== null) return shared;
  // Also for one that a group passed over: it waits for its session, or learns why it is refused.
  return insertOne(sql, ACCEPT, turn);
}

/** Stores a turn together with a new session for it, as `insertTurn`. Refused without `full` where the agent is not there any more. */
export async function insertTurnWithSession(
  sql: Sql,
  turn: NewSessionTurn,
): Promise<AcceptedTurn | RefusedTurn> {
  return (await insertInGroup(sql, 'start', turn)) ?? insertOne(sql, START, turn);
}

/** Null where it goes by itself: in a transaction, where something must be counted, or where it is large. */
async function insertInGroup(
  sql: Sql,
  group: GroupKind,
  turn: Given,
): Promise<AcceptedTurn | RefusedTurn | null> {
  const bytes = sharedBytes(turn);
  return !(sql instanceof pg.Pool) || bytes === null ? null : groupsOf(sql)[group].add(turn, bytes);
}

/** About how much the turn adds to a statement; null where it may not share one. */
export function sharedBytes({ input, metadata, mostWaiting, mostSessions }: Given): number | null {
  if (mostWaiting != null || mostSessions != null) return null;
  const bytes = JSON.stringify([input, metadata]).length;
  return bytes > MOST_SHARED_BYTES ? null : bytes;
}

const groupsOf = perPool((pool) => {
  const group = (statement: typeof START): GroupCommit<Given, AcceptedTurn | RefusedTurn> =>
    new GroupCommit({
      write: (turns) => insertGroup(pool, statement, turns, []),
      keyOf: ({ sessionId }) => sessionId,
    });
  return { accept: group(ACCEPT_FREE), start: group(START) };
});

/** What became of each, in its place. `more` are the columns from $22 on. */
export async function insertGroup(
  sql: Sql,
  statement: typeof START,
  turns: readonly Given[],
  more: readonly unknown[],
): Promise<(AcceptedTurn | RefusedTurn)[]> {
  const answers = await query(sql, statement, [...columnsOf(turns), null, null, ...more]);
  const byTurn = new Map(answers.map((answer) => [answer.turn?.id, answer]));
  return turns.map(({ id }) => byTurn.get(id) ?? NOTHING);
}

async function insertOne(
  sql: Sql,
  statement: typeof START,
  turn: Given,
): Promise<AcceptedTurn | RefusedTurn> {
  const { mostWaiting = null, mostSessions = null } = turn;
  const [answer] = await query(sql, statement, [...columnsOf([turn]), mostWaiting, mostSessions]);
  return answer ?? NOTHING;
}

/** In the order of the columns of `given`. */
const COLUMNS: readonly ((turn: Given) => unknown)[] = [
  (turn) => turn.id,
  (turn) => turn.tenantId,
  (turn) => turn.sessionId,
  (turn) => turn.messageId,
  (turn) => turn.eventId,
  (turn) => (turn.input === null ? null : json(turn.input)),
  (turn) => json(turn.metadata),
  (turn) => turn.deadlineMs,
  (turn) => turn.runAt ?? null,
  (turn) => turn.priority ?? 0,
  (turn) => turn.budgetMicros ?? null,
  (turn) => turn.resumes ?? null,
  (turn) => turn.traceparent ?? null,
  (turn) => turn.webhookUrl ?? null,
  (turn) => turn.onlyIfIdle ?? false,
  (turn) => turn.agentId ?? null,
  (turn) => json(turn.sessionMetadata ?? {}),
  (turn) => turn.sessionBudgetMicros ?? null,
  (turn) => turn.agentVersion ?? null,
];

function columnsOf(turns: readonly Given[]): unknown[][] {
  return COLUMNS.map((column) => turns.map(column));
}

const LOCK = {
  name: 'lock-waiting',
  text: `SELECT turnpike_count_waiting($1, 0) AS waiting`,
  row: z.object({ waiting: z.int() }),
};

/** For who locks turns or sessions before a turn is inserted with `mostWaiting`: to be called before those. */
export async function lockWaiting(sql: Sql, tenantId: string): Promise<void> {
  await query(sql, LOCK, [tenantId]);
}
