import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { UIMessage } from 'ai';
import { createApiKey, createTenant } from '@turnpike/store';
import type { Agent, Turn } from '@turnpike/contract';
import { startTcpProxy } from '../../packages/backplane/src/testing/tcp-proxy.ts';
import { FAST, killHolder, portOf, startSecondApi } from '../streams/support/mishaps.ts';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { openChat, textOfMessage, VERSIONS, type ChatOptions } from './support/ai-sdk-client.ts';

const WHERE_AM_I = {
  type: 'client',
  name: 'where_am_i',
  description: 'Tells where the user is.',
  input_schema: { type: 'object', properties: {}, additionalProperties: false },
};
const APPROVED_CLOCK = { type: 'builtin', name: 'current_time', requires_approval: true };

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ workers: 2, environment: { ...FAST, DIALECTS: 'ai-sdk' } });
}, 600_000);
beforeEach(() => cluster.control.reset());
afterAll(() => cluster.stop());

const script = (rules: object[], defaults: object = {}): Promise<unknown> =>
  cluster.control.setScript({ defaults, rules });
const reply = (text: string): Promise<unknown> => script([{ reply: { text } }]);

async function turnsOf(agent: Agent): Promise<Turn[]> {
  const { body } = await cluster.request('GET', `/v1/turns?agent_id=${agent.id}&limit=100`);
  return (body as { items: Turn[] }).items.toReversed();
}

async function historyOf(chatId: string, query = ''): Promise<UIMessage[]> {
  const { status, body } = await cluster.request('GET', `/ai/chat/${chatId}/messages${query}`);
  expect(status).toBe(200);
  return (body as { messages: UIMessage[] }).messages;
}

const chatBody = (agent: Agent, text: string, more: object = {}): object => ({
  id: randomUUID(),
  agent: agent.id,
  trigger: 'submit-message',
  messages: [{ id: randomUUID(), role: 'user', parts: [{ type: 'text', text }] }],
  ...more,
});

/** What a request of a page was refused with. */
async function refusal(body: object): Promise<object> {
  const { status, body: said } = await cluster.request('POST', '/ai/chat', body);
  return { status, ...(said as object) };
}

/** What a message shows, without what a version of the library adds by itself. */
const shown = (message: UIMessage | undefined): object => JSON.parse(JSON.stringify(message));

