import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SimControl, startModelSim } from './index.ts';
import type { ModelSim } from './index.ts';

const MODEL = 'claude-sonnet-5-5';
const WEATHER: Anthropic.Tool = {
  name: 'get_weather',
  description: 'The weather of a city.',
  input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
};

describe('an answer of the simulator, read by the real SDK', () => {
  let sim: ModelSim;
  let control: SimControl;
  let client: Anthropic;

  beforeAll(async () => {
    sim = await startModelSim();
    control = new SimControl(sim.controlUrl);
    client = new Anthropic({ baseURL: sim.url, apiKey: 'sk-sim-0001', maxRetries: 0 });
  });
  afterAll(() => sim.close());
  beforeEach(() => control.reset());

  it('is a message with ids, usage and a request id', async () => {
    await control.setScript({ rules: [{ reply: { text: 'All is well.' } }] });
    const message = await client.messages.create({
      model: MODEL,
      max_tokens: 100,
      messages: [{ role: 'user', content: 'How is it?' }],
    });
    expect(message).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: MODEL,
      content: [{ type: 'text', text: 'All is well.', citations: null }],
      stop_reason: 'end_turn',
      stop_sequence: null,
    });
    expect(message.id).toMatch(/^msg_01[1-9A-Za-z]{22}$/);
    expect(message._request_id).toMatch(/^req_01[1-9A-Za-z]{22}$/);
    expect(message.usage.input_tokens).toBeGreaterThan(0);
    expect(message.usage.output_tokens).toBeGreaterThan(0);
    expect(message.usage.cache_read_input_tokens).toBe(0);
  });

  it('says in a header and at the root that it is a simulation', async () => {
    const { response } = await client.messages
      .create({ model: MODEL, max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] })
      .withResponse();
    expect(response.headers.get('x-turnpike-simulation')).toBe('true');
    expect(await (await fetch(sim.url)).json()).toMatchObject({ simulation: true });
  });

  it('streams the same message as it gives as JSON, through the streaming helper', async () => {
    await control.setScript({
      defaults: { chunk: 2 },
      rules: [
        {
          reply: {
            thinking: 'They want the weather of two cities.',
            text: 'I look it up — both at once. ☂',
            tool_uses: [
              { id: 'toolu_a', name: 'get_weather', input: { city: 'Lisbon', days: [1, 2] } },
              { id: 'toolu_b', name: 'get_weather', input: { city: 'Oslo' } },
            ],
          },
        },
      ],
    });
    const params = {
      model: MODEL,
      max_tokens: 4096,
      thinking: { type: 'adaptive' as const },
      tools: [WEATHER],
      messages: [{ role: 'user' as const, content: 'Weather?' }],
    };
    const whole = await client.messages.create(params);
    const streamed = await client.messages.stream(params).finalMessage();
    expect(streamed.content).toEqual(whole.content);
    expect(streamed.usage).toEqual(whole.usage);
    expect(streamed.stop_reason).toBe('tool_use');
    expect(streamed.content.map((block) => block.type)).toEqual(['thinking', 'text', 'tool_use', 'tool_use']);
    expect(streamed.content[2]).toMatchObject({ id: 'toolu_a', input: { city: 'Lisbon', days: [1, 2] } });
  });

  it('comes as the events of the real API, in their order, tool input in several pieces', async () => {
    await control.setScript({
      rules: [{ reply: { text: 'Ok.', tool_uses: [{ name: 'get_weather', input: { city: 'Oslo' } }] } }],
    });
    const stream = await client.messages.create({
      model: MODEL,
      max_tokens: 100,
      stream: true,
      tools: [WEATHER],
      messages: [{ role: 'user', content: 'Weather?' }],
    });
    const types: string[] = [];
    let json = '';
    let jsonPieces = 0;
    for await (const event of stream) {
      types.push(event.type);
      if (event.type !== 'content_block_delta' || event.delta.type !== 'input_json_delta') continue;
      json += event.delta.partial_json;
      if (event.delta.partial_json !== '') jsonPieces += 1;
    }
    expect(types.filter((type, index) => type !== types[index - 1])).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(JSON.parse(json)).toEqual({ city: 'Oslo' });
    expect(jsonPieces).toBeGreaterThan(1);
    const [call] = await control.calls({ waitFor: 1, outcome: 'completed' });
    // The SDK keeps `ping` to itself.
    expect(call?.events).toBe(types.length + 1);
  });

  it('leaves thinking out unless it is asked for, and signs it so that a changed block is refused', async () => {
    await control.setScript({ rules: [{ reply: { thinking: 'Hm.', text: 'Yes.' } }] });
    const ask = { model: MODEL, max_tokens: 2000, messages: [{ role: 'user' as const, content: 'Well?' }] };
    expect((await client.messages.create(ask)).content).toHaveLength(1);
    const thought = await client.messages.create({
      ...ask,
      thinking: { type: 'adaptive' },
    });
    expect(thought.content[0]).toMatchObject({ type: 'thinking', thinking: 'Hm.' });
    const next: Anthropic.MessageParam = { role: 'user', content: 'And?' };
    await client.messages.create({
      ...ask,
      messages: [...ask.messages, { role: 'assistant', content: thought.content }, next],
    });
    const forged = thought.content.map((block) =>
      block.type === 'thinking' ? { ...block, thinking: 'Hm!' } : block,
    );
    await expect(
      client.messages.create({
        ...ask,
        messages: [...ask.messages, { role: 'assistant', content: forged }, next],
      }),
    ).rejects.toThrow('Invalid `signature` in `thinking` block');
  });

  it('is cut at max_tokens, in text and within a tool call', async () => {
    await control.setScript({
      rules: [
        { match: { text: 'long' }, reply: { text: 'one two three four five six' } },
        { reply: { tool_uses: [{ name: 'get_weather', input: { city: 'a'.repeat(500) } }] } },
      ],
    });
    const text = await client.messages
      .stream({ model: MODEL, max_tokens: 3, messages: [{ role: 'user', content: 'long' }] })
      .finalMessage();
    expect(text).toMatchObject({
      content: [{ text: 'one two three' }],
      stop_reason: 'max_tokens',
      usage: { output_tokens: 3 },
    });
    const tool = await client.messages.create({
      model: MODEL,
      max_tokens: 3,
      tools: [WEATHER],
      messages: [{ role: 'user', content: 'call' }],
    });
    expect(tool).toMatchObject({ content: [{ type: 'tool_use', input: {} }], stop_reason: 'max_tokens' });
  });

  it('stops at the first of the stop sequences and names it', async () => {
    await control.setScript({ rules: [{ reply: { text: 'a b STOP c END d' } }] });
    const message = await client.messages.create({
      model: MODEL,
      max_tokens: 100,
      stop_sequences: ['END', 'STOP'],
      messages: [{ role: 'user', content: 'go' }],
    });
    expect(message).toMatchObject({
      content: [{ text: 'a b ' }],
      stop_reason: 'stop_sequence',
      stop_sequence: 'STOP',
    });
  });

  it.each(['pause_turn', 'refusal', 'model_context_window_exceeded'] as const)(
    'can stop with %s',
    async (reason) => {
      await control.setScript({ rules: [{ reply: { text: 'Well,', stop_reason: reason } }] });
      const message = await client.messages
        .stream({ model: MODEL, max_tokens: 100, messages: [{ role: 'user', content: 'go' }] })
        .finalMessage();
      expect(message.stop_reason).toBe(reason);
      expect(message.stop_details === null).toBe(reason !== 'refusal');
    },
  );

  it('counts what is written to the prompt cache, and reads it when the conversation grows', async () => {
    const system: Anthropic.TextBlockParam[] = [
      { type: 'text', text: 'Rules. '.repeat(1000), cache_control: { type: 'ephemeral' } },
    ];
    const ask = (messages: Anthropic.MessageParam[]) =>
      client.messages.create({ model: MODEL, max_tokens: 50, system, messages });
    const first = await ask([{ role: 'user', content: 'One' }]);
    expect(first.usage.cache_creation_input_tokens).toBeGreaterThan(1024);
    expect(first.usage.cache_read_input_tokens).toBe(0);
    const second = await ask([
      { role: 'user', content: 'One' },
      { role: 'assistant', content: first.content },
      { role: 'user', content: [{ type: 'text', text: 'Two', cache_control: { type: 'ephemeral' } }] },
    ]);
    expect(second.usage.cache_read_input_tokens).toBe(first.usage.cache_creation_input_tokens);
    expect(second.usage.cache_creation_input_tokens).toBeGreaterThan(0);
    expect(second.usage.input_tokens).toBeGreaterThan(0);
  });

  it('reports the usage that the script names', async () => {
    const usage = {
      input_tokens: 7,
      output_tokens: 11,
      cache_creation_input_tokens: 13,
      cache_read_input_tokens: 17,
    };
    await control.setScript({ rules: [{ reply: { text: 'x', usage } }] });
    const message = await client.messages
      .stream({ model: MODEL, max_tokens: 100, messages: [{ role: 'user', content: 'go' }] })
      .finalMessage();
    expect(message.usage).toMatchObject(usage);
  });

  it('counts tokens without a call, and lists models', async () => {
    const few = await client.messages.countTokens({
      model: MODEL,
      messages: [{ role: 'user', content: 'Hi' }],
    });
    const many = await client.messages.countTokens({
      model: MODEL,
      system: 'Be kind. '.repeat(100),
      tools: [WEATHER],
      messages: [{ role: 'user', content: 'Hi' }],
    });
    expect(many.input_tokens).toBeGreaterThan(few.input_tokens + 200);
    const body = { model: MODEL, max_tokens: 1, messages: [{ role: 'user', content: 'Hi' }] };
    await expect(client.post('/v1/messages/count_tokens', { body })).rejects.toThrow(
      'max_tokens: Extra inputs are not permitted',
    );
    expect((await control.stats()).calls).toBe(0);
    const ids: string[] = [];
    for await (const model of client.models.list()) ids.push(model.id);
    expect(ids).toContain(MODEL);
    expect((await client.models.retrieve(MODEL)).display_name).toContain('simulated');
    await expect(client.models.retrieve('claude-none')).rejects.toThrow(Anthropic.NotFoundError);
  });

  it('puts the machine-wide monotonic clock into text deltas where the script wants stamps', async () => {
    await control.setScript({
      rules: [{ pace: { stamp: true, chunk: 1, tokens_per_second: 20 }, reply: { text: 'one two three' } }],
    });
    const before = Number(process.hrtime.bigint()) / 1e6;
    const message = await client.messages
      .stream({ model: MODEL, max_tokens: 100, messages: [{ role: 'user', content: 'go' }] })
      .finalMessage();
    const after = Number(process.hrtime.bigint()) / 1e6;
    const text = message.content[0]?.type === 'text' ? message.content[0].text : '';
    const stamps = [...text.matchAll(/<t=([\d.]+)>/g)].map((match) => Number(match[1]));
    expect(stamps).toHaveLength(3);
    for (const stamp of stamps) {
      expect(stamp).toBeGreaterThanOrEqual(before - 1);
      expect(stamp).toBeLessThanOrEqual(after + 1);
    }
    // It is the moment of sending: two tokens lie a pace of 50 ms or more after the first.
    expect(Number(stamps[2])).toBeGreaterThanOrEqual(before + 99);
  });

  it('comes no faster than its pace', async () => {
    await control.setScript({
      defaults: { first_token_ms: 40, tokens_per_second: 100, chunk: 1 },
      rules: [{ reply: { text: 'one two three four five six' } }],
    });
    const ask = { model: MODEL, max_tokens: 100, messages: [{ role: 'user' as const, content: 'go' }] };
    const started = performance.now();
    await client.messages.stream(ask).finalMessage();
    expect(performance.now() - started).toBeGreaterThanOrEqual(40 + 5 * 10 - 5);
    const startedJson = performance.now();
    await client.messages.create(ask);
    expect(performance.now() - startedJson).toBeGreaterThanOrEqual(40 + 6 * 10 - 5);
  });
});
