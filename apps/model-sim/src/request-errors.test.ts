import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SimControl, startModelSim } from './index.ts';
import type { ModelSim } from './index.ts';
import { makePng } from '../../../tests/support/pictures.ts';

const HEADERS = {
  'content-type': 'application/json',
  'anthropic-version': '2023-06-01',
  'x-api-key': 'sk-sim-0001',
};
const USER = { role: 'user', content: 'Hi' };
const TOOL = { name: 'clock', input_schema: { type: 'object' } };
const formatOf = (properties: object, $defs: object = {}) => ({
  type: 'json_schema',
  schema: { type: 'object', additionalProperties: false, properties, $defs },
});
const USE = { type: 'tool_use', id: 'toolu_1', name: 'clock', input: {} };
const RESULT = { type: 'tool_result', tool_use_id: 'toolu_1', content: 'noon' };
const ASSISTANT_USE = { role: 'assistant', content: [USE] };

const CACHED = { type: 'text', text: 'x', cache_control: { type: 'ephemeral' } };

const IMAGE = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } };
const ofFile = (type: string, mediaType: string, data: string) => ({
  messages: [{ role: 'user', content: [{ type, source: { type: 'base64', media_type: mediaType, data } }] }],
});
const answered = (result: object) => ({
  tools: [TOOL],
  messages: [USER, ASSISTANT_USE, { role: 'user', content: [{ ...RESULT, ...result }] }],
});
const said = (...content: object[]) => ({ messages: [USER, { role: 'assistant', content }, USER] });
const THOUGHT = { type: 'thinking', thinking: 'hm', signature: 'of nobody' };
const THINKS = { max_tokens: 4000, thinking: { type: 'adaptive' } };

/** What the API finds out when it opens a file. */
const UNREADABLE: [why: string, change: object, message: RegExp | string][] = [
  [
    'an image of another type than declared',
    ofFile('image', 'image/jpeg', IMAGE.source.data),
    'messages.0.content.0.image.source.base64.data: The image was specified using the image/jpeg media type, but the image appears to be a image/png image',
  ],
  [
    'data that is not base64',
    ofFile('image', 'image/png', 'iVBORw0KGgo?'),
    /source\.base64: invalid base64 data$/,
  ],
  [
    'an image with too many pixels',
    ofFile('image', 'image/png', makePng({ width: 8_001 }).toString('base64')),
    /exceed max allowed size: 8000 pixels$/,
  ],
  [
    'an image with too many bytes',
    ofFile('image', 'image/png', makePng({ bytes: 8_000_000 }).toString('base64')),
    /image exceeds 10 MB maximum: \d+ bytes > 10485760 bytes$/,
  ],
  [
    'a document that is an image',
    ofFile('document', 'application/pdf', IMAGE.source.data),
    /The PDF specified was not valid\.$/,
  ],
];

