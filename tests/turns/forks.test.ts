import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Turnpike, TurnpikeApiError, type Session, type Turn } from '@turnpike/client';
import { Cluster } from '../support/cluster.ts';

let cluster: Cluster;
let client: Turnpike;
let shop: Server;
let url: string;
/** The orders that the shop got. */
const orders: string[] = [];

beforeAll(async () => {
  shop = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      orders.push(body);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"ordered":true}');
    });
  });
  shop.listen(0, '127.0.0.1');
  await once(shop, 'listening');
  const address = shop.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  url = `http://127.0.0.1:${address.port}/`;
  cluster = await Cluster.join();
  client = new Turnpike({ baseUrl: cluster.url, apiKey: cluster.apiKey });
  await cluster.createTool({ name: 'order', url, effect: 'once' });
});
beforeEach(async () => {
  await cluster.control.reset();
  orders.splice(0);
});
afterAll(async () => {
  shop.close();
  await cluster.stop();
});

async function runTurns(inputs: readonly string[]): Promise<{ session: Session; turns: Turn[] }> {
  const agent = await cluster.createAgent();
  const session = await client.sessions.create({
    agent_id: agent.id,
    metadata: { user: 'ada' },
    budget_micros: 5_000_000,
  });
  const turns: Turn[] = [];
  for (const input of inputs) {
    const turn = await client.turns.submit({ session_id: session.id, input });
    turns.push(await client.turns.wait(turn.id));
  }
  return { session, turns };
}

/** A turn that looks at the clock and then orders: steps 0 to 4, of which 1 and 3 are rounds of tool calls. */
async function runOrder(text = 'Order tea'): Promise<Turn> {
  await cluster.control.setScript({
    rules: [
      {
        match: { step: 0, text: 'Order' },
        reply: { tool_uses: [{ name: 'current_time', input: { time_zone: 'UTC' } }] },
      },
      { match: { step: 1, text: 'Order' }, reply: { tool_uses: [{ name: 'order', input: { n: 1 } }] } },
      { match: { step: 2, text: 'Order' }, reply: { text: 'Ordered.' } },
    ],
  });
  const agent = await cluster.createAgent({
    tools: [
      { type: 'builtin', name: 'current_time' },
      { type: 'http', name: 'order' },
    ],
  });
  const { id } = await client.turns.submit({ agent_id: agent.id, input: text });
  const turn = await client.turns.wait(id);
  expect(turn).toMatchObject({ status: 'completed', step_count: 5, output_text: 'Ordered.' });
  return turn;
}

async function all<Item>(pages: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of pages) items.push(item);
  return items;
}

const problemOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof TurnpikeApiError) return error.code;
    throw error;
  }
  return 'none';
};

test('a fork begins as a copy of the session up to a turn, costs nothing, and goes on by itself', async () => {
  const { session, turns } = await runTurns(['First', 'Second', 'Third']);
  const [first, second] = turns;
  const before = await cluster.conversation(session.id);
  const fork = await client.sessions.fork(session.id, { after_turn_id: second?.id });
  expect(fork).toMatchObject({
    agent_id: session.agent_id,
    metadata: { user: 'ada' },
    budget_micros: 5_000_000,
    turn_count: 2,
    forked_from: { session_id: session.id, turn_id: second?.id, step_index: null, rerun_of: null },
  });
  expect(await cluster.conversation(fork.id)).toEqual(before.slice(0, 4));
  const copies = await all(client.turns.list({ session_id: fork.id }));
  expect(copies.map((copy) => copy.copied_from)).toEqual([second?.id, first?.id]);
  for (const [index, copy] of copies.toReversed().entries()) {
    const { id: _id, session_id: _session, copied_from: _copied, ...rest } = copy;
    const { id: _was, session_id: _ofSession, ...original } = turns[index] as Turn;
    expect(rest).toEqual({
      ...original,
      copied_from: undefined,
      attempts: 0,
      cost_micros: 0,
      total_cost_micros: 0,
      budget_micros: null,
      usage: {
        input_tokens: 0,
        output_tokens: 0,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
      },
    });
  }

  await cluster.control.reset();
  const next = await client.turns.wait(
    (await client.turns.submit({ session_id: fork.id, input: 'Another' })).id,
  );
  expect(next).toMatchObject({ status: 'completed', sequence: 3, copied_from: null });
  expect(await cluster.conversation(session.id)).toEqual(before);
  expect((await cluster.conversation(fork.id)).slice(0, 5)).toEqual([...before.slice(0, 4), 'user: Another']);
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });

  // It lives on without the session that it came from.
  await client.sessions.delete(session.id);
  const last = await client.turns.wait(
    (await client.turns.submit({ session_id: fork.id, input: 'Last' })).id,
  );
  expect(last).toMatchObject({ status: 'completed', sequence: 4 });
  expect(await all(client.sessions.list({ forked_from: session.id }))).toEqual([
    expect.objectContaining({ id: fork.id }),
  ]);
});