describe.each(Object.entries(VERSIONS))('with the official package %s, unchanged', (_name, library) => {
  const open = (options: Partial<ChatOptions>): ReturnType<typeof openChat> =>
    openChat(library, { url: cluster.url, apiKey: cluster.apiKey, ...options });

  test('a chat is a session: its messages are turns, in order, and its history begins another page', async () => {
    await script([
      { match: { text: 'And now?' }, reply: { text: 'Still noon.' } },
      { reply: { text: 'Noon.' } },
    ]);
    const agent = await cluster.createAgent();
    const chat = open({ body: { agent: agent.id } });
    await chat.sendMessage({ text: 'What time is it?', metadata: { customer: 'c-42' } });
    await chat.sendMessage({ text: 'And now?' });
    expect(chat.error).toBeUndefined();
    expect(chat.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant']);
    expect(chat.messages.map(textOfMessage)).toEqual([
      'What time is it?',
      'Noon.',
      'And now?',
      'Still noon.',
    ]);
    const turns = await turnsOf(agent);
    expect(turns).toHaveLength(2);
    expect(new Set(turns.map(({ session_id: id }) => id)).size).toBe(1);
    expect(turns[0]?.metadata).toEqual({ customer: 'c-42', message_id: chat.messages[0]?.id });
    expect(chat.messages.map(({ id }) => id)).toEqual([
      chat.messages[0]?.id,
      turns[0]?.id,
      chat.messages[2]?.id,
      turns[1]?.id,
    ]);
    const history = await historyOf(chat.id);
    expect(history).toMatchObject(chat.messages.map(({ id, role }) => ({ id, role })));
    expect(history.map(textOfMessage)).toEqual(chat.messages.map(textOfMessage));
    expect(shown(history[1])).toEqual(shown(chat.messages[1]));
    // The session's own id names the same chat, and a page of it begins where the one before ended.
    expect(await historyOf(turns[0]?.session_id ?? '')).toEqual(history);
    const { body } = await cluster.request('GET', `/ai/chat/${chat.id}/messages?limit=1`);
    expect(body).toEqual({ messages: history.slice(2), next_cursor: turns[1]?.id });
    expect(await historyOf(chat.id, `?limit=1&cursor=${turns[1]?.id}`)).toEqual(history.slice(0, 2));

    const page = open({ id: chat.id, messages: history });
    await page.resumeStream();
    expect(page.status).toBe('ready');
    await page.sendMessage({ text: 'And now?' });
    expect(await turnsOf(agent)).toHaveLength(3);
  });

  test('a message that is posted again is the same turn, and another one with its id is refused', async () => {
    await reply('Noon.');
    const agent = await cluster.createAgent();
    const body = chatBody(agent, 'Once?');
    const chat = open({ body: { agent: agent.id } });
    const [first, again] = await Promise.all([
      cluster.request('GET', `/ai/chat/${randomUUID()}/messages`),
      Promise.all([post(body), post(body)]),
    ]);
    expect(first.body).toEqual({ messages: [], next_cursor: null });
    await post(body);
    expect(again[0]).toContain('Noon.');
    expect(again[1]).toContain('Noon.');
    expect(again[0].endsWith('data: [DONE]\n\n')).toBe(true);
    const other = structuredClone(body) as { messages: { parts: object[] }[] };
    other.messages[0]?.parts.push({ type: 'text', text: 'Twice?' });
    expect(await refusal(other)).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    expect(await turnsOf(agent)).toHaveLength(1);

    // A page that lost the response asks again.
    await chat.sendMessage({ text: 'Hello.' });
    const [user] = chat.messages;
    chat.messages = user === undefined ? [] : [user];
    await chat.sendMessage();
    expect(chat.messages.map(textOfMessage)).toEqual(['Hello.', 'Noon.']);
    expect(await turnsOf(agent)).toHaveLength(2);
  });

  test('a message is made again in a fork, in which the chat goes on under its id', async () => {
    await script([
      { match: { text: 'Hello' }, times: 1, reply: { text: 'First.' } },
      { match: { text: 'Hello' }, reply: { text: 'Another.' } },
      { reply: { text: 'More.' } },
    ]);
    const agent = await cluster.createAgent();
    const chat = open({ body: { agent: agent.id } });
    await chat.sendMessage({ text: 'Hello.' });
    const [first] = await turnsOf(agent);
    await chat.regenerate();
    expect(chat.error).toBeUndefined();
    const shows = async (...texts: string[]): Promise<void> => {
      expect(chat.messages.map(textOfMessage)).toEqual(texts);
      const history = await historyOf(chat.id);
      expect(history.map(textOfMessage)).toEqual(texts);
      expect(shown(history.at(-1))).toEqual(shown(chat.messages.at(-1)));
    };
    await shows('Hello.', 'Another.');
    const again = (await turnsOf(agent)).at(-1);
    expect(chat.messages[1]?.id).toBe(again?.id);
    // What it was before is still there, under the id of its session.
    expect((await historyOf(first?.session_id ?? '')).map(textOfMessage)).toEqual(['Hello.', 'First.']);

    await chat.sendMessage({ text: 'And now?' });
    await shows('Hello.', 'Another.', 'And now?', 'More.');
    const { body: read } = await cluster.request('GET', `/v1/sessions/${again?.session_id}`);
    expect((await turnsOf(agent)).at(-1)?.session_id).toBe(again?.session_id);
    expect(read).toMatchObject({ forked_from: { session_id: first?.session_id, rerun_of: first?.id } });
    // Forks that were made for something else have the same labels, and do not take the chat away.
    await cluster.request('POST', `/v1/sessions/${again?.session_id}/fork`, {});
    const { body: other } = await cluster.request('POST', `/v1/turns/${again?.id}/rerun`, {});
    await cluster.untilEnded((other as Turn).id);
    await shows('Hello.', 'Another.', 'And now?', 'More.');

    // An earlier one is made again without what came after it; asked for at the same time, once.
    const made = async (): Promise<Turn[]> =>
      (await turnsOf(agent)).filter(({ copied_from: original }) => original === null);
    const before = await made();
    const messages = chat.messages.slice(0, 1);
    const body = { id: chat.id, trigger: 'regenerate-message', messages, messageId: again?.id };
    const streams = await Promise.all([post(body), post(body)]);
    for (const stream of streams) expect(stream).toContain('Another.');
    const turns = await made();
    expect(turns).toHaveLength(before.length + 1);
    expect((await historyOf(chat.id)).map(textOfMessage)).toEqual(['Hello.', 'Another.']);
    // A client that did not get that response asks with the message that it has.
    expect(await post(body)).toContain(turns.at(-1)?.id);
    expect(await made()).toHaveLength(turns.length);
    // The id of a session names that session for ever.
    const named = await refusal({ ...body, id: first?.session_id });
    expect(named).toMatchObject({ status: 400, errors: [{ path: 'trigger' }] });
  });

  test('what a message may do again is named first, and done where the client confirms it', async () => {
    await script([
      { match: { step: 0 }, reply: { tool_uses: [{ name: 'where_am_i', input: {} }] } },
      { reply: { text: 'In {{tool_result}}.' } },
    ]);
    const agent = await cluster.createAgent({ tools: [WHERE_AM_I] });
    const chat = open({ body: { agent: agent.id }, isAutomatic: true });
    const respond = async (): Promise<void> => {
      const call = chat.messages.at(-1)?.parts.find((part) => part.type === 'tool-where_am_i');
      const toolCallId = call !== undefined && 'toolCallId' in call ? call.toolCallId : '';
      await chat.addToolOutput({ tool: 'where_am_i', toolCallId, output: 'Lisbon' });
      await untilOver(chat);
    };
    await chat.sendMessage({ text: 'Where am I?' });
    await respond();
    await chat.regenerate();
    expect(chat.status).toBe('error');
    const refused = JSON.parse(chat.error?.message ?? '{}') as { detail: string; confirmation: string };
    expect(refused).toMatchObject({ code: 'rerun_not_confirmed', confirmation: expect.any(String) });
    expect(refused.detail).toContain('where_am_i (once)');
    expect(await turnsOf(agent)).toHaveLength(1);
    await chat.regenerate({ body: { confirmation: 'something else' } });
    expect(chat.error?.message).toContain('rerun_not_confirmed');
    await chat.regenerate({ body: { confirmation: refused.confirmation } });
    await respond();
    expect(chat.messages.map(textOfMessage)).toEqual(['Where am I?', 'In Lisbon.']);
    expect((await historyOf(chat.id)).map(textOfMessage)).toEqual(['Where am I?', 'In Lisbon.']);
  });

  test('a tool of the client is run by the client, and the turn goes on with its output', async () => {
    await script([
      { match: { step: 0 }, reply: { text: 'I look.', tool_uses: [{ name: 'where_am_i', input: {} }] } },
      { reply: { text: 'You are in {{tool_result}}.' } },
    ]);
    const agent = await cluster.createAgent({ tools: [WHERE_AM_I] });
    const chat = open({ body: { agent: agent.id }, isAutomatic: true });
    await chat.sendMessage({ text: 'Where am I?' });
    const call = chat.messages[1]?.parts.find((part) => part.type === 'tool-where_am_i');
    expect(call).toMatchObject({ state: 'input-available', input: {} });
    // What a page loads now is what it has.
    expect(shown((await historyOf(chat.id))[1])).toEqual(shown(chat.messages[1]));
    const toolCallId = call !== undefined && 'toolCallId' in call ? call.toolCallId : '';
    await chat.addToolOutput({ tool: 'where_am_i', toolCallId, output: { city: 'Lisbon' } });
    await untilOver(chat);
    expect(chat.messages.map(textOfMessage)).toEqual(['Where am I?', 'I look.You are in {"city":"Lisbon"}.']);
    expect(shown((await historyOf(chat.id))[1])).toEqual(shown(chat.messages[1]));
    expect(await turnsOf(agent)).toHaveLength(1);
    expect(await cluster.control.stats()).toMatchObject({ completed: 2 });
  });

  test('an approval that is posted twice acts once, one that says something else is refused, and a denial is told', async () => {
    await script([
      {
        match: { step: 0 },
        reply: { tool_uses: [{ name: 'current_time', input: { time_zone: 'Europe/Lisbon' } }] },
      },
      { reply: { text: 'Tool said: {{tool_result}}' } },
    ]);
    const agent = await cluster.createAgent({ tools: [APPROVED_CLOCK] });
    const chat = open({ body: { agent: agent.id }, isAutomatic: true });
    await chat.sendMessage({ text: 'What time is it?' });
    const approval = approvalIn(chat.messages[1]);
    expect(approval).toMatchObject({ state: 'approval-requested' });
    expect(shown((await historyOf(chat.id))[1])).toEqual(shown(chat.messages[1]));
    // A page that is loaded now asks the same question, and posts what was asked again.
    const page = open({ id: chat.id, messages: await historyOf(chat.id) });
    await page.resumeStream();
    expect(page.status).toBe('ready');
    expect(shown(page.messages[1])).toEqual(shown(chat.messages[1]));

    const posted: object[] = [];
    const fetches = recording(posted);
    const first = open({
      id: chat.id,
      messages: structuredClone(chat.messages),
      isAutomatic: true,
      fetch: fetches,
    });
    await first.addToolApprovalResponse({ id: approval.id, approved: true });
    await untilOver(first);
    expect(textOfMessage(first.messages[1] as UIMessage)).toMatch(/^Tool said: \d{4}-/);
    expect(posted).toHaveLength(1);
    const [body = {}] = posted;
    const again = [await post(body), await post(body)];
    for (const stream of again) {
      expect(stream.match(/"tool-output-available"/g)).toHaveLength(1);
      expect(stream).not.toContain('tool-input-available');
    }
    const denied = JSON.parse(JSON.stringify(body).replace('"approved":true', '"approved":false')) as object;
    expect(await refusal(denied)).toMatchObject({ status: 422, code: 'idempotency_key_reused' });
    const [turn] = await turnsOf(agent);
    const { body: steps } = await cluster.request('GET', `/v1/turns/${turn?.id}/steps`);
    const calls = (steps as { items: { tool_calls: { attempts: number }[] }[] }).items.flatMap(
      ({ tool_calls: made }) => made,
    );
    expect(calls.map(({ attempts }) => attempts)).toEqual([1]);
    expect(await cluster.control.stats()).toMatchObject({ completed: 2 });
    const [, assistant] = await historyOf(chat.id);
    expect(assistant?.parts.map(({ type }) => type)).toEqual([
      'step-start',
      'tool-current_time',
      'step-start',
      'text',
    ]);

    const other = open({ body: { agent: agent.id }, isAutomatic: true });
    await other.sendMessage({ text: 'And there?' });
    await other.addToolApprovalResponse({
      id: approvalIn(other.messages[1]).id,
      approved: false,
      reason: 'Not today.',
    });
    await untilOver(other);
    expect(textOfMessage(other.messages[1] as UIMessage)).toBe('Tool said: Not today.');
    expect(other.messages[1]?.parts).toContainEqual(
      expect.objectContaining({ state: 'output-error', errorText: 'Not today.' }),
    );
  });

  test('to stop reading does not stop the turn, and the stop route does', async () => {
    await script([{ reply: { text: LONG }, fault: { type: 'hang', after_events: 20 } }]);
    const agent = await cluster.createAgent();
    const chat = open({ body: { agent: agent.id } });
    const sending = chat.sendMessage({ text: 'Slowly.' });
    await untilTrue('it has text', () => (chat.messages[1]?.parts.length ?? 0) > 1);
    await chat.stop();
    await sending;
    const [turn] = await turnsOf(agent);
    expect(turn?.status).toBe('in_progress');
    // Another page takes it up, from its start.
    const page = open({ id: chat.id, messages: await historyOf(chat.id) });
    expect(page.messages).toHaveLength(1);
    const resuming = page.resumeStream();
    await untilTrue('it has text', () => (page.messages[1]?.parts.length ?? 0) > 1);
    const { status, body } = await cluster.request('POST', `/ai/chat/${chat.id}/stop`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ turns: [{ id: turn?.id }] });
    await resuming;
    expect(page.status).toBe('ready');
    expect(LONG.startsWith(textOfMessage(page.messages[1] as UIMessage))).toBe(true);
    expect(page.messages[1]?.metadata).toMatchObject({ status: 'cancelled' });
    expect((await turnsOf(agent))[0]?.status).toBe('cancelled');
    expect((await cluster.request('GET', `/ai/chat/${chat.id}/stream`)).status).toBe(204);
    expect((await cluster.request('POST', `/ai/chat/${chat.id}/stop`)).body).toEqual({ turns: [] });
  });

  test('an error of the turn is one of the chat', async () => {
    await script([{ fault: { type: 'status', status: 400, message: 'Something is wrong.' } }]);
    const agent = await cluster.createAgent();
    const chat = open({ body: { agent: agent.id } });
    await chat.sendMessage({ text: 'Fail.' });
    expect(chat.status).toBe('error');
    expect(chat.error?.message).toContain('Something is wrong.');
  });
});

