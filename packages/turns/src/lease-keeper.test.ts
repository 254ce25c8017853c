import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  agentConfigSchema,
  LeaseLostError,
  newId,
  TurnCancelledError,
  type Advance,
} from '@turnpike/contract';
import { createTenant, insertAgent, insertTurnInGroup } from '@turnpike/store';
import { modelStep } from '../../../tests/support/model-step.ts';
import { newTurn } from '../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import type { Lease } from './lease.ts';
import { ending, makeScene } from './testing/race-scene.ts';

let database: TestDatabase;
let owner: { tenantId: string; agentId: string };
beforeAll(async () => {
  database = await openTestDatabase(4);
  const tenantId = await createTenant(database, 'Acme');
  const agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  owner = { tenantId, agentId };
});
afterAll(() => database.close());

let keeper: LeaseKeeper;
let errors: unknown[];
let received: string[];
beforeEach(() => {
  errors = [];
  received = [];
  keeper = new LeaseKeeper({
    database,
    workerId: 'w',
    concurrency: 1,
    leaseMs: 60_000,
    onListenerError: (error) => errors.push(error),
  });
  keeper.events
    .on('claimed', () => received.push('claimed'))
    .on('committed', ({ eventCount }) => received.push(`committed ${eventCount}`))
    .on('stepCompleted', () => received.push('stepCompleted'))
    .on('preview', () => received.push('preview'))
    .on('usageLost', () => received.push('usageLost'))
    .on('ended', (lease, status) => received.push(`ended ${status}, held: ${keeper.held.includes(lease)}`));
});
afterEach(() => keeper.close());

async function claim(): Promise<Lease> {
  const { turnId } = await makeScene(database, 'queued', owner);
  await database.pool.query(`UPDATE turns SET deadline_at = now() + interval '1 hour' WHERE id = $1`, [
    turnId,
  ]);
  const lease = await keeper.claim({ turnId, epoch: 0, jobNumber: 1 });
  if (lease === null) throw new Error('The turn could not be claimed.');
  return lease;
}

const step = (): Advance => ({
  step: { ...modelStep(), usage: { ...modelStep().usage, input_tokens: 7 } },
  events: [{ id: newId('event'), type: 'step.completed', payload: {} }],
});
const preview = { stepIndex: 0, attempt: 1, text: 'Hel' };

test('listeners get the events of a lease in order, and its end once, as the last', async () => {
  const lease = await claim();
  lease.show(preview);
  await lease.advance(step());
  await lease.advance(ending('completed'));
  lease.show(preview);
  lease.lose();
  expect(received).toEqual([
    'claimed',
    'preview',
    'committed 4',
    'stepCompleted',
    'committed 5',
    'stepCompleted',
    'ended completed, held: false',
  ]);
});

test('a listener that throws fails no commit, ends no lease, and other listeners still get the event', async () => {
  for (const name of ['claimed', 'committed', 'stepCompleted', 'preview', 'ended'] as const) {
    keeper.events.on(name, () => {
      throw new Error(name);
    });
  }
  const lease = await claim();
  lease.show(preview);
  expect(await lease.advance(step())).toMatchObject({ status: 'in_progress' });
  lease.assertHeld();
  expect(await lease.advance(ending('completed'))).toMatchObject({ status: 'completed' });
  expect(keeper.held).toEqual([]);
  expect(errors.map(String)).toEqual([
    'Error: claimed',
    'Error: preview',
    'Error: committed',
    'Error: stepCompleted',
    'Error: committed',
    'Error: stepCompleted',
    'Error: ended',
  ]);
});

test('once another worker may own the turn, nothing is committed or shown, and the usage is recorded', async () => {
  const lease = await claim();
  await database.pool.query(`UPDATE turns SET epoch = epoch + 1 WHERE id = $1`, [lease.turn.id]);
  const write = step();
  await expect(lease.advance(write)).rejects.toBeInstanceOf(LeaseLostError);
  expect(lease.signal.reason).toBeInstanceOf(LeaseLostError);
  lease.show(preview);
  expect(() => lease.assertHeld()).toThrow(LeaseLostError);
  await expect(lease.advance(ending('completed'))).rejects.toBeInstanceOf(LeaseLostError);
  expect(received).toEqual(['claimed', 'ended null, held: false']);
  const { rows } = await database.pool.query(
    `SELECT (SELECT count(*)::int FROM steps WHERE turn_id = $1) AS steps,
            (SELECT count(*)::int FROM events WHERE turn_id = $1) AS events,
            (SELECT input_tokens FROM ledger_entries WHERE step_id = $2) AS spent`,
    [lease.turn.id, write.step?.id],
  );
  expect(rows).toEqual([{ steps: 0, events: 3, spent: 7 }]);
});

/** Stores a turn as claimed by this worker; returns what the worker is told. */
async function handOver(): Promise<{ turnId: string; epoch: number }> {
  const { tenantId, agentId } = owner;
  await untilTrue('the worker is known', async () => {
    const { rows } = await database.pool.query(`SELECT 1 FROM workers WHERE id = 'w'`);
    return rows.length === 1;
  });
  const turn = { ...newTurn(tenantId), agentId, takesJob: true, worker: { id: 'w', leaseMs: 10_000 } };
  expect(await insertTurnInGroup(database.pool, turn, null)).toMatchObject({ isHandedOver: true });
  return { turnId: turn.id, epoch: 1 };
}

const change = (turnId: string, columns: string) =>
  database.pool.query(`UPDATE turns SET ${columns} WHERE id = $1`, [turnId]);

test('a turn that is handed over is held once, however often it comes, and is confirmed while it runs', async () => {
  const handed = await handOver();
  const [lease, twice] = await Promise.all([keeper.receive(handed), keeper.receive(handed)]);
  expect([lease, twice].filter((held) => held !== null)).toHaveLength(1);
  expect(await keeper.receive(handed)).toBeNull();
  expect(keeper.held.map(({ turn }) => turn.id)).toEqual([handed.turnId]);
  await untilTrue('it is confirmed', async () => {
    const { rows } = await database.pool.query(
      `SELECT 1 FROM turns WHERE id = $1 AND lost_leases = 0 AND leased_until > now() + interval '30 seconds'`,
      [handed.turnId],
    );
    return rows.length === 1;
  });
  expect(await (lease ?? twice)?.advance(ending('completed'))).toMatchObject({ status: 'completed' });
});

test('a turn is held for no longer than the database says, counted from before it was asked', async () => {
  const [late, soon] = [await handOver(), await handOver()];
  await change(late.turnId, `leased_until = now() - interval '1 second'`);
  expect(await keeper.receive(late)).toBeNull();
  await change(soon.turnId, `leased_until = now() + interval '200 milliseconds'`);
  const lease = await keeper.receive(soon);
  // On a machine that took longer to read it.
  if (lease === null) return;
  await untilTrue('its time is over', async () => {
    const { rows } = await database.pool.query(
      'SELECT leased_until < now() AS over FROM turns WHERE id = $1',
      [soon.turnId],
    );
    return (rows[0] as { over: boolean }).over;
  });
  expect(() => lease.assertHeld()).toThrow(LeaseLostError);
  expect(received.at(-1)).toBe('ended null, held: false');
});

test('a turn that was asked to cancel before its worker read it is stopped there, to be confirmed', async () => {
  const handed = await handOver();
  await change(handed.turnId, `status = 'cancelling'`);
  const lease = await keeper.receive(handed);
  expect(lease?.signal.reason).toBeInstanceOf(TurnCancelledError);
});
