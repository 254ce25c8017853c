import { afterEach, describe, expect, it } from '@jest/globals';
import { agentConfigSchema, DrainError } from '@turnpike/contract';
import type { GuardedModel, ModelSettings } from './create-model.ts';
import { createRetryBudget } from './retry-budget.ts';
import { callTestModel, testModel } from './testing/test-model.ts';
import {
  asEventStream,
  errorBody,
  messageEvents,
  startScriptedApi,
  textMessage,
  type ReceivedRequest,
  type ScriptedResponse,
  type ScriptedApi,
} from './testing/scripted-api.ts';
import { failureOf } from './testing/test-turns.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

/** An API that gives these answers in turn, and the last one from then on; and a model that calls it. */
async function setUp(
  answers: ScriptedResponse[] | ((request: ReceivedRequest, index: number) => ScriptedResponse),
  settings: Partial<ModelSettings> = {},
) {
  const script = Array.isArray(answers)
    ? (_request: ReceivedRequest, index: number) => answers[Math.min(index, answers.length - 1)] ?? {}
    : answers;
  const api: ScriptedApi = await startScriptedApi(script);
  const trial: { model: GuardedModel; logged: unknown[] } = testModel(api.url, settings);
  open.push(trial.model, api);
  return { api, ...trial };
}

const fine: ScriptedResponse = { body: textMessage('Hel', 'lo.'), headers: { 'request-id': 'req_fine' } };
const overloaded: ScriptedResponse = {
  status: 529,
  headers: { 'request-id': 'req_over' },
  body: errorBody('overloaded_error', 'Overloaded'),
};
/** The stream of a response up to a piece of its text. */
const half = (text: string): string => textMessage(text).split('event: content_block_stop')[0] ?? '';
const broken: ScriptedResponse = { body: half('Hal'), after: 'break' };

describe('a model call', () => {
  it('returns the whole response, its text as it arrives, its usage and its request id', async () => {
    const { model, api } = await setUp([fine]);
    const { response, shown } = callTestModel(model);
    expect(await response).toEqual({
      content: [{ type: 'text', text: 'Hello.' }],
      costMicros: 705,
      stopReason: 'end_turn',
      model: 'claude-test-1',
      usage: {
        input_tokens: 12,
        output_tokens: 7,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
      },
      attempts: 1,
      providerRequestId: 'req_fine',
    });
    expect(shown).toEqual(['Hel', 'lo.']);
    expect(api.received[0]).toMatchObject({
      path: '/v1/messages',
      headers: { authorization: 'Bearer a-key-of-the-test', 'anthropic-version': '2026-10-21' },
      body: { model: 'claude-test-1', stream: true },
    });
  });

  it('emits text only, and nothing of a call or of thinking', async () => {
    const blocks = [
      {
        start: { type: 'thinking', thinking: '', signature: '' },
        deltas: [{ type: 'thinking_delta', thinking: 'hm' }],
      },
      {
        start: { type: 'tool_use', id: 'toolu_1', name: 'look', input: {} },
        deltas: [{ type: 'input_json_delta', partial_json: '{"a":1}' }],
      },
      { start: { type: 'text', text: '' }, deltas: [{ type: 'text_delta', text: 'So.' }] },
    ];
    const { model } = await setUp([{ body: asEventStream(messageEvents(blocks, 'tool_use')) }]);
    const { response, shown } = callTestModel(model);
    expect((await response).content).toHaveLength(3);
    expect(shown).toEqual(['So.']);
  });

  it('is retried after a broken stream, and its text so far is void', async () => {
    const { model } = await setUp([broken, fine]);
    const { response, shown } = callTestModel(model);
    expect(await response).toMatchObject({ attempts: 2, content: [{ text: 'Hello.' }] });
    expect(shown).toEqual(['Hal', '<restart>', 'Hel', 'lo.']);
  });

  it('emits no restart where it had emitted no text', async () => {
    const { model } = await setUp([overloaded, fine]);
    const { response, shown } = callTestModel(model);
    expect(await response).toMatchObject({ attempts: 2, providerRequestId: 'req_fine' });
    expect(shown).toEqual(['Hel', 'lo.']);
  });

  it.each([
    ['an error event', `event: error\ndata: ${errorBody('overloaded_error', 'Overloaded')}\n\n`],
    ['JSON that is none', 'event: content_block_delta\ndata: {"type":"content_bl\n\n'],
    ['an event of the wrong shape', 'event: content_block_stop\ndata: {"type":"content_block_stop"}\n\n'],
    ['a page of a proxy', '<html>gateway</html>'],
    ['nothing', ''],
  ])('is retried after a stream with %s', async (_what, inserted) => {
    const whole = inserted.startsWith('event') ? half('Hal') + inserted + textMessage('!') : inserted;
    const { model } = await setUp([{ body: whole }, fine]);
    expect(await callTestModel(model).response).toMatchObject({ attempts: 2, content: [{ text: 'Hello.' }] });
  });

  it('ends at message_stop, whatever follows', async () => {
    for (const rest of [': comment\n\n', `event: error\ndata: ${errorBody('api_error', 'late')}\n\n`]) {
      const { model } = await setUp([{ body: textMessage('Done.') + rest, after: 'hang' }]);
      expect(await callTestModel(model).response).toMatchObject({
        attempts: 1,
        content: [{ text: 'Done.' }],
      });
    }
  });

  it('leaves its connection to later calls', async () => {
    const { model, api } = await setUp([fine]);
    for (let call = 0; call < 10; call++) await callTestModel(model).response;
    expect(new Set(api.received.map(({ port }) => port)).size).toBeLessThan(10);
  });

  it('does not follow a redirect with its key', async () => {
    const elsewhere = await setUp([fine]);
    const location = `${elsewhere.api.url}/v1/messages`;
    const { model } = await setUp([{ status: 307, headers: { location } }]);
    expect(await failureOf(callTestModel(model).response)).toMatchObject({ terminal: true });
    expect(elsewhere.api.received).toHaveLength(0);
  });
});

