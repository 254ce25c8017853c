import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Schedule, ScheduleRun } from '@turnpike/contract';
import { changeLimits, purge } from '@turnpike/store';
import { cancelTurn, ScheduleRunner, type Ticking } from '@turnpike/turns';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { playWorker } from './testing/play-worker.ts';
import { startTestApi, type Client, type TestApi } from './testing/test-api.ts';

/** Ticks of tests lie ahead of the true time, at which nothing runs them. */
const START = Date.UTC(2040, 0, 1);
const later = (seconds: number): Date => new Date(START + seconds * 1_000);

let api: TestApi;
beforeAll(async () => (api = await startTestApi(await createTestDatabase())));
afterAll(() => api.stop());

type Owner = Client & { agentId: string };

async function tenant(): Promise<Owner> {
  const client = await api.addTenant();
  const { body } = await client.http.post('/v1/agents').send({ name: 'a', model: 'claude-sonnet-4-5' });
  return { ...client, agentId: body.id };
}

const everyMinute = { type: 'interval', every_seconds: 60 };

async function create({ http, agentId }: Owner, more: object = {}): Promise<Schedule> {
  const body = {
    timing: everyMinute,
    turn: { agent_id: agentId, input: 'Look again.' },
    starts_at: later(0).toISOString(),
    ...more,
  };
  return (await http.post('/v1/schedules').send(body).expect(201)).body;
}

/** A pass of a process whose clock says so many seconds after the start. */
const passAt = async (seconds: number): Promise<Ticking> => {
  const done = await new ScheduleRunner(api, () => later(seconds)).pass();
  expect(done.errors).toEqual([]);
  return done;
};

/** Oldest first. */
const runsOf = async ({ http }: Client, { id }: Schedule, query = ''): Promise<ScheduleRun[]> =>
  (await http.get(`/v1/schedules/${id}/runs?limit=100${query}`).expect(200)).body.items.toReversed();
const read = async ({ http }: Client, { id }: Schedule): Promise<Schedule> =>
  (await http.get(`/v1/schedules/${id}`).expect(200)).body;
const statuses = async (client: Client, schedule: Schedule): Promise<string[]> =>
  (await runsOf(client, schedule)).map(({ status }) => status);
const end = async (client: Client): Promise<void> => {
  for (const { id } of (await client.http.get('/v1/schedules')).body.items)
    await client.http.delete(`/v1/schedules/${id}`).expect(204);
};

test('each tick submits one turn, whatever processes look at once, and the schedule ends with its last', async () => {
  const client = await tenant();
  const schedule = await create(client, {
    name: 'Every minute',
    ends_at: later(300).toISOString(),
    catch_up: 'all',
    overlap: 'allow',
  });
  expect(schedule).toMatchObject({
    status: 'active',
    next_tick_at: later(0).toISOString(),
    session_id: null,
  });
  const { body: forecast } = await client.http
    .get(`/v1/schedules/${schedule.id}/forecast?limit=2`)
    .expect(200);
  expect(forecast.items.map(({ tick_at: tick }: { tick_at: string }) => tick)).toEqual([
    later(0).toISOString(),
    later(60).toISOString(),
  ]);
  expect((await passAt(-1)).ticks.started).toBe(0);
  for (const seconds of [0, 61, 300]) await Promise.all(Array.from({ length: 4 }, () => passAt(seconds)));
  const runs = await runsOf(client, schedule);
  expect(runs.map(({ tick_at: tick, status }) => `${tick} ${status}`)).toEqual(
    [0, 60, 120, 180, 240].map((seconds) => `${later(seconds).toISOString()} started`),
  );
  const { body: turns } = await client.http.get('/v1/turns?limit=100').expect(200);
  expect(new Set(turns.items.map(({ id }: { id: string }) => id))).toEqual(
    new Set(runs.map(({ turn_id: id }) => id)),
  );
  expect(new Set(turns.items.map(({ session_id: id }: { session_id: string }) => id)).size).toBe(5);
  expect(await read(client, schedule)).toMatchObject({ status: 'ended', next_tick_at: null });
  expect((await runsOf(client, schedule, '&status=missed')).length).toBe(0);
  await end(client);
});

test('a tick that was done is not done again by a process that believes it is due', async () => {
  const client = await tenant();
  const schedule = await create(client, { overlap: 'allow' });
  await passAt(0);
  // As if its step to the next tick had been lost.
  await api.database.pool.query('UPDATE schedules SET next_tick_at = $2, next_due_at = $2 WHERE id = $1', [
    schedule.id,
    later(0),
  ]);
  await passAt(0);
  expect(await statuses(client, schedule)).toEqual(['started']);
  expect((await client.http.get('/v1/turns')).body.items).toHaveLength(1);
  expect((await read(client, schedule)).next_tick_at).toBe(later(60).toISOString());
  await end(client);
});

