import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { agentConfigSchema, newId, type Advance } from '@turnpike/contract';
import type pg from 'pg';
import { z } from 'zod';
import { modelStep } from '../../../../tests/support/model-step.ts';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { insertTurnInGroup } from '../turns/insert-turn-in-group.ts';
import type { NewTurn } from '../turns/insert-turn.ts';
import { advanceTurn } from '../turns/advance-turn.ts';
import { insertAgent } from '../agents/agents.ts';
import { reissueJobs, takeUncheckedTurns } from '../turns/reissue-jobs.ts';
import { claimTurn } from '../turns/claim-turn.ts';
import { openDatabase, type Database } from './database.ts';
import { dispatchTurns } from '../turns/dispatch-turns.ts';
import { expireLeases } from '../turns/expire-leases.ts';
import { expireActions, expireDeadlines } from '../turns/expire-waits.ts';
import { findReadyTenants, findUnreadySessions } from '../turns/find-waiting.ts';
import { purgeIdempotencyRecords } from '../idempotency/idempotency.ts';
import {
  pickWaitingDeliveries,
  takeFreshDeliveries,
  takeUncheckedDeliveries,
} from '../deliveries/pick-deliveries.ts';
import { reserveCost } from '../budgets/reserve-cost.ts';
import { findOrphans, findOrphansOf } from '../children/find-orphans.ts';
import { parkParent } from '../children/park-parent.ts';
import { readChildren } from '../children/read-children.ts';
import { startChildren } from '../children/start-children.ts';
import { tellAncestors } from '../children/tell-ancestors.ts';
import { findParentsToWake, readParents, wakeParents } from '../children/wake-parents.ts';
import { cancelTurn } from '../turns/cancel-turns.ts';
import { lookForDeliveries } from '../deliveries/look-for-deliveries.ts';
import { lookForWork } from '../turns/look-for-work.ts';
import { listTurns } from '../turns/read-turns.ts';
import { listSessions } from '../sessions/sessions.ts';
import { endOutage, probeOutages } from '../turns/probe-outages.ts';
import { promoteDelayed } from '../turns/promote-delayed.ts';
import { purge, PURGEABLE } from '../retention/purge.ts';
import { renewLeases } from '../turns/renew-leases.ts';
import { createTenant } from '../tenants/tenants.ts';
import { keepBuilds } from '../workers/announce-build.ts';
import { offerElsewhere, putAside, takeBackUnconsumed, takeUp } from '../workers/stranded-turns.ts';

/** Tables that grow with every turn: reading them needs an index. */
const GROWING = [
  'turns',
  'sessions',
  'messages',
  'events',
  'steps',
  'tool_calls',
  'ledger_entries',
  'summaries',
  'turn_labels',
  'session_labels',
  'idempotency_records',
];
const STORED = 5_000;

/** A pool of one connection that reports the plan of every statement, also of those inside functions. */
let told: Database;
let pool: pg.Pool;
let drop: () => Promise<void>;
let tenantId: string;
let agentId: string;
const plans: unknown[] = [];

beforeAll(async () => {
  const made = await createTestDatabase();
  drop = made.drop;
  const open = (poolSize: number): Database =>
    openDatabase({ url: made.url, poolSize, applicationName: 'test', onError: () => undefined });
  const database = open(2);
  tenantId = await createTenant(database, 'Acme');
  agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  await grow(database.pool);
  const { rows } = await database.pool.query<{ name: string }>(
    `SELECT relname AS name FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indpred IS NOT NULL`,
  );
  partial = new Set(rows.map(({ name }) => name));
  await database.close();
  told = open(1);
  ({ pool } = told);
  const client = await pool.connect();
  client.on('notice', ({ message = '' }) => {
    const start = message.indexOf('{');
    if (message.includes('plan:') && start >= 0) plans.push(JSON.parse(message.slice(start)));
  });
  await client.query(`LOAD 'auto_explain'`);
  await client.query(`
    SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on;
    SET auto_explain.log_format = json; SET client_min_messages = log`);
  client.release();
});
afterAll(async () => {
  await told.close();
  await drop();
});

/**
 * Turns that have ended, each with everything a turn leaves behind. One session of a hundred belongs to our
 * tenant.
 */
