import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { agentConfigSchema, newId, NO_USAGE, type Advance, type TurnStatus } from '@turnpike/contract';
import { modelStep } from '../../../../tests/support/model-step.ts';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { insertTurn } from './insert-turn.ts';
import { advanceTurn } from './advance-turn.ts';
import { insertAgent } from '../agents/agents.ts';
import { recordPartialUsage } from './record-partial-usage.ts';
import { cancelTurn } from './cancel-turns.ts';
import { claimTurn, type Claim } from './claim-turn.ts';
import { dispatchTurns } from './dispatch-turns.ts';
import { releaseTurn } from './release-turn.ts';
import { renewLeases } from './renew-leases.ts';
import { steerTurn } from './steer-turn.ts';
import { createTenant } from '../tenants/tenants.ts';

let database: TestDatabase;
let tenantId: string;
let agentId: string;

beforeAll(async () => {
  database = await openTestDatabase(5);
  tenantId = await createTenant(database, 'Acme');
  agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
});
afterAll(() => database.close());

const FROM: TurnStatus[] = ['in_progress', 'cancelling'];
const response = [{ type: 'text', text: 'Done.' }];
const end = (): Advance => ({
  step: modelStep(),
  messages: [{ role: 'assistant', content: response }],
  events: [{ id: newId('event'), type: 'turn.completed', payload: {} }],
  outcome: { status: 'completed', stopReason: 'end_turn', output: response, error: null },
});

async function claimedTurn(leaseMs = 60_000) {
  const started = { ...newTurn(tenantId), agentId, sessionMetadata: {} };
  const accepted = await insertTurn(database.pool, started);
  const turnId = accepted.turn?.id ?? '';
  await dispatchTurns(database.pool, [], [tenantId]);
  const claim = { turnId, epoch: 0, from: ['queued'] as const, workerId: 'w', leaseMs };
  const turn = await claimTurn(database.pool, claim);
  if (turn === null) throw new Error('The turn cannot be claimed.');
  return { turn, claim, fence: { turnId, epoch: turn.epoch, from: FROM, eventCount: turn.eventCount } };
}

/** Everything that is stored about a turn. */
async function everythingOf(turnId: string): Promise<unknown> {
  const { rows } = await database.pool.query(
    `SELECT turns.*, sessions.open_turns,
       (SELECT count(*) FROM steps WHERE turn_id = turns.id) AS steps,
       (SELECT count(*) FROM messages WHERE turn_id = turns.id) AS messages,
       (SELECT count(*) FROM events WHERE turn_id = turns.id) AS events
     FROM turns JOIN sessions ON sessions.id = turns.session_id WHERE turns.id = $1`,
    [turnId],
  );
  return rows;
}

test.each([
  ['an older epoch', { epoch: 0 }],
  ['a newer epoch', { epoch: 2 }],
  ['an event count that another write has passed', { eventCount: 1 }],
  ['a status that is not the turn’s', { from: ['cancelling'] as TurnStatus[] }],
])('a write with %s changes nothing', async (_, wrong) => {
  const { turn, fence } = await claimedTurn();
  const before = await everythingOf(turn.id);
  expect(await advanceTurn(database.pool, { ...fence, ...wrong }, end())).toBeNull();
  expect(await everythingOf(turn.id)).toEqual(before);
  expect(await advanceTurn(database.pool, fence, end())).toMatchObject({ status: 'completed' });
});

test('an expired lease cannot write, renew or release, even if no worker has claimed the turn yet', async () => {
  const { turn, fence } = await claimedTurn();
  await database.pool.query(
    `UPDATE turns SET leased_until = now() - interval '1 millisecond' WHERE id = $1`,
    [turn.id],
  );
  const before = await everythingOf(turn.id);
  expect(await advanceTurn(database.pool, fence, end())).toBeNull();
  expect(await renewLeases(database.pool, [fence], 60_000)).toEqual(new Map());
  const release = { delayMs: 0, modelAttempts: 0, error: null };
  expect(await releaseTurn(database.pool, { ...fence, from: 'in_progress' }, release)).toBe(false);
  expect(await everythingOf(turn.id)).toEqual(before);
});

