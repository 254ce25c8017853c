import { afterEach, describe, expect, it } from '@jest/globals';
import { agentConfigSchema, TerminalError, type ModelAccess } from '@turnpike/contract';
import { createCallGuard } from '@turnpike/egress';
import type { ModelSettings } from './create-model.ts';
import type { ModelLimits } from './limits.ts';
import { callTestModel, testModel } from './testing/test-model.ts';
import { errorBody, type ScriptedResponse, startScriptedApi, textMessage } from './testing/scripted-api.ts';
import { accessWith, byKey, keyOf, limited, REFUSED, TenantSecrets } from './testing/tenant-keys.ts';
import { failureOf } from './testing/test-turns.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

const EIGHT = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

type Answers = Parameters<typeof byKey>[0];
type Settings = Omit<Partial<ModelSettings>, 'limits'> & { limits?: Partial<ModelLimits> };

/** The keys `a-key` and so on, each answered as it is told; no retry is granted unless a test says so. */
async function setUp(answers: Answers, settings: Settings = {}) {
  const api = await startScriptedApi(byKey(answers));
  const values = Object.fromEntries(EIGHT.map((name) => [name, `${name}-key`]));
  const secrets = new TenantSecrets(values);
  const retryBudget = { take: () => false, deposit: () => undefined };
  const limits = { maxTotalAttempts: 20, ...settings.limits };
  const { model, logged } = testModel(api.url, { secrets, retryBudget, ...settings, limits });
  open.push(model, api);
  const ask = (access: ModelAccess, more: Parameters<typeof callTestModel>[1] = {}) =>
    callTestModel(model, { ...more, request: { access, ...more.request } });
  return { api, secrets, model, logged, ask, asked: () => api.received.map(keyOf) };
}

describe('a tenant’s key', () => {
  it.each(['x-api-key', 'bearer'] as const)(
    'travels in the header that the tenant says, %s, and in no other',
    async (auth) => {
      const { ask, api } = await setUp({});
      await ask(accessWith(['a'], { auth })).response;
      const headers = api.received[0]?.headers;
      const sent = { key: headers?.['x-api-key'], authorization: headers?.authorization };
      expect(sent).toEqual(
        auth === 'bearer'
          ? { key: undefined, authorization: 'Bearer a-key' }
          : { key: 'a-key', authorization: undefined },
      );
      expect(JSON.stringify(headers)).not.toContain('each-request');
    },
  );

  it('is sent without the white space around it', async () => {
    const { ask, secrets, asked } = await setUp({});
    secrets.values.set('a', ' a-key\n');
    await ask(accessWith(['a'])).response;
    expect(asked()).toEqual(['a-key']);
  });

  it('is the agent’s where the agent names its own', async () => {
    const { ask, asked } = await setUp({});
    const agent = agentConfigSchema.parse({ model: 'claude-test-1', model_keys: ['c'] });
    await ask(accessWith(['a', 'b']), { request: { agent } }).response;
    expect(asked()).toEqual(['c-key']);
  });

  it('is read when it is needed, and then cached', async () => {
    const { ask, secrets, asked } = await setUp({}, { limits: { keyTtlMs: 3_600_000 } });
    for (let call = 0; call < 5; call++) await ask(accessWith(['a', 'b'])).response;
    expect(secrets.reads).toEqual(['a']);
    expect(asked()).toHaveLength(5);
  });

  it('that was replaced is used once the cache expires, and one that was deleted is not', async () => {
    const { ask, secrets, asked } = await setUp({}, { limits: { keyTtlMs: 1 } });
    await ask(accessWith(['a'])).response;
    secrets.values.set('a', 'new-key');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await ask(accessWith(['a'])).response;
    expect(asked()).toEqual(['a-key', 'new-key']);
    secrets.values.delete('a');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await failureOf(ask(accessWith(['a'])).response)).toMatchObject({ code: 'model_key_missing' });
  });

  it('that is refused is read again at once: it may have been replaced', async () => {
    const { ask, secrets, asked } = await setUp({ 'a-key': REFUSED }, { limits: { keyTtlMs: 3_600_000 } });
    const first = setUpReplacement(secrets);
    expect(await ask(accessWith(['a'])).response).toMatchObject({ attempts: 2 });
    expect(asked()).toEqual(['a-key', 'new-key']);
    expect(first.reads).toEqual(['a', 'a']);
  });

  it('appears in no error and no log line, whatever the API responds', async () => {
    const key = 'secret+key/of-a-tenant=';
    const forms = [key, Buffer.from(key).toString('base64'), encodeURIComponent(key)];
    const { ask, secrets, logged } = await setUp({
      [key]: {
        status: 401,
        headers: { 'request-id': key },
        body: errorBody('authentication_error', forms.join(' and ')),
      },
    });
    secrets.values.set('a', key);
    const error = await failureOf(ask(accessWith(['a'])).response);
    expect(error).toMatchObject({ code: 'model_authentication', providerRequestId: null });
    const seen = JSON.stringify([error, error.message, error.stack, logged]);
    for (const form of forms) expect(seen).not.toContain(form);
  });
});

