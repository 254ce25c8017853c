import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { agentConfigSchema, newId, type TurnStatus } from '@turnpike/contract';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { insertAgent } from '../agents/agents.ts';
import { createTenant } from '../tenants/tenants.ts';
import { removeWorker } from '../workers/workers.ts';
import { claimTurn } from './claim-turn.ts';
import { dispatchTurns } from './dispatch-turns.ts';
import { expireLeases } from './expire-leases.ts';
import { giveBackTurn, readHandedTurn, type HandedTurn } from './hand-over.ts';
import { insertTurns, type AcceptedTurn, type NewTurn } from './insert-turn.ts';
import { releaseTurn } from './release-turn.ts';
import { renewLeases } from './renew-leases.ts';

let database: TestDatabase;
let tenantId: string;
let agentId: string;

const WORKER = { id: 'w', concurrency: 40 };
const HANDED = { epoch: 1, workerId: WORKER.id };
const CLAIM = { from: ['queued'] as const, workerId: 'other', leaseMs: 60_000 };

beforeAll(async () => {
  database = await openTestDatabase(8);
});
afterAll(() => database.close());
beforeEach(async () => {
  tenantId = await createTenant(database, 'Acme');
  agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  await renewLeases(database.pool, [], 1_000, WORKER);
});

const OFFER = { id: WORKER.id, leaseMs: 10_000 };

const starting = (): NewTurn => ({ ...newTurn(tenantId), agentId, takesJob: true, worker: OFFER });

/** Stores turns in one statement. */
async function store(...turns: NewTurn[]): Promise<AcceptedTurn[]> {
  const outcomes = await insertTurns(
    database.pool,
    turns.map((turn) => ({ turn, request: null })),
    true,
  );
  return outcomes.flatMap((outcome) => (outcome.turn === null ? [] : [outcome]));
}

async function handOver(): Promise<HandedTurn> {
  const [accepted] = await store(starting());
  expect(accepted).toMatchObject({ isHandedOver: true, job: null });
  return { turnId: accepted?.turn.id ?? '', ...HANDED };
}

async function columnsOf(turnId: string): Promise<Record<string, unknown>> {
  const { rows } = await database.pool.query<Record<string, unknown>>(
    `SELECT status, epoch, attempts, worker_id, lost_leases, event_count, leased_until > now() AS leased,
       dispatched_at IS NOT NULL AS dispatched,
       ARRAY(SELECT type || coalesce(' ' || (payload ->> 'attempt'), '') FROM events WHERE turn_id = turns.id
             ORDER BY sequence_number) AS events
     FROM turns WHERE id = $1`,
    [turnId],
  );
  return rows[0] ?? {};
}

const expireLeasesOf = async (turnId: string): Promise<void> => {
  await database.pool.query(`UPDATE turns SET leased_until = now() - interval '1 second' WHERE id = $1`, [
    turnId,
  ]);
  await expireLeases(database.pool, { limit: 100, maxLostLeases: 1 });
};

test('a turn that is handed over has what a claim would have given it, and no other worker can claim it', async () => {
  const [claimed, handed] = [await store({ ...starting(), worker: null }), await handOver()];
  const turnId = claimed[0]?.turn.id ?? '';
  await claimTurn(database.pool, { ...CLAIM, turnId, epoch: 0, workerId: WORKER.id });
  const columns = await columnsOf(handed.turnId);
  expect(columns).toEqual({ ...(await columnsOf(turnId)), lost_leases: -1 });
  expect(columns).toMatchObject({
    status: 'in_progress',
    epoch: 1,
    attempts: 1,
    leased: true,
    dispatched: true,
  });
  for (const epoch of [0, 1])
    expect(await claimTurn(database.pool, { ...CLAIM, turnId: handed.turnId, epoch })).toBeNull();
});

test('its client is told that it is queued', async () => {
  const [accepted] = await store(starting());
  expect(accepted?.turn).toMatchObject({ status: 'queued', attempts: 0, started_at: null });
});

test('the worker that it was handed to reads what a claim would have read, and for how long it has the turn', async () => {
  const handed = await handOver();
  const read = await readHandedTurn(database.pool, handed);
  expect(read?.heldMs).toBeGreaterThan(0);
  expect(read?.heldMs).toBeLessThanOrEqual(10_000);
  await expireLeasesOf(handed.turnId);
  await dispatchTurns(database.pool, [], [tenantId]);
  const claimed = await claimTurn(database.pool, { ...CLAIM, turnId: handed.turnId, epoch: 1 });
  const { claimedAt: _at, remainingMs: _ms, ...same } = read?.turn ?? {};
  expect(claimed).toMatchObject({
    ...same,
    epoch: 2,
    attempts: 1,
    eventCount: (read?.turn.eventCount ?? 0) + 2,
  });
});

