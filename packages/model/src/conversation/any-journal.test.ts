import { expect, test } from '@jest/globals';
import {
  agentConfigSchema,
  storableJson,
  type ContentBlock,
  type ConversationMessage,
} from '@turnpike/contract';
import fc from 'fast-check';
import { parseMessagesRequest } from '../../../../apps/model-sim/src/parse-request.ts';
import { signThinking } from '../../../../apps/model-sim/src/sign-thinking.ts';
import { buildRequest, serializeBody, type BuiltRequest } from '../build-request.ts';
import { inStoredOrder } from './copy-block.ts';

/** `FUZZ_RUNS` makes more of them, and a failure says the seed that finds it again. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 500);
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_130);

const MODELS = ['claude-sonnet-4-5', 'claude-opus-5'];
const spoken = fc.constantFrom(
  '',
  ' \n',
  'a',
  'Hello.',
  'ends in a space ',
  '\u0000',
  '\ud83d',
  '"\\u0000',
  '\ud83d\ude00',
);
const field = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined });
const anything = fc.jsonValue({ maxDepth: 3 });

const id = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('', 'a', 'b', 'call_1', 'call_2', 'functions.x:0', 'é', 'x'.repeat(300)),
  },
  { weight: 1, arbitrary: anything },
);
const name = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('', 'clock', 'a b', 'x'.repeat(300), '\ud83d') },
  { weight: 1, arbitrary: anything },
);
const inputText = fc.constantFrom(
  '{}',
  '{ "b": 1, "aa": [1.0, {"z": 1, "y": 2}] }',
  '{"a": nope}',
  '',
  '["UTC"]',
  'null',
  '{"a": 1, "a": 2}',
  '{"amount": 1e400, "order": 2512292042121000001}',
  '{"a": "\\ud83d\\u0000"}',
  '['.repeat(5_000) + ']'.repeat(5_000),
);
const media = fc.record({
  type: fc.constantFrom('image', 'document'),
  source: fc.oneof(
    fc.record({
      type: fc.constantFrom('base64', 'text', 'url', 'file'),
      media_type: fc.constantFrom('image/png', 'image/tiff', 'application/pdf', 'text/plain'),
      data: fc.constantFrom('', 'iVBORw0KGgo=', ' '),
      url: field(fc.constantFrom('https://a.invalid/b.png', 'ftp://a.invalid', '')),
    }),
    anything,
  ),
  title: field(spoken),
});
const text = fc.record({
  type: fc.constant('text'),
  text: fc.oneof(spoken, spoken, spoken, anything),
  citations: field(anything),
});
const novelty = fc.record({
  type: fc.constantFrom('novelty', 'mcp_tool_use', 'container_upload', '__proto__'),
  content: field(anything),
});
const thinking = fc
  .record({ model: fc.constantFrom(...MODELS), thinking: spoken, isSigned: fc.boolean() })
  .map(({ model, thinking: thought, isSigned }) => ({
    type: 'thinking',
    thinking: thought,
    signature: isSigned ? signThinking(model, thought) : '',
  }));
const redacted = fc.record({
  type: fc.constant('redacted_thinking'),
  data: field(fc.constantFrom('', 'opaque')),
});
const toolUse = fc.record({
  type: fc.constant('tool_use'),
  id: field(id),
  name: field(name),
  input: field(anything),
  input_text: field(inputText),
  caller: field(anything),
});
const result = fc.record({
  type: fc.constant('tool_result'),
  tool_use_id: field(id),
  content: field(fc.oneof(spoken, fc.array(fc.oneof(text, media, novelty), { maxLength: 3 }), anything)),
  is_error: field(fc.oneof(fc.boolean(), fc.constant(null), fc.constant('yes'))),
});
const serverId = fc.constantFrom('srvtoolu_1', 'srvtoolu_2', 'call_1', '');
const serverUse = fc.record({
  type: fc.constant('server_tool_use'),
  id: serverId,
  name: fc.constantFrom('web_search', 'song'),
  input: field(anything),
});
const serverResult = fc.record({
  type: fc.constantFrom('web_search_tool_result', 'web_fetch_tool_result'),
  tool_use_id: serverId,
  content: field(fc.oneof(fc.constant([]), anything)),
});
const block = fc.oneof(
  text,
  toolUse,
  toolUse,
  result,
  result,
  thinking,
  redacted,
  media,
  serverUse,
  serverResult,
  novelty,
);
const message = fc.record({
  role: fc.constantFrom('user' as const, 'assistant' as const),
  content: fc.array(block, { maxLength: 5 }),
  model: field(fc.constantFrom(...MODELS)),
});
const journal = fc
  .array(message, { maxLength: 10 })
  .map((messages) => withTrueThoughts(messages as ConversationMessage[]));

/** A thought is signed by the model that its message is of, as far as the journal knows. */
function withTrueThoughts(messages: ConversationMessage[]): ConversationMessage[] {
  return messages.map((said) => ({
    ...said,
    content: said.content.map((part): ContentBlock => {
      const { type, thinking: thought, signature } = part;
      if (type !== 'thinking' || signature === '' || typeof thought !== 'string') return part;
      // As they come out of storage: a thought that cannot be stored has lost its signature.
      if (/\0/.test(thought) || !thought.isWellFormed()) return { ...part, signature: '' };
      return { ...part, signature: signThinking(said.model ?? 'claude-sonnet-4-5', thought) };
    }),
  }));
}