/** The next read finds the old value, all that follow a new one. */
function setUpReplacement(secrets: TenantSecrets): TenantSecrets {
  const read = secrets.read.bind(secrets);
  secrets.read = async (tenantId, name, destination) => {
    const found = await read(tenantId, name, destination);
    secrets.values.set(name, 'new-key');
    return found;
  };
  return secrets;
}

const FAULTS: [string, ScriptedResponse][] = [
  ['401', REFUSED],
  ['403', { status: 403, body: errorBody('permission_error', 'not this model') }],
  ['402', { status: 402, body: errorBody('billing_error', 'no money') }],
  ['429', limited(60)],
  ['429 without a time', limited()],
  [
    'a spend limit',
    { status: 400, body: errorBody('invalid_request_error', 'Your credit balance is too low.') },
  ],
  [
    'an error inside the stream',
    {
      body: `${textMessage('Hal').split('event: content_block_stop')[0]}event: error\ndata: ${errorBody('rate_limit_error', 'x')}\n\n`,
    },
  ],
];

describe('a key that fails', () => {
  it.each(FAULTS)(
    'with %s is followed by the next at once, which is an attempt, and takes no retry',
    async (_what, fault) => {
      const { ask, asked, logged } = await setUp({ 'a-key': fault });
      const { response, shown } = ask(accessWith(['a', 'b']));
      expect(await response).toMatchObject({ attempts: 2, content: [{ text: 'Hello.' }] });
      expect(asked()).toEqual(['a-key', 'b-key']);
      expect(shown).toEqual(fault.status === undefined ? ['Hal', '<restart>', 'Hel', 'lo.'] : ['Hel', 'lo.']);
      expect(logged.map(({ fields }) => fields['model_key'])).toEqual(['a', 'b']);

      // The next call begins with the one that works.
      await ask(accessWith(['a', 'b'])).response;
      expect(asked().slice(2)).toEqual(['b-key']);
    },
  );

  it('is used again after its cooldown, and is the preferred one then', async () => {
    let isWell = false;
    const { ask, asked } = await setUp({
      'a-key': () =>
        isWell ? { body: textMessage('Hi.') } : { ...limited(), headers: { 'retry-after-ms': '30' } },
    });
    await ask(accessWith(['a', 'b'])).response;
    isWell = true;
    await new Promise((resolve) => setTimeout(resolve, 60));
    await ask(accessWith(['a', 'b'])).response;
    expect(asked()).toEqual(['a-key', 'b-key', 'a-key']);
  });

  it('has a cooldown for its own tenant and model only', async () => {
    const { ask, asked } = await setUp({ 'a-key': limited(60) });
    await ask(accessWith(['a', 'b'])).response;
    await ask(accessWith(['a', 'b']), { tenantId: 'ten_2' }).response;
    const agent = agentConfigSchema.parse({ model: 'claude-test-2' });
    await ask(accessWith(['a', 'b']), { request: { agent } }).response;
    expect(asked()).toEqual(['a-key', 'b-key', 'a-key', 'b-key', 'a-key', 'b-key']);
  });

  it('is replaced by all others in turn, also where a lease has fewer attempts', async () => {
    const answers = Object.fromEntries(EIGHT.slice(0, 7).map((name) => [`${name}-key`, REFUSED]));
    const { ask, asked } = await setUp(answers, { limits: { maxAttempts: 2 } });
    expect(await ask(accessWith(EIGHT)).response).toMatchObject({ attempts: 8 });
    expect(asked()).toEqual(EIGHT.map((name) => `${name}-key`));
  });

  it('does not go beyond the attempts of the step', async () => {
    const answers = Object.fromEntries(EIGHT.map((name) => [`${name}-key`, REFUSED]));
    const { ask, asked } = await setUp(answers, { limits: { maxTotalAttempts: 3 } });
    expect(await failureOf(ask(accessWith(EIGHT)).response)).toMatchObject({ attempts: 3 });
    expect(asked()).toHaveLength(3);
  });

  it("for a reason that is not the key's is not replaced by another", async () => {
    const { ask, asked } = await setUp({
      'a-key': { status: 400, body: errorBody('invalid_request_error', 'max_tokens: too large') },
    });
    expect(await failureOf(ask(accessWith(['a', 'b'])).response)).toMatchObject({
      code: 'model_rejected_request',
    });
    expect(asked()).toEqual(['a-key']);
  });

  it('whose circuit breaker is open is skipped, without a wait and without an attempt', async () => {
    const overloaded = { status: 529, body: errorBody('overloaded_error', 'Overloaded') };
    const { ask, asked, model } = await setUp(
      { 'a-key': overloaded },
      { guard: createCallGuard({ minCalls: 2, openMs: 3_600_000, maxOpenMs: 3_600_000 }) },
    );
    for (let call = 0; call < 2; call++) await failureOf(ask(accessWith(['a'])).response);
    expect(model.breakers().open).toBe(1);
    const before = asked().length;
    expect(await ask(accessWith(['a', 'b'])).response).toMatchObject({ attempts: 1 });
    expect(asked().slice(before)).toEqual(['b-key']);
    expect(await failureOf(ask(accessWith(['a'])).response)).toMatchObject({ code: 'model_circuit_open' });
  });
});

