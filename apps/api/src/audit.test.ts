import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { AuditEntry } from '@turnpike/contract';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { auditedAs } from './audit-act.ts';
import { routes } from './create-api.ts';
import { DIALECTS } from './dialects/dialects.ts';
import { routesOf } from './dialects/to-route.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterAll(() => api.stop());

/** Operations that change something and are no administrative act, with the reason. */
const NO_ACTS: Record<string, string> = {
  createSession: 'the work itself: a conversation begins',
  submitTurn: 'the work itself, in the journal',
  startTurn: 'the work itself, in the journal',
  cancelTurn: 'the work itself: the turn and its events say so',
  resumeTurn: 'the work itself: the turn and its events say so',
  forkSession: 'the work itself: a conversation begins, and says where from',
  rerunTurn: 'the work itself: the session of the turn says what it makes again',
  updateSession: 'the work itself: what a client notes of a conversation',
  submitToolOutputs:
    'the work itself: the journal says what was answered; a call that is sent again is an act',
};

const entries = async (query = ''): Promise<AuditEntry[]> =>
  (await api.client.http.get(`/v1/audit_entries?limit=100${query}`).expect(200)).body.items;

test('every operation that changes something is audited, or is listed here with the reason why not', () => {
  for (const route of [...routes, ...routesOf(DIALECTS, 0)]) {
    if (route.method === 'get') continue;
    const action = auditedAs(route);
    const isExcused = NO_ACTS[route.operationId] !== undefined || route.noAct !== undefined;
    const title = `${route.operationId}: give it \`audit\`, or name it in NO_ACTS with a reason`;
    expect([title, action === null]).toEqual([title, isExcused]);
    if (action !== null) expect(action).toMatch(/^[a-z_]+\.[a-z_]+$/);
  }
});

test('an entry has the actor, the subject and the request of an act, and no secret value', async () => {
  const value = 'a value that is in no entry';
  const put = await api.client.http.put('/v1/secrets/crm').send({ value }).expect(200);
  const [entry] = await entries('&action=secret.put');
  expect(entry).toMatchObject({
    object: 'audit_entry',
    actor: { type: 'api_key', id: api.client.keyId },
    action: 'secret.put',
    subject: 'crm',
    request_id: put.headers['x-request-id'] ?? put.headers['request-id'],
    details: { version: 1 },
  });
  const made = await api.client.http
    .post('/v1/api_keys')
    .send({ name: 'ci', scopes: ['turns:read'] })
    .expect(201);
  const rotated = await api.client.http.post(`/v1/api_keys/${made.body.id}/rotate`).send({}).expect(201);
  await api.client.http.delete(`/v1/api_keys/${made.body.id}`).expect(204);
  const ofKeys = (await entries()).filter(({ subject }) => subject === made.body.id);
  expect(ofKeys.map(({ action, details }) => [action, details])).toEqual([
    ['api_key.revoked', {}],
    ['api_key.rotated', { new_key_id: rotated.body.id }],
    ['api_key.created', { name: 'ci', scopes: ['turns:read'] }],
  ]);
  const all = JSON.stringify(await api.readAllRows());
  expect(all).not.toContain(value);
  expect(all).not.toContain(made.body.key);
});

test('the entry and the act are committed together, or neither is', async () => {
  const agent = { name: 'unlucky', model: 'm' };
  await api.database.pool.query(
    "ALTER TABLE audit_entries ADD CONSTRAINT unlucky CHECK (details->>'name' <> 'unlucky')",
  );
  await api.client.http.post('/v1/agents').send(agent).expect(500);
  await api.client.http.post('/v1/agents').set('Idempotency-Key', 'unlucky').send(agent).expect(500);
  await api.database.pool.query('ALTER TABLE audit_entries DROP CONSTRAINT unlucky');
  const { agents, idempotency_records: records } = await api.readAllRows();
  expect(JSON.stringify([agents, records])).not.toContain('unlucky');

  const count = (await entries()).length;
  // A failure after the entry was written rolls it back.
  await api.database.pool.query(
    `ALTER TABLE idempotency_records ADD CONSTRAINT unlucky CHECK (key <> 'unlucky')`,
  );
  await api.client.http.post('/v1/agents').set('Idempotency-Key', 'unlucky').send(agent).expect(500);
  await api.database.pool.query('ALTER TABLE idempotency_records DROP CONSTRAINT unlucky');
  expect(await entries()).toHaveLength(count);

  await api.client.http.delete('/v1/secrets/nowhere').expect(404);
  await api.client.http.post('/v1/agents').send({ name: '' }).expect(400);
  expect(await entries()).toHaveLength(count);
});

test('a replayed request is audited once', async () => {
  const send = () =>
    api.client.http
      .post('/v1/agents')
      .set('Idempotency-Key', 'once')
      .send({ name: 'a', model: 'm' })
      .expect(201);
  const first = await send();
  expect((await send()).body.id).toBe(first.body.id);
  expect((await entries()).filter(({ subject }) => subject === first.body.id)).toHaveLength(1);
});

test('an erased session leaves an entry that has nothing of its contents', async () => {
  const agent = await api.client.http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const body = { agent_id: agent.body.id, input: 'Confidential.' };
  const turn = await api.client.http.post('/v1/turns').send(body).expect(202);
  await api.client.http.delete(`/v1/sessions/${turn.body.session_id}`).expect(204);
  expect(await entries('&action=session.erased')).toMatchObject([
    { subject: turn.body.session_id, details: {} },
  ]);
  const rows = await api.readAllRows();
  expect(JSON.stringify(rows)).not.toContain('Confidential.');
});

test('entries come in pages, by action, by actor and by time', async () => {
  const before = new Date().toISOString();
  for (const name of ['one', 'two', 'three']) {
    await api.client.http.put(`/v1/secrets/${name}`).send({ value: 'some value' }).expect(200);
  }
  const get = async (query: Record<string, string>) =>
    (
      await api.client.http
        .get('/v1/audit_entries')
        .query({ from: before, ...query })
        .expect(200)
    ).body;
  const first = await get({ limit: '2' });
  expect(first.items.map((entry: AuditEntry) => entry.subject)).toEqual(['three', 'two']);
  const second = await get({ limit: '2', cursor: first.next_cursor });
  expect(second.items.map((entry: AuditEntry) => entry.subject)).toEqual(['one']);
  expect(second.next_cursor).toBeNull();
  expect((await get({ actor: api.client.keyId })).items).toHaveLength(3);
  expect((await get({ actor: 'operator' })).items).toEqual([]);
  expect((await get({ action: 'agent.created' })).items).toEqual([]);
  expect((await get({ to: before })).items).toEqual([]);
  const other = await api.addTenant();
  expect((await other.http.get('/v1/audit_entries').expect(200)).body.items).toEqual([]);
});

test('the audit log cannot be changed, deleted or truncated, even with SQL', async () => {
  expect((await entries()).length).toBeGreaterThan(0);
  const before = (await api.readAllRows())['audit_entries'];
  for (const statement of [
    `UPDATE audit_entries SET action = 'nothing.done'`,
    'DELETE FROM audit_entries',
    'DELETE FROM audit_entries WHERE false',
    'TRUNCATE audit_entries',
  ]) {
    await expect(api.database.pool.query(statement)).rejects.toThrow('append-only');
  }
  expect((await api.readAllRows())['audit_entries']).toEqual(before);
});
