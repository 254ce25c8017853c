import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { agentConfigSchema, ModelError, type ModelRequest } from '@turnpike/contract';
import { Secret } from '@turnpike/telemetry';
import type { BedrockSettings } from './clouds/cloud-settings.ts';
import {
  asBedrockStream,
  AWS_CREDENTIALS,
  bedrockException,
  expectedSignature,
  startGoogleIdentity,
  type GoogleIdentity,
} from './testing/clouds.ts';
import {
  asEventStream,
  errorBody,
  messageEvents,
  startScriptedApi,
  type ReceivedRequest,
  type ScriptedApi,
  type ScriptedResponse,
} from './testing/scripted-api.ts';
import { accessWith, TenantSecrets } from './testing/tenant-keys.ts';
import { callTestModel, countTestTokens, testModel } from './testing/test-model.ts';

const GOOGLE_TOKEN = 'ya29.token-of-the-test';
const HELLO = messageEvents([
  {
    start: { type: 'text', text: '' },
    deltas: ['Hel', 'lo.'].map((text) => ({ type: 'text_delta', text })),
  },
]);
const EVENT_STREAM = { 'content-type': 'application/vnd.amazon.eventstream' };
const BEDROCK_HELLO: ScriptedResponse = {
  headers: { ...EVENT_STREAM, 'x-amzn-requestid': 'aws-request-1' },
  body: asBedrockStream(HELLO),
};
const VERTEX_HELLO: ScriptedResponse = {
  headers: { 'request-id': 'req_vrtx_1' },
  body: asEventStream(HELLO),
};

const before = { ...process.env };
let identity: GoogleIdentity;
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  identity = await startGoogleIdentity(GOOGLE_TOKEN);
  process.env['AWS_ACCESS_KEY_ID'] = AWS_CREDENTIALS.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = AWS_CREDENTIALS.secretAccessKey;
  process.env['ANTHROPIC_CUSTOM_HEADERS'] = 'X-Env: 1\nauthorization: Bearer env';
  process.env['GOOGLE_APPLICATION_CREDENTIALS'] = identity.file;
});
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});
afterAll(async () => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  await identity.close();
});

type Script = (request: ReceivedRequest, index: number) => ScriptedResponse;

async function onBedrock(script: Script, settings: Partial<BedrockSettings> = {}) {
  const api = await startScriptedApi(script);
  const cloud: BedrockSettings = {
    provider: 'bedrock',
    region: 'eu-central-1',
    profile: 'eu',
    baseUrl: api.url,
    modelIds: new Map(),
    ...settings,
  };
  const { model, logged } = testModel('http://127.0.0.1:1', { cloud });
  open.push(api, model);
  return { api, model, logged };
}

async function onVertex(script: Script) {
  const api = await startScriptedApi(script);
  const cloud = {
    provider: 'vertex' as const,
    projectId: 'our-project',
    region: 'europe-west1',
    baseUrl: `${api.url}/v1`,
    modelIds: new Map(),
  };
  const { model, logged } = testModel('http://127.0.0.1:1', { cloud });
  open.push(api, model);
  return { api, model, logged };
}

async function withFile() {
  const bedrock = await startScriptedApi(() => BEDROCK_HELLO);
  const { model } = testModel('http://127.0.0.1:1', {
    cloud: {
      provider: 'bedrock',
      region: 'eu-central-1',
      profile: 'eu',
      baseUrl: bedrock.url,
      modelIds: new Map(),
    },
    files: {
      open: async () => ({
        async *read() {
          yield Uint8Array.of(1, 2, 3);
        },
      }),
    },
  });
  open.push(bedrock, model);
  const ask = (bytes: number, count = 1) => {
    const source = { type: 'file', file_id: 'file_1', media_type: 'image/png', bytes };
    const content = Array.from({ length: count }, () => ({ type: 'image', source }));
    const messages = [{ role: 'user' as const, content }];
    return callTestModel(model, { request: { messages } }).response;
  };
  return { bedrock, ask };
}

function requestOf(config: object, more: Partial<ModelRequest> = {}): Partial<ModelRequest> {
  return { agent: agentConfigSchema.parse({ max_tokens: 100, max_steps: 5, ...config }), ...more };
}

async function failureOf(response: Promise<unknown>): Promise<ModelError> {
  const error = await response.catch((thrown: unknown) => thrown);
  if (!(error instanceof ModelError)) throw error;
  return error;
}

function pathOf({ received }: ScriptedApi, index = 0): string {
  return decodeURIComponent(received[index]?.path ?? '');
}

