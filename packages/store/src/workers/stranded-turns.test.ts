import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { agentConfigSchema, newId } from '@turnpike/contract';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { insertAgent } from '../agents/agents.ts';
import { readTurnFacts } from '../events/read-events.ts';
import { createTenant } from '../tenants/tenants.ts';
import { claimTurn } from '../turns/claim-turn.ts';
import { dispatchTurns } from '../turns/dispatch-turns.ts';
import { insertTurn } from '../turns/insert-turn.ts';
import { promoteDelayed } from '../turns/promote-delayed.ts';
import { readTurn } from '../turns/read-turns.ts';
import { renewLeases } from '../turns/renew-leases.ts';
import { takeBackTurn, type Capability } from './capability.ts';
import {
  offerElsewhere,
  putAside,
  readWaitingByPool,
  readWaitingForTools,
  takeBackUnconsumed,
  takeUp,
} from './stranded-turns.ts';
import { removeWorker } from './workers.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase(4);
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.pool.query('TRUNCATE workers');
  await database.pool.query('TRUNCATE sessions CASCADE');
});

const runs = (pool: string, codeTools: string[]): Capability => ({
  pool,
  codeTools,
  queue: ['turns', pool, ...codeTools].join('.'),
});
const worker = (id: string, pool: string, codeTools: string[]) =>
  renewLeases(database.pool, [], 1_000, { id, concurrency: 10, runs: runs(pool, codeTools) });

/** A turn of an agent with these tools in code. */
async function turnOf(pool: string, codeTools: string[]): Promise<{ tenantId: string; turnId: string }> {
  const tenantId = await createTenant(database, 'Acme');
  const agentId = newId('agent');
  const tools = codeTools.map((name) => ({ type: 'code', name }));
  const config = agentConfigSchema.parse({ model: 'm', pool, tools });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  const { turn } = await insertTurn(database.pool, { ...newTurn(tenantId), agentId, sessionMetadata: {} });
  return { tenantId, turnId: turn?.id ?? '' };
}
const dispatch = async (tenantId: string) =>
  (await dispatchTurns(database.pool, [], [tenantId])).turns.map(({ turnId, queue }) => ({ turnId, queue }));
const claim = (turnId: string, capability: Capability) =>
  claimTurn(database.pool, {
    turnId,
    epoch: 0,
    from: ['queued'],
    workerId: 'w',
    leaseMs: 60_000,
    runs: capability,
  });

test('a worker without the tools of a turn cannot claim it, and its attempt is not counted', async () => {
  await worker('new', 'default', ['a', 'b']);
  const { tenantId, turnId } = await turnOf('default', ['a', 'b']);
  await dispatch(tenantId);
  expect(await claim(turnId, runs('default', []))).toBeNull();
  expect(await claim(turnId, runs('default', ['a']))).toBeNull();
  expect(await claim(turnId, runs('gpu', ['a', 'b']))).toBeNull();
  expect(await claim(turnId, runs('default', ['a', 'b', 'c']))).toMatchObject({ epoch: 1, attempts: 1 });
});

test('claims of one group are each checked against the tools of their own worker', async () => {
  await worker('new', 'default', ['a']);
  const turns = await Promise.all([1, 2, 3, 4].map(() => turnOf('default', ['a'])));
  for (const { tenantId } of turns) await dispatch(tenantId);
  const claimed = await Promise.all(
    turns.map(({ turnId }, index) => claim(turnId, runs('default', index % 2 === 0 ? ['a'] : []))),
  );
  expect(claimed.map((turn) => turn !== null)).toEqual([true, false, true, false]);
});

test('a turn that came to a worker without its tools is dispatched again, to one that has them', async () => {
  await worker('new', 'default', ['a']);
  const { tenantId, turnId } = await turnOf('default', ['a']);
  expect(await dispatch(tenantId)).toEqual([{ turnId, queue: 'turns.default.a' }]);
  const job = { turnId, epoch: 0 };
  expect(await takeBackTurn(database.pool, job, runs('default', ['a', 'b']))).toBeNull();
  expect(await takeBackTurn(database.pool, job, runs('default', ['b']))).toBe(tenantId);
  await removeWorker(database.pool, 'new');
  await worker('newer', 'default', ['a', 'b']);
  expect(await dispatch(tenantId)).toEqual([{ turnId, queue: 'turns.default.a.b' }]);
});

test('turns in a queue whose workers are gone are dispatched to others', async () => {
  await worker('old', 'default', ['a']);
  const [held, plain] = [await turnOf('default', ['a']), await turnOf('default', [])];
  await dispatch(held.tenantId);
  await dispatch(plain.tenantId);
  expect(await takeBackUnconsumed(database.pool, 10)).toEqual([]);
  await removeWorker(database.pool, 'old');
  await worker('new', 'default', ['a', 'b']);
  const back = await takeBackUnconsumed(database.pool, 10);
  expect(back.map(({ turnId }) => turnId).toSorted()).toEqual([held.turnId, plain.turnId].toSorted());
  for (const { tenantId, turnId } of [held, plain])
    expect(await dispatch(tenantId)).toEqual([{ turnId, queue: 'turns.default.a.b' }]);
});

