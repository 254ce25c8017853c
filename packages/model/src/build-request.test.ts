import { describe, expect, it } from '@jest/globals';
import { agentConfigSchema } from '@turnpike/contract';
import type {
  AgentConfig,
  ContentBlock,
  ConversationMessage,
  Message,
  ModelRequest,
} from '@turnpike/contract';
import { API_VERSION, buildRequest, SAMPLING_API_VERSION, serializeBody } from './build-request.ts';

const access = { keys: [], baseUrl: null, auth: 'bearer' as const, operatorKey: true };
const NOT_RECORDED = 'The turn ended before a result of this call was recorded.';
const EPHEMERAL = { type: 'ephemeral' };
const agent = agentConfigSchema.parse({ model: 'claude-test-1', max_tokens: 100, max_steps: 5 });
const text = (words: string): ContentBlock => ({ type: 'text', text: words });
const result = (id: string): ContentBlock => ({ type: 'tool_result', tool_use_id: id, content: [] });
const call = (id: string): ContentBlock => ({ type: 'tool_use', id, name: 't', input: {} });
const tool = (name: string) => ({ name, description: name, input_schema: { type: 'object' as const } });
const user = (...content: ContentBlock[]): Message => ({ role: 'user', content });
const assistant = (...content: ContentBlock[]): Message => ({ role: 'assistant', content });

function request(messages: Message[], more: Partial<ModelRequest> = {}): ModelRequest {
  return { agent, access, messages, tools: [], ...more };
}

/** Every message but the marker on the last one, which has tests of its own. */
function sentMessages(...messages: Message[]): unknown {
  const sent = structuredClone(buildRequest(request(messages)).body.messages) as unknown as Message[];
  delete sent.at(-1)?.content.at(-1)?.['cache_control'];
  return sent;
}