describe('keys that all fail', () => {
  it('by a rate limit make the turn wait for the first of them', async () => {
    const { ask, asked } = await setUp({ 'a-key': limited(60), 'b-key': limited(30), 'c-key': limited(45) });
    const error = await failureOf(ask(accessWith(['a', 'b', 'c'])).response);
    expect(error).toMatchObject({ code: 'model_rate_limited', terminal: false, attempts: 3 });
    expect(error.retryAfterMs).toBeGreaterThan(25_000);
    expect(error.retryAfterMs).toBeLessThan(32_000);
    // A turn that comes meanwhile asks the one that is free soonest, and waits likewise.
    const later = await failureOf(ask(accessWith(['a', 'b', 'c'])).response);
    expect(later).toMatchObject({ code: 'model_rate_limited', attempts: 1 });
    expect(asked()).toEqual(['a-key', 'b-key', 'c-key', 'b-key']);
  });

  it('are waited for here where the wait is short', async () => {
    let times = 0;
    const { ask, asked } = await setUp(
      {
        'a-key': limited(60),
        'b-key': () =>
          times++ === 0
            ? { ...limited(), headers: { 'retry-after-ms': '50' } }
            : { body: textMessage('Hi.') },
      },
      { retryBudget: { take: () => true, deposit: () => undefined } },
    );
    expect(await ask(accessWith(['a', 'b'])).response).toMatchObject({ attempts: 3 });
    expect(asked()).toEqual(['a-key', 'b-key', 'b-key']);
  });

  it('are not used before their retry-after, where another one has none', async () => {
    let times = 0;
    const { ask, asked } = await setUp(
      { 'a-key': limited(4), 'b-key': () => (times++ === 0 ? limited() : { body: textMessage('Hi.') }) },
      { retryBudget: { take: () => true, deposit: () => undefined } },
    );
    expect(await ask(accessWith(['a', 'b'])).response).toMatchObject({ attempts: 3 });
    expect(asked()).toEqual(['a-key', 'b-key', 'b-key']);
  });

  it('one by a rate limit and one by a refusal, make the turn wait for the first', async () => {
    for (const keys of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const { ask } = await setUp({ 'a-key': limited(30), 'b-key': REFUSED });
      const error = await failureOf(ask(accessWith(keys)).response);
      expect(error).toMatchObject({ code: 'model_rate_limited', terminal: false, attempts: 2 });
      expect(error.retryAfterMs).toBeGreaterThan(25_000);
    }
  });

  it('by a refusal fail the turn; the next turn tries each again, and finds the one that works', async () => {
    let isWell = false;
    const { ask, asked } = await setUp({
      'a-key': REFUSED,
      'b-key': () => (isWell ? { body: textMessage('Hi.') } : REFUSED),
    });
    const keys = accessWith(['a', 'b']);
    for (let turn = 0; turn < 2; turn++) {
      const error = await failureOf(ask(keys).response);
      expect(error).toMatchObject({ code: 'model_authentication', terminal: true, attempts: 2 });
    }
    isWell = true;
    await ask(keys).response;
    await ask(keys).response;
    expect(asked()).toEqual(['a-key', 'b-key', 'a-key', 'b-key', 'a-key', 'b-key', 'b-key']);
  });
});

