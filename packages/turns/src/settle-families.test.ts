import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { agentConfigSchema, DEFAULT_LIMITS, newId, type RequestedChild } from '@turnpike/contract';
import { openBackplane, type Backplane } from '@turnpike/backplane';
import {
  advanceTurn,
  cancelTurn,
  claimTurn,
  createTenant,
  deleteSession,
  insertAgent,
  insertTurn,
  parkParent,
  startChildren,
} from '@turnpike/store';
import { newTurn } from '../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { Dispatcher } from './dispatcher.ts';
import { settleAllFamilies, settleFamilies, tellFamilies, type FamilyParts } from './settle-families.ts';
import { ending } from './testing/race-scene.ts';
import { TRANSITIONS } from './transitions.ts';

/** The advisory lock that keeps a park from its commit. */
const GATE = 4_713;

let database: TestDatabase;
let backplane: Backplane;
let parts: FamilyParts;
let tenantId: string;
const agentId = newId('agent');
beforeAll(async () => {
  database = await openTestDatabase(8);
  tenantId = await createTenant(database, 'Acme');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  const fail = (error: unknown): never => {
    throw error;
  };
  backplane = await openBackplane({
    url: process.env['TEST_REDIS_URL'] ?? database.url,
    prefix: `t-${randomUUID()}`,
    onError: fail,
    onUnusable: fail,
  });
  parts = { database, backplane, dispatcher: new Dispatcher({ database, backplane, onError: fail }) };
});
afterAll(async () => {
  await parts.dispatcher.settle();
  await backplane.close();
  await database.close();
});

interface Held {
  turnId: string;
  sessionId: string;
  epoch: number;
  eventCount: number;
  traceparent: null;
}

/** Claims a turn as a worker does. */
async function hold(turnId: string): Promise<Held> {
  await database.pool.query('UPDATE turns SET dispatched_at = now() WHERE id = $1', [turnId]);
  const claim = { turnId, epoch: 0, from: TRANSITIONS.claim.from, workerId: 'w', leaseMs: 60_000 };
  const claimed = await claimTurn(database.pool, claim);
  if (claimed === null) throw new Error('The turn cannot be claimed.');
  const { sessionId, epoch, eventCount } = claimed;
  return { turnId, sessionId, epoch, eventCount, traceparent: null };
}

async function newParent(): Promise<Held> {
  const turn = { ...newTurn(tenantId), agentId };
  await insertTurn(database.pool, turn);
  return hold(turn.id);
}

const callsOf = (count: number): RequestedChild[] =>
  Array.from({ length: count }, () => ({
    toolCallId: newId('toolCall'),
    agentId,
    input: [{ type: 'text', text: 'Do it.' }],
  }));

const start = (parent: Held, calls: readonly RequestedChild[]) =>
  startChildren(database.pool, parent, calls, DEFAULT_LIMITS);

/** Starts so many child turns, and returns their ids. */
async function startMany(parent: Held, count: number): Promise<string[]> {
  const outcome = await start(parent, callsOf(count));
  if (outcome.of !== 'started') throw new Error(`Nothing was started: ${outcome.of}.`);
  return outcome.children.flatMap(({ childTurnId }) => childTurnId ?? []);
}

async function end({ turnId, epoch, eventCount }: Held): Promise<void> {
  const fence = { turnId, epoch, from: TRANSITIONS.advance.from, eventCount };
  const ended = await advanceTurn(database.pool, fence, ending('completed'));
  if (ended === null) throw new Error('The turn was not ended.');
}

/** It waits for its client from now on. */
async function requireAction({ turnId, epoch, eventCount }: Held): Promise<void> {
  const fence = { turnId, epoch, from: TRANSITIONS.advance.from, eventCount };
  const event = { id: newId('event'), type: 'turn.requires_action' as const, payload: { tool_calls: [] } };
  await advanceTurn(database.pool, fence, { action: { timeoutMs: 60_000 }, events: [event] });
}

/** The turns that the events of these turns say require an action, in their order; the numbers have no gap. */
async function toldTo(turnIds: readonly string[]): Promise<string[][]> {
  const { rows } = await database.pool.query<{ told: string[]; isWhole: boolean }>(
    `SELECT coalesce(array_agg(events.payload ->> 'child_turn_id' ORDER BY sequence_number)
              FILTER (WHERE type = 'tool.child_requires_action'), '{}') AS told,
       max(sequence_number) = count(*) AND count(*) = min(turns.event_count) AS "isWhole"
     FROM unnest($1::text[]) WITH ORDINALITY AS given(id, place) JOIN turns USING (id)
     JOIN events ON events.turn_id = turns.id GROUP BY place ORDER BY place`,
    [turnIds],
  );
  expect(rows.map(({ isWhole }) => isWhole)).toEqual(turnIds.map(() => true));
  return rows.map(({ told }) => told);
}

