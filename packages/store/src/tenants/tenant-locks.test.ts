import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { agentConfigSchema, newId } from '@turnpike/contract';
import { allAtOnce } from '../../../../tests/support/hold-writes.ts';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { insertTurn } from '../turns/insert-turn.ts';
import { insertAgent } from '../agents/agents.ts';
import { setBudget } from '../budgets/budgets.ts';
import { claimTurn } from '../turns/claim-turn.ts';
import { openDatabase, type Database } from '../database/database.ts';
import { dispatchTurns } from '../turns/dispatch-turns.ts';
import { reserveCost } from '../budgets/reserve-cost.ts';
import { changeLimits } from './tenant-limits.ts';
import { createTenant } from './tenants.ts';

const CROWD = 12;

let database: Database;
let drop: () => Promise<void>;
let tenantId: string;
let agentId: string;
beforeAll(async () => {
  const made = await createTestDatabase();
  drop = made.drop;
  database = openDatabase({
    url: made.url,
    poolSize: CROWD + 2,
    applicationName: 'test',
    onError: () => undefined,
  });
});
afterAll(async () => {
  await database.close();
  await drop();
});
beforeEach(async () => {
  tenantId = await createTenant(database, 'Acme');
  agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
});

const fill = (turns: number) =>
  Promise.all(
    Array.from({ length: turns }, () =>
      insertTurn(database.pool, { ...newTurn(tenantId), agentId, sessionMetadata: {} }),
    ),
  );
const dispatch = () => dispatchTurns(database.pool, [], [tenantId]);
const claim = (turnId: string) =>
  claimTurn(database.pool, { turnId, epoch: 0, from: ['queued'], workerId: 'w', leaseMs: 60_000 });
const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

test('a dozen concurrent dispatches together do not exceed the window', async () => {
  await fill(60);
  const dispatched = await allAtOnce(database, 'dispatched_at', CROWD, dispatch);
  // Without a worker, a quarter of the 64 slots that are assumed.
  expect(sum(dispatched.map(({ turns }) => turns.length))).toBe(16);
});

test('a tenant never has more turns queued and running than its limit', async () => {
  await changeLimits(database.pool, tenantId, { max_running_turns: 3 });
  await fill(10);
  const dispatched = await allAtOnce(database, 'dispatched_at', CROWD, dispatch);
  const turns = dispatched.flatMap((each) => each.turns);
  expect(turns).toHaveLength(3);
  // Claimed turns leave the window, but still count as running.
  for (const { turnId } of turns) expect(await claim(turnId)).not.toBeNull();
  expect(await dispatch()).toEqual({ turns: [], full: [tenantId] });
  await changeLimits(database.pool, tenantId, { max_running_turns: 4 });
  expect((await dispatch()).turns).toHaveLength(1);
});

test('a dozen concurrent reservations are granted no more than the budget holds', async () => {
  const started = await fill(CROWD);
  expect((await dispatch()).turns).toHaveLength(CROWD);
  const held = await Promise.all(started.map(({ turn }) => claim(turn?.id ?? '')));
  await setBudget(database.pool, { tenantId, period: 'day', setBy: 'operator', limitMicros: 350 });
  const verdicts = await allAtOnce(database, 'reserved_micros', CROWD, (index) => {
    const lease = { turnId: held[index]?.id ?? '', epoch: held[index]?.epoch ?? 0 };
    return reserveCost(database.pool, lease, { micros: 100, tokens: 1 });
  });
  expect(verdicts.toSorted()).toEqual([
    ...Array.from({ length: 3 }, () => 'granted'),
    ...Array.from({ length: CROWD - 3 }, () => 'wait'),
  ]);
});
