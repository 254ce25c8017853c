import {
  agentConfigSchema,
  awaitingSchema,
  contentBlockSchema,
  effectSchema,
  metadataSchema,
  modelAuthSchema,
  newId,
  onUnknownSchema,
  overriddenFields,
  overrideAgent,
  questionSchema,
  refusedBlockSchema,
  toolCallStatusSchema,
  toolConfigSchema,
  toolStepSchema,
  turnOverridesSchema,
  turnStatusSchema,
} from '@turnpike/contract';
import type { ClaimedTurn, TurnStatus } from '@turnpike/contract';
import pg from 'pg';
import { z } from 'zod';
import { GroupCommit, perPool } from '../database/group-commit.ts';
import { claimColumns, claimEvents } from './claim-columns.ts';
import { waitsForDispatch } from './dispatch-turns.ts';
import { parameterRows } from '../database/parameter-rows.ts';
import { jsonObject, selectList } from '../database/select-list.ts';
import { arrayLiteral, canRun, PLAIN, type Capability } from '../workers/capability.ts';
import { isBudgeted } from '../budgets/reserve-cost.ts';
import { isTimeout, queryInOrder, StoreUnavailableError, type Sql, type UnreadRow } from '../database/sql.ts';

/** A turn that was just claimed. */
export interface LeasedTurn extends ClaimedTurn {
  /** Its tenant has ready turns that are not dispatched, so a free slot should be given on soon. */
  othersReady: boolean;
  /** When it could have run at the earliest, by the database's clock; as `claimedAt`. */
  acceptedAt: number;
  /** W3C trace context of the request that submitted it, if requests are traced. */
  traceparent: string | null;
  /** The fields of its agent that it overrides; `agent` has them. */
  overridden: string[];
}

const messageSchema = z.object({
  id: z.string(),
  turnSequence: z.int(),
  index: z.int(),
  role: z.enum(['user', 'assistant']),
  content: z.array(contentBlockSchema),
  partial: z.boolean(),
  refused: z.array(refusedBlockSchema),
  container: z
    .object({ id: z.string().nullable() })
    .nullable()
    .transform((container) => container ?? undefined),
  model: z
    .string()
    .nullable()
    .transform((model) => model ?? undefined),
});

const toolCallSchema = z.object({
  id: z.string(),
  toolUseId: z.string(),
  name: z.string(),
  input: z.unknown(),
  inputText: z.string().nullable(),
  effect: effectSchema,
  onUnknown: onUnknownSchema,
  acceptedBy: z.string().nullable(),
  status: toolCallStatusSchema,
  awaiting: awaitingSchema.nullable(),
  question: questionSchema.nullable(),
  output: z.array(contentBlockSchema).nullable(),
  isError: z.boolean(),
  attempts: z.int(),
  steps: z.array(toolStepSchema),
  childTurnId: z.string().nullable(),
});

const claimedSchema = z.object({
  id: z.string(),
  tenantId: z.string(),
  sessionId: z.string(),
  sequence: z.int(),
  agentId: z.string(),
  agentVersion: z.int(),
  parentTurnId: z.string().nullable(),
  epoch: z.int(),
  attempts: z.int(),
  status: turnStatusSchema,
  agent: agentConfigSchema,
  overrides: turnOverridesSchema.nullable(),
  tools: z.array(
    z.object({
      name: z.string(),
      config: toolConfigSchema,
      signingSecret: z.object({
        name: z.string(),
        field: z.string(),
        version: z.int(),
        envelope: z.string(),
      }),
    }),
  ),
  modelAccess: z.object({
    keys: z.array(z.string()),
    baseUrl: z.string().nullable(),
    auth: modelAuthSchema,
    operatorKey: z.boolean(),
  }),
  claimedAt: z.number(),
  remainingMs: z.number(),
  stepCount: z.int(),
  modelAttempts: z.int(),
  eventCount: z.int(),
  modelCallCount: z.int(),
  lastStopReason: z.string().nullable(),
  pauseCount: z.int(),
  summary: z.string().nullable(),
  history: z.array(messageSchema),
  messages: z.array(messageSchema),
  openToolCalls: z.array(toolCallSchema),
  pendingInputs: z.int(),
  othersReady: z.boolean(),
  acceptedAt: z.number(),
  traceparent: z.string().nullable(),
  metadata: metadataSchema,
  sessionMetadata: metadataSchema,
  isBudgeted: z.boolean(),
  outage: z.string().nullable(),
}) satisfies z.ZodType<Omit<LeasedTurn, 'overridden'>>;

