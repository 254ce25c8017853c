import {
  DEFAULT_POOL,
  newId,
  type ContentBlock,
  type Metadata,
  type ResumeTurn,
  type Turn,
} from '@turnpike/contract';
import { z } from 'zod';
import { columnsOf, parameterRows } from '../database/parameter-rows.ts';
import { json, query, type Sql } from '../database/sql.ts';
import { KEPT_HOURS, tryLockKey, type IdempotentRequest } from '../idempotency/idempotency.ts';
import { arrayLiteral, codeToolsIn, isAlive, needsOf } from '../workers/capability.ts';
import { claimColumns, claimEvents, type ClaimColumn } from './claim-columns.ts';
import { dispatchedTurnSchema, type DispatchedTurn } from './dispatch-turns.ts';
import { draftResponse, filledBody } from './draft-response.ts';
import { UNCONFIRMED } from './hand-over.ts';
import { asTurn, storedTurnSchema, SUBMITTED_COLUMNS, submittedFields, TURN_COLUMNS } from './stored-turn.ts';

export interface NewTurn {
  id: string;
  tenantId: string;
  sessionId: string;
  messageId: string;
  eventId: string;
  /** Null for a turn that resumes another. */
  input: ContentBlock[] | null;
  /** What the client asked for. */
  submitted: ResumeTurn;
  /** Counted from when it may run. */
  deadlineMs: number;
  /** The turn that it resumes. */
  resumes?: string | null;
  /** The version of the agent that runs it. Default: the newest. */
  agentVersion?: number | null;
  /** The span of the request that brought it, as W3C trace context writes it. */
  traceparent?: string | null;
  /** The batch whose line it is. */
  batchId?: string | null;
  /** It is refused while another turn of its session is open. Default: false. */
  onlyIfIdle?: boolean;
  /** The agent of a session that is created with the turn. Default: the session exists. */
  agentId?: string | null;
  /** Of a session that is created. */
  sessionMetadata?: Metadata;
  sessionBudgetMicros?: number | null;
  userId?: string | null;
  /** The cap on the tenant's waiting turns. Default: they are not counted. */
  mostWaiting?: number | null;
  /** The cap on the tenant's sessions. Default: they are not counted. */
  mostSessions?: number | null;
  /** Whoever submits it adds its job to the queue where it is dispatched with its insert. Default: false. */
  takesJob?: boolean;
  /**
   * A worker that offered a slot: where the turn is dispatched with its insert, it is stored as claimed by that worker,
   * which is to be told. Default: null.
   */
  worker?: OfferingWorker | null;
}

export interface OfferingWorker {
  id: string;
  /** How long it has the turn until it must have confirmed it. Milliseconds. */
  leaseMs: number;
}

/** How many there were before the turn was added; null where they were not counted. */
export interface Counted {
  waiting: number | null;
  sessions: number | null;
}

export interface AcceptedTurn {
  turn: Turn;
  /** True when no open turn of the session comes before it and its time has come: it may be dispatched. */
  isHead: boolean;
  /** Its job, where it was dispatched with its insert: to be added to the queue. */
  job: DispatchedTurn | null;
  /** True where the worker that was named has claimed it: that worker is to be told. It has no job. */
  isHandedOver: boolean;
  /** The body of the response that was recorded for the idempotency key; null where there is no key. */
  recordedBody: string | null;
  counted: Counted;
}

/**
 * Why no turn was stored. `queue_full`, `session_limit`: the tenant is at its cap. `key_used`: there is a record of
 * the idempotency key. `key_in_use`: another transaction holds the key. `unavailable`: the session is locked, busy
 * or does not exist, or its agent, or the version of it, does not exist.
 */
export type Refusal = 'queue_full' | 'session_limit' | 'key_used' | 'key_in_use' | 'unavailable';

export interface RefusedTurn {
  turn: null;
  refusal: Refusal;
}

export const NOT_STORED: RefusedTurn = { turn: null, refusal: 'unavailable' };

export type InsertOutcome = AcceptedTurn | RefusedTurn;

/** A turn, and the request that it is stored for where that has an idempotency key. */
export interface Submission {
  turn: NewTurn;
  request: IdempotentRequest | null;
}

/** Null where the turn has the tools of its agent. */
function overriddenCodeTools({ overrides }: ResumeTurn): string | null {
  return overrides?.tools === undefined ? null : arrayLiteral(codeToolsIn(overrides.tools));
}

