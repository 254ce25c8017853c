import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Batch, BatchResult, LimitOverrides } from '@turnpike/contract';
import { changeLimits } from '@turnpike/store';
import { BatchFeeder, cancelTurn, type Feeding } from '@turnpike/turns';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { playWorker } from './testing/play-worker.ts';
import { startTestApi, type Client, type TestApi } from './testing/test-api.ts';

let api: TestApi;
let feeder: BatchFeeder;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase());
  feeder = new BatchFeeder(api);
});
afterAll(() => api.stop());

/** A tenant with an agent. */
async function tenant(overrides: LimitOverrides = {}): Promise<Client & { agentId: string }> {
  const client = await api.addTenant();
  await changeLimits(api.database.pool, client.tenantId, overrides);
  await untilTrue('the limits are known', async () => {
    const { body } = await client.http.get('/v1/limits');
    return Object.entries(overrides).every(([name, value]) => body[name] === value);
  });
  const { body } = await client.http.post('/v1/agents').send({ name: 'a', model: 'claude-sonnet-4-5' });
  return { ...client, agentId: body.id };
}

interface Response {
  status: number;
  headers: Headers;
  body: Batch & { code?: string; errors?: { path: string; message: string }[] };
}

async function upload(
  { apiKey }: Client,
  lines: readonly (object | string)[],
  { fields = {}, key }: { fields?: Record<string, unknown>; key?: string } = {},
): Promise<Response> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, JSON.stringify(value));
  const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
  form.append('file', new Blob([text], { type: 'application/jsonl' }), 'lines.jsonl');
  const response = await fetch(`${api.url}/v1/batches`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, ...(key === undefined ? {} : { 'idempotency-key': key }) },
    body: form,
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Response['body'],
  };
}

const numbered = (count: number, more: object = {}): { custom_id: string; input: string }[] =>
  Array.from({ length: count }, (_, index) => ({
    custom_id: `row-${index + 1}`,
    input: `Say ${index + 1}.`,
    ...more,
  }));

const read = async ({ http }: Client, id: string): Promise<Batch> =>
  (await http.get(`/v1/batches/${id}`).expect(200)).body;

