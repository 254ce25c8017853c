import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { agentConfigSchema, LeaseLostError, newId, type Advance } from '@turnpike/contract';
import { createTenant, insertAgent, openDatabase, type Database } from '@turnpike/store';
import { modelStep } from '../../../tests/support/model-step.ts';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import type { Lease } from './lease.ts';
import { ending, makeScene } from './testing/race-scene.ts';

let database: Database;
let drop: () => Promise<void>;
let owner: { tenantId: string; agentId: string };
beforeAll(async () => {
  const made = await createTestDatabase();
  drop = made.drop;
  database = openDatabase({ url: made.url, poolSize: 4, applicationName: 'test', onError: () => undefined });
  const tenantId = await createTenant(database, 'Acme');
  const agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  owner = { tenantId, agentId };
});
afterAll(async () => {
  await database.close();
  await drop();
});

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