test('while a turn is open, the next tick is skipped, cancels it, or waits in its session', async () => {
  const client = await tenant();
  const skipping = await create(client);
  const cancelling = await create(client, { overlap: 'cancel' });
  const queueing = await create(client, { overlap: 'queue', session: 'one' });
  for (const seconds of [0, 60]) await passAt(seconds);
  expect(await statuses(client, skipping)).toEqual(['started', 'skipped']);
  const [first, skipped] = await runsOf(client, skipping);
  expect(skipped?.error).toEqual({ code: 'overlap', message: `${first?.turn_id} has not ended yet.` });
  expect((await runsOf(client, cancelling)).map(({ turn_status: status }) => status)).toEqual([
    'cancelled',
    'queued',
  ]);
  const queued = await runsOf(client, queueing);
  const turns = await Promise.all(
    queued.map(async ({ turn_id: id }) => (await client.http.get(`/v1/turns/${id}`)).body),
  );
  expect(turns.map(({ sequence }) => sequence)).toEqual([1, 2]);
  const { session_id: sessionId } = await read(client, queueing);
  expect(turns.map((turn) => turn.session_id)).toEqual([sessionId, sessionId]);

  // Once the turn has ended, the next tick runs.
  await cancelTurn(api.database.pool, client.tenantId, first?.turn_id ?? '');
  await passAt(120);
  expect(await statuses(client, skipping)).toEqual(['started', 'skipped', 'started']);

  // A session of its own that was deleted is replaced; the history shows that its turns are gone.
  for (const { turn_id: id } of await runsOf(client, queueing))
    await cancelTurn(api.database.pool, client.tenantId, id ?? '');
  await client.http.delete(`/v1/sessions/${sessionId}`).expect(204);
  await passAt(180);
  const last = (await runsOf(client, queueing)).map(({ status, turn_status: turn }) => [status, turn]);
  expect(last).toEqual([
    ['started', null],
    ['started', null],
    ['started', null],
    ['started', 'queued'],
  ]);
  expect((await read(client, queueing)).session_id).not.toBe(sessionId);
  await end(client);
});

test('a refusal of a turn is kept with its code, and the schedule goes on', async () => {
  const client = await tenant();
  const schedule = await create(client, { overlap: 'allow' });
  const spend = [
    `INSERT INTO budgets (tenant_id, period, set_by, limit_micros) VALUES ($1, 'day', 'tenant', 5)`,
    `INSERT INTO spending (tenant_id, period, starts_on, spent_micros) VALUES ($1, 'day', turnpike_period_start('day'), 5)`,
  ];
  for (const text of spend) await api.database.pool.query(text, [client.tenantId]);
  expect((await passAt(0)).ticks).toMatchObject({ started: 0, refused: 1 });
  await api.database.pool.query(`DELETE FROM budgets WHERE tenant_id = $1`, [client.tenantId]);
  await passAt(60);
  await changeLimits(api.database.pool, client.tenantId, { max_queued_turns: 1 });
  await passAt(120);
  await client.http.delete(`/v1/agents/${client.agentId}`).expect(204);
  await changeLimits(api.database.pool, client.tenantId, { max_queued_turns: 100 });
  await passAt(180);
  const runs = await runsOf(client, schedule);
  expect(runs.map(({ status, error }) => error?.code ?? status)).toEqual([
    'budget_exceeded',
    'started',
    'queue_full',
    'not_found',
  ]);
  await end(client);
});

test('what another version stored stops no other schedule, and what is not read of its rules waits for one that does', async () => {
  const client = await tenant();
  const [timing, overlap, turn, good] = [
    await create(client),
    await create(client),
    await create(client),
    await create(client),
  ];
  const set = (column: string, { id }: Schedule, value: unknown) =>
    api.database.pool.query(`UPDATE schedules SET ${column} = $2 WHERE id = $1`, [id, value]);
  await set('timing', timing, { of: 'another version' });
  await set('turn', turn, { of: 'another version' });
  await set('overlap', overlap, 'another version');
  const done = await new ScheduleRunner(api, () => later(0)).pass();
  expect(done.errors.map(String)).toEqual([
    expect.stringMatching(/does not read the rules of sched/),
    expect.stringMatching(/does not read the rules of sched/),
  ]);
  // The next tick of the others is still known.
  expect(done.untilDue).toBeGreaterThan(0);
  expect((await read(client, timing)).status).toBe('active');
  expect((await read(client, turn)).status).toBe('active');
  expect(await statuses(client, timing)).toEqual([]);
  expect(await statuses(client, turn)).toEqual(['refused']);
  expect(await statuses(client, good)).toEqual(['started']);

  // As a process reads them that knows what they say.
  await set('timing', timing, timing.timing);
  await set('overlap', overlap, overlap.overlap);
  expect((await passAt(0)).ticks.started).toBe(2);
  expect(await statuses(client, timing)).toEqual(['started']);
  expect(await statuses(client, overlap)).toEqual(['started']);
  await end(client);
});