test('a lease whose row is locked is reported apart from a lost one, and costs no other lease', async () => {
  const [one, other] = [await claimedTurn(), await claimedTurn()];
  const blocker = await database.pool.connect();
  await blocker.query('BEGIN');
  await blocker.query('SELECT 1 FROM turns WHERE id = $1 FOR UPDATE', [one.turn.id]);
  const lost = { turnId: one.turn.id, epoch: 7 };
  const renewed = await renewLeases(database.pool, [one.fence, other.fence, lost], 60_000);
  await blocker.query('ROLLBACK');
  blocker.release();
  expect(renewed).toEqual(
    new Map([
      [other.turn.id, { status: 'in_progress', renewed: true }],
      [one.turn.id, { status: 'in_progress', renewed: false }],
    ]),
  );
});

test('the usage of an interrupted call is in the ledger once, and on the turn only while its worker holds it', async () => {
  const { turn } = await claimedTurn();
  const usage = { ...NO_USAGE, input_tokens: 10, output_tokens: 3 };
  const cut = { id: newId('step'), model: 'm\0', usage, costMicros: 75 };
  await recordPartialUsage(database.pool, turn, cut);
  await recordPartialUsage(database.pool, turn, cut);
  await recordPartialUsage(database.pool, { ...turn, epoch: turn.epoch - 1 }, { ...cut, id: newId('step') });
  const { rows } = await database.pool.query(
    `SELECT turns.cost_micros::int AS cost, turns.input_tokens AS input, turns.output_tokens AS output,
       (SELECT sum(cost_micros)::int FROM ledger_entries WHERE turn_id = turns.id) AS ledger
     FROM turns WHERE id = $1`,
    [turn.id],
  );
  expect(rows).toEqual([{ cost: 75, input: 10, output: 3, ledger: 150 }]);
});

test('a turn is claimed once for an epoch, and a repeated write is applied once', async () => {
  const { turn, claim, fence } = await claimedTurn();
  expect(await claimTurn(database.pool, claim)).toBeNull();
  const write = end();
  const [first, second] = await Promise.all([
    advanceTurn(database.pool, fence, write),
    advanceTurn(database.pool, fence, write),
  ]);
  expect([first, second].filter((written) => written !== null)).toHaveLength(1);
  const { rows } = await database.pool.query('SELECT 1 FROM steps WHERE turn_id = $1', [turn.id]);
  expect(rows).toHaveLength(1);
});

test.each([
  ['with others', (claim: Claim) => claimTurn(database.pool, claim)],
  [
    'alone',
    async (claim: Claim) => {
      const client = await database.pool.connect();
      return claimTurn(client, claim).finally(() => client.release());
    },
  ],
])('a job of an earlier epoch claims nothing, %s, though the turn waits again', async (_how, take) => {
  const { turn, claim, fence } = await claimedTurn();
  const release = { delayMs: 0, modelAttempts: 0, error: null };
  expect(await releaseTurn(database.pool, { ...fence, from: 'in_progress' }, release)).toBe(true);
  await dispatchTurns(database.pool, [], [tenantId]);
  const before = await everythingOf(turn.id);
  expect(before).toMatchObject([{ status: 'queued', epoch: 1, dispatched_at: expect.any(Date) }]);
  expect(await take(claim)).toBeNull();
  expect(await take({ ...claim, epoch: 2 })).toBeNull();
  expect(await everythingOf(turn.id)).toEqual(before);
  expect(await take({ ...claim, epoch: 1 })).toMatchObject({ id: turn.id, epoch: 2 });
});

test('a message either joins a turn or does not: of a hundred that race with its end, none is lost', async () => {
  for (let round = 0; round < 20; round++) {
    const { turn, fence } = await claimedTurn();
    const joining = Array.from({ length: 5 }, () =>
      steerTurn(
        database.pool,
        {
          tenantId,
          sessionId: turn.sessionId,
          messageId: newId('message'),
          content: response,
          webhookUrl: null,
        },
        ['in_progress', 'requires_action'],
      ),
    );
    const [written, ...joined] = await Promise.all([advanceTurn(database.pool, fence, end()), ...joining]);
    const count = joined.filter((each) => each !== null).length;
    const { rows } = await database.pool.query<{ pending: number; status: string }>(
      'SELECT jsonb_array_length(pending_inputs) AS pending, status FROM turns WHERE id = $1',
      [turn.id],
    );
    // Completed without messages that joined, or continuing with all that did.
    expect(rows[0]).toEqual(
      count === 0 ? { pending: 0, status: 'completed' } : { pending: count, status: 'in_progress' },
    );
    expect(written).not.toBeNull();
  }
});

