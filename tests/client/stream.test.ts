import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Backplane } from '@turnpike/backplane';
import { Turnpike, TurnpikeTimeoutError, type StreamOptions, type TurnEvent } from '@turnpike/client';
import { announceTurns } from '@turnpike/turns';
import { startTestApi, type TestApi } from '../../apps/api/src/testing/test-api.ts';
import { HeldTurn } from '../../apps/api/src/testing/held-turn.ts';
import { startTcpProxy, type TcpProxy } from '../../packages/backplane/src/testing/tcp-proxy.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { untilTrue } from '../support/until-true.ts';
import { sendProblem, startFixedResponseServer } from './support/fixed-response-server.ts';

let api: TestApi;
let elsewhere: Backplane;
let proxy: TcpProxy;
let turnpike: Turnpike;
let agentId: string;
beforeAll(async () => {
  const backplaneUrl = process.env['TEST_REDIS_URL'];
  api = await startTestApi(await createTestDatabase(), { backplaneUrl, streams: { heartbeatMs: 100 } });
  elsewhere = await api.openSecondBackplane();
  proxy = await startTcpProxy(Number(new URL(api.url).port));
  turnpike = new Turnpike({ baseUrl: `http://127.0.0.1:${proxy.port}`, apiKey: api.client.apiKey });
  agentId = (await turnpike.agents.create({ name: 'a', model: 'm' })).id;
});
afterEach(() => untilTrue('no stream is open', () => api.streams.count === 0));
afterAll(async () => {
  await proxy.stop();
  await api.stop();
});

const BEGINNING = ['turn.queued', 'turn.started', 'step.started'];

/** A loop over a stream, and what came of it so far. */
function follow(id: string, options: StreamOptions = {}): { events: TurnEvent[]; over: Promise<unknown> } {
  const events: TurnEvent[] = [];
  const read = async (): Promise<unknown> => {
    for await (const event of turnpike.turns.stream(id, options)) events.push(event);
    return 'ended';
  };
  return { events, over: read().catch((error: unknown) => error) };
}

const textOf = (events: readonly TurnEvent[]): string =>
  events.map((event) => (event.type === 'message.delta' ? event.text : '')).join('');
const typesOf = (events: readonly TurnEvent[]): string[] =>
  events.map(({ type }) => type).filter((type) => type !== 'message.delta');

test('each piece of text comes once, however often the connection breaks, so that joined they are the text', async () => {
  const { id } = await turnpike.turns.submit({ agent_id: agentId, input: 'Hi' });
  const { events, over } = follow(id);
  const held = await HeldTurn.claim(api, elsewhere, id);
  const words = ['It ', 'is ', 'noon ', 'in ', 'Lisbon.'];
  for (const [index, word] of words.entries()) {
    // Written while no client is connected: one that comes back is sent all of the text so far, in one piece.
    const isAway = index % 2 === 1;
    if (isAway) {
      // Refused until then: one that is only cut off may be back before anybody looks.
      await proxy.cut();
      await untilTrue('it is away', () => api.streams.count === 0);
    }
    held.say(word);
    if (isAway) await proxy.restore();
    const soFar = words.slice(0, index + 1).join('');
    await untilTrue(`it has "${soFar}"`, () => textOf(events) === soFar);
    const { connections } = proxy;
    proxy.drop();
    await untilTrue('it came back', () => proxy.connections > connections && api.streams.count > 0);
  }
  await held.complete(words.join(''));
  expect(await over).toBe('ended');
  expect(textOf(events)).toBe(words.join(''));
  expect(typesOf(events)).toEqual([...BEGINNING, 'step.completed', 'turn.completed']);
});

test('a step that begins anew is announced, and its text comes from the start', async () => {
  const { id } = await turnpike.turns.submit({ agent_id: agentId, input: 'Hi' });
  const { events, over } = follow(id);
  const shown: string[] = [];
  const showing = (async () => {
    for await (const text of turnpike.turns.text(id)) shown.push(text);
  })();
  const held = await HeldTurn.claim(api, elsewhere, id);
  held.say('A try');
  await untilTrue('both have it', () => textOf(events) === 'A try' && shown.at(-1) === 'A try');
  await held.restartStep();
  await untilTrue('both know', () => events.at(-1)?.type === 'step.restarted' && shown.at(-1) === '');
  held.say('Another');
  await untilTrue('both have the other', () => shown.at(-1) === 'Another');
  await held.complete('Another one.');
  expect(await over).toBe('ended');
  await showing;
  expect(shown.at(-1)).toBe('Another one.');
  const after = events.slice(events.findIndex(({ type }) => type === 'step.restarted'));
  expect(textOf(after)).toBe('Another');
});

test('a stream begins after the event that was given, and is empty after the last one', async () => {
  const { id } = await turnpike.turns.submit({ agent_id: agentId, input: 'Hi' });
  await (await HeldTurn.claim(api, elsewhere, id)).complete('Hello.');
  const all = follow(id);
  expect(await all.over).toBe('ended');
  expect(all.events).toHaveLength(5);
  const rest = follow(id, { after: 2 });
  expect(await rest.over).toBe('ended');
  expect(rest.events).toEqual(all.events.slice(2));
  const nothing = follow(id, { after: 5 });
  expect(await nothing.over).toBe('ended');
  expect(nothing.events).toEqual([]);
  expect(await follow(id, { after: 6 }).over).toMatchObject({ status: 400, code: 'invalid_cursor' });
});