async function results({ http }: Client, id: string, query = ''): Promise<BatchResult[]> {
  const { text, headers } = await http.get(`/v1/batches/${id}/results${query}`).buffer(true).expect(200);
  expect(headers['content-type']).toBe('application/jsonl; charset=utf-8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : (JSON.parse(line) as BatchResult)));
}

async function openTurns(id: string): Promise<string[]> {
  const { rows } = await api.database.pool.query<{ id: string }>(
    `SELECT turns.id FROM turns WHERE batch_id = $1 AND finished_at IS NULL ORDER BY id`,
    [id],
  );
  return rows.map((row) => row.id);
}

/** As workers do: all that may run, until the batch has ended. */
async function runToEnd(client: Client, id: string): Promise<Batch> {
  for (;;) {
    await feeder.pass();
    const batch = await read(client, id);
    if (batch.ended_at !== null) return batch;
    for (const turnId of await openTurns(id)) await playWorker(api, turnId);
  }
}

const imageOf = (fileId: string): object => ({
  type: 'image',
  source: { type: 'file', file_id: fileId },
});

const tableCount = async (table: string, batchId: string): Promise<number> => {
  const column = table === 'turn_batches' ? 'id' : 'batch_id';
  const { rows } = await api.database.pool.query<{ count: number }>(
    `SELECT count(*)::int FROM ${table} WHERE ${column} = $1`,
    [batchId],
  );
  return rows[0]?.count ?? -1;
};

test('each line of a JSONL upload becomes one turn, and its results come in the order of the lines', async () => {
  const client = await tenant();
  const fields = {
    defaults: { agent_id: client.agentId, metadata: { job: 'nightly' } },
    metadata: { run: '7' },
  };
  const { status, headers, body } = await upload(client, numbered(30), { fields });
  expect([status, headers.get('location')]).toEqual([202, `/v1/batches/${body.id}`]);
  expect(body).toMatchObject({
    status: 'in_progress',
    metadata: { run: '7' },
    counts: { total: 30, pending: 30 },
  });

  await feeder.pass();
  const [first = ''] = await openTurns(body.id);
  await playWorker(api, first);
  const { body: shown } = await client.http.get(`/v1/turns/${first}`).expect(200);
  expect(shown).toMatchObject({ batch_id: body.id, metadata: { job: 'nightly' }, priority: -50 });
  // Exact before any pass has counted it.
  expect((await read(client, body.id)).counts).toMatchObject({ completed: 1 });
  expect((await results(client, body.id)).map(({ custom_id: id }) => id)).toEqual(['row-1']);

  const ended = await runToEnd(client, body.id);
  expect(ended).toMatchObject({
    status: 'completed',
    counts: { total: 30, completed: 30, pending: 0, queued: 0 },
  });
  const all = await results(client, body.id);
  expect(all.map(({ line, custom_id: id }) => `${line} ${id}`)).toEqual(
    numbered(30).map(({ custom_id: id }, at) => `${at + 1} ${id}`),
  );
  expect(new Set(all.map(({ turn }) => turn?.id)).size).toBe(30);
  expect(await results(client, body.id, '?after=28')).toEqual(all.slice(28));
  expect(await results(client, body.id, '?after=3&limit=2')).toEqual(all.slice(3, 5));
  const head = await fetch(`${api.url}/v1/batches/${body.id}/results`, {
    method: 'HEAD',
    headers: { authorization: `Bearer ${client.apiKey}` },
  });
  expect([head.status, head.headers.get('content-type')]).toEqual([200, 'application/jsonl; charset=utf-8']);
  // The turns have the input now.
  expect(await tableCount('batch_lines WHERE request IS NOT NULL AND batch_id = $1 --', body.id)).toBe(0);
});

test('lines that are not valid are named by their numbers, and none is accepted', async () => {
  const client = await tenant();
  const defaults = { agent_id: client.agentId };
  const good = { custom_id: 'a', input: 'Hi' };
  const { status, body } = await upload(
    client,
    [
      good,
      '{"custom_id":',
      '',
      { custom_id: 'b' },
      { ...good, custom_id: 'c', overrides: { model: 'claude-opus-4-5' } },
      { ...good, custom_id: 'd', session_id: 'sess_01kapjt9e8f7ga5vxq3c2m4n6r' },
      { ...good, custom_id: 'e', agent_id: 'agent_01kapjt9e8f7ga5vxq3c2m4n6r' },
      { ...good, custom_id: 'f', webhook_url: 'http://10.0.0.1/' },
      { ...good, custom_id: 'a' },
      { ...good, custom_id: 'g', surprise: 1 },
      JSON.stringify({ ...good, custom_id: 'h', input: 'x\u0000y' }),
      { ...good, custom_id: 'i', input: [imageOf('file_01kapjt9e8f7ga5vxq3c2m4n6r')] },
    ],
    { fields: { defaults } },
  );
  expect([status, body.code]).toEqual([400, 'invalid_request']);
  expect(body.errors?.map(({ path }) => path).toSorted()).toEqual(
    [
      'line 2',
      'line 3.input',
      'line 4.overrides.model',
      'line 5.session_id',
      'line 6.agent_id',
      'line 7.webhook_url',
      'line 8.custom_id',
      'line 9.surprise',
      'line 10.input',
      'line 11',
    ].toSorted(),
  );
  expect((await client.http.get('/v1/batches').expect(200)).body.items).toEqual([]);
  await untilTrue('nothing of it is left', async () => {
    await feeder.pass();
    const { rows } = await api.database.pool.query(`SELECT 1 FROM turn_batches WHERE tenant_id = $1`, [
      client.tenantId,
    ]);
    return rows.length === 0;
  });
  const inline = await client.http
    .post('/v1/batches')
    .send({ defaults, items: [good, { custom_id: 'b' }, good] });
  expect(inline.body.errors.map(({ path }: { path: string }) => path)).toEqual(['items.1.input']);
  const none = await upload(client, [], { fields: { defaults } });
  expect([none.status, none.body.errors]).toEqual([400, [{ path: '', message: 'has no lines' }]]);
});

test('an upload that is sent again with its key is the same batch, and another upload with it is refused', async () => {
  const client = await tenant();
  const fields = { defaults: { agent_id: client.agentId } };
  const first = await upload(client, numbered(3), { fields, key: 'k' });
  const again = await upload(client, numbered(3), { fields, key: 'k' });
  expect(again.body).toEqual(first.body);
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  const other = await upload(client, numbered(4), { fields, key: 'k' });
  expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
  const items = { defaults: fields.defaults, items: numbered(2) };
  const inline = () => client.http.post('/v1/batches').set('Idempotency-Key', 'i').send(items).expect(202);
  expect((await inline()).body.id).toBe((await inline()).body.id);
  expect((await client.http.get('/v1/batches')).body.items).toHaveLength(2);
  await runToEnd(client, first.body.id);
  expect(await tableCount('turns', first.body.id)).toBe(3);
});

test('a batch has no more turns open than the tenant may, and passes that meet feed no line twice', async () => {
  const client = await tenant({ max_open_batch_turns: 3 });
  const { body } = await upload(client, numbered(12), { fields: { defaults: { agent_id: client.agentId } } });
  const others = Array.from({ length: 4 }, () => new BatchFeeder(api));
  const passes = (): Promise<Feeding[]> => Promise.all(others.map((each) => each.pass()));
  const started = new Set<string>();
  for (;;) {
    await passes();
    const open = await openTurns(body.id);
    expect(open.length).toBeLessThanOrEqual(3);
    for (const id of open) started.add(id);
    if ((await read(client, body.id)).ended_at !== null) break;
    for (const id of open) await playWorker(api, id);
  }
  expect(started.size).toBe(12);
  expect(await tableCount('turns', body.id)).toBe(12);
});

test('a batch is paused, resumed, cancelled and deleted', async () => {
  const client = await tenant({ max_open_batch_turns: 2 });
  const act = async (id: string, name: string) =>
    (await client.http.post(`/v1/batches/${id}/${name}`).expect(200)).body as Batch;
  const { body } = await upload(client, numbered(6), { fields: { defaults: { agent_id: client.agentId } } });
  await feeder.pass();
  expect((await act(body.id, 'pause')).status).toBe('paused');
  for (const id of await openTurns(body.id)) await playWorker(api, id);
  await feeder.pass();
  expect((await read(client, body.id)).counts).toMatchObject({ completed: 2, pending: 4, queued: 0 });
  expect((await act(body.id, 'resume')).status).toBe('in_progress');
  await feeder.pass();
  const refused = await client.http.delete(`/v1/batches/${body.id}`).expect(409);
  expect(refused.body.code).toBe('batch_not_ended');

  expect((await act(body.id, 'cancel')).status).toBe('cancelling');
  const cancelled = await runToEnd(client, body.id);
  expect(cancelled).toMatchObject({
    status: 'cancelled',
    counts: { total: 6, completed: 2, cancelled: 4, pending: 0 },
  });
  expect((await act(body.id, 'resume')).status).toBe('cancelled');
  const shown = await results(client, body.id);
  expect(shown.map(({ status }) => status)).toEqual([
    ...Array(2).fill('completed'),
    ...Array(4).fill('cancelled'),
  ]);
  expect(shown.at(-1)?.turn).toBeNull();

  await client.http.delete(`/v1/batches/${body.id}`).expect(204);
  await client.http.get(`/v1/batches/${body.id}`).expect(404);
  await client.http.get(`/v1/batches/${body.id}/results`).expect(404);
  await feeder.pass();
  expect([await tableCount('turn_batches', body.id), await tableCount('batch_lines', body.id)]).toEqual([
    0, 0,
  ]);
  expect(await tableCount('turns', body.id)).toBe(4);
});

test('turns of one session run in the order of their lines, and a line whose session is gone is refused', async () => {
  const client = await tenant();
  const { body: session } = await client.http
    .post('/v1/sessions')
    .send({ agent_id: client.agentId })
    .expect(201);
  const { body: gone } = await client.http
    .post('/v1/sessions')
    .send({ agent_id: client.agentId })
    .expect(201);
  const lines = [
    ...numbered(3, { session_id: session.id }),
    { custom_id: 'gone', input: 'Hi', session_id: gone.id },
    { custom_id: 'own', input: 'Hi', agent_id: client.agentId },
  ];
  const { body } = await upload(client, lines);
  await client.http.delete(`/v1/sessions/${gone.id}`).expect(204);
  for (let left = 5; left > 0; left--) {
    await feeder.pass();
    for (const id of await openTurns(body.id)) {
      const { rows } = await api.database.pool.query(
        `SELECT 1 FROM turns WHERE id = $1 AND ready_at IS NOT NULL`,
        [id],
      );
      if (rows.length === 0) continue;
      await playWorker(api, id);
      api.dispatcher.changed({ tenantId: client.tenantId, sessionId: session.id });
      await api.dispatcher.settle();
    }
  }
  const shown = await results(client, body.id);
  expect(shown.map(({ status }) => status)).toEqual([
    'completed',
    'completed',
    'completed',
    'refused',
    'completed',
  ]);
  expect(shown.slice(0, 3).map(({ turn }) => [turn?.session_id, turn?.sequence])).toEqual(
    [1, 2, 3].map((at) => [session.id, at]),
  );
  expect(shown[3]?.error?.code).toBe('not_found');
  // What was deleted since is told apart from what never was.
  await client.http.delete(`/v1/sessions/${session.id}`).expect(204);
  expect((await results(client, body.id))[0]).toMatchObject({
    status: 'completed',
    turn: null,
    error: { code: 'turn_erased' },
  });
});

test('a line that this version does not read is refused, and all others become turns', async () => {
  const client = await tenant();
  const fields = { defaults: { agent_id: client.agentId } };
  const [{ body: first }, { body: second }, { body: third }] = [
    await upload(client, numbered(3), { fields }),
    await upload(client, numbered(2), { fields }),
    await upload(client, numbered(2), { fields }),
  ];
  await api.database.pool.query(
    `UPDATE batch_lines SET request = '{"of": "another version"}' WHERE batch_id = $1 AND index = 1`,
    [first.id],
  );
  await api.database.pool.query(
    `UPDATE turn_batches SET defaults = '{"of": "another version"}' WHERE id = $1`,
    [second.id],
  );
  const fed = await feeder.pass();
  expect([fed.errors, fed.ended]).toEqual([[], { refused: 3 }]);
  for (const [{ id }, statuses] of [
    [first, ['completed', 'refused', 'completed']],
    [second, ['refused', 'refused']],
    [third, ['completed', 'completed']],
  ] as const) {
    expect((await runToEnd(client, id)).status).toBe('completed');
    const shown = await results(client, id);
    expect(shown.map(({ status }) => status)).toEqual(statuses);
    const codes = shown.flatMap(({ error }) => error?.code ?? []);
    expect(codes.filter((code) => code !== 'line_unreadable')).toEqual([]);
  }
});

test('a line that cannot be stored is refused, and no other in its place', async () => {
  const client = await tenant();
  await api.database.pool.query(`
    CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.metadata ? 'poison' THEN RAISE EXCEPTION 'poison' USING ERRCODE = '22023'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER refuse_poison BEFORE INSERT ON turns FOR EACH ROW EXECUTE FUNCTION refuse_poison()`);
  const { body: session } = await client.http.post('/v1/sessions').send({ agent_id: client.agentId });
  const fields = { defaults: { agent_id: client.agentId } };
  const poison = { metadata: { poison: 'yes' } };
  const lines = [
    ...numbered(2),
    { custom_id: 'poison', input: 'Hi', ...poison },
    { custom_id: 'in a session', input: 'Hi', session_id: session.id, ...poison },
    { custom_id: 'last', input: 'Hi' },
  ];
  const { body: first } = await upload(client, lines, { fields });
  const { body: second } = await upload(client, numbered(3), { fields });
  await runToEnd(client, first.id);
  await runToEnd(client, second.id);
  expect((await results(client, first.id)).map(({ status, error }) => error?.code ?? status)).toEqual([
    'completed',
    'completed',
    'unstorable',
    'unstorable',
    'completed',
  ]);
  expect((await read(client, second.id)).counts).toMatchObject({ completed: 3, refused: 0 });
});

test('a line waits for its file, and the other batches of the tenant do not', async () => {
  const client = await tenant();
  const form = new FormData();
  form.append('file', new Blob(['A note.'], { type: 'text/plain' }), 'note.txt');
  const created = await fetch(`${api.url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${client.apiKey}` },
    body: form,
  });
  const { id } = (await created.json()) as { id: string };
  const setStatus = (status: string) =>
    api.database.pool.query('UPDATE files SET status = $2 WHERE id = $1', [id, status]);
  await setStatus('pending');
  const fields = { defaults: { agent_id: client.agentId } };
  const note = { type: 'document', source: { type: 'file', file_id: id } };
  const unfit = await upload(client, [{ custom_id: 'a', input: [imageOf(id)] }], { fields });
  expect(unfit.body.errors?.map(({ path }) => path)).toEqual(['line 1.input.0.source.file_id']);
  const lines = [{ custom_id: 'a', input: [note, { type: 'text', text: 'Read it.' }] }];
  const { body: first } = await upload(client, lines, { fields });
  const { body: second } = await upload(client, numbered(3), { fields });
  await feeder.pass();
  expect(await read(client, first.id)).toMatchObject({
    waiting_for: 'file_not_ready',
    counts: { pending: 1 },
  });
  expect(await read(client, second.id)).toMatchObject({ waiting_for: null, counts: { queued: 3 } });
  await setStatus('ready');
  expect((await runToEnd(client, first.id)).counts).toMatchObject({ completed: 1 });
});