const settings = fc.record({
  thinks: fc.boolean(),
  hasTools: fc.boolean(),
  temperature: field(fc.constant(0.5)),
  withoutThinking: fc.boolean(),
});

function build(
  messages: ConversationMessage[],
  {
    thinks,
    hasTools,
    temperature,
    withoutThinking,
  }: Partial<typeof settings extends fc.Arbitrary<infer Value> ? Value : never>,
): BuiltRequest {
  const agent = agentConfigSchema.parse({ model: 'claude-sonnet-4-5', max_tokens: 8_000, temperature });
  return buildRequest(
    {
      agent: {
        ...agent,
        // Of agents that were made before these were refused.
        stop_sequences: ['\n', 'END'],
        ...(thinks ? { thinking: { type: 'enabled' as const, budget_tokens: 2048 } } : {}),
      },
      access: { keys: [], baseUrl: null, auth: 'x-api-key', operatorKey: true },
      messages,
      tools: hasTools
        ? [{ name: 'clock', description: 'Tells the time.', input_schema: { type: 'object' } }]
        : [],
    },
    { withoutThinking: withoutThinking ?? false },
  );
}

test('the API accepts the request of any journal', () => {
  fc.assert(
    fc.property(journal, settings, (messages, given) => {
      const { body, apiVersion } = build(messages, given);
      const sent = serializeBody(body);
      const parsed: unknown = JSON.parse(sent);
      expect(parsed).toEqual(storableJson(parsed));
      parseMessagesRequest(parsed, { version: apiVersion, betas: [] });
    }),
    { numRuns: RUNS, seed },
  );
});

test('the API accepts images of any sizes in a conversation, and is sent the newest', () => {
  const small = image(100, 100);
  const large = fc.constantFrom(image(2_001, 1), image(1, 8_000));
  const sizes = fc.array(fc.oneof({ weight: 9, arbitrary: fc.constant(small) }, large), {
    minLength: 1,
    maxLength: 60,
    size: 'max',
  });
  fc.assert(
    fc.property(sizes, (images) => {
      const messages = images.map((content): ConversationMessage => ({ role: 'user', content: [content] }));
      const { body, apiVersion } = build(messages, {});
      parseMessagesRequest(JSON.parse(serializeBody(body)), { version: apiVersion, betas: [] });
      const sent = body.messages.flatMap(({ content }) => content as unknown as ContentBlock[]);
      expect(sent.at(-1)).toMatchObject(images.at(-1) ?? {});
    }),
    { numRuns: Math.ceil(RUNS / 5), seed },
  );
});

/** The first bytes of a PNG of this size. */
function image(width: number, height: number): ContentBlock {
  const size = Buffer.alloc(8);
  size.writeUInt32BE(width, 0);
  size.writeUInt32BE(height, 4);
  const start = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1');
  const data = Buffer.concat([start, size, Buffer.from([8, 2, 0, 0, 0])]).toString('base64');
  return { type: 'image', source: { type: 'base64', media_type: 'image/png', data } };
}

test('a request has every call of its journal, each with a name and an input', () => {
  fc.assert(
    fc.property(journal, settings, (messages, given) => {
      const asked = messages.flatMap(({ role, content }) => (role === 'assistant' ? content : []));
      const sent = build(messages, given).body.messages.flatMap(
        ({ content }) => content as unknown as ContentBlock[],
      );
      const calls = (blocks: ContentBlock[]) => blocks.filter(({ type }) => type === 'tool_use').length;
      expect(calls(sent)).toBe(calls(asked));
    }),
    { numRuns: RUNS, seed },
  );
});

test('the request is the same, byte for byte, when the journal was read back from the database', () => {
  fc.assert(
    fc.property(journal, settings, (messages, given) => {
      const stored = inStoredOrder(messages) as ConversationMessage[];
      expect(serializeBody(build(stored, given).body)).toBe(serializeBody(build(messages, given).body));
    }),
    { numRuns: RUNS, seed },
  );
});

test('the request of a journal that grows begins as the one before, for the prompt cache', () => {
  fc.assert(
    fc.property(journal, journal, (before, after) => {
      const sentOf = (messages: ConversationMessage[]) => build(messages, { thinks: false }).body.messages;
      const earlier = sentOf(before).slice(0, -2);
      expect(sentOf([...before, ...after]).slice(0, earlier.length)).toEqual(earlier);
    }),
    { numRuns: RUNS, seed },
  );
});