const GIVEN = parameterRows<Submission>('given', {
  turn_id: ['text', ({ turn }) => turn.id],
  tenant_id: ['text', ({ turn }) => turn.tenantId],
  session_id: ['text', ({ turn }) => turn.sessionId],
  message_id: ['text', ({ turn }) => turn.messageId],
  event_id: ['text', ({ turn }) => turn.eventId],
  input: ['jsonb', ({ turn }) => (turn.input === null ? null : json(turn.input))],
  ...columnsOf(SUBMITTED_COLUMNS, ({ turn }: Submission) => submittedFields(turn.submitted)),
  deadline_ms: ['double precision', ({ turn }) => turn.deadlineMs],
  resumes: ['text', ({ turn }) => turn.resumes ?? null],
  traceparent: ['text', ({ turn }) => turn.traceparent ?? null],
  batch_id: ['text', ({ turn }) => turn.batchId ?? null],
  only_if_idle: ['boolean', ({ turn }) => turn.onlyIfIdle ?? false],
  agent_version: ['int', ({ turn }) => turn.agentVersion ?? null],
  code_tools: ['text', ({ turn: { submitted } }) => overriddenCodeTools(submitted)],
  agent_id: ['text', ({ turn }) => turn.agentId ?? null],
  session_metadata: ['jsonb', ({ turn }) => json(turn.sessionMetadata ?? {})],
  session_budget_micros: ['bigint', ({ turn }) => turn.sessionBudgetMicros ?? null],
  user_id: ['text', ({ turn }) => turn.userId ?? null],
  route: ['text', ({ request }) => request?.route ?? null],
  key: ['text', ({ request }) => request?.key ?? null],
  fingerprint: ['text', ({ request }) => request?.fingerprint.toString('hex') ?? null],
  response: ['json', ({ turn, request }) => (request === null ? null : JSON.stringify(draftResponse(turn)))],
  worker_id: ['text', ({ turn }) => turn.worker?.id ?? null],
  lease_ms: ['double precision', ({ turn }) => turn.worker?.leaseMs ?? null],
  started_id: ['text', ({ turn }) => (turn.worker == null ? null : newId('event'))],
  step_started_id: ['text', ({ turn }) => (turn.worker == null ? null : newId('event'))],
});
const SUBMITTED = Object.keys(SUBMITTED_COLUMNS);
const MOST_WAITING = `$${GIVEN.next}::int`;
const MOST_SESSIONS = `$${GIVEN.next + 1}::int`;
const MAY_DISPATCH = `$${GIVEN.next + 2}::boolean`;

/**
 * The version that a turn names must exist, or no worker could run it. Asked by a scalar subquery, which is always
 * an index look-up; EXISTS may read the whole table once. The row is locked until the turn is stored, so that a
 * purge of old versions (purge.ts) sees the turn or keeps the version.
 */
const HAS_VERSION = `(given.agent_version IS NULL
      OR (SELECT true FROM agent_versions WHERE agent_id = agents.id AND version = given.agent_version
          FOR KEY SHARE))`;
const VERSION = 'coalesce(given.agent_version, agents.version)';
/** A turn that overrides its tools needs the workers that have those. */
const CODE_TOOLS = 'coalesce(given.code_tools::text[], needs.code_tools)';

/** What a claim writes, in a turn that nobody has claimed. */
const UNCLAIMED: Record<ClaimColumn, string> = {
  status: `'queued'`,
  epoch: '0',
  attempts: '0',
  worker_id: 'NULL::text',
  leased_until: 'NULL::timestamptz',
  started_at: 'NULL::timestamptz',
  event_count: '1',
};
const CLAIMED = claimColumns('unclaimed', 'session.worker_id', 'given.lease_ms');
const MAYBE_CLAIMED = Object.entries(CLAIMED).map(([column, value]) => [
  column,
  `CASE WHEN session.worker_id IS NULL THEN unclaimed.${column} ELSE ${value} END`,
]);