test("a session's stream tells of its turns one after another, until the loop is left", async () => {
  const first = await turnpike.turns.submit({ agent_id: agentId, input: 'Hi' });
  const second = await turnpike.turns.submit({ session_id: first.session_id, input: 'Hi again' });
  const facts: string[] = [];
  const reading = (async () => {
    for await (const event of turnpike.sessions.stream(first.session_id)) {
      if ('sequence_number' in event) facts.push(`${event.turn_id} ${event.sequence_number}`);
      if (event.turn_id === second.id && event.type === 'turn.completed') break;
    }
  })();
  for (const { id } of [first, second]) {
    await (await HeldTurn.claim(api, elsewhere, id)).complete('Hello.');
    api.dispatcher.changed({ sessionId: first.session_id, tenantId: api.client.tenantId });
    proxy.drop();
  }
  await reading;
  expect(facts).toEqual(
    [first, second].flatMap(({ id }) => [1, 2, 3, 4, 5].map((number) => `${id} ${number}`)),
  );
});

test('a connection that went dead without a word is left for another one', async () => {
  const { id } = await turnpike.turns.submit({ agent_id: agentId, input: 'Hi' });
  const { events, over } = follow(id, { idleTimeoutMs: 1_000 });
  await untilTrue('it has the first event', () => events.length === 1);
  const { connections } = proxy;
  proxy.freeze();
  await untilTrue('it connected again', () => proxy.connections > connections);
  await (await HeldTurn.claim(api, elsewhere, id)).complete('Hello.');
  expect(await over).toBe('ended');
  expect(events.map((event) => ('sequence_number' in event ? event.sequence_number : 0))).toEqual([
    1, 2, 3, 4, 5,
  ]);
  proxy.drop();
});

test('it gives up after so many failures in a row, each another connection', async () => {
  const server = await startFixedResponseServer((response) => sendProblem(response, 503, 'not_ready'));
  const failing = new Turnpike({ baseUrl: server.url, apiKey: api.client.apiKey });
  const next = failing.turns.stream('turn_1', { maxFailures: 3 }).next();
  await expect(next).rejects.toMatchObject({ status: 503, code: 'not_ready' });
  expect(server.asked).toHaveLength(4);
  await server.stop();
});

test('a server that ends each stream without a word is given up, and one that brings an event each time is not', async () => {
  const event = (number: number, type: string): string =>
    `id: ${number}\nevent: ${type}\ndata: ${JSON.stringify({ type, id: 'evt_1', turn_id: 'turn_1', sequence_number: number })}\n\n`;
  const server = await startFixedResponseServer((response, number) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(number < 6 ? `retry: 20\n\n${event(number + 1, 'turn.queued')}` : 'retry: 20\n\n');
  });
  const failing = new Turnpike({ baseUrl: server.url, apiKey: api.client.apiKey });
  const events: TurnEvent[] = [];
  const reading = (async () => {
    for await (const each of failing.turns.stream('turn_1', { maxFailures: 3 })) events.push(each);
  })();
  await expect(reading).rejects.toThrow('ended repeatedly');
  expect(events).toHaveLength(6);
  expect(server.asked).toHaveLength(10);
  const cursors = server.asked.map(({ headers }) => headers['last-event-id']);
  expect(cursors).toEqual([undefined, '1', '2', '3', '4', '5', '6', '6', '6', '6']);
  await server.stop();
});

test('an abort ends a stream with its reason, and a loop that is left ends it without one', async () => {
  const { id } = await turnpike.turns.submit({ agent_id: agentId, input: 'Hi' });
  const controller = new AbortController();
  const { events, over } = follow(id, { signal: controller.signal });
  await untilTrue('it has the first event', () => events.length === 1);
  const reason = new Error('The user left.');
  controller.abort(reason);
  expect(await over).toBe(reason);
  for await (const event of turnpike.turns.stream(id)) {
    expect(event.type).toBe('turn.queued');
    break;
  }
});

test('a wait ends with the turn, with its time, and with its signal', async () => {
  const { id } = await turnpike.turns.submit({ agent_id: agentId, input: 'Hi' });
  await expect(turnpike.turns.wait(id, { timeoutMs: 300 })).rejects.toBeInstanceOf(TurnpikeTimeoutError);
  const controller = new AbortController();
  const reason = new Error('The user left.');
  const aborted = turnpike.turns.wait(id, { signal: controller.signal }).catch((error: unknown) => error);
  const waited = turnpike.turns.wait(id);
  const started = turnpike.turns.wait(id, { until: ({ status }) => status === 'in_progress' });
  controller.abort(reason);
  expect(await aborted).toBe(reason);
  const held = await HeldTurn.claim(api, elsewhere, id);
  expect(await started).toMatchObject({ status: 'in_progress' });
  await held.complete('Hello.');
  await announceTurns(elsewhere, [{ turn_id: id, status: 'completed' }]);
  expect(await waited).toMatchObject({ status: 'completed', output_text: 'Hello.' });
  await expect(turnpike.turns.wait('turn_01kapjt9e8f7ga5vxq3c2m4n6r')).rejects.toMatchObject({ status: 404 });
});