test('what cannot be translated is refused, with the field that it is in', async () => {
  const agent = await cluster.createAgent({ name: 'Only one' });
  const user = (...parts: object[]): object => ({ messages: [{ id: 'm', role: 'user', parts }] });
  const text = { type: 'text', text: 'Hello.' };
  const cases: [object, string][] = [
    [{ agent: undefined }, 'agent'],
    [{ temperature: 1 }, 'temperature'],
    [user({ type: 'data-place', data: {} }), 'messages.0.parts.0.type'],
    [user({ ...text, providerMetadata: { a: {} } }), 'messages.0.parts.0.providerMetadata'],
    [user(), 'messages.0.parts'],
    [
      user({ type: 'file', mediaType: 'video/mp4', url: 'https://files.invalid/a.mp4' }),
      'messages.0.parts.0.mediaType',
    ],
    [user({ type: 'file', mediaType: 'image/png', url: 'data:image/bmp;base64,AAAA' }), 'messages.0.parts.0'],
    [{ messages: [{ id: 'm', role: 'system', parts: [text] }] }, 'messages.0.role'],
    [{ messages: [{ id: 'm', role: 'user', metadata: { a: 1 }, parts: [text] }] }, 'messages.0.metadata'],
    [{ tool_outputs: [] }, 'tool_outputs'],
    [{ trigger: 'regenerate-message', messages: [{ id: 'm', role: 'assistant', parts: [] }] }, 'messages'],
  ];
  for (const [more, path] of cases) {
    const said = await refusal(chatBody(agent, 'Hello.', more));
    expect([more, said]).toMatchObject([more, { status: 400, errors: [{ path }] }]);
  }
  expect(await refusal(chatBody(agent, 'Hello.', { agent: 'Another' }))).toMatchObject({ status: 404 });
  expect(await refusal(chatBody(agent, 'Hello.', { id: `sess_${'0'.repeat(26)}` }))).toMatchObject({
    status: 404,
  });
  expect(await turnsOf(agent)).toEqual([]);
});