describe('keys that do not exist or cannot be read', () => {
  it.each([
    [['gone'], 'model_key_missing', /no secret gone, which/],
    [['gone', 'lost'], 'model_key_missing', /no secret gone, lost, which/],
    [[], 'model_key_missing', /no model key\. Store one with PUT/],
    [['odd'], 'model_key_unreadable', /secret odd cannot be used/],
    [['sealed'], 'model_key_unreadable', /secret sealed cannot be used/],
    [['bound'], 'model_key_refused', /secret bound is not sent to the model: its allowed_hosts/],
  ])(
    '%j end the turn with %s, in words that say what to do, and nothing is sent',
    async (keys, code, words) => {
      const { ask, secrets, asked, logged } = await setUp({});
      secrets.values.set('odd', 'two\nlines-of-a-key');
      const read = secrets.read.bind(secrets);
      secrets.read = async (tenantId, name, destination) => {
        expect(destination).toEqual({
          url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
          by: 'model',
        });
        if (name === 'sealed') throw new TerminalError('secret_unreadable', 'It does not open.');
        if (name === 'bound') throw new TerminalError('secret_refused', 'It is not sent there.');
        return read(tenantId, name, destination);
      };
      const error = await failureOf(ask(accessWith(keys)).response);
      expect(error).toMatchObject({ code, terminal: true, attempts: 0 });
      expect(error.message).toMatch(words);
      expect(asked()).toEqual([]);
      expect(JSON.stringify(logged)).not.toContain('lines-of-a-key');
      // The others are used all the same.
      await ask(accessWith([...keys, 'a'])).response;
      expect(asked()).toEqual(['a-key']);
    },
  );

  it('for a while park the turn: nothing is sent and no attempt is counted', async () => {
    const { ask, secrets, asked } = await setUp({});
    secrets.failure = new Error('no connection');
    const error = await failureOf(ask(accessWith(['a'], { operatorKey: true })).response);
    expect(error).toMatchObject({ code: 'model_keys_unavailable', terminal: false, attempts: 0 });
    expect(error.retryAfterMs).toBeGreaterThanOrEqual(5_000);
    secrets.failure = null;
    await ask(accessWith(['a'])).response;
    expect(asked()).toEqual(['a-key']);
  });

  it('since reading them hangs, end with the signal', async () => {
    const { ask, secrets } = await setUp({});
    const stopping = new AbortController();
    secrets.read = () => {
      stopping.abort(new Error('stop'));
      return new Promise(() => undefined);
    };
    const { response } = ask(accessWith(['a']), { signal: stopping.signal });
    await expect(response).rejects.toThrow('stop');
  });
});

describe('the operator’s key', () => {
  const OPERATORS = 'a-key-of-the-test';

  it('is used where the tenant has none, or none that works, and the operator allows it', async () => {
    const { ask, asked, api } = await setUp({ 'a-key': REFUSED });
    await ask(accessWith([], { operatorKey: true })).response;
    await ask(accessWith(['gone'], { operatorKey: true })).response;
    await ask(accessWith(['a'], { operatorKey: true })).response;
    expect(asked()).toEqual([OPERATORS, OPERATORS, 'a-key', OPERATORS]);
    expect(api.received.at(-1)?.headers).toMatchObject({ authorization: `Bearer ${OPERATORS}` });
  });

  it('is not used where the operator does not allow it', async () => {
    const { ask, asked } = await setUp({ 'a-key': REFUSED });
    expect(await failureOf(ask(accessWith([])).response)).toMatchObject({ code: 'model_key_missing' });
    expect(await failureOf(ask(accessWith(['a'])).response)).toMatchObject({ code: 'model_authentication' });
    expect(asked()).toEqual(['a-key']);
  });

  it('is not needed at all', async () => {
    const api = await startScriptedApi(byKey({}));
    const secrets = new TenantSecrets({ a: 'a-key' });
    const { model } = testModel(api.url, { secrets }, { withoutOperatorKey: true });
    open.push(model, api);
    await callTestModel(model, { request: { access: accessWith(['a'], { operatorKey: true }) } }).response;
    const none = callTestModel(model, { request: { access: accessWith([], { operatorKey: true }) } });
    expect(await failureOf(none.response)).toMatchObject({ code: 'model_key_missing' });
    expect(api.received.map(keyOf)).toEqual(['a-key']);
  });
});