async function statesOf(turnIds: readonly string[]): Promise<string[]> {
  const { rows } = await database.pool.query<{ state: string }>(
    `SELECT status || CASE WHEN waits_for_children AND status = 'queued' THEN ' (waits)' ELSE '' END AS state
     FROM turns JOIN unnest($1::text[]) WITH ORDINALITY AS given(id, place) USING (id) ORDER BY place`,
    [turnIds],
  );
  return rows.map(({ state }) => state);
}

const pass = () => settleAllFamilies(parts, { orphan: '', parent: '' });

test('a turn that parks while its last child turns end is woken, or goes on, whatever comes first', async () => {
  const parked: string[] = [];
  for (let round = 0; round < 40; round++) {
    const parent = await newParent();
    const children = await Promise.all((await startMany(parent, 2)).map(hold));
    const [park] = await Promise.all([
      parkParent(database.pool, parent),
      ...children.map(async (child) => {
        await end(child);
        await settleFamilies(parts, [child.turnId]);
      }),
    ]);
    parked.push(park);
    const [state] = await statesOf([parent.turnId]);
    expect([park, state]).toEqual(park === 'parked' ? ['parked', 'queued'] : ['ready', 'in_progress']);
  }
  expect(parked).toContain('parked');
});

test('a turn whose last child turn ends between the look of its park and its commit is woken', async () => {
  const parent = await newParent();
  const [child] = await Promise.all((await startMany(parent, 1)).map(hold));
  if (child === undefined) throw new Error('One was started.');
  const holder = await database.pool.connect();
  try {
    await holder.query(`
      CREATE FUNCTION hold_park() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock_shared(${GATE}); RETURN NULL; END $$;
      CREATE TRIGGER hold_park AFTER UPDATE ON turns FOR EACH ROW
      WHEN (new.waits_for_children AND NOT old.waits_for_children) EXECUTE FUNCTION hold_park();`);
    await holder.query('SELECT pg_advisory_lock($1)', [GATE]);
    const waiting = async (what: string): Promise<boolean> => {
      const { rows } = await holder.query('SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = $1', [
        what,
      ]);
      return rows.length > 0;
    };
    const park = parkParent(database.pool, parent);
    await untilTrue('the park is about to be committed', () => waiting('advisory'));
    await end(child);
    let isSettled = false;
    const settled = settleFamilies(parts, [child.turnId]).finally(() => {
      isSettled = true;
    });
    await untilTrue('who wakes it waits for it', async () => isSettled || (await waiting('transactionid')));
    await holder.query('SELECT pg_advisory_unlock($1)', [GATE]);
    await settled;
    expect(await park).toBe('parked');
    expect(await statesOf([parent.turnId])).toEqual(['queued']);
  } finally {
    await holder.query('SELECT pg_advisory_unlock_all()');
    await holder.query('DROP TRIGGER IF EXISTS hold_park ON turns; DROP FUNCTION IF EXISTS hold_park()');
    holder.release();
  }
});

test('a turn is woken once the last of its child turns has ended, and not before', async () => {
  const parent = await newParent();
  const [first, second] = await Promise.all((await startMany(parent, 2)).map(hold));
  expect(await parkParent(database.pool, parent)).toBe('parked');
  if (first === undefined || second === undefined) throw new Error('Two were started.');
  await end(first);
  await settleFamilies(parts, [first.turnId]);
  expect(await statesOf([parent.turnId])).toEqual(['queued (waits)']);
  await end(second);
  await settleFamilies(parts, [second.turnId]);
  expect(await statesOf([parent.turnId])).toEqual(['queued']);
});

test('parked turns are told of an action below them once, on every level, whether it or the park comes first', async () => {
  for (const parksFirst of [true, false]) {
    const top = await newParent();
    const middle = await hold((await startMany(top, 1))[0] ?? '');
    const low = await hold((await startMany(middle, 1))[0] ?? '');
    const park = async (): Promise<void> => {
      for (const each of [middle, top]) {
        expect(await parkParent(database.pool, each)).toBe('parked');
        await tellFamilies(parts, [each.turnId]);
      }
    };
    if (parksFirst) await park();
    await requireAction(low);
    await tellFamilies(parts, [low.turnId]);
    if (!parksFirst) await park();
    await Promise.all([low, middle, top].map(({ turnId }) => tellFamilies(parts, [turnId])));
    expect(await toldTo([top.turnId, middle.turnId])).toEqual([[low.turnId], [low.turnId]]);
    expect(await pass()).toEqual({ orphans: 0, woken: 0 });
    expect(await toldTo([top.turnId, middle.turnId])).toEqual([[low.turnId], [low.turnId]]);
  }
});