/*
 * Stores turns, of sessions that exist or that it creates. Where a cap is not null, exactly one turn is given.
 *
 * Invariants:
 * - Sequence numbers of a session have no gap and no double, and a turn is marked ready exactly when no open turn
 *   comes before it. Both hold because the session's row is locked from its update to the commit, and `open_turns`
 *   is read from the locked row, not from the statement's snapshot. One turn of a session at most is given.
 * - Locks are acquired in the order of decision 8: the idempotency key, the tenant's counts (inside of the
 *   functions, which count after they have the lock), the session, the tenant's dispatch. Only the counts are waited
 *   for.
 * - A turn is dispatched here only where `turnpike_take_slots` has one for it, which is called before the first turn of its
 *   tenant is stored. Turns that not every worker can run, and all others, are left
 *   to `turnpike_dispatch_by_pool`.
 * - A turn is handed over only where it is dispatched, to a worker that consumes the queue which its job would be in. It
 *   has then what a claim would have given it, with a short lease (`UNCONFIRMED`).
 * - A turn with a key is stored only while the statement holds the lock of the key, as `runOnce` does, and where it
 *   saw no record of the key. A record that was committed after the statement looked, and before it held the lock,
 *   makes the insert of this one's record fail, and with it the transaction.
 *
 * The LIMIT limits nothing. To plan the statement takes longer than to run it, and Postgres keeps one plan for all
 * values only where that seems as cheap as a plan for these: with a limit that it does not know, it plans for few
 * rows; without, for ten.
 */