describe('Amazon Bedrock', () => {
  it('gets a signed request with the model in its path, and streams frames', async () => {
    const { api, model } = await onBedrock(() => BEDROCK_HELLO);
    const { response, shown } = callTestModel(model, {
      request: requestOf({ model: 'claude-sonnet-5-5', betas: ['a-2026-01-01'] }),
    });
    expect(await response).toMatchObject({
      content: [{ type: 'text', text: 'Hello.' }],
      providerRequestId: 'aws-request-1',
      attempts: 1,
      usage: { input_tokens: 12, output_tokens: 7 },
    });
    expect(shown).toEqual(['Hel', 'lo.']);
    const [received] = api.received;
    if (received === undefined) throw new Error('Nothing was received.');
    expect(pathOf(api)).toBe('/model/eu.anthropic.claude-sonnet-5-5/invoke-with-response-stream');
    expect(received.body).toMatchObject({
      anthropic_version: '2026-10-21',
      anthropic_beta: ['a-2026-01-01'],
      max_tokens: 100,
    });
    expect(received.body).not.toHaveProperty('model');
    expect(received.body).not.toHaveProperty('stream');
    expect(received.headers.authorization).toContain('/eu-central-1/bedrock/aws4_request');
    expect(received.headers.authorization).toBe(await expectedSignature(received, 'eu-central-1'));
    expect(received.headers).not.toHaveProperty('x-env');
    expect(received.headers).not.toHaveProperty('x-api-key');
  });

  it('gets a Bedrock API key instead of a signature, which no error quotes', async () => {
    const key = 'bedrock-api-key-0123456789';
    const { api, model } = await onBedrock(
      (_request, index) =>
        index === 0
          ? BEDROCK_HELLO
          : {
              status: 403,
              headers: { 'x-amzn-errortype': 'UnrecognizedClientException:http://internal.example/' },
              body: JSON.stringify({ message: `The key ${key} is not valid.` }),
            },
      { apiKey: new Secret(key) },
    );
    await callTestModel(model).response;
    expect(api.received[0]?.headers.authorization).toBe(`Bearer ${key}`);
    const error = await failureOf(callTestModel(model).response);
    expect(error).toMatchObject({ code: 'model_authentication', terminal: true });
    expect(error.message).not.toContain(key);
  });

  it.each([
    ['claude-sonnet-4-5-20250929', 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0', 'bedrock-2023-05-31'],
    ['claude-opus-4-6', 'us.anthropic.claude-opus-4-6-v1', 'bedrock-2023-05-31'],
    ['us.anthropic.claude-opus-5-5', 'us.anthropic.claude-opus-5-5', '2026-10-21'],
  ])('knows %s as %s', async (name, id, version) => {
    const modelIds = new Map([['claude-opus-4-6', 'us.anthropic.claude-opus-4-6-v1']]);
    const { api, model } = await onBedrock(() => BEDROCK_HELLO, { modelIds });
    await callTestModel(model, { request: requestOf({ model: name }) }).response;
    expect(pathOf(api)).toBe(`/model/${id}/invoke-with-response-stream`);
    expect(api.received[0]?.body['anthropic_version']).toBe(version);
    expect(api.received[0]?.headers.authorization).toBe(
      await expectedSignature(api.received[0] as ReceivedRequest, 'eu-central-1'),
    );
  });

  it('is paid by the name that the agent has', async () => {
    const { model } = await onBedrock(() => BEDROCK_HELLO);
    const direct = await startScriptedApi(() => ({ body: asEventStream(HELLO) }));
    const { model: other } = testModel(direct.url);
    open.push(direct, other);
    const request = requestOf({ model: 'claude-haiku-4-5' });
    const costs = [model, other].map(
      async (each) => (await callTestModel(each, { request }).response).costMicros,
    );
    const [onCloud, atAnthropic] = await Promise.all(costs);
    expect(onCloud).toBe(atAnthropic);
  });

  it.each([
    ['in the middle of a frame', (whole: Buffer) => whole.subarray(0, -30), 'end'],
    ['with the connection', (whole: Buffer) => whole.subarray(0, -30), 'break'],
    ['between two frames', () => asBedrockStream(HELLO.slice(0, 3)), 'end'],
  ] as const)('may cut a stream %s: it is asked again', async (_where, cut, after) => {
    const { api, model } = await onBedrock((_request, index) =>
      index === 0 ? { headers: EVENT_STREAM, body: cut(asBedrockStream(HELLO)), after } : BEDROCK_HELLO,
    );
    const { response, shown, interrupted } = callTestModel(model);
    expect(await response).toMatchObject({ attempts: 2, content: [{ text: 'Hello.' }] });
    expect(shown).toContain('<restart>');
    expect(interrupted).toHaveLength(1);
    expect(api.received).toHaveLength(2);
  });

  it('may send a broken frame, or none: it is asked again', async () => {
    const broken = asBedrockStream(HELLO);
    broken[broken.length - 20] = (broken.at(-20) ?? 0) ^ 1;
    const { model, logged } = await onBedrock((_request, index) =>
      index === 0 ? { headers: EVENT_STREAM, body: broken } : BEDROCK_HELLO,
    );
    expect(await callTestModel(model).response).toMatchObject({ attempts: 2 });
    expect(logged).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ code: 'model_malformed_stream' }) }),
    );
  });

  it.each([
    ['ThrottlingException', 429, 'Too many tokens, please wait.', 'model_rate_limited', false],
    ['ServiceQuotaExceededException', 400, 'Too many tokens per day.', 'model_rate_limited', false],
    ['ModelErrorException', 424, 'The model failed.', 'model_unavailable', false],
    ['ModelTimeoutException', 408, 'The model was too slow.', 'model_timeout', false],
    ['ServiceUnavailableException', 503, 'Try again.', 'model_unavailable', false],
    ['ValidationException', 400, 'messages.0: is wrong', 'model_rejected_request', true],
    [
      'ValidationException',
      400,
      'Input is too long for requested model.',
      'model_context_window_exceeded',
      true,
    ],
    ['AccessDeniedException', 403, 'You are not allowed.', 'model_permission', true],
    ['ExpiredTokenException', 403, 'The token has expired.', 'model_authentication', true],
    ['ResourceNotFoundException', 404, 'There is no such model.', 'model_not_found', true],
  ])('answers %s (%i, %s): %s', async (type, status, message, code, terminal) => {
    const { model } = await onBedrock(() => ({
      status,
      headers: { 'x-amzn-errortype': `${type}:`, 'x-amzn-requestid': 'aws-request-2' },
      body: JSON.stringify({ message }),
    }));
    const error = await failureOf(callTestModel(model, { previousAttempts: 2 }).response);
    expect(error).toMatchObject({ code, terminal, message, providerRequestId: 'aws-request-2' });
  });

  it.each([
    ['throttlingException', 'model_rate_limited', false],
    ['modelStreamErrorException', 'model_unavailable', false],
    ['validationException', 'model_rejected_request', true],
  ])('may end a stream with %s, and then its connection is not kept', async (name, code, terminal) => {
    const { api, model } = await onBedrock(() => ({
      headers: EVENT_STREAM,
      body: Buffer.concat([asBedrockStream(HELLO.slice(0, 3)), bedrockException(name, 'It is so.')]),
      after: 'hang',
    }));
    const error = await failureOf(callTestModel(model, { previousAttempts: 2 }).response);
    expect(error).toMatchObject({ code, terminal, message: 'It is so.' });
    await api.abandoned;
  });

  it('is left at once when the turn ends', async () => {
    const { api, model } = await onBedrock(() => ({
      headers: EVENT_STREAM,
      body: asBedrockStream(HELLO.slice(0, 3)),
      after: 'hang',
    }));
    const ending = new AbortController();
    const { response } = callTestModel(model, {
      signal: ending.signal,
      onText: () => ending.abort(new Error('It was cancelled.')),
    });
    await expect(response).rejects.toThrow('It was cancelled.');
    await api.abandoned;
  });

  it('is not asked for what it does not have', async () => {
    const { api, model } = await onBedrock(() => BEDROCK_HELLO);
    const tools = [{ type: 'web_search_20260209', name: 'web_search' }] as unknown as ModelRequest['tools'];
    const error = await failureOf(callTestModel(model, { request: { tools } }).response);
    expect(error).toMatchObject({ code: 'model_rejected_request', terminal: true });
    expect(error.message).toContain('Amazon Bedrock');
    expect(error.message).toContain('web_search');
    expect(api.received).toHaveLength(0);
  });

  it('gets files within a body that is signed as a whole, up to its size', async () => {
    const { bedrock, ask } = await withFile();
    await ask(3);
    const [received] = bedrock.received;
    if (received === undefined) throw new Error('Nothing was received.');
    expect(received.body['messages']).toMatchObject([
      { content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AQID' } }] },
    ]);
    expect(received.headers.authorization).toBe(await expectedSignature(received, 'eu-central-1'));
    expect(await failureOf(ask(5_500_000, 3))).toMatchObject({ code: 'model_request_too_large' });
    expect(bedrock.received).toHaveLength(1);
  });

  it("does not get tenants' keys: these go to the Messages API", async () => {
    const messages = await startScriptedApi(() => ({ body: asEventStream(HELLO) }));
    const bedrock = await startScriptedApi(() => BEDROCK_HELLO);
    const { model } = testModel(messages.url, {
      cloud: {
        provider: 'bedrock',
        region: 'eu-central-1',
        profile: 'eu',
        baseUrl: bedrock.url,
        modelIds: new Map(),
      },
      secrets: new TenantSecrets({ own: 'key-of-the-tenant' }),
    });
    open.push(messages, bedrock, model);
    await callTestModel(model, { request: { access: accessWith(['own'], { operatorKey: true }) } }).response;
    expect(bedrock.received).toHaveLength(0);
    expect(messages.received[0]?.headers['x-api-key']).toBe('key-of-the-tenant');
    await callTestModel(model, { request: { access: accessWith([], { operatorKey: true }) } }).response;
    expect(bedrock.received).toHaveLength(1);
    const error = await failureOf(callTestModel(model, { request: { access: accessWith([]) } }).response);
    expect(error.code).toBe('model_key_missing');
  });
});

