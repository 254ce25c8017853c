import { afterEach, describe, expect, it } from '@jest/globals';
import { agentConfigSchema, DrainError } from '@turnpike/contract';
import { createCallGuard } from '@turnpike/egress';
import { startModelSim } from '@turnpike/model-sim';
import type { ModelSettings } from './create-model.ts';
import { accessWith, keyOf, limited, REFUSED, TenantSecrets } from './testing/tenant-keys.ts';
import {
  errorBody,
  startScriptedApi,
  textMessage,
  type ReceivedRequest,
  type ScriptedResponse,
} from './testing/scripted-api.ts';
import { callTestModel, countTestTokens, testModel } from './testing/test-model.ts';
import { failureOf } from './testing/test-turns.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

/** An API that answers each count so, and a model that calls it. */
async function setUp(
  answer: ScriptedResponse | ((request: ReceivedRequest) => ScriptedResponse),
  settings: Partial<ModelSettings> = {},
) {
  const api = await startScriptedApi((request) => (typeof answer === 'function' ? answer(request) : answer));
  const trial = testModel(api.url, settings);
  open.push(trial.model, api);
  return { api, ...trial };
}

const JSON_HEADERS = { 'content-type': 'application/json' };
const counted = (tokens: unknown): ScriptedResponse => ({
  headers: JSON_HEADERS,
  body: JSON.stringify({ input_tokens: tokens }),
});