describe('a model call that cannot succeed', () => {
  it('fails at once, with the message and the request id of the API', async () => {
    const body = errorBody('invalid_request_error', 'max_tokens: too large');
    const { model, api } = await setUp([{ status: 400, headers: { 'request-id': 'req_bad' }, body }]);
    expect(await failureOf(callTestModel(model).response)).toMatchObject({
      code: 'model_rejected_request',
      message: 'max_tokens: too large',
      terminal: true,
      attempts: 1,
      retryAfterMs: undefined,
      providerRequestId: 'req_bad',
    });
    expect(api.received).toHaveLength(1);
  });

  it('fails at once for such an error event inside a stream', async () => {
    const body = `event: error\ndata: ${errorBody('authentication_error', 'no')}\n\n`;
    const { model } = await setUp([{ body, headers: { 'request-id': 'req_mid' } }]);
    expect(await failureOf(callTestModel(model).response)).toMatchObject({
      code: 'model_authentication',
      terminal: true,
      providerRequestId: 'req_mid',
    });
  });

  it('never reveals the key, the prompt or a header', async () => {
    const body = errorBody('authentication_error', 'a-key-of-the-test is no key');
    const { model, logged } = await setUp([{ status: 401, headers: { 'x-inner': 'header-value' }, body }]);
    const error = await failureOf(callTestModel(model, { text: 'the prompt' }).response);
    expect(error.message).toBe('[secret] is no key');
    expect(error.cause).toBeUndefined();
    const seen = JSON.stringify([error, error.stack, logged]);
    for (const word of ['a-key-of-the-test', 'the prompt', 'header-value']) expect(seen).not.toContain(word);
  });
});

