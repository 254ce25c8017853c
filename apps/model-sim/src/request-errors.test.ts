import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SimControl, startModelSim } from './index.ts';
import type { ModelSim } from './index.ts';

const HEADERS = {
  'content-type': 'application/json',
  'anthropic-version': '2023-06-01',
  'x-api-key': 'sk-sim-0001',
};
const USER = { role: 'user', content: 'Hi' };
const TOOL = { name: 'clock', input_schema: { type: 'object' } };
const USE = { type: 'tool_use', id: 'toolu_1', name: 'clock', input: {} };
const RESULT = { type: 'tool_result', tool_use_id: 'toolu_1', content: 'noon' };
const ASSISTANT_USE = { role: 'assistant', content: [USE] };

const CACHED = { type: 'text', text: 'x', cache_control: { type: 'ephemeral' } };

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
    'a tool_use that nobody answers',
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
    'a tool_result that nobody asked for',
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

  it.each(REFUSED)('is refused with 400 for %s', async (_why, change, message) => {
    const answer = await post({ model: 'claude-sonnet-5-5', max_tokens: 10, messages: [USER], ...change });
    expect(answer).toMatchObject({ status: 400, type: 'error', error: { type: 'invalid_request_error' } });
    expect(answer.error.message).toMatch(message);
    expect(await control.stats()).toMatchObject({ calls: 1, failed: 1, rejected: 1, completed: 0 });
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
        body: JSON.stringify({ model: 'm', max_tokens: 10, messages }),
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