const textOf = (recording: { cte: string; body: string; join: string }): string => `
WITH given AS MATERIALIZED (
  SELECT given.*, CASE
    WHEN given.key IS NULL THEN NULL
    WHEN (SELECT true FROM idempotency_records AS records WHERE records.tenant_id = given.tenant_id
          AND records.route = given.route AND records.key = given.key) THEN 'key_used'
    WHEN NOT ${tryLockKey(`given.tenant_id || ' ' || given.route || ' ' || given.key`)} THEN 'key_in_use'
  END AS key_refusal
  FROM (SELECT * FROM ${GIVEN.from} LIMIT cardinality($1::text[])) AS given
), waiting AS MATERIALIZED (
  SELECT CASE
    WHEN ${MOST_WAITING} IS NULL THEN NULL
    WHEN (SELECT key_refusal FROM given) IS NOT NULL THEN NULL
    ELSE turnpike_count_waiting((SELECT tenant_id FROM given), ${MOST_WAITING})
  END AS count
), capacity AS MATERIALIZED (
  SELECT waiting, sessions,
    CASE WHEN waiting >= ${MOST_WAITING} THEN 'queue_full' WHEN sessions >= ${MOST_SESSIONS} THEN 'session_limit' END AS refusal
  FROM (
    SELECT waiting.count AS waiting, CASE
      WHEN ${MOST_SESSIONS} IS NULL OR waiting.count >= ${MOST_WAITING} THEN NULL
      WHEN (SELECT key_refusal FROM given) IS NOT NULL THEN NULL
      ELSE turnpike_count_sessions((SELECT tenant_id FROM given), ${MOST_SESSIONS})
    END AS sessions
    FROM waiting
  ) AS counted
), admitted AS MATERIALIZED (
  SELECT given.* FROM given, capacity WHERE given.key_refusal IS NULL AND capacity.refusal IS NULL
), unlocked AS MATERIALIZED (
  SELECT sessions.id FROM sessions JOIN admitted AS given ON sessions.id = given.session_id
  WHERE sessions.tenant_id = given.tenant_id AND given.agent_id IS NULL
  FOR NO KEY UPDATE OF sessions SKIP LOCKED
), joined AS (
  UPDATE sessions
  SET last_sequence = sessions.last_sequence + 1, open_turns = sessions.open_turns + 1
  FROM admitted AS given, agents
  WHERE sessions.id = given.session_id AND sessions.tenant_id = given.tenant_id AND given.agent_id IS NULL
    AND sessions.id IN (SELECT id FROM unlocked) AND (sessions.open_turns = 0 OR NOT given.only_if_idle)
    AND agents.id = sessions.agent_id AND agents.deleted_at IS NULL AND ${HAS_VERSION}
  RETURNING given.turn_id, sessions.id, sessions.tenant_id, sessions.agent_id, ${VERSION} AS agent_version,
    sessions.last_sequence AS sequence, sessions.open_turns
), started AS MATERIALIZED (
  SELECT given.turn_id, given.session_id AS id, given.tenant_id, agents.id AS agent_id,
    ${VERSION} AS agent_version, 1 AS sequence, 1 AS open_turns
  FROM admitted AS given JOIN agents ON agents.id = given.agent_id AND agents.tenant_id = given.tenant_id
  WHERE agents.deleted_at IS NULL AND ${HAS_VERSION}
), created AS (
  INSERT INTO sessions (id, tenant_id, agent_id, metadata, budget_micros, user_id, last_sequence, open_turns)
  SELECT started.id, started.tenant_id, started.agent_id, given.session_metadata, given.session_budget_micros,
    given.user_id, started.sequence, started.open_turns
  FROM started JOIN given USING (turn_id)
), session AS MATERIALIZED (
  SELECT session.*, given.priority, needs.pool, ${CODE_TOOLS} AS code_tools,
    session.open_turns = 1 AND given.run_at > now() IS NOT TRUE
      AND needs.pool = '${DEFAULT_POOL}' AND ${CODE_TOOLS} = '{}' AS is_plain_head
  FROM (SELECT * FROM joined UNION ALL SELECT * FROM started) AS session JOIN given USING (turn_id)
  ${needsOf('session.agent_id', 'session.agent_version')}
), slots AS MATERIALIZED (
  SELECT heads.tenant_id, slots.free, slots.queue FROM (
    SELECT tenant_id, count(*)::int AS turns FROM session WHERE is_plain_head AND ${MAY_DISPATCH}
    GROUP BY tenant_id ORDER BY tenant_id
  ) AS heads CROSS JOIN LATERAL turnpike_take_slots(heads.tenant_id, heads.turns) AS slots(free, queue)
), ranked AS MATERIALIZED (
  SELECT session.*, nullif(slots.queue, 'turns') AS queue, is_plain_head AND slots.free >= row_number() OVER (
      PARTITION BY session.tenant_id ORDER BY is_plain_head DESC, session.priority DESC, turn_id
    ) AS is_dispatched
  FROM session LEFT JOIN slots ON slots.tenant_id = session.tenant_id
), placed AS MATERIALIZED (
  SELECT ranked.*, CASE WHEN is_dispatched THEN clock_timestamp() END AS dispatched_at, workers.id AS worker_id
  FROM ranked JOIN given USING (turn_id)
  LEFT JOIN workers ON is_dispatched AND workers.id = given.worker_id AND ${isAlive('workers')}
    AND workers.queue = coalesce(ranked.queue, 'turns')
), turn AS (
  INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version,
                     pool, code_tools, message_count, ready_at, deadline_at, available_at,
                     dispatched_at, hinted_at, hint, queue, lost_leases, resumes, traceparent, batch_id,
                     ${[...SUBMITTED, ...MAYBE_CLAIMED.map(([column]) => column)].join(', ')})
  SELECT session.turn_id, session.tenant_id, session.id, session.sequence, session.agent_id,
         session.agent_version, session.pool, session.code_tools, (given.input IS NOT NULL)::int,
         CASE WHEN session.open_turns = 1 THEN now() END,
         greatest(now(), given.run_at) + given.deadline_ms * interval '1 millisecond',
         CASE WHEN given.run_at > now() THEN given.run_at END,
         session.dispatched_at, session.dispatched_at, (session.dispatched_at IS NOT NULL)::int, CASE WHEN session.is_dispatched THEN session.queue END,
         CASE WHEN session.worker_id IS NULL THEN 0 ELSE ${UNCONFIRMED} END, given.resumes, given.traceparent, given.batch_id,
         ${[...SUBMITTED.map((column) => `given.${column}`), ...MAYBE_CLAIMED.map(([, value]) => value)].join(', ')}
  FROM placed AS session JOIN given USING (turn_id)
  CROSS JOIN (SELECT ${Object.entries(UNCLAIMED)
    .map(([column, value]) => `${value} AS ${column}`)
    .join(', ')}) AS unclaimed
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
  UNION ALL
  ${claimEvents(`(
    SELECT turn.*, given.started_id, given.step_started_id FROM turn JOIN given ON given.turn_id = turn.id
    WHERE turn.worker_id IS NOT NULL
  )`)}
)${recording.cte}
SELECT given.turn_id AS "turnId", turn.id IS NOT NULL AS stored, turn.*, capacity.waiting, capacity.sessions,
  ${recording.body} AS "recordedBody",
  coalesce(given.key_refusal, capacity.refusal, 'unavailable') AS refusal
FROM capacity, given LEFT JOIN (
  SELECT ${TURN_COLUMNS}, turns.ready_at IS NOT NULL AND turns.available_at IS NULL AS "isHead",
    turns.worker_id IS NOT NULL AS "isHandedOver",
    CASE WHEN turns.dispatched_at IS NOT NULL AND turns.worker_id IS NULL
         THEN json_build_object('turnId', turns.id, 'epoch', turns.epoch, 'jobNumber', turns.hint,
                                'queue', turns.queue) END AS job
  FROM turn AS turns
) AS turn ON turn.id = given.turn_id ${recording.join}`;