describe('the request of a model call', () => {
  it("has the agent's settings, and no others", () => {
    const { body, apiVersion } = buildRequest(request([user(text('hi'))]));
    expect(Object.keys(body).toSorted()).toEqual(['max_tokens', 'messages', 'model', 'stream']);
    expect(body).toMatchObject({ model: 'claude-test-1', max_tokens: 100, stream: true });
    expect(apiVersion).toBe(API_VERSION);
  });

  it('has the system prompt, thinking and stop sequences', () => {
    const thinking = { type: 'enabled' as const, budget_tokens: 1024 };
    const full = { ...agent, system: 'Be brief.', thinking, stop_sequences: ['END'] };
    const { body } = buildRequest(request([user(text('hi'))], { agent: full }));
    expect(body.system).toEqual([{ type: 'text', text: 'Be brief.', cache_control: EPHEMERAL }]);
    expect(body.thinking).toEqual(thinking);
    expect(body.stop_sequences).toEqual(['END']);
  });

  it('does not ask to clear thinking where it asks for none, as for a summary', () => {
    const tools = { type: 'clear_tool_uses_20250919' as const };
    const thoughts = { type: 'clear_thinking_20251015' as const };
    const sentFor = (edits: (typeof tools | typeof thoughts)[], more: Partial<AgentConfig> = {}) => {
      const clearing = { ...agent, ...more, context_management: { edits } };
      const { body, betas } = buildRequest(request([user(text('hi'))], { agent: clearing }));
      return [body.context_management, betas];
    };
    const beta = ['context-management-2025-06-27'];
    const thinking = { thinking: { type: 'adaptive' as const } };
    expect(sentFor([thoughts, tools], thinking)).toEqual([{ edits: [thoughts, tools] }, beta]);
    expect(sentFor([thoughts, tools])).toEqual([{ edits: [tools] }, beta]);
    expect(sentFor([thoughts])).toEqual([undefined, []]);
  });

  it('uses the API version that accepts a temperature only where the agent has one', () => {
    const warm = { ...agent, temperature: 0 };
    const { body, apiVersion } = buildRequest(request([user(text('hi'))], { agent: warm }));
    expect(body.temperature).toBe(0);
    expect(apiVersion).toBe(SAMPLING_API_VERSION);
  });

  const schema = {
    type: 'object' as const,
    properties: { city: { type: 'string', minLength: 2 } },
    required: ['city'],
  };
  const closed = {
    type: 'object',
    properties: { city: { type: 'string', description: '{minLength: 2}' } },
    required: ['city'],
    additionalProperties: false,
  };
  const blocks = [
    { type: 'text' as const, text: 'Be brief.', cache_control: { type: 'ephemeral' as const } },
    { type: 'text' as const, text: 'Today is Monday.' },
  ];
  it.each<[Partial<AgentConfig>, object]>([
    [
      { thinking: { type: 'adaptive', display: 'omitted' } },
      { thinking: { type: 'adaptive', display: 'omitted' } },
    ],
    [{ thinking: { type: 'disabled' } }, { thinking: { type: 'disabled' } }],
    [{ effort: 'low' }, { output_config: { effort: 'low' } }],
    [
      { output_format: { type: 'json_schema', schema } },
      { output_config: { format: { type: 'json_schema', schema: closed } } },
    ],
    [{ tool_choice: { type: 'any' } }, { tool_choice: { type: 'any' } }],
    [
      { tool_choice: { type: 'tool', name: 'a', disable_parallel_tool_use: true } },
      { tool_choice: { type: 'tool', name: 'a', disable_parallel_tool_use: true } },
    ],
    [{ top_p: 0.9 }, { top_p: 0.9 }],
    [{ top_k: 5 }, { top_k: 5 }],
    [{ service_tier: 'standard_only' }, { service_tier: 'standard_only' }],
    [{ service_tier: 'batch' }, {}],
    [{ model_metadata: { user_id: 'u-1' } }, { metadata: { user_id: 'u-1' } }],
    [
      { cache_ttl: '1h', system: 'x' },
      { system: [{ type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '1h' } }] },
    ],
    [{ system: blocks }, { system: blocks }],
  ])('has %j as the API expects it', (parameters, expected) => {
    const { body } = buildRequest(
      request([user(text('hi'))], { agent: { ...agent, ...parameters }, tools: [tool('a')] }),
    );
    expect(body).toMatchObject(expected);
  });

  it('forces a call only in the first model call of a turn, so that the turn can end', () => {
    const forced = { ...agent, tool_choice: { type: 'any' as const, disable_parallel_tool_use: true } };
    const after = [user(text('hi')), assistant(call('1')), user(result('1'))];
    const { body } = buildRequest(request(after, { agent: forced, tools: [tool('t')] }));
    expect(body.tool_choice).toEqual({ type: 'auto', disable_parallel_tool_use: true });
  });

  it('closes the objects of a strict tool', () => {
    const strict = { ...tool('a'), input_schema: schema, strict: true };
    const { body } = buildRequest(request([user(text('hi'))], { tools: [strict] }));
    expect(body.tools).toMatchObject([{ name: 'a', input_schema: closed, strict: true }]);
  });

  it('has the tools that the API runs as they are declared', () => {
    const search = { type: 'web_search_20250305', name: 'web_search', max_uses: 2 };
    const { body } = buildRequest(request([user(text('hi'))], { tools: [search, tool('a')] }));
    expect(body.tools).toEqual([search, { ...tool('a'), cache_control: EPHEMERAL }]);
  });

  it("has a document's context and citations", () => {
    const source = { type: 'text', media_type: 'text/plain', data: 'x' };
    const document = { type: 'document', source, context: 'A note.', citations: { enabled: true } };
    expect(sentMessages(user(document))).toEqual([user(document)]);
  });

  it('has no blank system prompt', () => {
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
    expect(marks(user(text('a')), assistant(call('1'), call('2')), user(result('1'), result('2')))).toEqual([
      '2:tool_result',
    ]);
  });

  it('are removed from stored blocks, also inside a tool result, but not inside the input of a call', () => {
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

  it('are at most four in a request with everything', () => {
    const full = { agent: { ...agent, system: 'Be brief.' }, tools: [tool('a')] };
    const sent = JSON.stringify(buildRequest(request([user(text('a'), text('b'))], full)).body);
    expect(sent.match(/cache_control/g)).toHaveLength(3);
  });
});

describe('the conversation that is sent', () => {
  it('merges consecutive messages of one role, in order', () => {
    expect(
      sentMessages(
        user(text('a')),
        user(text('b')),
        assistant(text('c')),
        assistant(text('d')),
        user(text('e')),
      ),
    ).toEqual([user(text('a'), text('b')), assistant(text('c'), text('d')), user(text('e'))]);
  });

  it('leaves out blank text, and messages that are empty without it', () => {
    expect(sentMessages(user(text('a'), text('')), assistant(text(' \n')), user(text('b')))).toEqual([
      user(text('a'), text('b')),
    ]);
  });

  it('begins and ends with the user, whatever the journal has', () => {
    const start = user(text('[The beginning of the conversation is not shown.]'));
    const goOn = user(text('Continue.'));
    expect(sentMessages(assistant(text('a')))).toEqual([start, assistant(text('a')), goOn]);
    expect(sentMessages(user(text(' ')))).toEqual([start]);
  });

  it('has the results of calls at the beginning of the next message, in the order of the calls', () => {
    const lost = { ...result('3'), content: [text(NOT_RECORDED)], is_error: true };
    expect(
      sentMessages(
        user(text('a')),
        assistant(call('1'), call('2'), call('3')),
        user(text('b'), result('2'), result('9'), result('1')),
      ),
    ).toEqual([
      user(text('a')),
      assistant(call('1'), call('2'), call('3')),
      user(result('1'), result('2'), lost, text('b')),
    ]);
  });

  it('replaces ids of calls that repeat or are invalid, also in their results', () => {
    const said = (id: string, words: string): ContentBlock => ({ ...result(id), content: [text(words)] });
    expect(
      sentMessages(
        user(text('a')),
        assistant(call('x'), call('x')),
        user(said('x', 'first'), said('x', 'second')),
        assistant(call('x'), call('f.t:0'), { type: 'tool_use', name: 't', input: {} }),
        user(said('', 'fifth'), said('x', 'third'), said('f.t:0', 'fourth')),
      ),
    ).toEqual([
      user(text('a')),
      assistant(call('x'), call('call_2')),
      user(said('x', 'first'), said('call_2', 'second')),
      assistant(call('call_3'), call('call_4'), call('call_5')),
      user(said('call_3', 'third'), said('call_4', 'fourth'), said('call_5', 'fifth')),
    ]);
  });

  it('shows the model a call as it wrote it where the API accepts no such input or name', () => {
    const odd = (more: object): ContentBlock => ({ ...call('1'), ...more });
    const sentCall = (more: object): unknown => {
      const messages = sentMessages(user(text('a')), assistant(odd(more)), user(text('b'))) as Message[];
      return messages[1]?.content[0];
    };
    expect(sentCall({ input: ['UTC'] })).toMatchObject({ input: { invalid_input: ['UTC'] } });
    expect(sentCall({ input: null })).toMatchObject({ input: {} });
    expect(sentCall({ input: {}, input_text: '{"a": nope}' })).toMatchObject({
      input: { invalid_input: '{"a": nope}' },
    });
    expect(sentCall({ name: '' })).toMatchObject({ name: 'unnamed' });
    expect(sentCall({ name: `a b${'x'.repeat(300)}` })).toMatchObject({ name: `a_b${'x'.repeat(61)}` });
  });

  it('has the numbers of a call as the model wrote them', () => {
    const written = '{"amount":1e400,"order":2512292042121000001}';
    const messages = [user(text('a')), assistant({ ...call('1'), input_text: written }), user(text('b'))];
    expect(serializeBody(buildRequest(request(messages)).body)).toContain(
      `"input":{"order":2512292042121000001,"amount":1e400}`,
    );
  });

  it('has text in each error of a tool, and nothing else', () => {
    const image = { type: 'image', source: { type: 'url', url: 'https://a.invalid/b.png' } };
    const failed = (content: unknown): unknown => {
      const error = { ...result('1'), content, is_error: true };
      const messages = sentMessages(
        user(text('a')),
        assistant(call('1')),
        user(error, text('b')),
      ) as Message[];
      return messages[2]?.content[0]?.['content'];
    };
    const silent = [text('The tool failed without a message.')];
    for (const nothing of ['', ' \n', [], [text('')], undefined]) expect(failed(nothing)).toEqual(silent);
    expect(failed([image])).toEqual([text('[left out: image, since an error can hold only text]')]);
  });

  it('leaves out unknown block types, and unknown fields of known ones', () => {
    expect(
      sentMessages(
        user(text('a')),
        assistant({ type: 'novelty' }, { ...text('b'), logprobs: [] }),
        user(text('c')),
      ),
    ).toEqual([user(text('a')), assistant(text('b')), user(text('c'))]);
  });

  it('declares a placeholder tool for earlier calls where the agent has no tools any more', () => {
    const { body } = buildRequest(request([user(text('a')), assistant(call('1')), user(result('1'))]));
    expect(body).toMatchObject({ tools: [{ name: 'no_tool' }], tool_choice: { type: 'none' } });
  });

  it('has at most the newest hundred images, and a text in place of each other one', () => {
    const image = { type: 'image', source: { type: 'url', url: 'https://a.invalid/b.png' } };
    const [sent] = sentMessages(user(...Array.from({ length: 101 }, () => image))) as Message[];
    expect(sent?.content.map(({ type }) => type)).toEqual([
      ...Array.from({ length: 20 }, () => 'text'),
      ...Array.from({ length: 81 }, () => 'image'),
    ]);
  });
});

describe('thinking blocks in the conversation', () => {
  const thinking = { type: 'thinking', thinking: 'hm', signature: 's' };
  const thinker = { ...agent, thinking: { type: 'enabled' as const, budget_tokens: 1024 } };
  const sentTo = (asked: typeof agent, ...messages: ConversationMessage[]) =>
    buildRequest(request(messages, { agent: asked })).body;

  it('are kept unchanged', () => {
    const redacted = { type: 'redacted_thinking', data: 'opaque' };
    const body = sentTo(thinker, user(text('a')), assistant(thinking, redacted, text('b')), user(text('c')));
    expect(body.messages[1]?.content).toEqual([thinking, redacted, text('b')]);
  });

  it('are left out where thinking is off, where another model wrote them, and where they are not signed', () => {
    const said = assistant(thinking, text('b'));
    const unsigned = assistant({ ...thinking, signature: '' }, text('b'));
    expect(sentTo(agent, user(text('a')), said, user(text('c'))).messages[1]?.content).toEqual([text('b')]);
    for (const message of [{ ...said, model: 'claude-other-1' }, unsigned]) {
      const body = sentTo(thinker, user(text('a')), message, user(text('c')));
      expect(body.messages[1]?.content).toEqual([text('b')]);
      expect(body.thinking).toBeDefined();
    }
  });

  it('are left out at the end of a message, and so is a message of nothing else', () => {
    const body = sentTo(
      thinker,
      user(text('a')),
      assistant(thinking, text('b'), thinking),
      user(text('c')),
      assistant(thinking),
      user(text('d')),
    );
    expect(body.messages.map(({ content }) => (content as unknown[]).length)).toEqual([1, 2, 2]);
  });

  it('do not begin within a round of calls: until its end, thinking is not requested', () => {
    const round = [user(text('a')), assistant(call('1')), user(result('1'))];
    const body = sentTo({ ...thinker, temperature: 0.5 }, ...round);
    expect(body).not.toHaveProperty('thinking');
    expect(body).not.toHaveProperty('temperature');
    expect(sentTo(thinker, ...round, assistant(text('b')), user(text('c'))).thinking).toBeDefined();
  });
});

describe('the stored conversation', () => {
  it('is not changed', () => {
    const stored = [
      user({ ...text('a'), cache_control: EPHEMERAL }),
      user(text('b'), { ...result('1'), content: [text(''), { ...text('c'), cache_control: EPHEMERAL }] }),
    ];
    const before = structuredClone(stored);
    buildRequest(request(stored));
    expect(stored).toEqual(before);
  });
});
