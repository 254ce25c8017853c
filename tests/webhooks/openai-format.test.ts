import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import OpenAI from 'openai';
import { untilTrue } from '../support/until-true.ts';
import { Receiver, type Received } from './support/receiver.ts';
import { WebhookCluster, type Endpoint } from './support/webhook-cluster.ts';

let webhooks: WebhookCluster;
let receiver: Receiver;
let openai: OpenAI;
let endpoint: Endpoint;

beforeAll(async () => {
  receiver = await Receiver.start();
  webhooks = await WebhookCluster.start();
  const { url, apiKey } = webhooks.cluster;
  openai = new OpenAI({ baseURL: `${url}/openai/v1`, apiKey });
  endpoint = (await webhooks.ask('POST', '/v1/webhook_endpoints', {
    url: `${receiver.url}/openai`,
    format: 'openai',
  })) as Endpoint;
});
afterAll(async () => {
  await webhooks.stop();
  await receiver.stop();
});

const PICK = { type: 'client', name: 'pick', description: 'Picks.', input_schema: { type: 'object' } };
const CLOCK = { type: 'builtin', name: 'current_time', requires_approval: true };

/** What OpenAI's client reads of a webhook; it throws where the signature does not fit. */
const unwrap = ({ text, headers }: Received): Promise<{ type: string; data: object }> =>
  openai.webhooks.unwrap(text, headers, endpoint.signing_secret);

/** The response that is the first part of a turn. */
const responseOf = ({ id }: { id: string }): string => id.replace(/^turn_/, 'resp_');

/** All webhooks about a turn, once there are so many, in the order of their events. */
async function told(turn: { id: string }, count: number): Promise<[string, string][]> {
  const unique = turn.id.replace(/^turn_/, '');
  const about = (): Received[] => receiver.at('/openai').filter(({ text }) => text.includes(unique));
  await untilTrue(`${count} webhooks have come`, () => about().length >= count);
  const received = about().toSorted((one, other) => (one.body.id < other.body.id ? -1 : 1));
  const events = await Promise.all(received.map(unwrap));
  return events.map(({ type, data }) => [type, 'id' in data ? String(data.id) : '']);
}

async function answer(turn: Turn, given: object): Promise<void> {
  const [call] = turn.required_action?.tool_calls ?? [];
  await webhooks.ask('POST', `/v1/turns/${turn.id}/tool_outputs`, {
    tool_outputs: [{ tool_call_id: call?.id, ...given }],
  });
}

test("OpenAI's client verifies and reads the webhooks of an endpoint that chose its format, each once", async () => {
  const agent = await webhooks.cluster.createAgent();
  const turn = await webhooks.cluster.submit({ agentId: agent.id }, 'Hello');
  await webhooks.cluster.untilEnded(turn.id);
  expect(await told(turn, 1)).toEqual([['response.completed', responseOf(turn)]]);

  const [received] = receiver.at('/openai');
  const created = Math.floor(Date.parse((await webhooks.cluster.read(turn.id)).finished_at ?? '') / 1000);
  expect(received?.body).toEqual({
    id: received?.headers['webhook-id'],
    object: 'event',
    type: 'response.completed',
    created_at: created,
    data: { id: responseOf(turn) },
  });
  expect(await openai.responses.retrieve(responseOf(turn))).toMatchObject({ status: 'completed' });
  expect(await webhooks.deliveries(`&turn_id=${turn.id}`)).toMatchObject([{ type: 'turn.completed' }]);
});

test('each response that ends with calls of the client is told of as complete, and so is the one that follows it', async () => {
  const pick = { tool_uses: [{ name: 'pick', input: {} }] };
  await webhooks.cluster.control.setScript({
    rules: [
      { match: { step: 0 }, reply: pick },
      { match: { step: 1 }, reply: pick },
    ],
  });
  const agent = await webhooks.cluster.createAgent({ tools: [PICK] });
  const turn = await webhooks.cluster.submit({ agentId: agent.id }, 'Pick one');
  const ids = [responseOf(turn), `${responseOf(turn)}_1`, `${responseOf(turn)}_2`];
  const events = ids.map((id): [string, string] => ['response.completed', id]);
  for (const part of [1, 2]) {
    expect(await told(turn, part)).toEqual(events.slice(0, part));
    await answer(await webhooks.cluster.until(turn.id, ['requires_action']), { output: 'The first.' });
  }
  expect(await told(turn, 3)).toEqual(events);
  for (const id of ids) expect(await openai.responses.retrieve(id)).toMatchObject({ status: 'completed' });

  // Sent again after the turn has moved on, an event names what it named before.
  const first = (await webhooks.deliveries(`&turn_id=${turn.id}`)).at(-1);
  await webhooks.ask('POST', `/v1/deliveries/${first?.id}/redeliver`);
  expect(await told(turn, 4)).toEqual([events[0], ...events]);
});

