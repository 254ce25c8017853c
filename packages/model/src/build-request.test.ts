import { describe, expect, it } from '@jest/globals';
import { agentConfigSchema } from '@turnpike/contract';
import type { ContentBlock, Message, ModelRequest } from '@turnpike/contract';
import { API_VERSION, buildRequest, SAMPLING_API_VERSION } from './build-request.ts';

const access = { keys: [], baseUrl: null, auth: 'bearer' as const, operatorKey: true };
const EPHEMERAL = { type: 'ephemeral' };
const agent = agentConfigSchema.parse({ model: 'claude-test-1', max_tokens: 100, max_steps: 5 });
const text = (words: string): ContentBlock => ({ type: 'text', text: words });
const result = (id: string): ContentBlock => ({ type: 'tool_result', tool_use_id: id, content: [] });
const tool = (name: string) => ({ name, description: name, input_schema: { type: 'object' as const } });
const user = (...content: ContentBlock[]): Message => ({ role: 'user', content });
const assistant = (...content: ContentBlock[]): Message => ({ role: 'assistant', content });

function request(messages: Message[], more: Partial<ModelRequest> = {}): ModelRequest {
  const ids = { tenantId: 'ten_1', turnId: 'turn_1', sessionId: 'sess_1', epoch: 1 };
  return { ...ids, agent, access, messages, tools: [], ...more };
}

/** Every message but the marker on the last one, which has tests of its own. */
function sentMessages(...messages: Message[]): unknown {
  const sent = structuredClone(buildRequest(request(messages)).body.messages) as unknown as Message[];
  delete sent.at(-1)?.content.at(-1)?.['cache_control'];
  return sent;
}

describe('the request of a model call', () => {
  it('asks for a stream with what the agent says, and leaves out what it does not say', () => {
    const { body, apiVersion } = buildRequest(request([user(text('hi'))]));
    expect(Object.keys(body).toSorted()).toEqual(['max_tokens', 'messages', 'model', 'stream']);
    expect(body).toMatchObject({ model: 'claude-test-1', max_tokens: 100, stream: true });
    expect(apiVersion).toBe(API_VERSION);
  });

  it('passes system, thinking and stop sequences on', () => {
    const thinking = { type: 'enabled' as const, budget_tokens: 1024 };
    const full = { ...agent, system: 'Be brief.', thinking, stop_sequences: ['END'] };
    const { body } = buildRequest(request([user(text('hi'))], { agent: full }));
    expect(body.system).toEqual([{ type: 'text', text: 'Be brief.', cache_control: EPHEMERAL }]);
    expect(body.thinking).toEqual(thinking);
    expect(body.stop_sequences).toEqual(['END']);
  });

  it('asks with the API version that knows a temperature, only where the agent has one', () => {
    const warm = { ...agent, temperature: 0 };
    const { body, apiVersion } = buildRequest(request([user(text('hi'))], { agent: warm }));
    expect(body.temperature).toBe(0);
    expect(apiVersion).toBe(SAMPLING_API_VERSION);
  });

  it('sends no blank system prompt', () => {
    const { body } = buildRequest(request([user(text('hi'))], { agent: { ...agent, system: ' \n' } }));
    expect(body.system).toBeUndefined();
  });

  it('declares the tools in order and marks the last one for the cache', () => {
    const { body } = buildRequest(request([user(text('hi'))], { tools: [tool('a'), tool('b')] }));
    expect(body.tools).toEqual([tool('a'), { ...tool('b'), cache_control: EPHEMERAL }]);
  });
});

/** Where the markers are: the place of the message and the type of the block. */
function marks(...messages: Message[]): string[] {
  return buildRequest(request(messages)).body.messages.flatMap((message, at) =>
    (message.content as unknown as ContentBlock[])
      .filter((block) => block['cache_control'] !== undefined)
      .map((block) => `${at}:${block.type}`),
  );
}