describe('Google Vertex AI', () => {
  it('gets an access token, and the model and the project in its path', async () => {
    const { api, model } = await onVertex(() => VERTEX_HELLO);
    const request = requestOf({ model: 'claude-sonnet-5-5' });
    expect(await callTestModel(model, { request }).response).toMatchObject({
      content: [{ type: 'text', text: 'Hello.' }],
      providerRequestId: 'req_vrtx_1',
    });
    await callTestModel(model, { request: requestOf({ model: 'claude-sonnet-4-5-20250929' }) }).response;
    const prefix = '/v1/projects/our-project/locations/europe-west1/publishers/anthropic/models';
    expect(pathOf(api)).toBe(`${prefix}/claude-sonnet-5-5:streamRawPredict`);
    expect(pathOf(api, 1)).toBe(`${prefix}/claude-sonnet-4-5@20250929:streamRawPredict`);
    const [current, older] = api.received;
    expect(current?.headers.authorization).toBe(`Bearer ${GOOGLE_TOKEN}`);
    expect(current?.headers).not.toHaveProperty('x-env');
    expect(current?.body).toMatchObject({ anthropic_version: '2026-10-21', stream: true });
    expect(current?.body).not.toHaveProperty('model');
    expect(older?.body['anthropic_version']).toBe('vertex-2023-10-16');
    // It is kept as long as it is valid.
    expect(identity.asked()).toBe(1);
  });

  it.each([
    [
      'a list of errors',
      429,
      [{ error: { code: 429, message: 'Quota exceeded.', status: 'RESOURCE_EXHAUSTED' } }],
      'model_rate_limited',
    ],
    [
      'an error of Google',
      403,
      { error: { code: 403, message: 'Permission denied.', status: 'PERMISSION_DENIED' } },
      'model_permission',
    ],
    [
      'an outage',
      503,
      { error: { code: 503, message: 'Away.', status: 'UNAVAILABLE' } },
      'model_unavailable',
    ],
    [
      'an error of the model',
      400,
      JSON.parse(errorBody('invalid_request_error', 'prompt is too long: 9 tokens')) as object,
      'model_context_window_exceeded',
    ],
  ])('answers with %s (%i)', async (_what, status, body, code) => {
    const { model } = await onVertex(() => ({ status, body: JSON.stringify(body) }));
    const error = await failureOf(callTestModel(model, { previousAttempts: 2 }).response);
    const [first = body] = Array.isArray(body) ? body : [];
    expect(error).toMatchObject({ code, message: (first as { error: { message: string } }).error.message });
  });

  it('parks the turn where there are no credentials now, and tries again later', async () => {
    const { api, model, logged } = await onVertex(() => VERTEX_HELLO);
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = `${identity.file}-away`;
    try {
      const error = await failureOf(callTestModel(model).response);
      expect(error).toMatchObject({ code: 'model_keys_unavailable', terminal: false });
      expect(error.retryAfterMs).toBeGreaterThan(0);
      expect(api.received).toHaveLength(0);
      expect(logged.map(({ message }) => message)).toContain('Model keys are unavailable.');
    } finally {
      process.env['GOOGLE_APPLICATION_CREDENTIALS'] = identity.file;
    }
    expect(await callTestModel(model).response).toMatchObject({ attempts: 1 });
  });
});

it.each([
  ['Bedrock', onBedrock],
  ['Vertex AI', onVertex],
])('tokens are not counted on %s, and nothing is sent for it', async (_name, connect) => {
  const { model, api, logged } = await connect(() => ({ status: 500 }));
  expect(await countTestTokens(model)).toBeNull();
  expect(api.received).toEqual([]);
  expect(logged).toEqual([]);
});
