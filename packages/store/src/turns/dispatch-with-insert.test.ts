import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { acceptedResponse, agentConfigSchema, newId } from '@turnpike/contract';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { insertAgent } from '../agents/agents.ts';
import { createTenant } from '../tenants/tenants.ts';
import { claimTurn } from './claim-turn.ts';
import { dispatchTurns } from './dispatch-turns.ts';
import { insertTurn, insertTurns, type AcceptedTurn, type NewTurn } from './insert-turn.ts';
import { insertTurnInGroup } from './insert-turn-in-group.ts';
import { renewLeases } from './renew-leases.ts';

let database: TestDatabase;
let tenantId: string;
let agentId: string;

beforeAll(async () => {
  database = await openTestDatabase(8);
});
afterAll(() => database.close());
beforeEach(async () => {
  ({ tenantId, agentId } = await makeTenant());
  // A window of ten.
  await renewLeases(database.pool, [], 1_000, { id: 'w', concurrency: 40 });
});

async function makeTenant(): Promise<{ tenantId: string; agentId: string }> {
  const tenant = await createTenant(database, 'Acme');
  const agent = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agent, tenantId: tenant, name: 'a', metadata: {}, config });
  return { tenantId: tenant, agentId: agent };
}

const starting = (of = { tenantId, agentId }): NewTurn => ({
  ...newTurn(of.tenantId),
  agentId: of.agentId,
  takesJob: true,
});

/** Stores turns in one statement. */
async function store(turns: NewTurn[]): Promise<AcceptedTurn[]> {
  const outcomes = await insertTurns(
    database.pool,
    turns.map((turn) => ({ turn, request: null })),
    true,
  );
  return outcomes.flatMap((outcome) => (outcome.turn === null ? [] : [outcome]));
}

const jobsOf = (accepted: readonly AcceptedTurn[]): number =>
  accepted.filter(({ job }) => job !== null).length;

async function dispatchedTurns(): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM turns WHERE tenant_id = $1 AND dispatched_at IS NOT NULL',
    [tenantId],
  );
  return rows[0]?.count ?? 0;
}

test('a turn that overrides its tools needs the workers that have those, and no others', async () => {
  const id = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm', tools: [{ type: 'code', name: 'own' }] });
  await insertAgent(database.pool, { id, tenantId, name: 'a', metadata: {}, config });
  const turn = starting({ tenantId, agentId: id });
  const having = (names: string[]): NewTurn => {
    const tools = names.map((name) => ({ type: 'code' as const, name, requires_approval: false }));
    return { ...starting({ tenantId, agentId: id }), submitted: { overrides: { tools } } };
  };
  const [own, other, none] = [turn, having(['forecast', 'lookup']), having([])];
  const accepted = [...(await store([own])), ...(await store([other])), ...(await store([none]))];
  const { rows } = await database.pool.query<{ code_tools: string[] }>(
    'SELECT code_tools FROM turns WHERE tenant_id = $1 ORDER BY array_position($2, id)',
    [tenantId, [own.id, other.id, none.id]],
  );
  expect(rows.map((row) => row.code_tools)).toEqual([['own'], ['forecast', 'lookup'], []]);
  // Only the last one can run on every worker.
  expect(accepted.map(({ job }) => job !== null)).toEqual([false, false, true]);
});

test('a turn that may run is dispatched by the statement that stores it, and its job can be claimed once', async () => {
  const [accepted] = await store([starting()]);
  const job = accepted?.job ?? null;
  expect(job).toEqual({ turnId: accepted?.turn.id, epoch: 0, jobNumber: 1, queue: null });
  expect((await dispatchTurns(database.pool, [], [tenantId])).turns).toEqual([]);
  const claim = {
    turnId: job?.turnId ?? '',
    epoch: 0,
    from: ['queued'] as const,
    workerId: 'w',
    leaseMs: 60_000,
  };
  expect(await claimTurn(database.pool, claim)).not.toBeNull();
  expect(await claimTurn(database.pool, claim)).toBeNull();
});