test('batches leave a share of the turns that a tenant may run to its other turns', async () => {
  const client = await tenant({ max_running_turns: 4 });
  const { body } = await upload(client, numbered(8), { fields: { defaults: { agent_id: client.agentId } } });
  await feeder.pass();
  expect(await openTurns(body.id)).toHaveLength(3);
});

test('one webhook tells of the end of a batch, and none of each turn', async () => {
  const client = await tenant();
  await client.http.post('/v1/webhook_endpoints').send({ url: 'https://hooks.example/' }).expect(201);
  const { body } = await upload(client, numbered(4), { fields: { defaults: { agent_id: client.agentId } } });
  await runToEnd(client, body.id);
  await feeder.pass();
  const { rows } = await api.database.pool.query<{ type: string; payload: { batch: Batch } }>(
    `SELECT type, payload FROM deliveries WHERE tenant_id = $1`,
    [client.tenantId],
  );
  expect(rows.map(({ type }) => type)).toEqual(['batch.completed']);
  expect(rows[0]?.payload.batch).toMatchObject({
    id: body.id,
    status: 'completed',
    counts: { completed: 4 },
  });
});

test('limits bound a batch, and what is open of all', async () => {
  const client = await tenant({ max_batch_lines: 5, max_batch_bytes: 400, max_open_batches: 1 });
  const fields = { defaults: { agent_id: client.agentId } };
  const tooMany = await upload(client, numbered(6), { fields });
  expect([tooMany.status, tooMany.body.code]).toEqual([413, 'batch_too_large']);
  const tooLong = await upload(client, [{ custom_id: 'a', input: 'x'.repeat(500) }], { fields });
  expect([tooLong.status, tooLong.body.code]).toEqual([413, 'batch_too_large']);
  const first = await upload(client, numbered(2), { fields });
  const second = await upload(client, numbered(2), { fields });
  expect([second.status, second.body.code]).toEqual([409, 'batch_limit']);
  expect(second.body).toMatchObject({ detail: expect.stringContaining('cancel it') });
  await runToEnd(client, first.body.id);
  expect((await upload(client, numbered(2), { fields })).status).toBe(202);
});

