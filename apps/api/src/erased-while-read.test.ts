import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { deleteSession, openDatabase, readTurnFacts } from '@turnpike/store';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { playWorker } from './testing/play-worker.ts';

// A read of two statements may find the session erased when the second one runs.

let api: TestApi;
let url: string;

beforeAll(async () => {
  const made = await createTestDatabase();
  url = made.url;
  api = await startTestApi(made, { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(() => api.stop());

async function endedTurn(): Promise<Turn> {
  const { http } = api.client;
  const agent = await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const turn = await http.post('/v1/turns').send({ agent_id: agent.body.id, input: 'Hi' }).expect(202);
  await playWorker(api, turn.body.id, 1);
  return turn.body;
}

test('messages whose session is erased while they are read are returned completely, or not at all', async () => {
  const turn = await endedTurn();
  const eraser = await api.database.pool.connect();
  try {
    await eraser.query('BEGIN');
    // Messages can be read, and turns not before this is committed.
    await eraser.query('LOCK TABLE turns IN ACCESS EXCLUSIVE MODE');
    const reading = api.client.http
      .get(`/v1/sessions/${turn.session_id}/messages`)
      .then((response) => response);
    await untilTrue('the turns are waited for', async () => {
      const { rows } = await eraser.query(
        `SELECT FROM pg_locks WHERE relation = 'turns'::regclass AND NOT granted`,
      );
      return rows.length > 0;
    });
    await deleteSession(eraser, api.client.tenantId, turn.session_id);
    await eraser.query('COMMIT');
    expect((await reading).status).toBe(200);
  } finally {
    eraser.release();
  }
});

test('events whose session is erased while they are read are returned without the end of the turn', async () => {
  const turn = await endedTurn();
  // One connection: statements get it in the order in which they ask.
  const database = openDatabase({ url, poolSize: 1, applicationName: 'one', onError: () => undefined });
  try {
    const reading = readTurnFacts(database.pool, turn.id, { after: 0, limit: 100 });
    await deleteSession(database.pool, api.client.tenantId, turn.session_id);
    const types = (await reading).map(({ fact }) => fact.type);
    expect(types).toContain('turn.started');
    expect(types).not.toContain('turn.completed');
  } finally {
    await database.close();
  }
});