export interface Claim {
  turnId: string;
  epoch: number;
  /** The statuses that may be claimed. */
  from: readonly TurnStatus[];
  workerId: string;
  leaseMs: number;
  /** What the worker can run. Default: `PLAIN`. */
  runs?: Capability;
}

const CLAIMS = parameterRows<Claim>('given', {
  turn_id: ['text', ({ turnId }) => turnId],
  epoch: ['int', ({ epoch }) => epoch],
  worker_id: ['text', ({ workerId }) => workerId],
  lease_ms: ['double precision', ({ leaseMs }) => leaseMs],
  pool: ['text', ({ runs = PLAIN }) => runs.pool],
  code_tools: ['text', ({ runs = PLAIN }) => arrayLiteral(runs.codeTools)],
  started_id: ['text', () => newId('event')],
  step_started_id: ['text', () => newId('event')],
});

const GIVEN = `
WITH given AS MATERIALIZED (SELECT * FROM ${CLAIMS.from})`;

const CLAIMABLE = `turns.id = given.turn_id AND turns.epoch = given.epoch AND turns.status = ANY ($${CLAIMS.next})
    AND turns.dispatched_at IS NOT NULL AND ${canRun('turns', 'given.pool', 'given.code_tools::text[]')}`;

/**
 * A group skips locked turns: waiting would hold the rows of its other turns, and two groups could deadlock.
 */
const LOCK_FREE = `, free AS MATERIALIZED (
  SELECT turns.id FROM given JOIN turns ON ${CLAIMABLE} FOR NO KEY UPDATE OF turns SKIP LOCKED
)`;

/*
 * Invariants:
 * - A claim succeeds at most once for an epoch. It raises the epoch, so an earlier holder can write nothing more. Time
 *   is the database's.
 * - A turn is claimed only by a worker of its pool that has all its tools in code, whatever the queue held.
 * - A claim ends a hand-over (`UNCONFIRMED`): its worker has the turn, so it is lost where its lease ends.
 *
 * The same statement reads the journal. Its snapshot is sound: a turn that qualifies was `queued` at this
 * epoch in the snapshot, and nothing writes to the journal of a queued turn. Input that joins a turn is in
 * its row, which is the locked one.
 */
const take = (of: 'all' | 'free'): string => `, turn AS (
  UPDATE turns
  SET ${Object.entries(claimColumns('turns', 'given.worker_id', 'given.lease_ms'))
    .map(([column, value]) => `${column} = ${value}`)
    .join(', ')},
      lost_leases = greatest(turns.lost_leases, 0),
      reserved_micros = 0, reserved_tokens = 0, waits_for_children = false, waiting_for = NULL
  FROM given
  WHERE ${CLAIMABLE}${of === 'free' ? ' AND turns.id IN (SELECT id FROM free)' : ''}
  RETURNING turns.*, given.started_id, given.step_started_id
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  ${claimEvents('turn')}
)`;

/** Where a message is read as it is stored, and where without images that are too old to be sent. */
const messageWith = (content: string): string =>
  jsonObject(messageSchema, 'messages', {
    content,
    model: `(
    SELECT coalesce(said.overrides ->> 'model', version.config ->> 'model') FROM turns AS said
    JOIN agent_versions AS version ON version.agent_id = said.agent_id AND version.version = said.agent_version
    WHERE said.id = messages.turn_id AND messages.role = 'assistant')`,
  });

const MESSAGE = messageWith('messages.content');

/*
 * A request carries 24 million characters of images and documents, the newest (media.ts of packages/model). The text of
 * a session fits the model's window, which is a few megabytes, so of messages that have twice that after them nothing
 * but text is sent. Sizes are those on disk: to learn them, Postgres reads none of the contents.
 */
