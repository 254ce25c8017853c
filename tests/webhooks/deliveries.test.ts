import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { untilTrue } from '../support/until-true.ts';
import { answerWith, Receiver, verify } from './support/receiver.ts';
import { WebhookCluster } from './support/webhook-cluster.ts';

/** Only ends what would never end: whole clusters start here, on machines that may have much else to do. */
jest.setTimeout(300_000);

let webhooks: WebhookCluster;
let receiver: Receiver;
let agentId: string;
beforeAll(async () => {
  receiver = await Receiver.start();
  webhooks = await WebhookCluster.start();
  agentId = (await webhooks.cluster.createAgent()).id;
});
beforeEach(() => webhooks.cluster.control.reset());
afterEach(async () => {
  receiver.received.splice(0);
  receiver.behaviours.clear();
  await webhooks.cluster.database.pool.query('UPDATE webhook_endpoints SET deleted_at = now()');
});
afterAll(async () => {
  await webhooks.stop();
  await receiver.stop();
});

test('an endpoint gets the events that it subscribed to, signed, with the turn as the API shows it', async () => {
  const types = ['turn.queued', 'turn.started', 'turn.completed'];
  const endpoint = await webhooks.endpoint(`${receiver.url}/all`, types);
  const submitted = await webhooks.cluster.submit({ agentId }, 'Hello', { metadata: { order: '17' } });
  const turn = await webhooks.cluster.untilEnded(submitted.id);
  await untilTrue('all have come', () => receiver.at('/all').length === 3);

  for (const received of receiver.at('/all')) {
    expect(verify(endpoint.signing_secret, received)).toEqual(received.body);
    expect(received.headers).toMatchObject({
      'webhook-id': received.body.id,
      'content-type': 'application/json',
    });
  }
  const byType = new Map(receiver.at('/all').map(({ body }) => [body.type, body]));
  expect([...byType.keys()].toSorted()).toEqual(types.toSorted());
  expect(byType.get('turn.completed')).toMatchObject({
    id: expect.stringMatching(/^evt_/),
    created_at: turn.finished_at,
    data: { turn, truncated: false },
  });
  expect(byType.get('turn.queued')?.data['turn']).toMatchObject({
    id: turn.id,
    status: 'queued',
    output: null,
  });
  expect(byType.get('turn.queued')?.sequence_number).toBe(1);
  const sequence = byType.get('turn.completed')?.sequence_number ?? 0;
  expect(sequence).toBeGreaterThan(byType.get('turn.started')?.sequence_number ?? 0);

  const { rows } = await webhooks.cluster.database.pool.query<{ id: string }>(
    'SELECT id FROM events WHERE turn_id = $1 AND type = ANY ($2)',
    [turn.id, types],
  );
  expect(
    receiver
      .at('/all')
      .map(({ body }) => body.id)
      .toSorted(),
  ).toEqual(rows.map(({ id }) => id).toSorted());
  const [delivery] = await webhooks.deliveries(`&turn_id=${turn.id}&type=turn.completed`);
  expect(delivery).toMatchObject({ status: 'delivered', attempts: 1, webhook_endpoint_id: endpoint.id });
});

test('a turn that requires an action says which, also to its webhook URL', async () => {
  const { signing_secret: secret } = (await webhooks.ask('POST', '/v1/webhook_secret/rotate', {})) as {
    signing_secret: string;
  };
  await webhooks.cluster.control.setScript({
    rules: [{ match: { step: 0 }, reply: { tool_uses: [{ name: 'pick', input: { from: 'a list' } }] } }],
  });
  const tool = { type: 'client', name: 'pick', description: 'Picks.', input_schema: { type: 'object' } };
  const agent = await webhooks.cluster.createAgent({ tools: [tool] });
  const options = { webhook_url: `${receiver.url}/turn` };
  const submitted = await webhooks.cluster.submit({ agentId: agent.id }, 'Pick one', options);
  const waiting = await webhooks.cluster.until(submitted.id, ['requires_action']);
  const [call] = waiting.required_action?.tool_calls ?? [];
  await webhooks.ask('POST', `/v1/turns/${submitted.id}/tool_outputs`, {
    tool_outputs: [{ tool_call_id: call?.id, output: 'The first.' }],
  });
  await webhooks.cluster.untilEnded(submitted.id);
  await untilTrue('both have come', () => receiver.at('/turn').length === 2);

  const byType = new Map(receiver.at('/turn').map((received) => [received.body.type, received]));
  expect([...byType.keys()].toSorted()).toEqual(['turn.completed', 'turn.requires_action']);
  for (const received of byType.values()) verify(secret, received);
  // As it was then, though it has moved on since.
  expect(byType.get('turn.requires_action')?.body.data['turn']).toEqual(waiting);
  const [delivery] = await webhooks.deliveries(`&turn_id=${submitted.id}`);
  expect(delivery).toMatchObject({ webhook_endpoint_id: null, url: options.webhook_url });
});

