import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { agentConfigSchema, newId, type ContentBlock } from '@turnpike/contract';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { insertAgent } from '../agents/agents.ts';
import { createTenant } from '../tenants/tenants.ts';
import { claimTurn } from './claim-turn.ts';
import { dispatchTurns } from './dispatch-turns.ts';
import { insertTurn } from './insert-turn.ts';

let database: TestDatabase;
let tenantId: string;
let agentId: string;

beforeAll(async () => {
  database = await openTestDatabase(2);
  tenantId = await createTenant(database, 'Acme');
  agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm' });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  // Stored as they are, so that letters that are easy to make count as those of a picture would.
  await database.pool.query('ALTER TABLE messages ALTER COLUMN content SET STORAGE EXTERNAL');
});
afterAll(() => database.close());

/** A session whose turns have ended, each with a message that holds a picture of so many characters. */
async function sessionWith(pictures: readonly number[]): Promise<string> {
  const first = await insertTurn(database.pool, { ...newTurn(tenantId), agentId, sessionMetadata: {} });
  const sessionId = first.turn?.session_id ?? '';
  await database.pool.query(
    `UPDATE turns SET status = 'cancelled', finished_at = now() WHERE session_id = $1`,
    [sessionId],
  );
  await database.pool.query(`UPDATE sessions SET last_sequence = $2, open_turns = 0 WHERE id = $1`, [
    sessionId,
    pictures.length + 1,
  ]);
  for (const [number, characters] of pictures.entries()) {
    const id = newId('turn');
    await database.pool.query(
      `INSERT INTO turns (id, tenant_id, session_id, sequence, agent_id, agent_version, status, finished_at, deadline_at)
       VALUES ($1, $2, $3, $4, $5, 1, 'completed', now(), now())`,
      [id, tenantId, sessionId, number + 2, agentId],
    );
    await database.pool.query(
      `INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
       SELECT $1, 0, $1, $2, $3, $4, 'user', jsonb_build_array(
         jsonb_build_object('type', 'text', 'text', 'Look.'),
         jsonb_build_object('type', 'tool_result', 'tool_use_id', 'toolu_1', 'content', jsonb_build_array(picture)),
         picture)
       FROM jsonb_build_object('type', 'image', 'source', jsonb_build_object(
         'type', 'base64', 'media_type', 'image/png', 'data', repeat('a', $5 / 2))) AS picture`,
      [id, tenantId, sessionId, number + 2, characters],
    );
  }
  return sessionId;
}

async function historyOf(sessionId: string): Promise<ContentBlock[][]> {
  const { turn } = await insertTurn(database.pool, newTurn(tenantId, sessionId));
  const turnId = turn?.id ?? '';
  await dispatchTurns(database.pool, [], [tenantId]);
  const claim = { turnId, epoch: 0, from: ['queued'] as const, workerId: 'w', leaseMs: 60_000 };
  const claimed = await claimTurn(database.pool, claim);
  return (claimed?.history ?? []).slice(1).map(({ content }) => content);
}

const MEGABYTES = 1_000_000;

test('a claim reads pictures that are too old to be sent as their size, and all others and every text whole', async () => {
  const history = await historyOf(await sessionWith(Array.from({ length: 9 }, () => 8 * MEGABYTES)));
  const sources = history.map((content) => content[2]?.['source']);
  const omitted = { type: 'omitted', characters: 4 * MEGABYTES };
  expect(sources.slice(0, 2)).toEqual([omitted, omitted]);
  expect(sources.slice(3).every((source) => JSON.stringify(source).length > 4 * MEGABYTES)).toBe(true);
  expect(history.map(([text]) => text)).toEqual(history.map(() => ({ type: 'text', text: 'Look.' })));
  expect(history[0]?.[1]).toEqual({
    type: 'tool_result',
    tool_use_id: 'toolu_1',
    content: [{ type: 'image', source: omitted }],
  });
});

test('a claim reads every picture of a session that can be sent', async () => {
  const history = await historyOf(await sessionWith([8 * MEGABYTES, 8 * MEGABYTES, 1_000]));
  expect(JSON.stringify(history)).not.toContain('omitted');
});