test('a fork may end at a step or a message within a turn, and the conversation is valid', async () => {
  const turn = await runOrder();
  const messages = await all(client.sessions.messages(turn.session_id));
  // From here on the model calls no tools.
  await cluster.control.setScript({ rules: [{ reply: { text: 'Nothing more.' } }] });
  for (const [after, count] of [
    [{ after_turn_id: turn.id, after_step: 0 }, 2],
    [{ after_turn_id: turn.id, after_step: 1 }, 3],
    [{ after_message_id: messages[3]?.id }, 4],
    [{ after_message_id: messages[0]?.id }, 1],
    [{ after_turn_id: turn.id, after_step: 4 }, 6],
  ] as const) {
    const fork = await client.sessions.fork(turn.session_id, after);
    const copied = await all(client.sessions.messages(fork.id));
    expect(copied.map(({ content }) => content)).toEqual(
      messages.slice(0, count).map(({ content }) => content),
    );
    const [copy] = await all(client.turns.list({ session_id: fork.id }));
    expect(copy).toMatchObject(
      count === 6
        ? { status: 'completed', output_text: 'Ordered.', step_count: 5 }
        : { status: 'cancelled', output: null, step_count: count - 1 },
    );
    const steps = await all(client.turns.steps(copy?.id ?? ''));
    expect(steps).toHaveLength(count - 1);
    const next = await client.turns.submit({ session_id: fork.id, input: 'And now?' });
    expect(await client.turns.wait(next.id)).toMatchObject({ status: 'completed', sequence: 2 });
  }
  expect(orders).toHaveLength(1);
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
});

test('a rerun repeats an effect only where the client has repeated what the preview says', async () => {
  const turn = await runOrder('Order coffee');
  const steps = await all(client.turns.steps(turn.id));
  const preview = await client.turns.previewRerun(turn.id);
  expect(preview).toMatchObject({ turn_id: turn.id, from_step: 0, tool_call_count: 1 });
  expect(preview.tool_calls).toMatchObject([
    { turn_id: turn.id, step_index: 2, name: 'order', effect: 'once', status: 'completed', input: { n: 1 } },
  ]);

  expect(await problemOf(client.turns.rerun(turn.id))).toBe('rerun_not_confirmed');
  const ofLater = await client.turns.previewRerun(turn.id, { from_step: 4 });
  expect(ofLater.tool_call_count).toBe(0);
  expect(await problemOf(client.turns.rerun(turn.id, { confirmation: ofLater.confirmation }))).toBe(
    'rerun_not_confirmed',
  );
  expect(orders).toHaveLength(1);

  const { confirmation } = preview;
  const again = await client.turns.rerun(turn.id, { confirmation }, { idempotencyKey: `again-${turn.id}` });
  const replayed = await client.turns.rerun(
    turn.id,
    { confirmation },
    { idempotencyKey: `again-${turn.id}` },
  );
  expect(replayed.id).toBe(again.id);
  expect(again.session_id).not.toBe(turn.session_id);
  expect(await client.turns.wait(again.id)).toMatchObject({
    status: 'completed',
    output_text: 'Ordered.',
    step_count: 5,
  });
  expect(orders).toHaveLength(2);
  expect((await client.sessions.get(again.session_id)).forked_from).toEqual({
    session_id: turn.session_id,
    turn_id: turn.id,
    step_index: -1,
    rerun_of: turn.id,
  });
  // What was run stays as it was.
  expect(await client.turns.get(turn.id)).toEqual(turn);
  expect(await all(client.turns.steps(turn.id))).toEqual(steps);
});

test('a rerun from a step keeps what was done before it, and from a round of tool calls there is none', async () => {
  const turn = await runOrder('Order milk');
  const clock = (await all(client.turns.steps(turn.id)))[1]?.content;
  expect(await problemOf(client.turns.previewRerun(turn.id, { from_step: 3 }))).toBe('invalid_request');
  expect(await problemOf(client.turns.previewRerun(turn.id, { from_step: 6 }))).toBe('invalid_request');
  const { confirmation } = await client.turns.previewRerun(turn.id, { from_step: 2 });
  const again = await client.turns.wait(
    (await client.turns.rerun(turn.id, { from_step: 2, confirmation })).id,
  );
  expect(again).toMatchObject({ status: 'completed', step_count: 3, output_text: 'Ordered.' });
  expect(orders).toHaveLength(2);
  const messages = await all(client.sessions.messages(again.session_id));
  expect(messages.map(({ content }) => content)).toContainEqual(clock);
  expect(messages).toHaveLength(6);

  const end = await client.turns.wait((await client.turns.rerun(turn.id, { from_step: 4 })).id);
  expect(end).toMatchObject({ status: 'completed', step_count: 1, output_text: 'Ordered.' });
  expect(orders).toHaveLength(2);
});

test('a rerun may have another input and another version, and otherwise has what the turn had', async () => {
  const { turns } = await runTurns(['First', 'Second']);
  const [first, second] = turns;
  const agentId = second?.agent_id ?? '';
  await client.agents.update(agentId, { system: 'Be short.' });
  const same = await client.turns.wait((await client.turns.rerun(second?.id ?? '')).id);
  expect(same).toMatchObject({ status: 'completed', agent_version: 1 });
  expect((await cluster.conversation(same.session_id))[2]).toBe('user: Second');
  const other = await client.turns.rerun(second?.id ?? '', { input: 'Another', agent_version: 2 });
  expect(await client.turns.wait(other.id)).toMatchObject({
    status: 'completed',
    agent_version: 2,
    sequence: 2,
  });
  const said = await cluster.conversation(other.session_id);
  expect(said[2]).toBe('user: Another');
  expect(said.join()).not.toContain('Second');
  expect((await client.sessions.get(other.session_id)).forked_from?.turn_id).toBe(first?.id);
  expect(await problemOf(client.turns.rerun(first?.id ?? '', { input: 'x', from_step: 1 }))).toBe(
    'invalid_request',
  );
});