test('a plain turn waits in the plain queue for the first worker, until only workers with tools are there', async () => {
  const { tenantId, turnId } = await turnOf('default', []);
  expect(await dispatch(tenantId)).toEqual([{ turnId, queue: null }]);
  expect(await takeBackUnconsumed(database.pool, 10)).toEqual([]);
  await worker('new', 'default', ['a']);
  expect(await takeBackUnconsumed(database.pool, 10)).toHaveLength(1);
  expect(await dispatch(tenantId)).toEqual([{ turnId, queue: 'turns.default.a' }]);
});

test('a turn whose tool no live worker has says so once, and runs when a worker with it starts', async () => {
  await worker('old', 'default', ['a']);
  const { tenantId, turnId } = await turnOf('default', ['a', 'b']);
  expect(await dispatch(tenantId)).toEqual([]);
  expect(await putAside(database.pool, 10, 60_000)).toEqual([]);
  expect(await putAside(database.pool, 10, 0)).toMatchObject([{ turnId, tenantId }]);
  expect(await putAside(database.pool, 10, 0)).toEqual([]);
  const since = expect.stringMatching(/^\d{4}-.*Z$/);
  const waiting = { pool: 'default', tools: ['b'], since };
  expect(await readTurn(database.pool, tenantId, turnId)).toMatchObject({
    status: 'queued',
    waiting_for: waiting,
  });
  const facts = await readTurnFacts(database.pool, turnId, { after: 0, limit: 10 });
  expect(facts.map(({ fact }) => fact)).toMatchObject([
    { type: 'turn.queued' },
    { type: 'turn.waiting_for_tool', sequence_number: 2, waiting_for: waiting },
  ]);
  expect(await readWaitingForTools(database.pool)).toEqual([
    { pool: 'default', turns: 1, oldestSeconds: expect.any(Number) },
  ]);

  expect(await readWaitingByPool(database.pool)).toEqual([
    { pool: 'default', waiting: 1, oldestSeconds: expect.any(Number) },
  ]);

  expect(await takeUp(database.pool, 10)).toEqual([]);
  await worker('new', 'default', ['a', 'b']);
  expect(await takeUp(database.pool, 10)).toHaveLength(1);
  expect(await readTurn(database.pool, tenantId, turnId)).toMatchObject({ waiting_for: null });
  expect(await dispatch(tenantId)).toEqual([{ turnId, queue: 'turns.default.a.b' }]);
});

test('a turn whose tools are spread over workers names them all, and one of an empty pool names none', async () => {
  await worker('one', 'default', ['a']);
  await worker('other', 'default', ['b']);
  const [spread, empty] = [await turnOf('default', ['a', 'b']), await turnOf('gpu', [])];
  await putAside(database.pool, 10, 0);
  const waitingOf = async ({ tenantId, turnId }: typeof spread) =>
    (await readTurn(database.pool, tenantId, turnId))?.waiting_for;
  expect(await waitingOf(spread)).toMatchObject({ tools: ['a', 'b'] });
  expect(await waitingOf(empty)).toMatchObject({ pool: 'gpu', tools: [] });
});

test('a turn that nobody claims is offered to workers with another queue, where they can run it', async () => {
  await worker('one', 'default', ['a']);
  const { tenantId, turnId } = await turnOf('default', ['a']);
  await dispatch(tenantId);
  const job = { turnId, epoch: 0, jobNumber: 1 };
  expect(await offerElsewhere(database.pool, [job])).toEqual([]);
  await worker('other', 'default', ['b']);
  expect(await offerElsewhere(database.pool, [job])).toEqual([]);
  await worker('more', 'default', ['a', 'b']);
  expect(await offerElsewhere(database.pool, [job])).toMatchObject([{ turnId, tenantId }]);
  expect(await dispatch(tenantId)).toMatchObject([{ turnId }]);
  // The old job is stale, and the new one is not offered by its number.
  expect(await offerElsewhere(database.pool, [job])).toEqual([]);
});

test('a turn that was put aside long ago is looked at again, says so no second time, and says nothing once it runs', async () => {
  const { tenantId, turnId } = await turnOf('default', ['a']);
  await putAside(database.pool, 10, 0);
  await database.pool.query(`UPDATE turns SET available_at = now() WHERE id = $1`, [turnId]);
  await promoteDelayed(database.pool, 10);
  expect(await putAside(database.pool, 10, 0)).toEqual([]);
  await database.pool.query(`UPDATE turns SET available_at = now() WHERE id = $1`, [turnId]);
  await promoteDelayed(database.pool, 10);
  await worker('new', 'default', ['a']);
  await dispatch(tenantId);
  expect(await claim(turnId, runs('default', ['a']))).toMatchObject({ attempts: 1, eventCount: 4 });
  expect(await takeUp(database.pool, 10)).toEqual([]);
  const { rows } = await database.pool.query('SELECT waiting_for FROM turns WHERE id = $1', [turnId]);
  expect(rows).toEqual([{ waiting_for: null }]);
});