test('a turn whose session is busy, or whose time has not come, is not dispatched with its insert', async () => {
  const [first] = await store([starting()]);
  const next = { ...newTurn(tenantId, first?.turn.session_id), takesJob: true };
  const later = { ...starting(), submitted: { run_at: new Date(Date.now() + 60_000).toISOString() } };
  const [busy, delayed] = [await store([next]), await store([later])];
  expect([busy, delayed].map(jobsOf)).toEqual([0, 0]);
  expect(await dispatchedTurns()).toBe(1);
});

test('turns that are stored at once by many, and dispatched at once by others, do not exceed the window together', async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, async (_, number) => {
      if (number % 2 === 0) return jobsOf(await store([starting()]));
      await insertTurn(database.pool, starting());
      return (await dispatchTurns(database.pool, [], [tenantId])).turns.length;
    }),
  );
  const jobs = outcomes.reduce((sum, count) => sum + count, 0);
  expect(jobs).toBeLessThanOrEqual(10);
  expect(await dispatchedTurns()).toBe(jobs);
  await dispatchTurns(database.pool, [], [tenantId]);
  expect(await dispatchedTurns()).toBe(10);
});

test('as many turns of a statement as their tenant has slots for are dispatched, by priority, and others are not affected', async () => {
  const other = await makeTenant();
  const urgent = { ...starting(), submitted: { priority: 5 } };
  const ours = [...Array.from({ length: 11 }, () => starting()), urgent];
  const stored = await store([...ours, starting(other), starting(other)]);
  const dispatched = stored.filter(({ job }) => job !== null).map(({ turn }) => turn);
  expect(dispatched.filter(({ agent_id: agent }) => agent === other.agentId)).toHaveLength(2);
  expect(dispatched.filter(({ agent_id: agent }) => agent === agentId)).toHaveLength(10);
  expect(dispatched.map(({ id }) => id)).toContain(urgent.id);
  expect((await dispatchTurns(database.pool, [], [tenantId])).turns).toEqual([]);
});

test('slots that turns of the tenant wait for already are left to those', async () => {
  for (let turn = 0; turn < 8; turn++) await insertTurn(database.pool, starting());
  expect(jobsOf(await store(Array.from({ length: 4 }, () => starting())))).toBe(2);
  expect((await dispatchTurns(database.pool, [], [tenantId])).turns).toHaveLength(8);
});

test('a turn of a tenant that is dispatched for just now is stored at once, and left to that dispatch', async () => {
  const blocker = await database.pool.connect();
  await blocker.query('BEGIN');
  await blocker.query(`SELECT pg_advisory_xact_lock(hashtextextended('turnpike.dispatch ' || $1, 0))`, [
    tenantId,
  ]);
  const stored = await store([starting()]);
  await blocker.query('ROLLBACK');
  blocker.release();
  expect(stored).toHaveLength(1);
  expect(jobsOf(stored)).toBe(0);
});

test('a turn that is stored with an idempotency key is dispatched with its insert too, and its response is recorded', async () => {
  const request = { tenantId, route: 'r', key: 'k', fingerprint: Buffer.alloc(32) };
  const submitted = {
    metadata: { b: 'x', a: '1' },
    priority: 3,
    budget_micros: 5_000_000,
    run_at: '2026-01-02T03:04:05.6789Z',
  };
  const [keyed, plain] = await Promise.all([
    insertTurnInGroup(database.pool, { ...starting(), submitted }, request),
    insertTurnInGroup(database.pool, starting(), null),
  ]);
  expect([keyed, plain]).toMatchObject([{ job: { epoch: 0 } }, { job: { epoch: 0 }, recordedBody: null }]);
  if (keyed.turn === null) throw new Error('It was not stored.');
  const { rows } = await database.pool.query(
    'SELECT status, headers, body FROM idempotency_records WHERE tenant_id = $1',
    [tenantId],
  );
  expect(rows).toEqual([{ ...acceptedResponse(keyed.turn), body: keyed.recordedBody }]);
  // Its fields are those of the stored turn, in the same order; only metadata has its own.
  const recorded = JSON.parse(keyed.recordedBody ?? '') as Record<string, unknown>;
  expect(JSON.stringify({ ...recorded, metadata: keyed.turn.metadata })).toBe(JSON.stringify(keyed.turn));
  expect(recorded['metadata']).toEqual(keyed.turn.metadata);
  expect(await insertTurnInGroup(database.pool, starting(), request)).toEqual({
    turn: null,
    refusal: 'key_used',
  });
});