async function grow(sql: pg.Pool): Promise<void> {
  await sql.query(
    `INSERT INTO sessions (id, tenant_id, agent_id, last_sequence)
     SELECT 's' || n, CASE WHEN n % 100 = 0 THEN $1 ELSE 'ten_other' END, $2, 10
     FROM generate_series(0, $3::int * 4) AS n`,
    [tenantId, agentId, STORED],
  );
  await sql.query(
    `INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, status, stop_reason,
                        message_count, event_count, step_count, started_at, finished_at, deadline_at)
     SELECT 't' || n, tenant_id, sessions.id, n % 10 + 1, $1, 1, 'completed', 'end_turn', 2, 1, 1, now(), now(), now()
     FROM generate_series(0, $2::int - 1) AS n JOIN sessions ON sessions.id = 's' || n / 10`,
    [agentId, STORED],
  );
  await sql.query(
    `INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
     SELECT id, place, id || '_' || place, tenant_id, session_id, sequence, 'user', '[]'
     FROM turns, generate_series(0, 1) AS place`,
  );
  await sql.query(
    `INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
     SELECT id, 1, id || '_e', tenant_id, 'step.completed', '{}' FROM turns`,
  );
  await sql.query(
    `INSERT INTO steps (turn_id, index, id, tenant_id, type, input_tokens, output_tokens,
                        cache_creation_input_tokens, cache_read_input_tokens, attempts, epoch, started_at)
     SELECT id, 0, id || '_s', tenant_id, 'model_call', 1, 1, 0, 0, 1, 1, now() FROM turns`,
  );
  await sql.query(
    `INSERT INTO tool_calls (id, tenant_id, turn_id, step_index, position, tool_use_id, name, input, effect, status,
                             output, completed_at, started_at)
     SELECT id || '_c', tenant_id, id, 0, 0, 'toolu', 'tool', '{}', 'read', 'completed', '[]', now(), now() FROM turns`,
  );
  await sql.query(
    `INSERT INTO summaries (session_id, through_sequence, tenant_id, turn_id, step_index, content)
     SELECT session_id, sequence, tenant_id, id, 0, 'Short.' FROM turns`,
  );
  await sql.query(
    `INSERT INTO ledger_entries (step_id, tenant_id, session_id, turn_id, agent_id, model, input_tokens, output_tokens,
                                 cache_creation_input_tokens, cache_read_input_tokens, cost_micros, counted)
     SELECT id || '_s', tenant_id, session_id, id, agent_id, 'm', 1, 1, 0, 0, 1, true FROM turns`,
  );
  await sql.query(
    `INSERT INTO turn_labels (turn_id, key, tenant_id, value)
     SELECT id, 'customer', tenant_id, 'c' || sequence FROM turns`,
  );
  await sql.query(
    `INSERT INTO session_labels (session_id, key, tenant_id, value)
     SELECT id, 'customer', tenant_id, 'c' || length(id) FROM sessions`,
  );
  await sql.query('VACUUM ANALYZE');
}

const planSchema = z.looseObject({
  'Node Type': z.string(),
  'Relation Name': z.string().optional(),
  'Index Name': z.string().optional(),
  'Index Cond': z.string().optional(),
  get Plans() {
    return z.array(planSchema).optional();
  },
});
const explainedSchema = z.looseObject({ 'Query Text': z.string(), Plan: planSchema });

/**
 * Partial indexes: such as of waiting or running turns. Reading all of one is reading what there is to do.
 */
let partial: Set<string>;

/** The whole reads of tables that grow, directly or through an index, with their statements. */
function wholeReads(explained: unknown): string[] {
  const { 'Query Text': text, Plan: root } = explainedSchema.parse(explained);
  const walk = (plan: z.infer<typeof planSchema>): string[] => {
    const table = plan['Relation Name'] ?? '';
    const index = plan['Index Name'];
    const isNarrowed = index !== undefined && (plan['Index Cond'] !== undefined || partial.has(index));
    const isWhole = GROWING.includes(table) && plan['Node Type'].endsWith('Scan') && !isNarrowed;
    return [
      ...(isWhole ? [`${table}: ${text.trim().slice(0, 200)}`] : []),
      ...(plan.Plans ?? []).flatMap(walk),
    ];
  };
  return walk(root);
}

const countedTurn = (sessionId: string): NewTurn => ({
  ...newTurn(tenantId, sessionId),
  mostWaiting: 10_000,
});

const response = (): Advance => ({
  step: modelStep(),
  messages: [{ role: 'assistant', content: [{ type: 'text', text: 'Done.' }] }],
  events: [{ id: newId('event'), type: 'turn.completed', payload: {} }],
  outcome: { status: 'completed', stopReason: 'end_turn', output: [], error: null },
});