test('a client that takes JSON and no stream is told the turn alone', async () => {
  await reply('Noon.');
  const agent = await cluster.createAgent();
  const response = await fetch(`${cluster.url}/ai/chat`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${cluster.apiKey}`,
      'content-type': 'application/json',
      accept: 'application/json; q=1',
    },
    body: JSON.stringify(chatBody(agent, 'What time is it?')),
  });
  expect(response.status).toBe(200);
  const said = await response.json();
  const [turn] = await turnsOf(agent);
  expect(said).toMatchObject({ turn: { id: turn?.id } });
});

test('the same chat id of two tenants is two chats', async () => {
  await reply('Noon.');
  const agent = await cluster.createAgent();
  const body = chatBody(agent, 'A secret.') as { id: string };
  await post(body);
  const tenantId = await createTenant(cluster.database, 'Other', { operatorKey: true });
  const { key } = await createApiKey(cluster.database.pool, { tenantId, name: 'other', scopes: ['admin'] });
  const headers = { authorization: `Bearer ${key}` };
  const { body: seen } = await cluster.request('GET', `/ai/chat/${body.id}/messages`, undefined, headers);
  expect(seen).toEqual({ messages: [], next_cursor: null });
  const [turn] = await turnsOf(agent);
  for (const path of ['messages', 'stream']) {
    const { status } = await cluster.request(
      'GET',
      `/ai/chat/${turn?.session_id}/${path}`,
      undefined,
      headers,
    );
    expect(status).toBe(404);
  }
});

const CUTS = byLength({ short: 20, long: 60 });

test(`a chat that is cut ${CUTS} times, while an API and workers are killed, shows the same text, and nothing twice`, async () => {
  await script([{ reply: { text: LONG }, fault: { type: 'hang', after_events: 150 } }], {
    tokens_per_second: 120,
    chunk: 3,
  });
  const agent = await cluster.createAgent();
  let second = await startSecondApi(cluster);
  const proxy = await startTcpProxy(portOf(second));
  const chat = openChat(VERSIONS.ai, {
    url: `http://127.0.0.1:${proxy.port}`,
    apiKey: cluster.apiKey,
    body: { agent: agent.id },
  });
  let isOver = false;
  const chatting = converse(chat, 'Many words.').finally(() => {
    isOver = true;
  });
  let turnId = '';
  await untilTrue('the turn is accepted', async () => {
    turnId = (await turnsOf(agent))[0]?.id ?? '';
    return turnId !== '';
  });
  for (let cut = 0; cut < CUTS; cut++) {
    await delay(100);
    if (cut === 7) {
      await second.end('SIGKILL');
      second = await startSecondApi(cluster);
      proxy.retarget(portOf(second));
    } else proxy.drop();
    if (cut === 4 || cut === 12) {
      await killHolder(cluster, turnId);
      await cluster.startWorker();
    }
  }
  await untilTrue('the chat has the end', async () => {
    await cluster.control.release();
    return isOver;
  });
  const connections = await chatting;
  await proxy.stop();
  await second.end('SIGKILL');
  expect(chat.messages.map(textOfMessage)).toEqual(['Many words.', LONG]);
  expect(shown((await historyOf(chat.id))[1])).toEqual(shown(chat.messages[1]));
  expect(await turnsOf(agent)).toHaveLength(1);
  expect(connections).toBeGreaterThan(5);
}, 240_000);