describe('counting tokens', () => {
  it('agrees with what the API then counts for the call, tools and system prompt included', async () => {
    const sim = await startModelSim({ port: 0 });
    const { model, logged } = testModel(sim.url);
    open.push(model, { close: () => sim.close() });
    const request = {
      agent: agentConfigSchema.parse({
        model: 'claude-haiku-4-5',
        system: 'Be kind. '.repeat(50),
        max_tokens: 2_000,
        stop_sequences: ['END'],
        temperature: 0.5,
        model_metadata: { user_id: 'somebody' },
      }),
      tools: [{ name: 'look', description: 'Looks.', input_schema: { type: 'object' as const } }],
    };
    const tokens = await countTestTokens(model, { request, text: 'word '.repeat(100) });
    const { usage } = await callTestModel(model, { request, text: 'word '.repeat(100) }).response;
    expect(tokens).toBe(
      usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens,
    );
    expect(tokens).toBeGreaterThan(200);
    expect(logged.filter(({ message }) => message.includes('not counted'))).toEqual([]);
  });

  it('is one request with the key of a call, and the same question is asked once', async () => {
    const { model, api } = await setUp(counted(1234));
    expect(await countTestTokens(model)).toBe(1234);
    expect(await countTestTokens(model)).toBe(1234);
    expect(api.received).toHaveLength(1);
    expect(api.received[0]).toMatchObject({
      path: '/v1/messages/count_tokens',
      headers: { authorization: 'Bearer a-key-of-the-test', 'anthropic-version': '2026-10-21' },
    });
    expect(Object.keys(api.received[0]?.body ?? {}).toSorted()).toEqual(['messages', 'model']);
    await countTestTokens(model, { text: 'Another?' });
    expect(api.received).toHaveLength(2);
  });

  it('sends the files of the conversation as a call does', async () => {
    const content = Buffer.from('a small picture');
    const opened = {
      async *read() {
        yield content;
      },
    };
    const { model, api } = await setUp(counted(9), { files: { open: async () => opened } });
    const file = { type: 'file', file_id: 'file_1', media_type: 'image/png', bytes: content.length };
    const messages = [{ role: 'user' as const, content: [{ type: 'image', source: file }] }];
    expect(await countTestTokens(model, { request: { messages } })).toBe(9);
    expect(api.received[0]?.text).toContain(content.toString('base64'));
  });

  it('is kept apart for each tenant', async () => {
    const { model, api } = await setUp(counted(7));
    await countTestTokens(model);
    await countTestTokens(model, { tenantId: 'ten_2' });
    expect(api.received).toHaveLength(2);
  });

  it.each<[string, ScriptedResponse]>([
    ['has no such route', { status: 404, body: 'Not Found' }],
    ['is overloaded', { status: 529, body: errorBody('overloaded_error', 'Overloaded') }],
    ['limits the rate', limited(2)],
    ['refuses the key', REFUSED],
    ['responds with a page', { body: '<html>gateway</html>' }],
    ['responds with no number', counted('many')],
    ['sends too much', { body: 'x'.repeat(100_000) }],
    ['breaks the connection', { body: '{', after: 'break' }],
    ['redirects', { status: 307, headers: { location: 'http://elsewhere.invalid/' } }],
  ])('gives nothing where the API %s, without a retry, and it is not asked again', async (_what, answer) => {
    const { model, api, logged } = await setUp(answer);
    expect(await countTestTokens(model)).toBeNull();
    expect(await countTestTokens(model, { text: 'Another?' })).toBeNull();
    expect(api.received).toHaveLength(1);
    const lines = logged.filter(({ message }) => message.includes('Tokens were not counted'));
    expect(lines).toHaveLength(1);
    expect(JSON.stringify(logged)).not.toContain('a-key-of-the-test');
  });

  it('is not asked again for what was refused, and is for something else', async () => {
    const refusal = { status: 400, body: errorBody('invalid_request_error', 'messages: no') };
    const { model, api } = await setUp(({ text }) => (text.includes('bad') ? refusal : counted(5)));
    expect(await countTestTokens(model, { text: 'bad' })).toBeNull();
    expect(await countTestTokens(model, { text: 'bad' })).toBeNull();
    expect(await countTestTokens(model, { text: 'good' })).toBe(5);
    expect(api.received).toHaveLength(2);
  });

  it('takes no longer than its limit', async () => {
    const { model, logged } = await setUp({ silent: true }, { limits: { countTimeoutMs: 50 } });
    expect(await countTestTokens(model)).toBeNull();
    expect(logged).toMatchObject([{ fields: { code: 'model_timeout' } }]);
  });

  it('ends with its turn', async () => {
    const { model, api } = await setUp({ silent: true });
    const turn = new AbortController();
    const count = countTestTokens(model, { signal: turn.signal });
    await api.asked;
    turn.abort(new DrainError());
    await expect(count).rejects.toBeInstanceOf(DrainError);
  });

  it('is not made while no key may be used, and its own failure keeps no key from calls', async () => {
    const { model, api } = await setUp(
      (request) => {
        if (request.path !== '/v1/messages') return limited(600);
        return keyOf(request) === 'value-1' ? REFUSED : { body: textMessage('Hello.') };
      },
      { secrets: new TenantSecrets({ one: 'value-1', two: 'value-2' }) },
    );
    const one = { request: { access: accessWith(['one']) } };
    await failureOf(callTestModel(model, one).response);
    const asked = api.received.length;
    expect(await countTestTokens(model, one)).toBeNull();
    expect(api.received).toHaveLength(asked);
    const two = { request: { access: accessWith(['two']) } };
    expect(await countTestTokens(model, two)).toBeNull();
    expect(await callTestModel(model, two).response).toMatchObject({ attempts: 1 });
    expect(api.received).toHaveLength(asked + 2);
  });

  it('is not made while the circuit breaker is open', async () => {
    const guard = createCallGuard({ minCalls: 1, openMs: 60_000, maxOpenMs: 60_000 });
    const overloaded = { status: 529, body: errorBody('overloaded_error', 'Overloaded') };
    const { model, api } = await setUp(overloaded, { guard });
    await failureOf(callTestModel(model).response);
    const asked = api.received.length;
    expect(await countTestTokens(model)).toBeNull();
    expect(api.received).toHaveLength(asked);
  });
});
