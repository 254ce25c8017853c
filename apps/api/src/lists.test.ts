import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  agentSchema,
  messageSchema,
  sessionSchema,
  stepSchema,
  turnSchema,
  type Turn,
} from '@turnpike/contract';
import { z } from 'zod';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { playWorker } from './testing/play-worker.ts';

let api: TestApi;
let agentIds: string[];
/** In the order in which they were accepted. */
const turns: Turn[] = [];
let longTurn: Turn;

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  const { http } = api.client;
  agentIds = [];
  for (let n = 0; n < 7; n++) {
    agentIds.push(
      (
        await http
          .post('/v1/agents')
          .send({ name: `a${n}`, model: 'm' })
          .expect(201)
      ).body.id,
    );
  }
  for (let n = 0; n < 12; n++) turns.push(await startTurn(agentIds[n % 3] ?? ''));
  const sessionId = turns[0]?.session_id;
  for (let n = 0; n < 8; n++) {
    const response = await http
      .post(`/v1/sessions/${sessionId}/turns`)
      .send({ input: `More ${n}` })
      .expect(202);
    turns.push(turnSchema.parse(response.body));
  }
  for (const { id } of turns.slice(1, 6)) await playWorker(api, id);
  longTurn = await startTurn(agentIds[6] ?? '');
  await playWorker(api, longTurn.id, 3);
});

afterAll(() => api.stop());

async function startTurn(agentId: string): Promise<Turn> {
  const body = { agent_id: agentId, input: 'Hi' };
  return turnSchema.parse((await api.client.http.post('/v1/turns').send(body).expect(202)).body);
}

/** All items, page by page; every page but the last is full. */
async function walk<Item extends z.ZodType>(
  path: string,
  limit: number,
  item: Item,
): Promise<z.infer<Item>[]> {
  const page = z.strictObject({
    object: z.literal('list'),
    items: z.array(item),
    next_cursor: z.string().nullable(),
  });
  const items: z.infer<Item>[] = [];
  let cursor: string | null = null;
  do {
    const query: Record<string, string> = { limit: String(limit), ...(cursor === null ? {} : { cursor }) };
    const response = await api.client.http.get(path).query(query).expect(200);
    const { items: found, next_cursor: next } = page.parse(response.body);
    items.push(...found);
    expect(found.length).toBeLessThanOrEqual(limit);
    if (next !== null) expect(found).toHaveLength(limit);
    expect(items.length).toBeLessThan(1_000);
    cursor = next;
  } while (cursor !== null);
  return items;
}

/** Newest first, as most lists are. */
const idsOf = (expected: readonly Turn[]): string[] => expected.map((turn) => turn.id).toReversed();