test('no worker but that one reads it, nor with another epoch, nor after its lease', async () => {
  const handed = await handOver();
  expect(await readHandedTurn(database.pool, { ...handed, workerId: 'other' })).toBeNull();
  expect(await readHandedTurn(database.pool, { ...handed, epoch: 0 })).toBeNull();
  await expireLeasesOf(handed.turnId);
  expect(await readHandedTurn(database.pool, handed)).toBeNull();
});

test('the end of a lease that nobody confirmed is no lost worker; of one that was confirmed, it is', async () => {
  const [silent, confirmed] = [await handOver(), await handOver()];
  const renewed = await renewLeases(database.pool, [confirmed], 60_000);
  expect(renewed.get(confirmed.turnId)).toEqual({ status: 'in_progress', renewed: true });
  await expireLeasesOf(silent.turnId);
  await expireLeasesOf(confirmed.turnId);
  expect(await columnsOf(silent.turnId)).toMatchObject({
    status: 'queued',
    lost_leases: 0,
    attempts: 0,
    dispatched: false,
  });
  expect(await columnsOf(confirmed.turnId)).toMatchObject({ status: 'failed' });
});

test('a worker that claims a turn which was released unconfirmed is lost where it dies before its first heartbeat', async () => {
  const handed = await handOver();
  const release = { delayMs: 0, modelAttempts: 0, error: null };
  expect(await releaseTurn(database.pool, { ...handed, from: 'in_progress' }, release)).toBe(true);
  await dispatchTurns(database.pool, [], [tenantId]);
  expect(await claimTurn(database.pool, { ...CLAIM, turnId: handed.turnId, epoch: 1 })).not.toBeNull();
  expect(await columnsOf(handed.turnId)).toMatchObject({ lost_leases: 0, attempts: 2 });
  await expireLeasesOf(handed.turnId);
  expect(await columnsOf(handed.turnId)).toMatchObject({ status: 'failed', attempts: 2 });
});

test('a turn that is given back is in the queue once, with its slot, and its worker can do nothing more', async () => {
  const handed = await handOver();
  const job = await giveBackTurn(database.pool, handed);
  expect(job).toEqual({ turnId: handed.turnId, epoch: 1, jobNumber: 2, queue: null });
  expect(await giveBackTurn(database.pool, handed)).toBeNull();
  expect(await columnsOf(handed.turnId)).toMatchObject({
    status: 'queued',
    dispatched: true,
    lost_leases: 0,
  });
  expect(await readHandedTurn(database.pool, handed)).toBeNull();
  const from: TurnStatus = 'in_progress';
  const release = { delayMs: 0, modelAttempts: 0, error: null };
  expect(await releaseTurn(database.pool, { ...handed, from }, release)).toBe(false);
  expect(await claimTurn(database.pool, { ...CLAIM, turnId: handed.turnId, epoch: 1 })).toMatchObject({
    epoch: 2,
  });
});

test('a turn that was confirmed is not given back', async () => {
  const handed = await handOver();
  await renewLeases(database.pool, [handed], 60_000);
  expect(await giveBackTurn(database.pool, handed)).toBeNull();
  expect(await columnsOf(handed.turnId)).toMatchObject({ status: 'in_progress', leased: true });
});

test('a turn is not handed over to a worker that is gone, nor where it may not be dispatched', async () => {
  const [first] = await store({ ...starting(), worker: null });
  const behind = { ...newTurn(tenantId, first?.turn.session_id), takesJob: true, worker: OFFER };
  const later = { ...starting(), submitted: { run_at: new Date(Date.now() + 60_000).toISOString() } };
  await removeWorker(database.pool, WORKER.id);
  await renewLeases(database.pool, [], 1_000, { id: 'another', concurrency: 40 });
  const [gone] = await store(starting());
  await renewLeases(database.pool, [], 1_000, WORKER);
  const [waiting, delayed] = [await store(behind), await store(later)].flat();
  expect(gone).toMatchObject({ isHandedOver: false, job: { epoch: 0 } });
  expect([waiting, delayed]).toMatchObject([
    { isHandedOver: false, job: null },
    { isHandedOver: false, job: null },
  ]);
});

test('a tenant runs no more turns than its cap, however many slots were offered', async () => {
  await database.pool.query('UPDATE tenants SET max_running_turns = 3 WHERE id = $1', [tenantId]);
  const stored = await Promise.all(Array.from({ length: 6 }, () => store(starting(), starting())));
  expect(stored.flat().filter(({ isHandedOver }) => isHandedOver)).toHaveLength(3);
  expect(stored.flat().filter(({ job }) => job !== null)).toHaveLength(0);
});

test('a turn that begins anew after a hand-over says so to those who follow it', async () => {
  const handed = await handOver();
  await giveBackTurn(database.pool, handed);
  await claimTurn(database.pool, { ...CLAIM, turnId: handed.turnId, epoch: 1 });
  expect((await columnsOf(handed.turnId))['events']).toEqual([
    'turn.queued',
    'turn.started 1',
    'step.started',
    'turn.started 1',
    'step.restarted',
  ]);
});