test('whatever a process that died left undone, a pass of the reconciler does', async () => {
  const [ended, erased, gone] = await Promise.all([newParent(), newParent(), newParent()]);
  const [child] = await startMany(ended, 1);
  const [lost] = await startMany(erased, 1);
  const [middle] = await startMany(gone, 1);
  const held = await hold(middle ?? '');
  const [below] = await startMany(held, 1);
  for (const parent of [ended, erased, gone, held]) {
    expect(await parkParent(database.pool, parent)).toBe('parked');
  }
  await end(await hold(child ?? ''));
  const { rows } = await database.pool.query<{ sessionId: string }>(
    'SELECT session_id AS "sessionId" FROM turns WHERE id = $1',
    [lost],
  );
  await deleteSession(database.pool, tenantId, rows[0]?.sessionId ?? '');
  await cancelTurn(database.pool, tenantId, gone.turnId, TRANSITIONS.cancel.from);
  const asked = await newParent();
  const asking = await hold((await startMany(asked, 1))[0] ?? '');
  expect(await parkParent(database.pool, asked)).toBe('parked');
  await requireAction(asking);

  expect(await pass()).toEqual({ orphans: 1, woken: 2 });
  expect(await toldTo([asked.turnId])).toEqual([[asking.turnId]]);
  expect(await statesOf([ended.turnId, erased.turnId])).toEqual(['queued', 'queued']);
  expect(await statesOf([middle ?? '', below ?? ''])).toEqual(['cancelled', 'cancelled']);
  expect(await pass()).toEqual({ orphans: 0, woken: 0 });
});

test('a turn that is cancelled while it starts child turns leaves none that is open', async () => {
  for (let round = 0; round < 30; round++) {
    const parent = await newParent();
    const [outcome] = await Promise.all([
      start(parent, callsOf(3)),
      (async () => {
        await cancelTurn(database.pool, tenantId, parent.turnId, TRANSITIONS.cancel.from);
        await settleFamilies(parts, [parent.turnId]);
      })(),
    ]);
    const children = outcome.of === 'started' ? outcome.children : [];
    const states = await statesOf(children.flatMap(({ childTurnId }) => childTurnId ?? []));
    expect(states).toEqual(children.map(() => 'cancelled'));
  }
});

test('a call that is started again has the child turn that it had, and a lease that is lost starts none', async () => {
  const parent = await newParent();
  const calls = callsOf(3);
  const outcomes = await Promise.all([start(parent, calls), start(parent, calls), start(parent, calls)]);
  const [first, ...others] = outcomes;
  expect(others).toEqual([first, first]);
  const stored = async (): Promise<unknown> => {
    const { rows } = await database.pool.query(
      `SELECT (SELECT count(*)::int FROM turns AS child WHERE child.parent_turn_id = turns.id) AS children,
         event_count AS events, (SELECT count(*)::int FROM events WHERE turn_id = turns.id) AS told
       FROM turns WHERE id = $1`,
      [parent.turnId],
    );
    return rows[0];
  };
  const { eventCount } = parent;
  expect(await stored()).toEqual({ children: 3, events: eventCount + 3, told: eventCount + 3 });
  expect(await start({ ...parent, epoch: parent.epoch - 1 }, callsOf(1))).toEqual({ of: 'lost' });
  await cancelTurn(database.pool, tenantId, parent.turnId, TRANSITIONS.cancel.from);
  expect(await start(parent, callsOf(1))).toEqual({ of: 'cancelling' });
  expect(await stored()).toMatchObject({ children: 3 });
});

test('the turns below one turn stay within the limit, on whichever level they are started at once', async () => {
  const limits = { ...DEFAULT_LIMITS, max_child_turns: 20 };
  const parent = await newParent();
  const children = await Promise.all((await startMany(parent, 4)).map(hold));
  const outcomes = await Promise.all(
    [parent, ...children].map((each) => startChildren(database.pool, each, callsOf(6), limits)),
  );
  const started = outcomes.flatMap((outcome) => (outcome.of === 'started' ? outcome.children : []));
  expect(started.filter(({ refusal }) => refusal === null)).toHaveLength(16);
  const refused = started.flatMap(({ refusal }) => refusal ?? []);
  expect(refused).toHaveLength(14);
  expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['max_child_turns']));
});