test('a turn that was asked to cancel ends as cancelled, whatever its worker writes, and keeps what was done', async () => {
  const { turn, fence } = await claimedTurn();
  expect(await cancelTurn(database.pool, tenantId, turn.id, ['queued', 'requires_action'])).toMatchObject({
    status: 'cancelling',
  });
  expect(await advanceTurn(database.pool, fence, end())).toMatchObject({ status: 'cancelled' });
  expect(await everythingOf(turn.id)).toMatchObject([
    { status: 'cancelled', stop_reason: null, open_turns: 0, steps: '1', messages: '2' },
  ]);
});

const claimedTurns = (count: number) =>
  Promise.all(
    Array.from({ length: count }, () => claimedTurn().then(({ turn, fence }) => ({ turn, fence }))),
  );

const transactionsOf = async (table: 'steps' | 'turns', turnIds: readonly string[]): Promise<number> => {
  const { rows } = await database.pool.query<{ transactions: number }>(
    `SELECT count(DISTINCT xmin::text)::int AS transactions FROM ${table}
     WHERE ${table === 'turns' ? 'id' : 'turn_id'} = ANY ($1)`,
    [turnIds],
  );
  return rows[0]?.transactions ?? 0;
};

test('claims and writes of many turns share statements, and each has its own result', async () => {
  const started = Array.from({ length: 100 }, () =>
    insertTurn(database.pool, { ...newTurn(tenantId), agentId, sessionMetadata: {} }),
  );
  const ids = (await Promise.all(started)).flatMap(({ turn }) => turn?.id ?? []);
  await database.pool.query(`UPDATE turns SET dispatched_at = now() WHERE id = ANY ($1)`, [ids]);
  const claims = ids.map((turnId) => {
    const claim = { turnId, epoch: 0, from: ['queued'] as const, workerId: 'w', leaseMs: 60_000 };
    return [claimTurn(database.pool, claim), claimTurn(database.pool, claim)];
  });
  // Each was requested twice, and is claimed once.
  const turns = (await Promise.all(claims.flat())).filter((turn) => turn !== null);
  expect(turns.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  expect(await transactionsOf('turns', ids)).toBeLessThan(50);

  const written = await Promise.all(
    turns.map(({ id, epoch, eventCount }, index) => {
      const fence = { turnId: id, epoch, from: FROM, eventCount: index % 10 === 0 ? 1 : eventCount };
      return advanceTurn(database.pool, fence, end());
    }),
  );
  expect(written.map((advanced) => advanced?.status ?? null)).toEqual(
    turns.map((_, index) => (index % 10 === 0 ? null : 'completed')),
  );
  expect(await transactionsOf('steps', ids)).toBeLessThan(50);
});

test.each([
  ['turn', 'SELECT 1 FROM turns WHERE id = $1 FOR UPDATE'],
  ['session', 'SELECT 1 FROM sessions WHERE id = (SELECT session_id FROM turns WHERE id = $1) FOR UPDATE'],
])('a locked %s keeps its own write waiting, and no other', async (_what, lock) => {
  const [held, ...free] = await claimedTurns(4);
  if (held === undefined) throw new Error('No turn.');
  const blocker = await database.pool.connect();
  try {
    await blocker.query('BEGIN');
    await blocker.query(lock, [held.turn.id]);
    let isWritten = false;
    const waiting = advanceTurn(database.pool, held.fence, end()).then((advanced) => {
      isWritten = true;
      return advanced;
    });
    const others = await Promise.all(free.map(({ fence }) => advanceTurn(database.pool, fence, end())));
    expect(others.map((advanced) => advanced?.status)).toEqual(free.map(() => 'completed'));
    expect(isWritten).toBe(false);
    await blocker.query('COMMIT');
    expect((await waiting)?.status).toBe('completed');
  } finally {
    blocker.release();
  }
});

test('a write that cannot be stored fails alone', async () => {
  const turns = await claimedTurns(5);
  const write = end();
  const tooMuch: Advance = {
    ...write,
    ...(write.step && { step: { ...write.step, attempts: 3_000_000_000 } }),
  };
  const ends = await Promise.allSettled(
    turns.map(({ fence }, index) => advanceTurn(database.pool, fence, index === 2 ? tooMuch : end())),
  );
  expect(ends.map(({ status }) => status)).toEqual(
    turns.map((_, index) => (index === 2 ? 'rejected' : 'fulfilled')),
  );
});