test('an answer that makes the body too long is left out, and that is said', async () => {
  await webhooks.cluster.control.setScript({ rules: [{ reply: { text: 'word '.repeat(8_000) } }] });
  const endpoint = await webhooks.endpoint(`${receiver.url}/long`, ['turn.incomplete']);
  const { id } = await webhooks.cluster.submit({ agentId }, 'Say a lot');
  const turn = await webhooks.cluster.untilEnded(id);
  expect(turn.output_text?.length).toBeGreaterThan(20_000);
  await untilTrue('it has come', () => receiver.at('/long').length === 1);
  const [received] = receiver.at('/long');
  expect(received?.text.length).toBeLessThan(20_000);
  expect(received?.body.data).toEqual({
    truncated: true,
    turn: { ...turn, output: null, output_text: null },
  });
  verify(endpoint.signing_secret, received ?? { text: '', headers: {} });
});

test('both secrets verify while a rotation overlaps, and only the new one after it', async () => {
  const endpoint = await webhooks.endpoint(`${receiver.url}/rotated`);
  const rotate = async (seconds: number): Promise<string> => {
    const path = `/v1/webhook_endpoints/${endpoint.id}/rotate`;
    return ((await webhooks.ask('POST', path, { overlap_seconds: seconds })) as { signing_secret: string })
      .signing_secret;
  };
  const second = await rotate(3_600);
  await webhooks.until((await webhooks.ping(endpoint)).id, 'delivered');
  const [both] = receiver.at('/rotated');
  if (both === undefined) throw new Error('Nothing came.');
  expect(verify(endpoint.signing_secret, both)).toEqual(verify(second, both));

  const third = await rotate(0);
  await webhooks.until((await webhooks.ping(endpoint)).id, 'delivered');
  const [, after] = receiver.at('/rotated');
  if (after === undefined) throw new Error('Nothing came.');
  verify(third, after);
  for (const old of [endpoint.signing_secret, second]) expect(() => verify(old, after)).toThrow();
});

test('what was altered, or is replayed later, does not verify', async () => {
  const endpoint = await webhooks.endpoint(`${receiver.url}/replayed`);
  await webhooks.until((await webhooks.ping(endpoint)).id, 'delivered');
  const [received] = receiver.at('/replayed');
  if (received === undefined) throw new Error('Nothing came.');
  const { text, headers } = received;
  const later = String(Number(headers['webhook-timestamp']) - 6 * 60);
  const forged = [
    { text: text.replace('ping', 'pong'), headers },
    { text: `${text} `, headers },
    { text, headers: { ...headers, 'webhook-id': 'evt_other' } },
    { text, headers: { ...headers, 'webhook-timestamp': later } },
  ];
  for (const one of forged) expect(() => verify(endpoint.signing_secret, one)).toThrow();
  // An honest signature of six minutes ago.
  const { Webhook } = await import('standardwebhooks');
  const old = new Date(Date.now() - 6 * 60 * 1000);
  const signature = new Webhook(endpoint.signing_secret).sign(String(headers['webhook-id']), old, text);
  const replayed = { ...headers, 'webhook-timestamp': later, 'webhook-signature': signature };
  expect(() => verify(endpoint.signing_secret, { text, headers: replayed })).toThrow(/old/);
});