describe('cache markers of the conversation', () => {
  it('are on the last block of the last message and nowhere else', () => {
    expect(marks(user(text('a')), assistant(text('b')), user(result('1'), result('2')))).toEqual([
      '2:tool_result',
    ]);
  });

  it('are never on thinking, nor on a block of a type that we do not know', () => {
    const thinking = { type: 'thinking', thinking: 'hm', signature: 's' };
    const redacted = { type: 'redacted_thinking', data: 'x' };
    const novel = { type: 'novelty' };
    expect(marks(user(text('a')), assistant(text('b'), thinking, redacted, novel))).toEqual(['1:text']);
    expect(marks(user(text('a')), assistant(thinking, novel))).toEqual([]);
  });

  it('that were stored are dropped, also inside a tool result, but not inside the input of a call', () => {
    const input = { cache_control: 'a word of the model' };
    const messages = [
      user({ ...text('a'), cache_control: EPHEMERAL }),
      assistant({ type: 'tool_use', id: '1', name: 't', input, cache_control: EPHEMERAL }),
      user({ ...result('1'), content: [{ ...text('b'), cache_control: EPHEMERAL }] }, text('c')),
    ];
    expect(marks(...messages)).toEqual(['2:text']);
    const sent = JSON.stringify(buildRequest(request(messages)).body);
    expect(sent.match(/"cache_control":\{/g)).toHaveLength(1);
    expect(sent).toContain('a word of the model');
  });

  it('are four at most with everything there is', () => {
    const full = { agent: { ...agent, system: 'Be brief.' }, tools: [tool('a')] };
    const sent = JSON.stringify(buildRequest(request([user(text('a'), text('b'))], full)).body);
    expect(sent.match(/cache_control/g)).toHaveLength(3);
  });
});

describe('the conversation that is sent', () => {
  it('joins neighbours of one role, in order', () => {
    expect(
      sentMessages(user(text('a')), user(text('b')), assistant(text('c')), assistant(text('d'))),
    ).toEqual([user(text('a'), text('b')), assistant(text('c'), text('d'))]);
  });

  it('leaves out blank text and the messages that it leaves empty', () => {
    expect(sentMessages(user(text('a'), text('')), assistant(text(' \n')), user(text('b')))).toEqual([
      user(text('a'), text('b')),
    ]);
  });

  it('puts tool results first in a message, and keeps the order otherwise', () => {
    expect(sentMessages(user(text('a')), user(result('1'), text('b'), result('2')))).toEqual([
      user(result('1'), result('2'), text('a'), text('b')),
    ]);
  });

  it('keeps thinking and blocks of unknown types exactly as they came', () => {
    const blocks = [
      { type: 'thinking', thinking: '', signature: 'sig==', more: [1] },
      { type: 'redacted_thinking', data: 'opaque' },
      { type: 'novelty', content: [{ type: 'text', text: '' }] },
    ];
    expect(sentMessages(user(text('a')), assistant(...blocks), user(text('b')))).toEqual([
      user(text('a')),
      assistant(...blocks),
      user(text('b')),
    ]);
  });

  it('leaves out the thoughts that a message ends in, and a message that is nothing else', () => {
    const thinking = { type: 'thinking', thinking: 'hm', signature: 's' };
    expect(
      sentMessages(
        user(text('a')),
        assistant(thinking, text('b'), thinking),
        user(text('c')),
        assistant(thinking),
      ),
    ).toEqual([user(text('a')), assistant(thinking, text('b')), user(text('c'))]);
  });

  it('leaves the stored messages as they are', () => {
    const stored = [
      user({ ...text('a'), cache_control: EPHEMERAL }),
      user(text('b'), { ...result('1'), content: [text(''), { ...text('c'), cache_control: EPHEMERAL }] }),
    ];
    const before = structuredClone(stored);
    buildRequest(request(stored));
    expect(stored).toEqual(before);
  });
});