test('a tick that another process has is left to it for a while', async () => {
  const client = await tenant();
  const { id } = await create(client);
  await api.database.pool.query(
    `UPDATE schedules SET next_tick_at = now(), next_due_at = now() - interval '1 minute' WHERE id = $1`,
    [id],
  );
  const other = await api.database.pool.connect();
  try {
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM schedules WHERE id = $1 FOR NO KEY UPDATE', [id]);
    const { ticks, untilDue } = await new ScheduleRunner(api).pass();
    expect([ticks.started, untilDue]).toEqual([0, 250]);
  } finally {
    await other.query('ROLLBACK');
    other.release();
  }
  await end(client);
});

test('a schedule that is replaced while a tick of it runs counts its ticks from after that', async () => {
  const client = await tenant();
  const schedule = await create(client);
  const { pool } = api.database;
  const isTrue = async (condition: string, values: unknown[] = []): Promise<boolean> =>
    (await pool.query(`SELECT 1 WHERE ${condition}`, values)).rows.length > 0;
  const other = await pool.connect();
  try {
    await other.query('BEGIN');
    await other.query('SELECT 1 FROM schedules WHERE id = $1 FOR NO KEY UPDATE', [schedule.id]);
    const at = new Date(Date.now() + 1_000).toISOString();
    const replaced = client.http
      .put(`/v1/schedules/${schedule.id}`)
      .send({ timing: { type: 'once', at }, turn: schedule.turn })
      .then((response) => response);
    await untilTrue('it waits', () =>
      isTrue(
        `EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`,
      ),
    );
    await untilTrue('its tick has passed', () => isTrue('now() > $1::timestamptz', [at]));
    await other.query('COMMIT');
    expect((await replaced).body.errors).toMatchObject([{ path: 'timing' }]);
  } finally {
    await other.query('ROLLBACK');
    other.release();
  }
  expect(await read(client, schedule)).toEqual(schedule);
  await end(client);
});

test('the run of a turn that has ended is purged, also where no further tick notes its end', async () => {
  const client = await tenant();
  const once = { ends_at: later(30).toISOString() };
  const [ended, open] = [await create(client, once), await create(client, once)];
  await passAt(0);
  const [run] = await runsOf(client, ended);
  await cancelTurn(api.database.pool, client.tenantId, run?.turn_id ?? '');
  await purge(api.database, 'scheduleRuns', { tenantId: null, after: '', keptDays: 0, limit: 1_000 });
  expect(await statuses(client, ended)).toEqual([]);
  expect(await statuses(client, open)).toEqual(['started']);
  await end(client);
});

test('late ticks are missed as one, or made up for, and the history says so', async () => {
  const client = await tenant();
  const schedules = {
    none: await create(client, { catch_up: 'none', overlap: 'allow' }),
    last: await create(client, { catch_up: 'last', overlap: 'allow' }),
    all: await create(client, { catch_up: 'all', catch_up_seconds: 200, overlap: 'allow' }),
  };
  const done = await passAt(590);
  expect(done.ticks).toEqual({ started: 4, skipped: 0, refused: 0, missed: 10 + 9 + 7 });
  expect((await runsOf(client, schedules.none))[0]).toMatchObject({
    status: 'missed',
    tick_at: later(0).toISOString(),
    until: later(540).toISOString(),
    ticks: 10,
    turn_id: null,
  });
  expect(await statuses(client, schedules.last)).toEqual(['missed', 'started']);
  expect(await statuses(client, schedules.all)).toEqual(['missed', 'started', 'started', 'started']);
  await end(client);
});