describe('the retries of a model call', () => {
  it('end after three attempts, with an error that is not terminal', async () => {
    const { model, api } = await setUp([overloaded]);
    expect(await failureOf(callTestModel(model).response)).toMatchObject({
      code: 'model_overloaded',
      terminal: false,
      retryAfterMs: undefined,
      attempts: 3,
      providerRequestId: 'req_over',
    });
    expect(api.received).toHaveLength(3);
  });

  it('count the attempts of earlier leases', async () => {
    const { model, api } = await setUp([overloaded]);
    const after = (previousAttempts: number) =>
      failureOf(callTestModel(model, { previousAttempts }).response);
    expect(await after(2)).toMatchObject({ attempts: 3 });
    expect(api.received).toHaveLength(1);
    expect(await after(3)).toMatchObject({ code: 'model_attempts_exhausted', attempts: 3, terminal: false });
    expect(api.received).toHaveLength(1);
  });

  it('wait at least as long as the API asks', async () => {
    const { model } = await setUp([{ status: 429, headers: { 'retry-after-ms': '80' } }, fine]);
    const startedAt = performance.now();
    expect(await callTestModel(model).response).toMatchObject({ attempts: 2 });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(79);
  });

  it('with a long wait are left to a later lease', async () => {
    const { model, api } = await setUp([{ status: 429, headers: { 'retry-after': '30' } }, fine]);
    const error = await failureOf(callTestModel(model).response);
    expect(error).toMatchObject({ code: 'model_rate_limited', terminal: false, attempts: 1 });
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(30_000);
    expect(api.received).toHaveLength(1);
  });

  it('with a long wait make the text void too', async () => {
    const body = `${half('Hal')}event: error\ndata: ${errorBody('api_error', 'x')}\n\n`;
    const { model } = await setUp([{ body, headers: { 'retry-after': '30' } }]);
    const { response, shown } = callTestModel(model);
    expect(await failureOf(response)).toMatchObject({ terminal: false });
    expect(shown).toEqual(['Hal', '<restart>']);
  });

  it('never wait past the deadline of the turn', async () => {
    const { model, api } = await setUp([{ status: 429, headers: { 'retry-after': '4' } }, fine]);
    const error = await failureOf(callTestModel(model, { remainingMs: 3000 }).response);
    expect(error).toMatchObject({ code: 'model_rate_limited', terminal: false });
    // What is left of the four seconds that were asked for: more than the turn has.
    expect(error.retryAfterMs).toBeGreaterThan(3000);
    expect(api.received).toHaveLength(1);
  });

  it('stop for a tenant and model whose retry budget is spent, and count no attempt', async () => {
    const asked: string[] = [];
    const retryBudget = { take: (key: string) => (asked.push(key), Promise.resolve(false)), deposit() {} };
    const { model, api } = await setUp([overloaded], { retryBudget });
    const error = await failureOf(callTestModel(model).response);
    expect(error).toMatchObject({
      code: 'model_retry_budget_exhausted',
      terminal: false,
      attempts: 1,
      providerRequestId: 'req_over',
    });
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(7_500);
    const later = await failureOf(callTestModel(model, { previousAttempts: 1 }).response);
    expect(later).toMatchObject({ code: 'model_retry_budget_exhausted', attempts: 1 });
    expect(asked).toEqual(['ten_1:claude-test-1', 'ten_1:claude-test-1']);
    expect(api.received).toHaveLength(1);
  });

  it('are at most a tenth of the successes once the allowance is used', async () => {
    const { model, api } = await setUp(
      ({ body }) => (JSON.stringify(body).includes('good') ? fine : overloaded),
      { retryBudget: createRetryBudget({ allowance: 10, perMinute: 0 }) },
    );
    const bad = () => failureOf(callTestModel(model, { text: 'bad' }).response);
    for (let call = 0; call < 5; call++) expect((await bad()).code).toBe('model_overloaded');
    expect((await bad()).code).toBe('model_retry_budget_exhausted');
    for (let call = 0; call < 10; call++) await callTestModel(model, { text: 'good' }).response;
    const before = api.received.length;
    expect((await bad()).code).toBe('model_retry_budget_exhausted');
    expect(api.received.length - before).toBe(2);
  });
});