describe.each([1, 2, 3, 7, 100])('read in pages of %i, without gap or repetition', (limit) => {
  test('agents come newest first', async () => {
    const found = await walk('/v1/agents', limit, agentSchema.strict());
    expect(found.map((agent) => agent.id)).toEqual(agentIds.toReversed());
  });

  test('sessions come newest first', async () => {
    const found = await walk('/v1/sessions', limit, sessionSchema.strict());
    const sessionIds = turns.slice(0, 12).map((turn) => turn.session_id);
    expect(found.map((session) => session.id)).toEqual([...sessionIds, longTurn.session_id].toReversed());
    expect(found.at(-1)?.turn_count).toBe(9);
  });

  test('sessions of one agent', async () => {
    const found = await walk(`/v1/sessions?agent_id=${agentIds[1]}`, limit, sessionSchema.strict());
    const expected = [1, 4, 7, 10].map((index) => turns[index]?.session_id);
    expect(found.map((session) => session.id)).toEqual(expected.toReversed());
  });

  test('turns come newest first', async () => {
    const found = await walk('/v1/turns', limit, turnSchema.strict());
    expect(found.map((turn) => turn.id)).toEqual(idsOf([...turns, longTurn]));
  });

  test('turns of one session, agent or status', async () => {
    const ofSession = turns.filter((turn) => turn.session_id === turns[0]?.session_id);
    const ofAgent = turns.filter((turn) => turn.agent_id === agentIds[0]);
    const ended = [...turns.slice(1, 6), longTurn];
    const endedOfAgent = ended.filter((turn) => turn.agent_id === agentIds[1]);
    const filters: [string, Turn[]][] = [
      [`session_id=${turns[0]?.session_id}`, ofSession],
      [`agent_id=${agentIds[0]}`, ofAgent],
      ['status=completed', ended],
      ['status=failed', []],
      [`agent_id=${agentIds[1]}&status=completed`, endedOfAgent],
      [`session_id=${turns[0]?.session_id}&status=queued&agent_id=${agentIds[0]}`, ofSession],
      [`session_id=${turns[0]?.session_id}&agent_id=${agentIds[1]}`, []],
    ];
    expect(ofSession).toHaveLength(9);
    for (const [filter, expected] of filters) {
      const found = await walk(`/v1/turns?${filter}`, limit, turnSchema.strict());
      expect([filter, found.map((turn) => turn.id)]).toEqual([filter, idsOf(expected)]);
    }
  });

  test('messages come oldest first, over all turns of the session', async () => {
    const path = `/v1/sessions/${turns[0]?.session_id}/messages`;
    const found = await walk(path, limit, messageSchema.strict());
    const ofSession = turns.filter((turn) => turn.session_id === turns[0]?.session_id);
    expect(found.map((message) => message.turn_id)).toEqual(ofSession.map((turn) => turn.id));
    expect(found.at(-1)?.content).toEqual([{ type: 'text', text: 'More 7' }]);

    const ofLong = await walk(`/v1/sessions/${longTurn.session_id}/messages`, limit, messageSchema.strict());
    const roles = ofLong.map((message) => message.role[0]).join('');
    expect(roles).toBe('uauauaua');
    expect(new Set(ofLong.map((message) => message.id)).size).toBe(8);
  });

  test('steps come in order, each with its own calls and content', async () => {
    const found = await walk(`/v1/turns/${longTurn.id}/steps`, limit, stepSchema.strict());
    expect(found.map((step) => step.index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(found.map((step) => step.type === 'model_call')).toEqual([
      true,
      false,
      true,
      false,
      true,
      false,
      true,
    ]);
    const calls = found.map((step) => step.tool_calls.map((call) => call.tool_use_id));
    expect(calls).toEqual([['toolu_0'], [], ['toolu_1'], [], ['toolu_2'], [], []]);
    expect(found.at(-1)?.content).toEqual([{ type: 'text', text: 'Hello.' }]);
    expect(found[0]?.content).toMatchObject([{ type: 'tool_use', id: 'toolu_0' }]);
    expect(found[1]?.content).toMatchObject([{ type: 'tool_result', tool_use_id: 'toolu_0' }]);
  });
});

test('a page has twenty items by default', async () => {
  const response = await api.client.http.get('/v1/turns').expect(200);
  expect(response.body.items).toHaveLength(20);
  expect(response.body.next_cursor).toBe(response.body.items[19].id);
});

test('what is created while a list is paged changes nothing in its later pages', async () => {
  const { http } = await api.addTenant();
  const agent = await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const make = () => http.post('/v1/sessions').send({ agent_id: agent.body.id }).expect(201);
  const first = [await make(), await make(), await make(), await make()].map((made) => made.body.id);
  const page = await http.get('/v1/sessions?limit=2').expect(200);
  await make();
  await http.delete(`/v1/sessions/${page.body.next_cursor}`).expect(204);
  const rest = await http.get(`/v1/sessions?limit=10&cursor=${page.body.next_cursor}`).expect(200);
  expect(rest.body.items.map((session: { id: string }) => session.id)).toEqual([first[1], first[0]]);
});

test('what was deleted is in no list', async () => {
  const { http } = await api.addTenant();
  const agent = await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const turn = await http.post('/v1/turns').send({ agent_id: agent.body.id, input: 'Hi' }).expect(202);
  await http.delete(`/v1/agents/${agent.body.id}`).expect(204);
  expect((await http.get('/v1/agents')).body.items).toEqual([]);
  expect((await http.get('/v1/turns')).body.items).toHaveLength(1);
  await http.delete(`/v1/sessions/${turn.body.session_id}`).expect(204);
  expect((await http.get('/v1/sessions')).body.items).toEqual([]);
  expect((await http.get('/v1/turns')).body.items).toEqual([]);
  await http.get(`/v1/turns/${turn.body.id}/steps`).expect(404);
});