test('no statement on the way of a turn reads the whole of a table that grows', async () => {
  // Repeated until Postgres keeps one generic plan for a prepared statement.
  for (let round = 0; round < 8; round++) {
    const starting = { ...countedTurn(newId('session')), agentId, mostSessions: 1_000_000 };
    // One counted and alone, one in a group, with an idempotency key.
    const counted = countedTurn(`s${round * 100}`);
    const grouped = newTurn(tenantId, `s${(round + 10) * 100}`);
    const request = { tenantId, route: 'r', key: `k${round}`, fingerprint: Buffer.alloc(32) };
    const turns = [
      await insertTurnInGroup(pool, starting, null),
      await insertTurnInGroup(pool, counted, null),
      await insertTurnInGroup(pool, grouped, request),
    ];
    const sessions = turns.flatMap(({ turn }) => turn?.session_id ?? []);
    const { turns: jobs } = await dispatchTurns(pool, sessions, [tenantId]);
    expect(jobs).toHaveLength(3);
    for (const { turnId, epoch } of jobs) {
      const claim = { turnId, epoch, from: ['queued'] as const, workerId: 'w', leaseMs: 60_000 };
      const claimed = await claimTurn(pool, claim);
      if (claimed === null) throw new Error('The turn was not claimed.');
      const lease = { turnId, epoch: claimed.epoch };
      const held = await renewLeases(pool, [lease], 60_000, { id: 'w', concurrency: 10 });
      expect(held.size).toBe(1);
      const fence = { ...lease, from: ['in_progress' as const], eventCount: claimed.eventCount };
      expect(await advanceTurn(pool, fence, response())).toMatchObject({ status: 'completed' });
    }
  }
  expect(plans.flatMap(wholeReads)).toEqual([]);
  // To plan this one takes longer than to run it: it is planned once, for all values.
  const { rows } = await pool.query(
    `SELECT custom_plans::int AS custom FROM pg_prepared_statements WHERE name = 'insert-turns'`,
  );
  expect(rows).toEqual([{ custom: 0 }]);
  // The plans were told, those inside of functions too.
  const texts = plans.map((plan) => explainedSchema.parse(plan)['Query Text']).join('\n');
  expect(texts).toContain('SET dispatched_at = clock_timestamp()');
});

test('no statement on the way of child turns reads the whole of a table that grows', async () => {
  plans.length = 0;
  for (let round = 0; round < 8; round++) {
    const parent = { ...newTurn(tenantId), agentId, sessionBudgetMicros: 1_000 };
    await insertTurnInGroup(pool, parent, null);
    await dispatchTurns(pool, [], [tenantId]);
    const claim = { turnId: parent.id, epoch: 0, from: ['queued'] as const, workerId: 'w', leaseMs: 60_000 };
    const claimed = await claimTurn(pool, claim);
    const { id: turnId, sessionId, epoch } = claimed ?? raise();
    const lease = { turnId, sessionId, epoch, traceparent: null };
    const calls = [1, 2].map(() => ({ toolCallId: newId('toolCall'), agentId, input: [] }));
    const outcome = await startChildren(pool, lease, calls, { max_child_depth: 5, max_child_turns: 100 });
    const children =
      outcome.of === 'started' ? outcome.children.map(({ childTurnId }) => childTurnId ?? '') : [];
    expect(children).toHaveLength(2);
    expect(await reserveCost(pool, { turnId, epoch }, { micros: 10, tokens: 10 })).toBe('granted');
    expect(await parkParent(pool, lease)).toBe('parked');
    await dispatchTurns(pool, [], [tenantId]);
    for (const child of children) {
      const held = await claimTurn(pool, { ...claim, turnId: child });
      expect(held?.isBudgeted).toBe(true);
      const of = { turnId: child, epoch: held?.epoch ?? 0 };
      expect(await reserveCost(pool, of, { micros: 10, tokens: 10 })).toBe('granted');
      await findOrphansOf(pool, [turnId]);
      const fence = { ...of, from: ['in_progress' as const], eventCount: held?.eventCount ?? 0 };
      expect(await advanceTurn(pool, fence, response())).toMatchObject({ status: 'completed' });
    }
    expect(await readParents(pool, children)).toEqual([turnId]);
    expect(await wakeParents(pool, [turnId], { waits: round % 2 === 0 })).toHaveLength(1);
    expect(await readChildren(pool, tenantId, children)).toHaveLength(2);
    await cancelTurn(pool, tenantId, turnId, ['queued']);
  }
  expect(plans.flatMap(wholeReads)).toEqual([]);
});

function raise(): never {
  throw new Error('The turn was not claimed.');
}

