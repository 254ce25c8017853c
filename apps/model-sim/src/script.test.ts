import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SimControl, startModelSim } from './index.ts';
import type { ModelSim, ScriptInput } from './index.ts';

const MODEL = 'claude-sonnet-5-5';

describe('the script', () => {
  let sim: ModelSim;
  let control: SimControl;
  let client: Anthropic;

  beforeAll(async () => {
    sim = await startModelSim({ script: { rules: [{ reply: { text: 'first script' } }] } });
    control = new SimControl(sim.controlUrl);
    client = new Anthropic({ baseURL: sim.url, apiKey: 'sk-sim-0001', maxRetries: 0 });
  });
  afterAll(() => sim.close());
  beforeEach(() => control.reset());

  const ask = async (
    messages: Anthropic.MessageParam[] | string,
    extra: { model?: string; tools?: Anthropic.Tool[] } = {},
  ) => {
    const message = await client.messages.create({
      model: MODEL,
      max_tokens: 1000,
      ...extra,
      messages: typeof messages === 'string' ? [{ role: 'user', content: messages }] : messages,
    });
    return message.content.map((block) => (block.type === 'text' ? block.text : block.type)).join('|');
  };

  it('answers with the first rule that matches text, regex, model or key', async () => {
    await control.setScript({
      rules: [
        { match: { text: 'red' }, reply: { text: 'by text' } },
        { match: { text: { regex: '^BLUE$', flags: 'gi' } }, reply: { text: 'by regex' } },
        { match: { model: 'claude-opus-5-5' }, reply: { text: 'by model' } },
        { match: { api_key: '-9999' }, reply: { text: 'by key' } },
        { reply: { text: 'by nothing' } },
      ],
    });
    expect(await ask('a red one')).toBe('by text');
    expect(await ask('blue')).toBe('by regex');
    expect(await ask('blue')).toBe('by regex');
    expect(await ask('other', { model: 'claude-opus-5-5' })).toBe('by model');
    expect(await ask('other')).toBe('by nothing');
    const other = client.withOptions({ apiKey: 'sk-sim-9999' });
    const message = await other.messages.create({
      model: MODEL,
      max_tokens: 10,
      messages: [{ role: 'user', content: 'x' }],
    });
    expect(message.content[0]).toMatchObject({ text: 'by key' });
  });

  it('follows a turn by its markers and its step, and fills them into what it says', async () => {
    await control.setScript({
      rules: [
        {
          match: { session: 's-1', step: 0 },
          reply: {
            tool_uses: [
              { id: 'toolu_x', name: 'book', input: { key: 'k-{{turn}}', deep: [{ n: '{{step}}' }] } },
            ],
          },
        },
        {
          match: { turn: 't-2', step: 1, has_tool_result: true },
          reply: { text: '{{session}}/{{turn}} at {{step}}: {{tool_result}}' },
        },
      ],
    });
    const history: Anthropic.MessageParam[] = [
      { role: 'user', content: '[[s-1]] [[t-1]] hello' },
      { role: 'assistant', content: 'Hello.' },
      { role: 'user', content: '[[t-2]] book it' },
    ];
    const first = await client.messages.create({ model: MODEL, max_tokens: 500, messages: history });
    expect(first.content[0]).toMatchObject({ name: 'book', input: { key: 'k-t-2', deep: [{ n: '0' }] } });
    const result = { type: 'tool_result' as const, tool_use_id: 'toolu_x', content: 'booked' };
    const second = await ask(
      [...history, { role: 'assistant', content: first.content }, { role: 'user', content: [result] }],
      { tools: [{ name: 'book', input_schema: { type: 'object' } }] },
    );
    expect(second).toBe('s-1/t-2 at 1: booked');
    expect(await control.calls()).toMatchObject([
      {
        session: 's-1',
        turn: 't-2',
        step: 0,
        messages: 3,
        api_key_last4: '0001',
        api_key_header: 'authorization',
      },
      { session: 's-1', turn: 't-2', step: 1, messages: 5 },
    ]);
  });

  it('lets chance fall the same way for the same seed, whatever the order of the calls', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `question ${index}`);
    const run = async (seed: number, order: string[]): Promise<string[]> => {
      const script: ScriptInput = {
        seed,
        rules: [{ probability: 0.5, reply: { text: 'yes' } }, { reply: { text: 'no' } }],
      };
      await control.setScript(script);
      const responses = new Map<string, string>();
      await Promise.all(order.map(async (name) => responses.set(name, await ask(name))));
      return names.map((name) => responses.get(name) ?? '');
    };
    const once = await run(1, names);
    expect(await run(1, names.toReversed())).toEqual(once);
    expect(await run(2, names)).not.toEqual(once);
    expect(new Set(once)).toEqual(new Set(['yes', 'no']));
  });

  it('is refused with the path of the mistake, and the old one stays', async () => {
    const wrong = { rules: [{ reply: { txt: 'x' } }] } as unknown as ScriptInput;
    await expect(control.setScript(wrong)).rejects.toThrow('rules.0.reply.txt');
    await expect(
      control.setScript({ rules: [{ match: { text: { regex: '(' } }, reply: {} }] }),
    ).rejects.toThrow('rules.0.match.text');
    await expect(control.setScript({ rules: [{ match: { step: 1 } }] })).rejects.toThrow('needs a reply');
    expect(await ask('x')).toBe('first script');
    await expect(startModelSim({ script: wrong })).rejects.toThrow('txt');
  });

  it('is the first one again after a reset', async () => {
    await control.setScript({ rules: [{ reply: { text: 'second script' } }] });
    expect(await ask('x')).toBe('second script');
    await control.reset();
    expect(await ask('x')).toBe('first script');
  });
});