describe('a model whose responses are broken', () => {
  const brokenCall = asEventStream(
    messageEvents(
      [
        {
          start: { type: 'tool_use', id: 'toolu_1', name: 'look', input: {} },
          deltas: [{ type: 'input_json_delta', partial_json: '{"a": nope}' }],
        },
      ],
      'tool_use',
    ),
  );

  it('is called again for a call that is not JSON, and the second such call is kept', async () => {
    const { api, model } = await setUp(() => ({ body: brokenCall }));
    const { content, attempts } = await callTestModel(model).response;
    expect(content).toMatchObject([{ name: 'look', input: {}, input_text: '{"a": nope}' }]);
    expect([attempts, api.received.length]).toEqual([2, 2]);
  });

  it('has such a call kept at once where it was just told of the one before', async () => {
    const { api, model } = await setUp(() => ({ body: brokenCall }));
    const call = { type: 'tool_use', id: 'toolu_0', name: 'look', input: {}, input_text: '{"a": nope}' };
    const result = { type: 'tool_result', tool_use_id: 'toolu_0', content: 'No.', is_error: true };
    const messages = [
      { role: 'user' as const, content: [{ type: 'text', text: 'Look.' }] },
      { role: 'assistant' as const, content: [call] },
      { role: 'user' as const, content: [result] },
    ];
    await callTestModel(model, { request: { messages } }).response;
    expect(api.received).toHaveLength(1);
  });

  it('is called three times and no more, whichever end is missing', async () => {
    const events = textMessage('a').split('\n\n');
    for (const missing of ['message_stop', 'content_block_stop']) {
      const body = events.filter((event) => !event.includes(`event: ${missing}`)).join('\n\n');
      const { api, model } = await setUp(() => ({ body }), {
        limits: { maxTotalAttempts: 20, maxAttempts: 10 },
      });
      const error = await failureOf(callTestModel(model).response);
      expect(error).toMatchObject({ terminal: false, retryAfterMs: undefined, attempts: 3 });
      expect(api.received).toHaveLength(3);
    }
  });
});

describe('a model that refuses thinking of the conversation', () => {
  it('is called again at once without thinking blocks', async () => {
    const refusal = errorBody(
      'invalid_request_error',
      'messages.1.content.0: Invalid `signature` in `thinking` block',
    );
    const { api, model } = await setUp((_request, index) =>
      index === 0 ? { status: 400, body: refusal } : { body: textMessage('Well.') },
    );
    const thought = { type: 'thinking', thinking: 'hm', signature: 'of another' };
    const agent = agentConfigSchema.parse({
      model: 'claude-test-1',
      max_tokens: 4_000,
      thinking: { type: 'enabled', budget_tokens: 2_000 },
    });
    const messages = [
      { role: 'user' as const, content: [{ type: 'text', text: 'a' }] },
      { role: 'assistant' as const, content: [thought, { type: 'text', text: 'b' }] },
      { role: 'user' as const, content: [{ type: 'text', text: 'c' }] },
    ];
    await callTestModel(model, { request: { agent, messages } }).response;
    const sent = api.received.map(({ body }) => JSON.stringify(body));
    expect(sent.map((body) => body.includes('of another'))).toEqual([true, false]);
  });
});