const MOST_MEDIA_BYTES = 48_000_000;

const PAST_MESSAGE = messageWith(
  `CASE WHEN messages.bytes_after > ${MOST_MEDIA_BYTES} THEN coalesce(messages.content_without_media, messages.content)
        ELSE messages.content END`,
);

const TOOL_CALL = jsonObject(toolCallSchema, 'tool_calls', {
  steps: `(
    SELECT coalesce(json_agg(${jsonObject(toolStepSchema, 'tool_steps')} ORDER BY tool_steps.started_at), '[]')
    FROM tool_steps WHERE tool_steps.tool_call_id = tool_calls.id)`,
});

const milliseconds = (interval: string): string =>
  `(extract(epoch FROM ${interval}) * 1000)::double precision`;

/** What a turn's steps and the calls of its newest step tell: nothing is looked up for a turn that begins. */
const ifBegun = (value: string, otherwise: string): string =>
  `CASE WHEN turn.step_count > 0 THEN ${value} ELSE ${otherwise} END`;

/** What a worker that holds the turns of a CTE `turn` needs to run them, as `claimedSchema` reads it; and `more` of each. */
export const readClaimed = (more = ''): string => `
SELECT ${more}${selectList(claimedSchema, 'turn', {
  agent: 'agent_versions.config',
  tools: `(
    SELECT coalesce(json_agg(json_build_object('name', tools.name, 'config', tools.config, 'signingSecret',
                      json_build_object('name', tools.id, 'field', 'signing_secret', 'version', tools.signing_version,
                                        'envelope', tools.signing_envelope))), '[]')
    FROM jsonb_array_elements(coalesce(turn.overrides -> 'tools', agent_versions.config -> 'tools')) AS given(tool)
    JOIN tools ON tools.tenant_id = turn.tenant_id AND tools.name = given.tool ->> 'name'
    WHERE given.tool ->> 'type' = 'http')`,
  modelAccess: `(
    SELECT json_build_object('keys', coalesce(model_settings.keys, '{}'), 'baseUrl', model_settings.base_url,
                             'auth', coalesce(model_settings.auth, 'x-api-key'), 'operatorKey', tenants.operator_key)
    FROM tenants LEFT JOIN model_settings ON model_settings.tenant_id = tenants.id
    WHERE tenants.id = turn.tenant_id)`,
  claimedAt: milliseconds('now()'),
  acceptedAt: milliseconds('greatest(turn.created_at, turn.run_at)'),
  remainingMs: milliseconds('turn.deadline_at - now()'),
  modelCallCount: ifBegun(
    `(SELECT count(*)::int FROM steps WHERE steps.turn_id = turn.id AND steps.type = 'model_call')`,
    '0',
  ),
  lastStopReason: ifBegun(
    `(
    SELECT steps.stop_reason FROM steps WHERE steps.turn_id = turn.id AND steps.type = 'model_call'
    ORDER BY steps.index DESC LIMIT 1)`,
    'NULL',
  ),
  pauseCount: ifBegun(
    `(
    SELECT count(*)::int FROM steps WHERE steps.turn_id = turn.id AND steps.index > coalesce(
      (SELECT max(other.index) FROM steps AS other
       WHERE other.turn_id = turn.id AND other.stop_reason IS DISTINCT FROM 'pause_turn'), -1))`,
    '0',
  ),
  summary: 'summary.content',
  history: `CASE WHEN turn.sequence > 1 THEN (
    SELECT coalesce(json_agg(${PAST_MESSAGE} ORDER BY messages.turn_sequence, messages.index), '[]')
    FROM (
      SELECT messages.*, sum(pg_column_size(messages.content)) OVER newer - pg_column_size(messages.content) AS bytes_after
      FROM messages
      WHERE messages.session_id = turn.session_id AND messages.turn_sequence < turn.sequence
        AND messages.turn_sequence > coalesce(summary.through_sequence, 0)
        AND NOT EXISTS (SELECT 1 FROM turns AS rolled_back
                        WHERE rolled_back.session_id = turn.session_id AND rolled_back.rolled_back
                          AND rolled_back.sequence = messages.turn_sequence)
      WINDOW newer AS (ORDER BY messages.turn_sequence DESC, messages.index DESC)
    ) AS messages) ELSE '[]' END`,
  messages: `(
    SELECT coalesce(json_agg(${MESSAGE} ORDER BY messages.index), '[]')
    FROM messages WHERE messages.turn_id = turn.id)`,
  openToolCalls: ifBegun(
    `(
    SELECT coalesce(json_agg(${TOOL_CALL} ORDER BY tool_calls.position), '[]')
    FROM tool_calls WHERE tool_calls.turn_id = turn.id AND tool_calls.step_index = turn.step_count - 1)`,
    `'[]'`,
  ),
  sessionMetadata: `(SELECT sessions.metadata FROM sessions WHERE sessions.id = turn.session_id)`,
  pendingInputs: 'jsonb_array_length(turn.pending_inputs)',
  othersReady: waitsForDispatch('turn'),
  isBudgeted: isBudgeted('turn'),
})}
FROM turn JOIN agent_versions ON agent_versions.agent_id = turn.agent_id AND agent_versions.version = turn.agent_version
LEFT JOIN LATERAL (
  SELECT summaries.through_sequence, summaries.content FROM summaries
  WHERE turn.sequence > 1 AND summaries.session_id = turn.session_id AND summaries.through_sequence < turn.sequence
  ORDER BY summaries.through_sequence DESC LIMIT 1
) AS summary ON true`;

