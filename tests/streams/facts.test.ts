import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stepSchema, turnFactSchema, type TurnFact } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.join();
});
afterAll(() => cluster.stop());

async function factsOf(turnId: string): Promise<TurnFact[]> {
  const headers = { accept: 'application/json' };
  const { body } = await cluster.request('GET', `/v1/turns/${turnId}/events?limit=100`, undefined, headers);
  return (body as { items: unknown[] }).items.map((item) => turnFactSchema.parse(item));
}

test('facts say what a client needs, and say the same whenever they are read', async () => {
  await cluster.control.setScript({
    rules: [
      { match: { step: 0 }, reply: { tool_uses: [{ name: 'where_am_i' }, { name: 'current_time' }] } },
      { match: { step: 1 }, reply: { text: 'Told.' } },
    ],
  });
  const agent = await cluster.createAgent({
    tools: [
      {
        type: 'client',
        name: 'where_am_i',
        description: 'Tells where the user is.',
        input_schema: { type: 'object', properties: {}, additionalProperties: false },
      },
      { type: 'builtin', name: 'current_time' },
    ],
  });
  const { id } = await cluster.submit({ agentId: agent.id }, 'Where am I, and when?');
  const waiting = await cluster.until(id, ['requires_action']);
  const before = await factsOf(id);
  const asked = before.at(-1);
  if (asked?.type !== 'turn.requires_action') throw new Error(`The last fact is ${asked?.type}.`);
  expect(asked.required_action).toEqual(waiting.required_action);

  const outputs = [{ tool_call_id: asked.required_action.tool_calls[0]?.id, output: 'In Lisbon.' }];
  await cluster.request('POST', `/v1/turns/${id}/tool_outputs`, { tool_outputs: outputs });
  const turn = await cluster.untilEnded(id);
  const facts = await factsOf(id);
  expect(facts.slice(0, before.length)).toEqual(before);
  expect(facts.map((fact) => fact.sequence_number)).toEqual(facts.map((_, index) => index + 1));
  expect(facts.at(-1)).toMatchObject({ type: 'turn.completed', turn });
  const results = facts.flatMap((fact) => (fact.type === 'tool.completed' ? [fact.tool_call] : []));
  expect(results).toMatchObject([
    { name: 'current_time', status: 'completed', is_error: false },
    { name: 'where_am_i', status: 'completed', output: [{ type: 'text', text: 'In Lisbon.' }] },
  ]);
  const { body } = await cluster.request('GET', `/v1/turns/${id}/steps`);
  const steps = (body as { items: unknown[] }).items.map((item) =>
    stepSchema.omit({ tool_calls: true }).parse(item),
  );
  expect(facts.flatMap((fact) => (fact.type === 'step.completed' ? [fact.step] : []))).toEqual(steps);
});

test('events of turns that ended long ago are deleted, and a cursor before them gets an error', async () => {
  await cluster.control.reset();
  const agent = await cluster.createAgent();
  const { id } = await cluster.submit({ agentId: agent.id }, 'Hello');
  await cluster.untilEnded(id);
  const count = (await factsOf(id)).length;
  const old = `UPDATE turns SET finished_at = now() - interval '31 days' WHERE id = $1`;
  await cluster.database.pool.query(old, [id]);
  let response = await cluster.request('GET', `/v1/turns/${id}/events?after=1`, undefined, {
    accept: 'application/json',
  });
  for (const end = Date.now() + 20_000; response.status !== 410 && Date.now() < end;) {
    response = await cluster.request('GET', `/v1/turns/${id}/events?after=1`, undefined, {
      accept: 'application/json',
    });
  }
  expect(response.body).toMatchObject({ code: 'cursor_expired', oldest_cursor: String(count - 1) });
  expect((await factsOf(id)).map((fact) => fact.type)).toEqual(['turn.completed']);
});