describe('a model API that is too slow', () => {
  it('times out without a response, and with one that stops', async () => {
    const idle = { limits: { idleTimeoutMs: 200, maxAttempts: 1 } };
    const silences: ScriptedResponse[] = [{ silent: true }, { body: half('Hal'), after: 'hang' }];
    for (const answer of silences) {
      const { model } = await setUp([answer], idle);
      expect(await failureOf(callTestModel(model).response)).toMatchObject({
        code: 'model_timeout',
        terminal: false,
      });
    }
  });

  it('times out when the response takes too long as a whole', async () => {
    const { model, api } = await setUp([{ body: half('Hal'), after: 'hang' }], {
      limits: { totalTimeoutMs: 100, maxAttempts: 1 },
    });
    expect(await failureOf(callTestModel(model).response)).toMatchObject({ code: 'model_timeout' });
    await api.abandoned;
  });

  it('is called again, and the next response is whole', async () => {
    const { model } = await setUp([{ silent: true }, fine], { limits: { totalTimeoutMs: 1000 } });
    expect(await callTestModel(model).response).toMatchObject({ attempts: 2 });
  });

  it('has another code than one that cannot be reached', async () => {
    const { model, api } = await setUp([fine]);
    await api.close();
    expect(await failureOf(callTestModel(model).response)).toMatchObject({
      code: 'model_unavailable',
      terminal: false,
      attempts: 3,
      message: 'The model API could not be reached (ECONNREFUSED).',
    });
  });
});

describe('a model call that is stopped', () => {
  const reason = new Error('the lease is lost');

  it.each<[string, ScriptedResponse | undefined]>([
    ['before it began', undefined],
    ['while nothing came', { silent: true }],
    ['inside the stream', { body: half('Hal'), after: 'hang' }],
    ['between two attempts', { status: 429, headers: { 'retry-after': '4' } }],
  ])('%s rejects with the reason, and makes no further request', async (_when, scripted) => {
    const controller = new AbortController();
    const { model, api, logged } = await setUp([scripted ?? fine]);
    if (scripted === undefined) controller.abort(reason);
    const { response, shown } = callTestModel(model, {
      signal: controller.signal,
      onText: () => controller.abort(reason),
    });
    if (scripted?.silent === true) void api.asked.then(() => controller.abort(reason));
    if (scripted?.status === 429) void whenLogged(logged).then(() => controller.abort(reason));
    await expect(response).rejects.toBe(reason);
    expect(shown).not.toContain('<restart>');
    expect(api.received).toHaveLength(scripted === undefined ? 0 : 1);
    if (scripted !== undefined && scripted.status === undefined) await api.abandoned;
  });

  it('leaves no listener on the signal', async () => {
    const { model } = await setUp([fine]);
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...given: Parameters<typeof add>) => (listeners++, add(...given));
    signal.removeEventListener = (...given: Parameters<typeof remove>) => (listeners--, remove(...given));
    await callTestModel(model, { signal }).response;
    expect(listeners).toBe(0);
  });

  it('by closing the model rejects with a DrainError, as later calls do', async () => {
    const { model, api } = await setUp([{ silent: true }]);
    const { response } = callTestModel(model);
    void api.asked.then(() => model.close());
    await expect(response).rejects.toBeInstanceOf(DrainError);
    await expect(callTestModel(model).response).rejects.toBeInstanceOf(DrainError);
  });
});

async function whenLogged(logged: unknown[]): Promise<void> {
  while (logged.length === 0) await new Promise((resolve) => setImmediate(resolve));
}

describe('the log of a model call', () => {
  it('has each attempt with its code, times and usage, and nothing of its contents', async () => {
    const { model, logged } = await setUp([broken, overloaded, fine]);
    await callTestModel(model, { text: 'the prompt' }).response;
    expect(logged).toEqual([
      { message: 'Model request failed.', fields: expect.objectContaining({ attempt: 1, terminal: false }) },
      {
        message: 'Model request failed.',
        fields: expect.objectContaining({
          attempt: 2,
          code: 'model_overloaded',
          status: 529,
          provider_request_id: 'req_over',
        }),
      },
      {
        message: 'Model responded.',
        fields: expect.objectContaining({
          tenant_id: 'ten_1',
          turn_id: 'turn_1',
          model: 'claude-test-1',
          attempt: 3,
          provider_request_id: 'req_fine',
          stop_reason: 'end_turn',
          duration_ms: expect.any(Number),
          output_tokens: 7,
        }),
      },
    ]);
    expect(JSON.stringify(logged)).not.toMatch(/the prompt|Hal|Hel|a-key/);
  });
});