const CLAIM = { name: 'claim-turn', text: GIVEN + take('all') + readClaimed() };
const CLAIM_FREE = { name: 'claim-turns', text: GIVEN + LOCK_FREE + take('free') + readClaimed() };

/**
 * Claims a turn for `leaseMs`. Null if the job is stale: the turn has moved on, or another worker was first; and if
 * this worker cannot run the turn (`takeBackTurn`).
 * If `sql` is the pool, the claim shares a statement with others that arrive meanwhile.
 */
export async function claimTurn(sql: Sql, claim: Claim): Promise<LeasedTurn | null> {
  const shared = sql instanceof pg.Pool ? await claimInGroup(sql, claim) : null;
  // A claim that its group skipped is tried alone: it waits for the lock, or learns that the job is stale.
  const row = shared ?? (await claimAll(sql, CLAIM, [claim]))[0];
  return row == null ? null : leasedTurn(row);
}

/** The one place where a turn's overrides meet the version of its agent. */
export function leasedTurn(row: UnreadRow): LeasedTurn {
  const { overrides, ...turn } = claimedSchema.parse(row);
  return { ...turn, agent: overrideAgent(turn.agent, overrides), overridden: overriddenFields(overrides) };
}

/** Null also if the group timed out: one of its turns may be the slow one, so each is claimed alone. */
async function claimInGroup(pool: pg.Pool, claim: Claim): Promise<UnreadRow | null> {
  try {
    return await groupOf(pool).add(claim, BYTES);
  } catch (error) {
    if (error instanceof StoreUnavailableError && isTimeout(error.cause)) return null;
    throw error;
  }
}

/** Each may return the whole history of its session. */
const MOST_TOGETHER = 16;
/** A claim is small, however much it returns. */
const BYTES = 200;

const groupOf = perPool(
  (pool) =>
    new GroupCommit({
      write: (claims: readonly Claim[]) => claimAll(pool, CLAIM_FREE, claims),
      keyOf: ({ turnId }) => turnId,
      mostItems: MOST_TOGETHER,
    }),
);

/**
 * The claimed rows in the order of `claims`, null for each that was not claimed. All have the same `from`.
 */
function claimAll(
  sql: Sql,
  statement: typeof CLAIM,
  claims: readonly Claim[],
): Promise<(UnreadRow | null)[]> {
  const values = [...CLAIMS.values(claims), claims[0]?.from ?? []];
  return queryInOrder(
    sql,
    statement,
    values,
    claims.map(({ turnId }) => turnId),
  );
}
