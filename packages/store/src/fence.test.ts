import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { agentConfigSchema, newId, NO_USAGE, type Advance, type TurnStatus } from '@turnpike/contract';
import { newTurn } from '../../../tests/support/new-turn.ts';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { insertTurnWithSession } from './accept-turn.ts';
import { advanceTurn } from './advance-turn.ts';
import { insertAgent } from './agents.ts';
import { bookCut } from './book-cut.ts';
import { cancelTurn } from './cancel-turns.ts';
import { claimTurn } from './claim-turn.ts';
import { openDatabase, type Database } from './database.ts';
import { dispatchTurns } from './dispatch-turns.ts';
import { releaseTurn } from './release-turn.ts';
import { renewLeases } from './renew-leases.ts';
import { steerTurn } from './steer-turn.ts';
import { createTenant } from './tenants.ts';

let database: Database;
let drop: () => Promise<void>;
let tenantId: string;
let agentId: string;

beforeAll(async () => {
  const made = await createTestDatabase();
  drop = made.drop;
  database = openDatabase({ url: made.url, poolSize: 5, applicationName: 'test', onError: () => undefined });
  tenantId = await createTenant(database, 'Acme');
  agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
});
afterAll(async () => {
  await database.close();
  await drop();
});

const FROM: TurnStatus[] = ['in_progress', 'cancelling'];
const answer = [{ type: 'text', text: 'Done.' }];
const end = (): Advance => ({
  step: {
    id: newId('step'),
    type: 'model_call',
    model: 'm',
    stopReason: 'end_turn',
    costMicros: 0,
    usage: NO_USAGE,
    attempts: 1,
    providerRequestId: null,
    durationMs: 1,
  },
  messages: [{ role: 'assistant', content: answer }],
  events: [{ id: newId('event'), type: 'turn.completed', payload: {} }],
  outcome: { status: 'completed', stopReason: 'end_turn', output: answer, error: null },
});

async function claimedTurn(leaseMs = 60_000) {
  const started = { ...newTurn(tenantId), agentId, sessionMetadata: {} };
  const accepted = await insertTurnWithSession(database.pool, started);
  const turnId = accepted.turn?.id ?? '';
  await dispatchTurns(database.pool, [], [tenantId]);
  const claim = { turnId, epoch: 0, from: ['queued'] as const, workerId: 'w', leaseMs };
  const turn = await claimTurn(database.pool, claim);
  if (turn === null) throw new Error('The turn cannot be claimed.');
  return { turn, claim, fence: { turnId, epoch: turn.epoch, from: FROM, eventCount: turn.eventCount } };
}

/** All that is known of a turn. */
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

test('a lease whose time has passed can write, renew and give back nothing, though nobody took the turn yet', async () => {
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

test('a lease whose row somebody has locked is told apart from one that is lost, and costs no other lease', async () => {
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

test('what a cut call cost is in the ledger once, and on the turn of who holds it only', async () => {
  const { turn } = await claimedTurn();
  const usage = { ...NO_USAGE, input_tokens: 10, output_tokens: 3 };
  const cut = { id: newId('step'), model: 'm\0', usage, costMicros: 75 };
  await bookCut(database.pool, turn, cut);
  await bookCut(database.pool, turn, cut);
  await bookCut(database.pool, { ...turn, epoch: turn.epoch - 1 }, { ...cut, id: newId('step') });
  const { rows } = await database.pool.query(
    `SELECT turns.cost_micros::int AS cost, turns.input_tokens AS input, turns.output_tokens AS output,
       (SELECT sum(cost_micros)::int FROM ledger_entries WHERE turn_id = turns.id) AS ledger
     FROM turns WHERE id = $1`,
    [turn.id],
  );
  expect(rows).toEqual([{ cost: 75, input: 10, output: 3, ledger: 150 }]);
});

test('a turn is claimed once for an epoch, and the same write arrives once', async () => {
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

test('a message joins a turn or it does not: of a hundred that race with its end, none is lost', async () => {
  for (let round = 0; round < 20; round++) {
    const { turn, fence } = await claimedTurn();
    const joining = Array.from({ length: 5 }, () =>
      steerTurn(
        database.pool,
        {
          tenantId,
          sessionId: turn.sessionId,
          messageId: newId('message'),
          content: answer,
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
    // Completed with nobody joining, or going on with all who did.
    expect(rows[0]).toEqual(
      count === 0 ? { pending: 0, status: 'completed' } : { pending: count, status: 'in_progress' },
    );
    expect(written).not.toBeNull();
  }
});

test('a turn that was asked to cancel ends cancelled whatever its worker brings, and keeps what was done', async () => {
  const { turn, fence } = await claimedTurn();
  expect(await cancelTurn(database.pool, tenantId, turn.id, ['queued', 'requires_action'])).toMatchObject({
    status: 'cancelling',
  });
  expect(await advanceTurn(database.pool, fence, end())).toMatchObject({ status: 'cancelled' });
  expect(await everythingOf(turn.id)).toMatchObject([
    { status: 'cancelled', stop_reason: null, open_turns: 0, steps: '1', messages: '2' },
  ]);
});