const REFUSED: [why: string, change: object, message: RegExp | string][] = [
  ['no max_tokens', { max_tokens: undefined }, 'max_tokens: Field required'],
  ['no model', { model: undefined }, 'model: Field required'],
  ['no messages', { messages: undefined }, 'messages: Field required'],
  ['an empty list of messages', { messages: [] }, 'messages: at least one message is required'],
  ['a max_tokens that is text', { max_tokens: '5' }, 'max_tokens: Input should be a valid'],
  ['a field that there is not', { frequency: 1 }, 'frequency: Extra inputs are not permitted'],
  ['a role that there is not', { messages: [{ role: 'tool', content: 'x' }] }, /^messages\.0\.role: Input/],
  ['a message without content', { messages: [{ role: 'user' }] }, 'messages.0.content: Field required'],
  ['empty content', { messages: [{ role: 'user', content: '' }] }, /must have non-empty content/],
  [
    'an empty text block',
    { messages: [{ role: 'user', content: [{ type: 'text', text: '' }] }] },
    'messages: text content blocks must be non-empty',
  ],
  [
    'a text of white space',
    { messages: [{ role: 'user', content: ' \n' }] },
    'messages: text content blocks must contain non-whitespace text',
  ],
  [
    'a field of the client in a block',
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'x', seq: 1 }] }] },
    'messages.0.content.0.text.seq: Extra inputs are not permitted',
  ],
  [
    'a block type that there is not',
    { messages: [{ role: 'user', content: [{ type: 'song' }] }] },
    /^messages\.0\.content\.0: Input tag 'song'/,
  ],
  [
    'a first message of the assistant',
    { messages: [{ role: 'assistant', content: 'Hi' }, USER] },
    'messages: first message must use the "user" role',
  ],
  [
    'a final assistant message that ends in a space',
    { messages: [USER, { role: 'assistant', content: 'So, ' }] },
    'messages: final assistant content cannot end with trailing whitespace',
  ],
  [
    'a tool_use without a result',
    { messages: [USER, ASSISTANT_USE, USER] },
    /^messages\.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1\. Each/,
  ],
  ['a tool_use at the end', { messages: [USER, ASSISTANT_USE] }, /^messages\.1: `tool_use` ids were found/],
  [
    'a tool_result behind a text',
    { messages: [USER, ASSISTANT_USE, { role: 'user', content: [{ type: 'text', text: 'So' }, RESULT] }] },
    /^messages\.1: `tool_use` ids were found/,
  ],
  [
    'a tool_result without a tool_use',
    { messages: [{ role: 'user', content: [RESULT] }] },
    /^messages\.0\.content\.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1\./,
  ],
  [
    'two results for one tool_use',
    { messages: [USER, ASSISTANT_USE, { role: 'user', content: [RESULT, RESULT] }] },
    /each tool_use must have a single result/,
  ],
  [
    'the same tool_use id twice',
    { messages: [USER, { role: 'assistant', content: [USE, USE] }, { role: 'user', content: [RESULT] }] },
    'messages.1.content.1: `tool_use` ids must be unique',
  ],
  [
    'a tool_use of the user',
    { messages: [{ role: 'user', content: [USE] }] },
    /`tool_use` blocks can only be in `assistant` messages/,
  ],
  [
    'a tool_choice of an unknown tool',
    { tools: [TOOL], tool_choice: { type: 'tool', name: 'lamp' } },
    "Tool 'lamp' not found in provided tools",
  ],
  [
    'a tool name with a space',
    { tools: [{ ...TOOL, name: 'a b' }] },
    /^tools\.0\.custom\.name: String should match/,
  ],
  ['two tools of one name', { tools: [TOOL, TOOL] }, 'tools: Tool names must be unique.'],
  ['a tool without a schema', { tools: [{ name: 'x' }] }, 'tools.0.custom.input_schema: Field required'],
  [
    'five cache markers',
    { messages: [{ role: 'user', content: [CACHED, CACHED, CACHED, CACHED, CACHED] }] },
    'A maximum of 4 blocks with cache_control may be provided. Found 5.',
  ],
  [
    'a thinking budget as big as max_tokens',
    { max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 2000 } },
    '`max_tokens` must be greater than `thinking.budget_tokens`',
  ],
  [
    'a thinking budget below the least',
    { max_tokens: 2000, thinking: { type: 'enabled', budget_tokens: 5 } },
    'thinking.budget_tokens: Input should be greater than or equal to 1024',
  ],
  ['an empty tool_use id', said({ ...USE, id: '' }), /tool_use\.id: String should match pattern/],
  [
    'a tool_use id with a colon',
    said({ ...USE, id: 'f.clock:0' }),
    /tool_use\.id: String should match pattern/,
  ],
  [
    'an empty tool name',
    said({ ...USE, name: '' }),
    /tool_use\.name: String should have at least 1 character/,
  ],
  [
    'a long tool name',
    said({ ...USE, name: 'x'.repeat(300) }),
    /tool_use\.name: String should have at most 200 characters/,
  ],
  [
    'a tool input that is a list',
    said({ ...USE, input: ['UTC'] }),
    /tool_use\.input: Input should be a valid dictionary/,
  ],
  [
    'a tool input that is null',
    said({ ...USE, input: null }),
    /tool_use\.input: Input should be a valid dictionary/,
  ],
  ['no tool input', said({ ...USE, input: undefined }), /tool_use\.input: Field required/],
  [
    'calls without tools',
    { ...answered({}), tools: undefined },
    'Requests which include `tool_use` or `tool_result` blocks must define tools.',
  ],
  [
    'an empty error',
    answered({ content: '', is_error: true }),
    /content cannot be empty if `is_error` is true/,
  ],
  [
    'an error that is no list',
    answered({ content: [], is_error: true }),
    /content cannot be empty if `is_error` is true/,
  ],
  [
    'an image in an error',
    answered({ content: [IMAGE], is_error: true }),
    /all content must be type "text" if `is_error` is true/,
  ],
  [
    'a result of another kind',
    answered({ content: [{ type: 'song' }] }),
    /tool_result\.content\.0: Input tag/,
  ],
  [
    'an image of another kind',
    {
      messages: [
        { role: 'user', content: [{ ...IMAGE, source: { ...IMAGE.source, media_type: 'image/tiff' } }] },
      ],
    },
    /image\.source\.base64\.media_type/,
  ],
  [
    'a broken image',
    { messages: [{ role: 'user', content: [{ ...IMAGE, source: { ...IMAGE.source, data: 'AAAA' } }] }] },
    'Could not process image',
  ],
  [
    'more than a hundred images',
    { messages: [{ role: 'user', content: Array.from({ length: 101 }, () => IMAGE) }] },
    'too many images and documents: 101 + 0 > 100',
  ],
  [
    'a result of a server tool without its use',
    said({ type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] }),
    /unexpected `tool_use_id` found in `web_search_tool_result` blocks: srvtoolu_1\./,
  ],
  [
    'a server tool without a result',
    said({ type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} }, CACHED),
    /without a corresponding result block: srvtoolu_1/,
  ],
  [
    'a server tool id of another kind',
    said({ type: 'server_tool_use', id: 'call_1', name: 'web_search', input: {} }),
    /server_tool_use\.id: String should match pattern/,
  ],
  [
    'a last message of the assistant, to a model that does not go on with it',
    { model: 'claude-sonnet-4-6', messages: [USER, { role: 'assistant', content: 'So' }] },
    /does not support assistant message prefill/,
  ],
  [
    'a thought of another model',
    { ...THINKS, ...said(THOUGHT, CACHED) },
    /Invalid `signature` in `thinking` block/,
  ],
  [
    'a message that ends in a thought',
    said({ type: 'redacted_thinking', data: 'x' }),
    'messages.1: The final block in an assistant message cannot be `thinking`.',
  ],
  [
    'thinking that begins in the middle of a round',
    { ...answered({}), ...THINKS },
    /^messages\.1\.content\.0\.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`/,
  ],
  [
    'a thought to go on with while thinking is off',
    {
      model: 'claude-sonnet-4-5',
      messages: [USER, { role: 'assistant', content: [{ type: 'redacted_thinking', data: 'x' }, CACHED] }],
    },
    /When thinking is disabled, an `assistant` message in the final position cannot contain `thinking`/,
  ],
  [
    'a temperature with thinking',
    { ...THINKS, temperature: 0.5 },
    /`temperature` may only be set to 1 when thinking is enabled/,
  ],
  [
    'a temperature beside top_p',
    { model: 'claude-sonnet-4-5', temperature: 0.5, top_p: 0.5 },
    '`temperature` and `top_p` cannot both be specified for this model. Please use only one.',
  ],
  [
    'a forced call of a model that always thinks',
    { tools: [TOOL], tool_choice: { type: 'any' } },
    'Thinking may not be enabled when tool_choice forces tool use.',
  ],
  [
    'no thinking of a model that always thinks',
    { model: 'claude-opus-5-5', thinking: { type: 'disabled' } },
    /^"thinking\.type\.disabled" is not supported for this model/,
  ],
  [
    'more output than the model can write',
    { model: 'claude-opus-4-5-20251101', max_tokens: 64_001 },
    'max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for claude-opus-4-5-20251101',
  ],
  [
    'a speed of a model that has none',
    { model: 'claude-haiku-5-5', speed: 'fast' },
    "'claude-haiku-5-5' does not support the `speed` parameter.",
  ],
  [
    'a speed that needs a beta',
    { model: 'claude-opus-5', speed: 'standard' },
    'speed: Extra inputs are not permitted',
  ],
  [
    'context management without its beta',
    { context_management: { edits: [] } },
    'context_management: Extra inputs are not permitted',
  ],
  ['a container that is no text', { container: { name: 'x' } }, /^container/],
  [
    'a container as an object with nothing but its id',
    { container: { id: 'container_1' } },
    'container: Input should be a valid string',
  ],
  [
    'tools all of which are deferred',
    { tools: [{ ...TOOL, defer_loading: true }] },
    'All tools have defer_loading set. At least one tool must be non-deferred.',
  ],
  [
    'a marker on a deferred tool',
    {
      tools: [
        { ...TOOL, defer_loading: true, cache_control: { type: 'ephemeral' } },
        { type: 'tool_search_tool_bm25_20251119', name: 'tool_search_tool_bm25' },
      ],
    },
    /cannot have both defer_loading=true and cache_control set\. Tools with defer_loading cannot use prompt caching\.$/,
  ],
  [
    'a budget for thinking, of a model that has none',
    { max_tokens: 4000, model: 'claude-opus-4-7', thinking: { type: 'enabled', budget_tokens: 2000 } },
    /"thinking\.type\.enabled" is not supported for this model/,
  ],
  [
    'adaptive thinking of an older model',
    { model: 'claude-sonnet-4-5', thinking: { type: 'adaptive' } },
    /adaptive thinking is not supported/,
  ],
  [
    'effort of an older model',
    { model: 'claude-haiku-4-5', output_config: { effort: 'low' } },
    /does not support the effort parameter/,
  ],
  [
    'an effort that there is not',
    { output_config: { effort: 'huge' } },
    /^output_config\.effort: Input should be/,
  ],
  [
    'a format with a limit',
    { output_config: { format: formatOf({ a: { type: 'integer', minimum: 1, maximum: 2 } }) } },
    /For 'integer' type, properties maximum, minimum are not supported/,
  ],
  [
    'a format that refers to itself',
    {
      output_config: {
        format: formatOf({ a: { $ref: '#/$defs/node' } }, { node: { anyOf: [{ $ref: '#/$defs/node' }] } }),
      },
    },
    'Circular reference detected in schema definitions: node -> node. Self-referencing or mutually-referencing definitions are not supported.',
  ],
  [
    'a format with a reference to nothing',
    { output_config: { format: formatOf({ a: { $ref: '#/$defs/lost' } }) } },
    /Unable to resolve reference: #\/\$defs\/lost$/,
  ],
  [
    'a cited document beside a format',
    {
      output_config: { format: formatOf({}) },
      messages: [
        {
          role: 'user',
          content: [
            {
              type: 'document',
              source: { type: 'text', media_type: 'text/plain', data: 'x' },
              citations: { enabled: true },
            },
          ],
        },
      ],
    },
    /^Citations are not supported/,
  ],
  ['a geography of an older model', { model: 'claude-sonnet-4-5', inference_geo: 'us' }, /`inference_geo`/],
  [
    'an output format with an open object',
    { output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } },
    /'additionalProperties' must be explicitly set to false/,
  ],
  ['a blank stop sequence', { stop_sequences: ['\n\n'] }, /each stop sequence must contain non-whitespace/],
  [
    'a union at the top of a schema',
    { tools: [{ ...TOOL, input_schema: { type: 'object', oneOf: [] } }] },
    'tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level',
  ],
  [
    'a property key with a space',
    { tools: [{ ...TOOL, input_schema: { type: 'object', properties: { 'a b': {} } } }] },
    /^tools\.0\.custom\.input_schema\.properties: Property keys should match pattern/,
  ],
  [
    'half of a surrogate pair',
    { messages: [{ role: 'user', content: 'a \ud83d' }] },
    'The request body is not valid JSON: no low surrogate in string',
  ],
];

describe('a request that the real API would refuse', () => {
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

  async function post(body: unknown, headers: Record<string, string> = HEADERS) {
    const response = await fetch(`${sim.url}/v1/messages`, {
      method: 'POST',
      headers,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const answer = (await response.json()) as {
      type: string;
      error: { type: string; message: string };
      request_id?: string;
    };
    const requestId = response.headers.get('request-id');
    expect(answer.request_id ?? requestId).toBe(requestId);
    return { status: response.status, ...answer };
  }

  it('is refused for a beta that there is not, and for thinking to clear where there is none', async () => {
    const body = { model: 'claude-sonnet-5-5', max_tokens: 10, messages: [USER] };
    const betas = (named: string) => ({ ...HEADERS, 'anthropic-beta': named });
    const unknown = await post(body, betas('context-1m-2025-08-07, speed-2026-01-01'));
    expect(unknown.error.message).toMatch(
      /^Unexpected value\(s\) `speed-2026-01-01` for the `anthropic-beta` header\./,
    );
    const clears = { ...body, context_management: { edits: [{ type: 'clear_thinking_20251015' }] } };
    const managed = betas('context-management-2025-06-27');
    expect((await post(clears, managed)).error.message).toBe(
      '`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive',
    );
    expect(await post({ ...clears, thinking: { type: 'adaptive' } }, managed)).toMatchObject({ status: 200 });
  });

  it.each(REFUSED)('is refused with 400 for %s', async (_why, change, message) => {
    const answer = await post({ model: 'claude-sonnet-5-5', max_tokens: 10, messages: [USER], ...change });
    expect(answer).toMatchObject({ status: 400, type: 'error', error: { type: 'invalid_request_error' } });
    expect(answer.error.message).toMatch(message);
    expect(await control.stats()).toMatchObject({ calls: 1, failed: 1, rejected: 1, completed: 0 });
  });

  it.each(UNREADABLE)('is refused with 400 for %s, once it is read', async (_why, change, message) => {
    const answer = await post({ model: 'claude-sonnet-5-5', max_tokens: 10, messages: [USER], ...change });
    expect(answer).toMatchObject({ status: 400, type: 'error', error: { type: 'invalid_request_error' } });
    expect(answer.error.message).toMatch(message);
  });

  it('takes what the real API takes: roles in a row, a system message, a tool loop, a prefill', async () => {
    const good = [
      [
        USER,
        USER,
        { role: 'assistant', content: 'So' },
        { role: 'assistant', content: [USE] },
        { role: 'user', content: [RESULT] },
        USER,
      ],
      [USER, { role: 'system', content: 'Be short.' }],
      [USER, { role: 'assistant', content: 'The answer is' }],
      [USER, { role: 'assistant', content: [] }],
    ];
    for (const messages of good) {
      const response = await fetch(`${sim.url}/v1/messages`, {
        method: 'POST',
        headers: HEADERS,
        body: JSON.stringify({ model: 'm', max_tokens: 10, messages, tools: [TOOL] }),
      });
      expect(response.status).toBe(200);
    }
  });

  it('needs a version, a key and a content type', async () => {
    const body = { model: 'm', max_tokens: 1, messages: [USER] };
    const { 'anthropic-version': _version, ...noVersion } = HEADERS;
    expect(await post(body, noVersion)).toMatchObject({
      status: 400,
      error: { type: 'invalid_request_error', message: 'anthropic-version: header is required' },
    });
    const { 'x-api-key': _key, ...noKey } = HEADERS;
    expect(await post(body, noKey)).toMatchObject({
      status: 401,
      error: { type: 'authentication_error', message: 'x-api-key header is required' },
    });
    expect(await post(body, { ...HEADERS, 'content-type': 'text/plain' })).toMatchObject({ status: 400 });
    expect(await post('{"model":', HEADERS)).toMatchObject({
      status: 400,
      error: { type: 'invalid_request_error' },
    });
  });

  it('may have a temperature in the old API version, and not in the new one', async () => {
    const body = { model: 'm', max_tokens: 5, temperature: 0.5, messages: [USER] };
    expect((await post(body)).status).toBe(200);
    expect(await post(body, { ...HEADERS, 'anthropic-version': '2026-10-21' })).toMatchObject({
      status: 400,
      error: { message: 'temperature: Extra inputs are not permitted' },
    });
  });

  it('comes out of the SDK as its typed errors', async () => {
    const ask = { model: 'm', max_tokens: 10, messages: [] };
    const refused = await client.messages.create(ask).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Anthropic.BadRequestError);
    expect(refused).toMatchObject({ status: 400, type: 'invalid_request_error' });

    await control.setScript({ api_keys: ['sk-good'] });
    await expect(client.messages.create(ask)).rejects.toThrow(Anthropic.AuthenticationError);
    const bearer = new Anthropic({ baseURL: sim.url, apiKey: null, authToken: 'sk-good', maxRetries: 0 });
    const answer = await bearer.messages.create({ ...ask, messages: [{ role: 'user', content: 'Hi' }] });
    expect(answer.role).toBe('assistant');
  });

  it('is answered 413 when it is larger than 32 MB', async () => {
    const huge = 'x'.repeat(33 * 1024 * 1024);
    const refused = await client.messages
      .create({ model: 'm', max_tokens: 10, messages: [{ role: 'user', content: huge }] })
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 413, error: { error: { type: 'request_too_large' } } });
  });

  it('is answered 404 and 405 where there is no such route', async () => {
    expect((await fetch(`${sim.url}/v1/complete`)).status).toBe(404);
    expect((await fetch(`${sim.url}/v1/messages`)).status).toBe(405);
  });
});