test('a schedule is paused, resumed, replaced and deleted with its history', async () => {
  const client = await tenant();
  const schedule = await create(client);
  const path = `/v1/schedules/${schedule.id}`;
  const act = async (name: string): Promise<Schedule> =>
    (await client.http.post(`${path}/${name}`).expect(200)).body;
  await passAt(0);
  expect(await act('pause')).toMatchObject({ status: 'paused', next_tick_at: null });
  expect((await passAt(60)).ticks.skipped).toBe(0);
  expect((await client.http.get(`${path}/forecast`).expect(200)).body.items).toHaveLength(10);
  expect(await act('resume')).toMatchObject({ status: 'active', next_tick_at: later(0).toISOString() });
  const replaced = await client.http
    .put(path)
    .send({ timing: { type: 'once', at: later(500).toISOString() }, turn: schedule.turn, overlap: 'allow' })
    .expect(200);
  expect(replaced.body).toMatchObject({
    status: 'active',
    next_tick_at: later(500).toISOString(),
    starts_at: null,
  });
  await passAt(501);
  expect(await read(client, schedule)).toMatchObject({ status: 'ended' });
  expect(await statuses(client, schedule)).toEqual(['started', 'started']);
  await client.http.delete(path).expect(204);
  await client.http.get(path).expect(404);
  await client.http.get(`${path}/runs`).expect(404);
  await passAt(502);
  const { rows } = await api.database.pool.query('SELECT 1 FROM schedule_runs WHERE schedule_id = $1', [
    schedule.id,
  ]);
  expect(rows).toEqual([]);
  expect((await client.http.get('/v1/turns')).body.items).toHaveLength(2);
});

test('the true clock runs a tick at its time', async () => {
  const client = await tenant();
  const schedule = await create(client, {
    timing: { type: 'interval', every_seconds: 1 },
    starts_at: undefined,
  });
  const runner = new ScheduleRunner(api);
  await untilTrue('a tick has run', async () => {
    await runner.pass();
    return (await runsOf(client, schedule)).some(({ status }) => status === 'started');
  });
  const [run] = await runsOf(client, schedule);
  await playWorker(api, run?.turn_id ?? '');
  expect((await runsOf(client, schedule))[0]?.turn_status).toBe('completed');
  await end(client);
});

test('a schedule that could never run as it says is refused', async () => {
  const client = await tenant();
  const turn = { agent_id: client.agentId, input: 'Hi' };
  const { body: session } = await client.http.post('/v1/sessions').send({ agent_id: client.agentId });
  const { body: other } = await client.http
    .post('/v1/agents')
    .send({ name: 'b', model: 'claude-sonnet-4-5' });
  const refused: [object, string][] = [
    [{ timing: { type: 'cron', expression: '61 * * * *' }, turn }, 'timing.expression'],
    [
      { timing: { type: 'cron', expression: '0 9 * * *', time_zone: 'Mars/Olympus' }, turn },
      'timing.time_zone',
    ],
    [{ timing: { type: 'cron', expression: '0 0 30 2 *' }, turn }, 'timing'],
    [{ timing: { type: 'once', at: '2020-01-01T00:00:00Z' }, turn }, 'timing'],
    [{ timing: everyMinute, turn, overlap: 'queue' }, 'overlap'],
    [{ timing: everyMinute, turn, overlap: 'allow', session: 'one' }, 'overlap'],
    [{ timing: everyMinute, turn, overlap: 'allow', session_id: session.id }, 'overlap'],
    [
      { timing: everyMinute, turn: { ...turn, agent_id: other.id }, session: 'one', session_id: session.id },
      'session_id',
    ],
    [{ timing: everyMinute, turn: { ...turn, run_at: '2040-01-01T00:00:00Z' } }, 'turn.run_at'],
    [{ timing: everyMinute, turn: { ...turn, webhook_url: 'http://10.0.0.1/' } }, 'turn.webhook_url'],
    [
      { timing: everyMinute, turn: { ...turn, overrides: { model: 'claude-opus-4-5' } } },
      'turn.overrides.model',
    ],
  ];
  for (const [body, path] of refused) {
    const response = await client.http.post('/v1/schedules').send(body);
    expect([path, response.body.errors?.map((issue: { path: string }) => issue.path)]).toEqual([
      path,
      [path],
    ]);
  }
  const named = await create(client, { session_id: session.id });
  expect(named).toMatchObject({ session: 'one', session_id: session.id });
  await client.http.delete(`/v1/schedules/${named.id}`).expect(204);
  await changeLimits(api.database.pool, client.tenantId, { max_schedules: 1 });
  await untilTrue(
    'the limit is known',
    async () => (await client.http.get('/v1/limits')).body.max_schedules === 1,
  );
  await create(client);
  const { body } = await client.http.post('/v1/schedules').send({ timing: everyMinute, turn }).expect(409);
  expect(body.code).toBe('schedule_limit');
  await end(client);
});