describe('an address that the tenant chose', () => {
  const LOOPBACK = { egress: { allow: ['127.0.0.1'] } };

  it('gets the tenant’s keys and its conversation, and nothing of the operator’s', async () => {
    const { ask, api, asked } = await setUp({}, LOOPBACK);
    const gateway = await startScriptedApi(byKey({ 'a-key': REFUSED, 'b-key': limited(60) }));
    open.push(gateway);
    const access = accessWith(['a', 'b'], { baseUrl: `${gateway.url}/anthropic/`, operatorKey: true });
    expect(await failureOf(ask(access).response)).toMatchObject({ code: 'model_rate_limited', attempts: 2 });
    expect(await failureOf(ask({ ...access, keys: [] }).response)).toMatchObject({
      code: 'model_key_missing',
    });
    expect(gateway.received.map(keyOf)).toEqual(['a-key', 'b-key']);
    expect(gateway.received[0]?.path).toBe('/anthropic/v1/messages');
    expect(asked()).toEqual([]);
    await ask(accessWith(['c'], { operatorKey: true })).response;
    expect(api.received).toHaveLength(1);
    expect(gateway.received).toHaveLength(2);
  });

  it('is refused where it is private and the operator did not allow it, before a byte is sent', async () => {
    const gateway = await startScriptedApi(byKey({}));
    open.push(gateway);
    const { ask, asked } = await setUp({});
    for (const host of ['127.0.0.1', '169.254.169.254', '[::1]', 'localhost', '10.0.0.1']) {
      const baseUrl = `http://${host}:${new URL(gateway.url).port}`;
      const error = await failureOf(ask(accessWith(['a'], { baseUrl, operatorKey: true })).response);
      expect(error).toMatchObject({ code: 'model_base_url_refused', terminal: true });
    }
    expect([gateway.received, asked()]).toEqual([[], []]);
  });

  it('is refused where its name resolves to a private address, before or after the first call', async () => {
    const gateway = await startScriptedApi(byKey({}));
    open.push(gateway);
    const answers = [['127.0.0.1'], ['127.0.0.2'], ['8.8.8.8', '169.254.169.254']];
    const lookup = (): Promise<string[]> => Promise.resolve(answers.shift() ?? ['10.0.0.1']);
    const { ask } = await setUp({}, { egress: { allow: ['127.0.0.1'], lookup } });
    const at = (): ModelAccess =>
      accessWith(['a'], { baseUrl: `http://gateway.example:${new URL(gateway.url).port}` });
    await ask(at()).response;
    // The next ones need a connection of their own while one is taken.
    const results = await Promise.allSettled([1, 2, 3].map(() => ask(at()).response));
    const refused = results.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThanOrEqual(2);
    for (const { reason } of refused as PromiseRejectedResult[]) {
      expect(reason).toMatchObject({ code: 'model_base_url_refused' });
    }
    expect(gateway.received.length).toBeLessThanOrEqual(2);
  });

  it('cannot redirect a key', async () => {
    const elsewhere = await startScriptedApi(byKey({}));
    const gateway = await startScriptedApi(() => ({
      status: 307,
      headers: { location: `${elsewhere.url}/v1/messages` },
    }));
    open.push(elsewhere, gateway);
    const { ask } = await setUp({}, LOOPBACK);
    const { response } = ask(accessWith(['a'], { baseUrl: gateway.url }));
    expect(await failureOf(response)).toMatchObject({ terminal: true });
    expect(elsewhere.received).toEqual([]);
  });

  it('that stops inside the stream times out, and is called again', async () => {
    const half = textMessage('Hal').split('event: content_block_stop')[0] ?? '';
    let times = 0;
    const gateway = await startScriptedApi(() =>
      times++ === 0 ? { body: half, after: 'hang' } : { body: textMessage('Hello.') },
    );
    open.push(gateway);
    const { ask } = await setUp(
      {},
      {
        ...LOOPBACK,
        retryBudget: { take: () => true, deposit: () => undefined },
        limits: { idleTimeoutMs: 200 },
      },
    );
    const { response, shown } = ask(accessWith(['a'], { baseUrl: gateway.url }));
    expect(await response).toMatchObject({ attempts: 2 });
    expect(shown).toEqual(['Hal', '<restart>', 'Hello.']);
  });

  it('that cannot be reached opens the circuit breaker', async () => {
    const gateway = await startScriptedApi(byKey({}));
    await gateway.close();
    const { ask } = await setUp({}, { ...LOOPBACK, limits: { maxAttempts: 1 } });
    const { response } = ask(accessWith(['a'], { baseUrl: gateway.url }));
    expect(await failureOf(response)).toMatchObject({ code: 'model_unavailable', terminal: false });
  });
});