test('a delivery that fails is tried by the schedule, with the same id and a fresh timestamp, and is dead then', async () => {
  const endpoint = await webhooks.endpoint(`${receiver.url}/broken`);
  receiver.behaviours.set('/broken', answerWith(500, {}, 'It is broken.'));
  const { id } = await webhooks.ping(endpoint);
  const dead = await webhooks.until(id, 'dead');
  expect(dead).toMatchObject({ attempts: 4, next_attempt_at: null, delivered_at: null });
  expect(dead.attempt_log.map(({ number, response_status: status }) => [number, status])).toEqual(
    [1, 2, 3, 4].map((number) => [number, 500]),
  );
  expect(dead.attempt_log[0]).toMatchObject({ response_body: 'It is broken.', error_code: 'status_refused' });
  const received = receiver.at('/broken');
  expect(new Set(received.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([dead.event_id]));
  expect(new Set(received.map(({ text }) => text)).size).toBe(1);
  // Never sooner than the schedule says.
  const waits = received.slice(1).map(({ at }, index) => at - (received[index]?.at ?? 0));
  expect(waits[0]).toBeGreaterThanOrEqual(200);
  expect(waits[1]).toBeGreaterThanOrEqual(300);
  expect(waits[2]).toBeGreaterThanOrEqual(400);
  for (const one of received) verify(endpoint.signing_secret, one);

  receiver.behaviours.delete('/broken');
  await webhooks.ask('POST', `/v1/deliveries/${id}/redeliver`);
  const again = await webhooks.until(id, 'delivered');
  expect(again).toMatchObject({ attempts: 5, event_id: dead.event_id });
  expect(receiver.at('/broken').at(-1)?.headers['webhook-id']).toBe(dead.event_id);
});

test('what was written before a new column was there is delivered after it', async () => {
  await webhooks.endpoint(`${receiver.url}/older`, ['turn.completed']);
  const { id } = await webhooks.cluster.submit({ agentId }, 'Hello');
  const turn = await webhooks.cluster.untilEnded(id);
  const [delivery] = await webhooks.deliveries(`&turn_id=${id}`);
  await webhooks.until(delivery?.id ?? '', 'delivered');
  // As a version wrote it that knew of no costs.
  await webhooks.cluster.database.pool.query(
    `UPDATE deliveries SET payload = payload #- '{turn,cost_micros}' WHERE id = $1`,
    [delivery?.id],
  );
  await webhooks.ask('POST', `/v1/deliveries/${delivery?.id}/redeliver`);
  await untilTrue('it comes again', () => receiver.at('/older').length === 2);
  expect(receiver.at('/older').map(({ body }) => body.data['turn'])).toEqual([turn, turn]);
});

test('a receiver that asks for time gets it, and not more of it than is good', async () => {
  const endpoint = await webhooks.endpoint(`${receiver.url}/slow-down`);
  const answers = [answerWith(429, { 'retry-after': '2' }), answerWith(503, { 'retry-after': '999999' })];
  receiver.behaviours.set('/slow-down', (response, received) =>
    (answers.shift() ?? answerWith(204))(response, received),
  );
  const { id } = await webhooks.ping(endpoint);
  await untilTrue('it was tried twice', async () => (await webhooks.read(id)).attempts === 2);
  const [first, second] = receiver.at('/slow-down');
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_990);
  const { next_attempt_at: next } = await webhooks.read(id);
  const hours = (Date.parse(String(next)) - Date.now()) / 3_600_000;
  expect(hours).toBeGreaterThan(9);
  expect(hours).toBeLessThan(11);
});