/** The record of each key, with its response, in the statement that executes the request. */
const RECORDING = {
  cte: `, record AS (
  INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, headers, body, omitted, expires_at)
  SELECT given.tenant_id, given.route, given.key, decode(given.fingerprint, 'hex'), (given.response ->> 'status')::int,
    (given.response -> 'headers')::jsonb, ${filledBody(`(given.response ->> 'body')`)}, '{}',
    now() + ${KEPT_HOURS} * interval '1 hour'
  FROM turn JOIN given ON given.turn_id = turn.id WHERE given.key IS NOT NULL
  RETURNING tenant_id, route, key, body
)`,
  body: 'record.body',
  join: `LEFT JOIN record ON record.tenant_id = given.tenant_id AND record.route = given.route AND record.key = given.key`,
};

const outcomeSchema = z.discriminatedUnion('stored', [
  storedTurnSchema
    .extend({
      stored: z.literal(true),
      turnId: z.string(),
      waiting: z.int().nullable(),
      sessions: z.int().nullable(),
      isHead: z.boolean(),
      isHandedOver: z.boolean(),
      recordedBody: z.string().nullable(),
      job: dispatchedTurnSchema.nullable(),
    })
    .transform(
      ({ stored: _stored, turnId, waiting, sessions, isHead, isHandedOver, recordedBody, job, ...row }) => {
        // The response is the turn as it was accepted, whoever has it by then.
        const turn = asTurn({ ...row, status: 'queued', attempts: 0, startedAt: null });
        const counted = { waiting, sessions };
        return {
          turnId,
          outcome: { turn, isHead, isHandedOver, recordedBody, job, counted } satisfies AcceptedTurn,
        };
      },
    ),
  z
    .object({
      stored: z.literal(false),
      turnId: z.string(),
      refusal: z.enum(['queue_full', 'session_limit', 'key_used', 'key_in_use', 'unavailable']),
    })
    .transform(({ turnId, refusal }) => ({
      turnId,
      outcome: { turn: null, refusal } satisfies RefusedTurn,
    })),
]);

const INSERT = {
  name: 'insert-turns',
  text: textOf({ cte: '', body: 'NULL::text', join: '' }),
  row: outcomeSchema,
};
/** What has no keys is not made to set up the table of their records. */
const INSERT_WITH_RECORDS = {
  name: 'insert-turns-with-records',
  text: textOf(RECORDING),
  row: outcomeSchema,
};

/**
 * Stores one turn, in the transaction of `sql` where that is a client. Waits for the lock of the tenant's counts
 * where they are capped, but for no session: a caller that must not be refused for its lock locks it before.
 */
export async function insertTurn(sql: Sql, turn: NewTurn): Promise<InsertOutcome> {
  const [outcome = NOT_STORED] = await insertTurns(sql, [{ turn, request: null }]);
  return outcome;
}

/**
 * As `insertTurn`, of any number of sessions, one turn of each, with the records of their idempotency keys; with more
 * than one, none is counted. Their outcomes come in their order. `mayDispatch`: those that may run now are dispatched with their insert, where their tenant has
 * free slots. It holds the lock of the tenant's dispatch until the commit, so only a statement that is its own
 * transaction may.
 */
export async function insertTurns(
  sql: Sql,
  submissions: readonly Submission[],
  mayDispatch = false,
): Promise<InsertOutcome[]> {
  const [only] = submissions.length === 1 ? submissions : [];
  const caps = [only?.turn.mostWaiting ?? null, only?.turn.mostSessions ?? null];
  const hasKeys = submissions.some(({ request }) => request !== null);
  const statement = hasKeys ? INSERT_WITH_RECORDS : INSERT;
  const rows = await query(sql, statement, [...GIVEN.values(submissions), ...caps, mayDispatch]);
  const byTurn = new Map(rows.map(({ turnId, outcome }) => [turnId, outcome]));
  return submissions.map(({ turn }) => byTurn.get(turn.id) ?? NOT_STORED);
}

const LOCK = {
  name: 'lock-waiting',
  text: `SELECT turnpike_count_waiting($1, 0) AS waiting`,
  row: z.object({ waiting: z.int() }),
};

/** Locks what a tenant has waiting: before sessions and turns are locked by a transaction that will insert a turn with `mostWaiting`. */
export async function lockWaiting(sql: Sql, tenantId: string): Promise<void> {
  await query(sql, LOCK, [tenantId]);
}