test('a batch waits while the budget is spent, and says so', async () => {
  const client = await tenant();
  const spend = [
    `INSERT INTO budgets (tenant_id, period, set_by, limit_micros) VALUES ($1, 'day', 'tenant', 5)`,
    `INSERT INTO spending (tenant_id, period, starts_on, spent_micros) VALUES ($1, 'day', turnpike_period_start('day'), 5)`,
  ];
  for (const text of spend) await api.database.pool.query(text, [client.tenantId]);
  const { body } = await upload(client, numbered(2), { fields: { defaults: { agent_id: client.agentId } } });
  await feeder.pass();
  expect(await read(client, body.id)).toMatchObject({
    waiting_for: 'budget_exceeded',
    counts: { pending: 2 },
  });
  await api.database.pool.query(`DELETE FROM budgets WHERE tenant_id = $1`, [client.tenantId]);
  // The check of budgets is a second old at most.
  await untilTrue('it goes on', async () => {
    await new BatchFeeder(api).pass();
    return (await openTurns(body.id)).length === 2;
  });
  expect((await read(client, body.id)).waiting_for).toBeNull();
});

test('a turn of a batch that a client cancels is counted as cancelled', async () => {
  const client = await tenant();
  const { body } = await upload(client, numbered(2), { fields: { defaults: { agent_id: client.agentId } } });
  await feeder.pass();
  const [first = ''] = await openTurns(body.id);
  await cancelTurn(api.database.pool, client.tenantId, first);
  expect((await runToEnd(client, body.id)).counts).toMatchObject({ completed: 1, cancelled: 1 });
});