/** Sends a message, and takes the chat up again until it has the end, as a page does. Returns how often it connected. */
async function converse(chat: ReturnType<typeof openChat>, text: string): Promise<number> {
  let connections = 1;
  await chat.sendMessage({ text });
  const hasEnd = (): boolean =>
    (chat.messages[1]?.metadata as { status?: string } | undefined)?.status === 'completed';
  while (!hasEnd()) {
    connections += 1;
    await delay(20);
    if (chat.messages.length < 2 && connections > 2) {
      // It is not known whether the message arrived: it is posted again.
      await chat.sendMessage();
      continue;
    }
    await chat.resumeStream();
    // It has ended meanwhile.
    if (chat.status === 'ready' && !hasEnd())
      chat.messages = await historyOf(chat.id).catch(() => chat.messages);
  }
  return connections;
}

/** What a chat sent by itself was responded to. */
async function untilOver(chat: ReturnType<typeof openChat>): Promise<void> {
  await untilTrue('the chat has the end', () => {
    if (chat.error !== undefined) throw chat.error;
    return chat.status === 'ready' && chat.messages.at(-1)?.parts.at(-1)?.type === 'text';
  });
}

const LONG = Array.from({ length: 300 }, (_, index) => `word${index} wört😀`).join(' ');

/** A fetch that keeps what was posted. */
const recording =
  (posted: object[]): typeof fetch =>
  (input, init) => {
    const { method, body } = init ?? {};
    if (method === 'POST' && typeof body === 'string') posted.push(JSON.parse(body) as object);
    return fetch(input, init);
  };

/** The call of a message that waits for an approval. */
function approvalIn(message: UIMessage | undefined): { id: string; state: string } {
  for (const part of message?.parts ?? [])
    if ('approval' in part && part.approval !== undefined) return { id: part.approval.id, state: part.state };
  throw new Error(`No approval is asked for: ${JSON.stringify(message)}`);
}

const post = async (body: object): Promise<string> => {
  const response = await fetch(`${cluster.url}/ai/chat`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cluster.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  // The first of two that came at once is being accepted.
  if (response.status === 409) {
    expect(await response.json()).toMatchObject({ code: 'idempotency_key_in_use' });
    return post(body);
  }
  expect(response.status).toBe(200);
  expect(response.headers.get('x-vercel-ai-ui-message-stream')).toBe('v1');
  return response.text();
};
