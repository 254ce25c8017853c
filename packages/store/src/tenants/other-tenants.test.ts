import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { agentConfigSchema, newId } from '@turnpike/contract';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { insertTurn } from '../turns/insert-turn.ts';
import { insertTurnInGroup } from '../turns/insert-turn-in-group.ts';
import { insertAgent } from '../agents/agents.ts';
import { lockWaitingTurn } from '../turns/answer-action.ts';
import { cancelOpenTurns, cancelTurn } from '../turns/cancel-turns.ts';
import type { Database } from '../database/database.ts';
import { findRefusal } from '../turns/find-refusal.ts';
import { lockStoppedTurn } from '../turns/find-resumable.ts';
import { lockSession, lockSessionOfTurn } from '../sessions/lock-session.ts';
import { readTurn } from '../turns/read-turns.ts';
import {
  deleteSession,
  insertSession,
  readSession,
  sessionExists,
  updateSession,
} from '../sessions/sessions.ts';
import { transaction, type Sql } from '../database/sql.ts';
import { steerTurn } from '../turns/steer-turn.ts';
import { createTenant } from './tenants.ts';

let database: TestDatabase;
let [ours, theirs, agentId, sessionId, turnId] = ['', '', newId('agent'), '', ''];

beforeAll(async () => {
  database = await openTestDatabase(4);
  [ours, theirs] = [await createTenant(database, 'Ours'), await createTenant(database, 'Theirs')];
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId: ours, name: 'a', metadata: {}, config });
  const turn = { ...newTurn(ours), agentId, sessionMetadata: {} };
  await insertTurn(database.pool, turn);
  ({ sessionId, id: turnId } = turn);
});
afterAll(() => database.close());

/** Everything that is stored about our session. */
async function everything(): Promise<unknown> {
  const { rows } = await database.pool.query(
    `SELECT (SELECT jsonb_agg(sessions) FROM sessions) AS sessions, (SELECT jsonb_agg(turns ORDER BY id) FROM turns) AS turns,
       (SELECT count(*) FROM messages) AS messages, (SELECT count(*) FROM events) AS events`,
  );
  return rows;
}

const inside = <Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> =>
  transaction(database.pool, work);
const theirTurn = () => ({ ...newTurn(theirs, sessionId), onlyIfIdle: false });
const theirMessage = () => ({
  tenantId: theirs,
  sessionId,
  messageId: newId('message'),
  content: [{ type: 'text', text: 'Hi.' }],
  webhookUrl: null,
});
const theirKey = () => ({
  tenantId: theirs,
  route: 'r',
  key: 'k',
  fingerprint: createHash('sha256').digest(),
});

const NOTHING = { turn: null, refusal: 'unavailable' };

test.each<[string, (pool: Database['pool']) => Promise<unknown>, unknown]>([
  ['adds a turn to it', (pool) => insertTurnInGroup(pool, theirTurn(), null), NOTHING],
  ['adds one by itself', () => inside((sql) => insertTurn(sql, theirTurn())), NOTHING],
  ['adds one with a key', (pool) => insertTurnInGroup(pool, theirTurn(), theirKey()), NOTHING],
  [
    'starts one with its agent',
    (pool) => insertTurn(pool, { ...newTurn(theirs), agentId, sessionMetadata: {} }),
    NOTHING,
  ],
  [
    'makes a session of its agent',
    (pool) => insertSession(pool, { id: newId('session'), tenantId: theirs, agentId, metadata: {} }),
    { session: null },
  ],
  ['joins a turn of it', (pool) => steerTurn(pool, theirMessage(), ['queued']), null],
  ['cancels a turn of it', (pool) => cancelTurn(pool, theirs, turnId, ['queued']), null],
  [
    'cancels all of its turns',
    () => inside((sql) => cancelOpenTurns(sql, { tenantId: theirs, sessionId, rollBack: true }, ['queued'])),
    [],
  ],
  ['locks it', () => inside((sql) => lockSession(sql, theirs, sessionId)), false],
  ['locks it by its turn', () => inside((sql) => lockSessionOfTurn(sql, theirs, turnId)), false],
  [
    'answers a turn of it',
    () => inside((sql) => lockWaitingTurn(sql, { tenantId: theirs, turnId }, 'queued')),
    false,
  ],
  ['goes on where a turn of it stopped', () => inside((sql) => lockStoppedTurn(sql, theirs, turnId)), null],
  [
    'changes it',
    (pool) => updateSession(pool, { id: sessionId, tenantId: theirs }, { metadata: { a: 'b' } }),
    null,
  ],
  ['erases it', (pool) => deleteSession(pool, theirs, sessionId), false],
  ['hears why it takes no turn', (pool) => findRefusal(pool, theirs, sessionId), null],
  ['hears that it is there', (pool) => sessionExists(pool, theirs, sessionId), false],
  ['reads it', () => readSession(database, theirs, sessionId), null],
  ['reads a turn of it', (pool) => readTurn(pool, theirs, turnId), null],
])('no tenant but the session’s own %s', async (_what, attempt, response) => {
  const before = await everything();
  const answered = await attempt(database.pool);
  if (typeof response === 'object' && response !== null) expect(answered).toMatchObject(response);
  else expect(answered).toBe(response);
  expect(await everything()).toEqual(before);
});