test('no pass of the reconciler reads the whole of a table that grows', async () => {
  plans.length = 0;
  for (let round = 0; round < 8; round++) {
    await lookForWork(pool, { jobAgeMs: 1_000, eventRetentionDays: 30 });
    await lookForDeliveries(pool, { jobAgeMs: 1_000, giveUpAfterMs: 1_000 });
    await expireLeases(pool, { limit: 50, maxLostLeases: 5 });
    await expireActions(pool, 50);
    await expireDeadlines(pool, 50);
    await promoteDelayed(pool, 1_000);
    await probeOutages(pool, 200, 5_000);
    await endOutage(pool, { tenantId, id: 'o' }, 10);
    await findReadyTenants(pool, '', 200);
    await findUnreadySessions(pool, '', 200);
    await takeUncheckedTurns(pool, { limit: 200, olderThanMs: 5_000 });
    await takeBackUnconsumed(pool, 200);
    await offerElsewhere(pool, [{ turnId: `t${round}`, epoch: 1, jobNumber: 1 }]);
    await putAside(pool, 1_000, 10_000);
    await takeUp(pool, 1_000);
    await keepBuilds(pool, 200);
    await reissueJobs(pool, [{ turnId: `t${round}`, epoch: 1, jobNumber: 1 }]);
    await pickWaitingDeliveries(pool, { limit: 100, window: 10, probeMs: 1_000 });
    await takeFreshDeliveries(pool, { limit: 100, window: 10 });
    await findOrphans(pool, '', 1_000);
    await findParentsToWake(pool, '', 1_000);
    await tellAncestors(pool, [`t${round}`]);
  }
  expect(plans.length).toBeGreaterThan(50);
  expect(plans.flatMap(wholeReads)).toEqual([]);
});

test('no list of turns or sessions reads the whole of a table that grows, whatever its filters', async () => {
  plans.length = 0;
  const metadata = { customer: 'c1' };
  const range = { createdAfter: new Date(0), createdBefore: new Date() };
  const statuses = ['queued', 'failed'] as const;
  for (let round = 0; round < 8; round++) {
    const page = { cursor: newId('turn'), limit: 21 };
    for (const filter of [
      {},
      { statuses, ...range },
      { metadata, statuses, ...range },
      { metadata, sessionId: 's100' },
      { metadata, statuses, parentTurnId: 't1' },
    ])
      await listTurns(pool, tenantId, page, filter);
    for (const filter of [{}, range, { metadata, ...range }])
      await listSessions(pool, tenantId, { cursor: newId('session'), limit: 21 }, filter);
  }
  expect(plans).toHaveLength(8 * 8);
  expect(plans.flatMap(wholeReads)).toEqual([]);
  expect(JSON.stringify(plans)).toContain('turn_labels_tenant_id_key_value_turn_id_idx');
  expect(JSON.stringify(plans)).toContain('session_labels_tenant_id_key_value_session_id_idx');
});

test('no purge reads the whole of a table that grows', async () => {
  plans.length = 0;
  await pool.query(`UPDATE turns SET finished_at = now() - interval '9 days' WHERE id < 't2'`);
  plans.length = 0;
  let deleted = 0;
  for (let round = 0; round < 8; round++)
    for (const kind of PURGEABLE)
      for (const whose of [null, tenantId])
        deleted += (await purge(told, kind, { tenantId: whose, after: `s${round}`, keptDays: 5, limit: 20 }))
          .deleted;
  expect(deleted).toBeGreaterThan(0);
  expect(plans.length).toBeGreaterThan(50);
  expect(plans.flatMap(wholeReads)).toEqual([]);
});

test('a limit holds even if the plan was made while the table was small', async () => {
  // `pool` is one connection, so the statements are prepared here and used below.
  const take = () =>
    Promise.all([
      purgeIdempotencyRecords(pool, 10),
      takeUncheckedDeliveries(pool, { limit: 10, olderThanMs: 5_000 }),
    ]);
  for (let round = 0; round < 8; round++) await take();
  await pool.query(
    `INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, headers, body, expires_at)
     SELECT $1, 'POST /', 'k' || n, '', 202, '{}', '', now() - interval '1 hour' FROM generate_series(1, 2000) AS n`,
    [tenantId],
  );
  await pool.query(
    `INSERT INTO deliveries (id, tenant_id, url, lane, event_id, type, payload, hinted_at)
     SELECT 'd' || n, $1, 'https://example.com', 'lane', 'e' || n, 'turn.completed', '{}', now() - interval '1 hour'
     FROM generate_series(1, 2000) AS n`,
    [tenantId],
  );
  const [purged, taken] = await take();
  expect([purged, taken.length]).toEqual([10, 10]);
});