test('an endpoint that responds 410 is disabled at once, and the others are notified', async () => {
  const gone = await webhooks.endpoint(`${receiver.url}/gone`);
  const other = await webhooks.endpoint(`${receiver.url}/other`, ['webhook_endpoint.disabled']);
  receiver.behaviours.set('/gone', answerWith(410));
  const delivery = await webhooks.until((await webhooks.ping(gone)).id, 'dead');
  expect(delivery).toMatchObject({ attempts: 1, attempt_log: [{ error_code: 'gone' }] });
  expect(await webhooks.ask('GET', `/v1/webhook_endpoints/${gone.id}`)).toMatchObject({
    enabled: false,
    disabled_reason: 'gone',
    disabled_at: expect.any(String),
  });
  await untilTrue('the other is notified', () => receiver.at('/other').length === 1);
  const [notice] = receiver.at('/other');
  expect(notice?.body).toMatchObject({
    type: 'webhook_endpoint.disabled',
    data: { webhook_endpoint: { id: gone.id, url: gone.url, reason: 'gone' } },
  });
  verify(other.signing_secret, notice ?? { text: '', headers: {} });

  // What happens meanwhile is kept as dead letters, and can be had once it works again.
  const { id } = await webhooks.cluster.submit({ agentId }, 'Hello');
  await webhooks.cluster.untilEnded(id);
  const [kept] = await webhooks.deliveries(`&turn_id=${id}`);
  expect(kept).toMatchObject({ status: 'dead', attempts: 0, webhook_endpoint_id: gone.id });
  const refused = await webhooks.cluster.request('POST', `/v1/deliveries/${kept?.id}/redeliver`);
  expect(refused).toMatchObject({ status: 409, body: { code: 'webhook_endpoint_disabled' } });
  receiver.behaviours.delete('/gone');
  await webhooks.ask('POST', `/v1/webhook_endpoints/${gone.id}`, { enabled: true });
  const since = new Date(Date.now() - 60_000).toISOString();
  const answer = await webhooks.ask('POST', `/v1/webhook_endpoints/${gone.id}/redeliver`, { since });
  expect(answer).toMatchObject({ redelivered: 2, through: null });
  await webhooks.until(kept?.id ?? '', 'delivered');
});

test('an endpoint that only fails for days is disabled, what waits for it is given up, and a success clears its failures', async () => {
  const { pool } = webhooks.cluster.database;
  const endpoint = await webhooks.endpoint(`${receiver.url}/failing`);
  const daysAgo = (days: number): Promise<unknown> =>
    pool.query(
      `UPDATE webhook_endpoints SET failures = 20, failing_since = now() - $2 * interval '1 day' WHERE id = $1`,
      [endpoint.id, days],
    );
  const read = (): Promise<unknown> => webhooks.ask('GET', `/v1/webhook_endpoints/${endpoint.id}`);
  await daysAgo(6);
  await webhooks.until((await webhooks.ping(endpoint)).id, 'delivered');
  expect(await read()).toMatchObject({ enabled: true, failing_since: null });

  receiver.behaviours.set('/failing', answerWith(500));
  await daysAgo(4.9);
  await webhooks.until((await webhooks.ping(endpoint)).id, 'dead');
  expect(await read()).toMatchObject({ enabled: true });

  const waiting = await webhooks.ping(endpoint);
  await pool.query(`UPDATE deliveries SET next_attempt_at = now() + interval '1 hour' WHERE id = $1`, [
    waiting.id,
  ]);
  await daysAgo(5.1);
  await webhooks.until((await webhooks.ping(endpoint)).id, 'dead');
  expect(await read()).toMatchObject({ enabled: false, disabled_reason: 'failing' });
  expect(await webhooks.until(waiting.id, 'dead')).toMatchObject({ type: 'ping' });
});

test('an endpoint that is deleted is sent nothing more, and what was its is not shown', async () => {
  const endpoint = await webhooks.endpoint(`${receiver.url}/deleted`);
  receiver.behaviours.set('/deleted', answerWith(500));
  const { id } = await webhooks.ping(endpoint);
  await webhooks.until(id, 'failed', 'dead');
  await webhooks.cluster.request('DELETE', `/v1/webhook_endpoints/${endpoint.id}`);
  await webhooks.until(id, 'dead');
  const turn: Turn = await webhooks.cluster.submit({ agentId }, 'Hello');
  await webhooks.cluster.untilEnded(turn.id);
  expect(await webhooks.deliveries(`&turn_id=${turn.id}`)).toEqual([]);
  expect((await webhooks.cluster.request('GET', `/v1/webhook_endpoints/${endpoint.id}`)).status).toBe(404);
});
