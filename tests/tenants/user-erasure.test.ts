import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AuditEntry, Session, Turn, UserErasure } from '@turnpike/contract';
import { readPostgres } from '../security/support/read-postgres.ts';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';

/** In everything that the user says, and nowhere else. */
const MARK = 'canary-of-the-user-5f1d';
const USER = 'user-canary-77';

let cluster: Cluster;
beforeAll(async () => {
  // A database of its own: all of it is searched.
  cluster = await Cluster.start({ workers: 1 });
});
afterAll(() => cluster.stop());

async function get<Body>(path: string): Promise<Body> {
  return (await cluster.request('GET', path)).body as Body;
}

async function post<Body>(path: string, body: unknown): Promise<Body> {
  const response = await cluster.request('POST', path, body);
  if (response.status >= 300) throw new Error(`${path}: ${JSON.stringify(response.body)}`);
  return response.body as Body;
}

async function untilErased(id: string): Promise<UserErasure> {
  let erasure = await get<UserErasure>(`/v1/user_erasures/${id}`);
  await untilTrue('the user is erased', async () => {
    erasure = await get<UserErasure>(`/v1/user_erasures/${id}`);
    return erasure.status === 'completed';
  });
  return erasure;
}

test('all that is stored of a user is erased, also what runs, forks and child turns; of another user nothing', async () => {
  const helper = await cluster.createAgent({ name: 'helper' });
  const { id: agentId } = await cluster.createAgent({
    tools: [{ type: 'agent', name: 'ask_helper', description: 'Asks.', agent_id: helper.id }],
  });
  await cluster.control.setScript({
    rules: [
      {
        match: { text: 'delegate', step: 0 },
        reply: { tool_uses: [{ name: 'ask_helper', input: { prompt: MARK } }] },
      },
      { match: { text: 'slow' }, reply: { text: 'word '.repeat(400) }, pace: { tokens_per_second: 5 } },
      { match: { text: MARK }, reply: { text: `You said ${MARK}.` } },
      { reply: { text: 'Hello.' } },
    ],
  });
  const submit = (input: string, fields: object): Promise<Turn> =>
    post<Turn>('/v1/turns', { agent_id: agentId, input, ...fields });
  const mine = { user_id: USER, session_metadata: { name: MARK } };
  const ended = [await submit(`${MARK} Hello`, mine), await submit(`${MARK} delegate`, mine)];
  const [first] = ended;
  for (const { id } of ended) expect((await cluster.untilEnded(id)).status).toBe('completed');
  const fork = await post<Session>(`/v1/sessions/${first?.session_id}/fork`, {});
  expect(fork.user_id).toBe(USER);
  const empty = await post<Session>('/v1/sessions', { agent_id: agentId, user_id: USER });
  const running = await submit(`${MARK} slow`, mine);
  await cluster.until(running.id, ['in_progress']);
  const other = await submit('Hello', { user_id: 'somebody-else' });
  const nobody = await submit('Hello', {});
  for (const { id } of [other, nobody]) await cluster.untilEnded(id);
  const listed = await get<{ items: Session[] }>(`/v1/sessions?user_id=${USER}`);
  // One of a child turn is of the same user.
  expect(listed.items).toHaveLength(6);
  expect(listed.items).toContainEqual(empty);
  expect(await readPostgres(cluster.database)).toContain(MARK);

  const asked = await Promise.all(
    [1, 2].map(() => post<UserErasure>('/v1/user_erasures', { user_id: USER })),
  );
  // While it is pending there is one; the second may come after its end.
  expect(new Set(asked.map(({ user_hash: hash }) => hash)).size).toBe(1);
  for (const { id } of asked) await untilErased(id);
  const erasures = (await get<{ items: UserErasure[] }>('/v1/user_erasures')).items;
  expect(erasures.reduce((sum, { erased_sessions: count }) => sum + count, 0)).toBe(5);

  const hash = createHash('sha256').update(`${cluster.tenantId}:${USER}`).digest('hex');
  const audit = await get<{ items: AuditEntry[] }>('/v1/audit_entries?action=user.erased');
  expect(audit.items).toContainEqual(
    expect.objectContaining({
      subject: erasures.find(({ erased_sessions: count }) => count === 5)?.id,
      actor: { type: 'api_key', id: expect.any(String) },
      details: { user_hash: hash, erased_sessions: 5 },
    }),
  );
  expect((await get<{ items: Session[] }>(`/v1/sessions?user_id=${USER}`)).items).toEqual([]);
  for (const { id } of [...ended, running])
    expect((await cluster.request('GET', `/v1/turns/${id}`)).status).toBe(404);
  // The worker of the turn that ran has noticed, and wrote nothing more: it is free for another turn.
  const next = await submit('Hello', {});
  expect((await cluster.untilEnded(next.id)).status).toBe('completed');
  const left = await readPostgres(cluster.database);
  expect(left.includes(MARK) || left.includes(USER)).toBe(false);
  for (const { id } of [other, nobody]) expect((await cluster.read(id)).status).toBe('completed');
});

test('a user with many sessions is erased over several passes, and one without any at once', async () => {
  const { id: agentId } = await cluster.createAgent();
  for (let number = 0; number < 23; number++)
    await post('/v1/sessions', { agent_id: agentId, user_id: 'many' });
  const { id } = await post<UserErasure>('/v1/user_erasures', { user_id: 'many' });
  expect((await untilErased(id)).erased_sessions).toBe(23);
  const none = await post<UserErasure>('/v1/user_erasures', { user_id: 'unknown' });
  expect(await untilErased(none.id)).toMatchObject({ status: 'completed', erased_sessions: 0 });
});

test.each([[{}], [{ user_id: '' }], [{ user_id: 'x'.repeat(257) }], [{ user_id: 'a\0b' }], [{ user_id: 7 }]])(
  'an erasure of %j is refused',
  async (body) => {
    expect((await cluster.request('POST', '/v1/user_erasures', body)).status).toBe(400);
  },
);