test('of what OpenAI has no word for, such an endpoint is told nothing', async () => {
  await webhooks.cluster.control.setScript({
    rules: [{ match: { step: 0 }, reply: { tool_uses: [{ name: 'current_time', input: {} }] } }],
  });
  const agent = await webhooks.cluster.createAgent({ tools: [CLOCK] });
  const turn = await webhooks.cluster.submit({ agentId: agent.id }, 'What time is it?');
  const waiting = await webhooks.cluster.until(turn.id, ['requires_action']);
  await answer(waiting, { approved: true });
  await webhooks.cluster.untilEnded(turn.id);
  expect(await told(turn, 1)).toEqual([['response.completed', responseOf(turn)]]);
  expect(await webhooks.deliveries(`&turn_id=${turn.id}`)).toMatchObject([{ type: 'turn.completed' }]);
});

test('a response that failed, was cut short or was cancelled is told of as such, also while it waits', async () => {
  await webhooks.cluster.control.setScript({
    rules: [
      { match: { text: 'Fail.' }, fault: { type: 'status', status: 400 } },
      { match: { text: 'Pick.' }, reply: { tool_uses: [{ name: 'pick', input: {} }] } },
      { match: { text: 'A lot.' }, reply: { text: 'word '.repeat(8_000) } },
    ],
  });
  const agent = await webhooks.cluster.createAgent({ tools: [PICK] });
  const submit = (text: string): Promise<Turn> => webhooks.cluster.submit({ agentId: agent.id }, text);
  const failed = await submit('Fail.');
  const cut = await submit('A lot.');
  const cancelled = await submit('Pick.');
  await webhooks.cluster.until(cancelled.id, ['requires_action']);
  await webhooks.ask('POST', `/v1/turns/${cancelled.id}/cancel`);

  expect(await told(failed, 1)).toEqual([['response.failed', responseOf(failed)]]);
  expect(await told(cut, 1)).toEqual([['response.incomplete', responseOf(cut)]]);
  expect(await told(cancelled, 2)).toEqual([
    ['response.completed', responseOf(cancelled)],
    ['response.cancelled', `${responseOf(cancelled)}_1`],
  ]);
  expect(await openai.responses.retrieve(`${responseOf(cancelled)}_1`)).toMatchObject({
    status: 'cancelled',
  });
});

test('a ping and the end of a batch have the shape of an event too', async () => {
  const ping = await webhooks.ping(endpoint);
  const agent = await webhooks.cluster.createAgent();
  const batch = (await webhooks.ask('POST', '/v1/batches', {
    items: [{ custom_id: 'one', agent_id: agent.id, input: 'Hello' }],
  })) as { id: string };
  await webhooks.until(ping.id, 'delivered');
  const find = (wanted: string): Received | undefined =>
    receiver.at('/openai').find(({ body }) => body.type === wanted);
  await untilTrue('the end of the batch has come', () => find('batch.completed') !== undefined);
  const [pinged, ended] = [find('ping'), find('batch.completed')];
  if (pinged === undefined || ended === undefined) throw new Error('One did not come.');
  expect(await unwrap(pinged)).toMatchObject({ object: 'event', data: { id: endpoint.id } });
  expect(await unwrap(ended)).toMatchObject({ object: 'event', data: { id: batch.id } });
});

test('events without a form in that format are refused by their positions, also in a change; the format stays', async () => {
  const { cluster } = webhooks;
  const url = `${receiver.url}/refused`;
  const events = ['turn.completed', 'turn.queued', 'budget.exhausted'];
  const errors = [
    { path: 'events.1', message: 'has no form in `format: "openai"`' },
    { path: 'events.2', message: 'has no form in `format: "openai"`' },
  ];
  const refused = { status: 400, body: { code: 'invalid_request', errors } };
  const path = `/v1/webhook_endpoints/${endpoint.id}`;
  expect(
    await cluster.request('POST', '/v1/webhook_endpoints', { url, events, format: 'openai' }),
  ).toMatchObject(refused);
  expect(await cluster.request('POST', path, { events })).toMatchObject(refused);
  expect(await cluster.request('POST', path, { format: 'turnpike' })).toMatchObject({ status: 400 });
  expect(await webhooks.ask('GET', path)).toMatchObject({
    format: 'openai',
    events: [
      'turn.requires_action',
      'turn.completed',
      'turn.failed',
      'turn.cancelled',
      'turn.incomplete',
      'batch.completed',
      'batch.cancelled',
    ],
  });
  expect(await webhooks.endpoint(url, ['turn.queued'])).toMatchObject({ format: 'turnpike' });
});
