import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startModelSim } from '../index.ts';
import type { ModelSim } from '../index.ts';

const CLOCK: Anthropic.Tool = {
  name: 'current_time',
  input_schema: { type: 'object', properties: { timezone: { type: 'string' } } },
};
const HTTP: Anthropic.Tool = {
  name: 'http_request',
  input_schema: {
    type: 'object',
    properties: { url: { type: 'string' }, method: { type: 'string', enum: ['GET', 'POST'] } },
    required: ['url', 'method'],
  },
};
const ORDER: Anthropic.Tool = {
  name: 'place_order',
  input_schema: {
    type: 'object',
    properties: { item: { type: 'string' }, count: { type: 'integer' } },
    required: ['item', 'count'],
  },
};

describe('the assistant that answers where no rule does', () => {
  let sim: ModelSim;
  let client: Anthropic;

  beforeAll(async () => {
    sim = await startModelSim();
    client = new Anthropic({ baseURL: sim.url, apiKey: 'sk-sim-0001', maxRetries: 0 });
  });
  afterAll(() => sim.close());

  const run = async (
    text: string,
    extra: Partial<Anthropic.MessageCreateParamsNonStreaming>,
    responses: Record<string, string>,
  ) => {
    const messages: Anthropic.MessageParam[] = [{ role: 'user', content: text }];
    const calls: { name: string; input: unknown }[] = [];
    for (let step = 0; step < 5; step++) {
      const message = await client.messages
        .stream({ model: 'claude-sonnet-5-5', max_tokens: 1000, messages, ...extra })
        .finalMessage();
      const uses = message.content.filter((block) => block.type === 'tool_use');
      if (message.stop_reason !== 'tool_use') {
        const said = message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
        return { calls, said };
      }
      calls.push(...uses.map(({ name, input }) => ({ name, input })));
      messages.push(
        { role: 'assistant', content: message.content },
        {
          role: 'user',
          content: uses.map(({ id, name }) => ({
            type: 'tool_result',
            tool_use_id: id,
            content: responses[name] ?? '',
          })),
        },
      );
    }
    throw new Error('The assistant went on calling tools.');
  };

  it('greets, and says what it is', async () => {
    const { calls, said } = await run('Hello there', { tools: [CLOCK, HTTP] }, {});
    expect(calls).toEqual([]);
    expect(said).toContain('simulated');
  });

  it('looks at the clock when it is asked for the time, and tells it', async () => {
    const { calls, said } = await run(
      'What time is it in Lisbon?',
      { tools: [CLOCK, HTTP] },
      { current_time: '2031-05-06T07:08:09Z' },
    );
    expect(calls).toEqual([{ name: 'current_time', input: { timezone: 'Europe/Lisbon' } }]);
    expect(said).toBe('It is 2031-05-06T07:08:09Z. (simulated)');
  });

  it('asks for both in one message when both are wanted, and sums up both', async () => {
    const { calls, said } = await run(
      'Fetch https://example.com/a?b=1, and tell me the time.',
      { tools: [CLOCK, HTTP] },
      {
        current_time: '{"time":"noon"}',
        http_request: '{"status":200,"body":"\\nFirst line\\nSecond line"}',
      },
    );
    expect(calls).toEqual([
      { name: 'current_time', input: {} },
      { name: 'http_request', input: { url: 'https://example.com/a?b=1', method: 'GET' } },
    ]);
    expect(said).toBe('It is noon. https://example.com/a?b=1 answered 200: “First line”. (simulated)');
  });

  it('calls any tool by its name, with an input that its schema asks for', async () => {
    const { calls, said } = await run(
      'Please place order of 3 "blue lamps"',
      { tools: [ORDER] },
      { place_order: 'ok' },
    );
    expect(calls).toEqual([{ name: 'place_order', input: { item: 'blue lamps', count: 3 } }]);
    expect(said).toBe('place_order says: “ok”. (simulated)');
  });

  it('obeys tool_choice', async () => {
    const forced = await client.messages.create({
      model: 'm',
      max_tokens: 500,
      tools: [CLOCK, ORDER],
      tool_choice: { type: 'tool', name: 'place_order' },
      messages: [{ role: 'user', content: 'Hello' }],
    });
    expect(forced.content.filter((block) => block.type === 'tool_use')).toMatchObject([
      { name: 'place_order' },
    ]);
    const none = await run('What time is it?', { tools: [CLOCK], tool_choice: { type: 'none' } }, {});
    expect(none.calls).toEqual([]);
    const one = await client.messages.create({
      model: 'm',
      max_tokens: 500,
      tools: [CLOCK, HTTP],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
      messages: [{ role: 'user', content: 'The time, and https://example.com' }],
    });
    expect(one.content.filter((block) => block.type === 'tool_use')).toHaveLength(1);
  });
});
