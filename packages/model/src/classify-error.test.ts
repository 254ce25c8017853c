import { APIConnectionError, APIConnectionTimeoutError, APIError } from '@anthropic-ai/sdk';
import { describe, expect, it } from '@jest/globals';
import { classifyError } from './classify-error.ts';
import { MAX_RETRY_AFTER_MS } from './retry-after.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

interface Said {
  type?: string;
  message?: string;
  headers?: Record<string, string>;
  details?: object;
}

function answered(status: number | undefined, said: Said = {}) {
  const { type = 'some_error', message = 'Words.', headers = {}, details } = said;
  const body = { type: 'error', error: { type, message, ...(details && { details }) } };
  const error = new APIError(status, body, undefined, new Headers(headers));
  return classifyError(error, { now: NOW });
}

describe('an error response', () => {
  it.each([
    [408, 'model_timeout'],
    [409, 'model_unavailable'],
    [429, 'model_rate_limited'],
    [500, 'model_unavailable'],
    [502, 'model_unavailable'],
    [503, 'model_unavailable'],
    [504, 'model_timeout'],
    [529, 'model_overloaded'],
  ])('with status %i may be retried: %s', (status, code) => {
    expect(answered(status)).toMatchObject({ status, code, terminal: false });
  });

  it.each([
    [302, 'model_rejected_request'],
    [400, 'model_rejected_request'],
    [401, 'model_authentication'],
    [402, 'model_billing'],
    [403, 'model_permission'],
    [404, 'model_not_found'],
    [413, 'model_request_too_large'],
    [422, 'model_rejected_request'],
  ])('with status %i is terminal: %s', (status, code) => {
    expect(answered(status)).toMatchObject({ status, code, terminal: true });
  });

  it('about a prompt that is too long has its own code', () => {
    const message = 'prompt is too long: 210000 tokens > 200000 maximum';
    expect(answered(400, { type: 'invalid_request_error', message })).toMatchObject({
      code: 'model_context_window_exceeded',
      terminal: true,
    });
  });

  it.each([
    [429, { details: { error_code: 'enforced_spend_limit_reached' } }],
    [429, { details: { error_code: 'contract_spend_limit_reached' }, headers: { 'retry-after': '9' } }],
    [429, { message: 'You reached the spend limit of your workspace.' }],
    [400, { message: 'Your credit balance is too low to access the API.' }],
    [400, { message: 'You have reached your specified API usage limits.' }],
  ])('%i that names a spend limit is terminal', (status, said) => {
    expect(answered(status, said)).toMatchObject({ code: 'model_spend_limit', terminal: true });
  });

  it('that names a spend limit and has a retry-after may be retried', () => {
    const said = { message: 'Spend limit of this minute.', headers: { 'retry-after': '20' } };
    expect(answered(429, said)).toMatchObject({ code: 'model_rate_limited', retryAfterMs: 20_000 });
  });

  it('is terminal or not as x-should-retry says', () => {
    expect(answered(500, { headers: { 'x-should-retry': 'false' } })).toMatchObject({ terminal: true });
    expect(answered(400, { headers: { 'x-should-retry': 'true' } })).toMatchObject({ terminal: false });
  });
});

describe('an error event inside a stream', () => {
  it.each([
    ['overloaded_error', 'model_overloaded', false],
    ['api_error', 'model_unavailable', false],
    ['rate_limit_error', 'model_rate_limited', false],
    ['timeout_error', 'model_timeout', false],
    ['an_error_of_tomorrow', 'model_unavailable', false],
    ['invalid_request_error', 'model_rejected_request', true],
    ['authentication_error', 'model_authentication', true],
    ['permission_error', 'model_permission', true],
    ['not_found_error', 'model_not_found', true],
    ['request_too_large', 'model_request_too_large', true],
    ['billing_error', 'model_billing', true],
  ])('%s is %s, terminal: %s', (type, code, terminal) => {
    expect(answered(undefined, { type })).toMatchObject({ code, terminal, status: undefined });
  });

  it('that is not JSON may be retried', () => {
    const error = new APIError(undefined, 'upstream gone' as unknown as object, undefined, new Headers());
    expect(classifyError(error)).toMatchObject({ code: 'model_unavailable', terminal: false });
  });
});

describe('a connection that fails', () => {
  it('may be retried, and the message has its code', () => {
    const cause = Object.assign(new Error('fetch failed'), {
      cause: Object.assign(new Error('secret-host'), { code: 'ECONNREFUSED' }),
    });
    expect(classifyError(new APIConnectionError({ cause }))).toMatchObject({
      code: 'model_unavailable',
      terminal: false,
      message: 'The model API could not be reached (ECONNREFUSED).',
    });
    expect(classifyError(new APIConnectionTimeoutError())).toMatchObject({
      code: 'model_timeout',
      terminal: false,
    });
  });

  it.each([
    ['UND_ERR_SOCKET', 'model_stream_cut'],
    ['ECONNRESET', 'model_stream_cut'],
    ['UND_ERR_BODY_TIMEOUT', 'model_timeout'],
  ])('with %s inside a stream is %s', (code, expected) => {
    const error = new TypeError('terminated', { cause: Object.assign(new Error('closed'), { code }) });
    expect(classifyError(error)).toMatchObject({ code: expected, terminal: false });
  });

  it('is not confused with a bug of ours', () => {
    expect(classifyError(new TypeError('x is not a function'))).toBeUndefined();
    expect(classifyError('words')).toBeUndefined();
  });
});

function wait(headers: Record<string, string>): number | undefined {
  return answered(429, { headers })?.retryAfterMs;
}

describe('the time to wait', () => {
  it('is read from retry-after-ms, then from retry-after in seconds or as a date', () => {
    expect(wait({ 'retry-after-ms': '1500.5', 'retry-after': '9' })).toBe(1501);
    expect(wait({ 'retry-after': '9' })).toBe(9000);
    expect(wait({ 'retry-after': '0.25' })).toBe(250);
    expect(wait({ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' })).toBe(30_000);
    expect(wait({ 'retry-after-ms': 'soon', 'retry-after': '3' })).toBe(3000);
  });

  it('is undefined without a retry-after, or with one in the past', () => {
    const none = [{}, { 'retry-after': '0' }, { 'retry-after': '-5' }, { 'retry-after': 'soon' }];
    for (const headers of none) expect(wait(headers as Record<string, string>)).toBeUndefined();
    expect(wait({ 'retry-after': 'Wed, 31 Dec 2025 23:59:00 GMT' })).toBeUndefined();
  });

  it('is never longer than an hour', () => {
    expect(wait({ 'retry-after': '999999999999' })).toBe(MAX_RETRY_AFTER_MS);
    expect(wait({ 'retry-after': 'Fri, 01 Jan 2100 00:00:00 GMT' })).toBe(MAX_RETRY_AFTER_MS);
  });

  it('is undefined for a terminal failure', () => {
    expect(answered(401, { headers: { 'retry-after': '9' } })?.retryAfterMs).toBeUndefined();
  });
});

describe('the message of a failure', () => {
  it("is the API's message on one line of at most 500 characters", () => {
    expect(answered(400, { message: 'a\n  b' })?.message).toBe('a b');
    const long = answered(400, { message: 'word '.repeat(10_000) })?.message ?? '';
    expect(long.length).toBe(500);
  });

  it.each([
    'sk-ant-api03-abcdefghijkl',
    'Bearer abc.def.ghi',
    'key_0123456789abcdef',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'A1b2C3d4E5f6A1b2C3d4E5f6A1b2C3d4E5f6A1b2C3d4E5f6',
  ])('never contains text that looks like the key %s', (key) => {
    const message = answered(401, { message: `bad key ${key}, sorry` })?.message;
    expect(message).not.toContain(key.split(' ').at(-1));
    expect(message).toContain('bad key [secret]');
  });

  it('is our own where the API has none', () => {
    const error = new APIError(500, undefined, undefined, new Headers());
    expect(classifyError(error)?.message).toBe('The model API responded with 500.');
  });

  it('names the request, from the header or the body', () => {
    expect(answered(500, { headers: { 'request-id': 'req_1' } })?.providerRequestId).toBe('req_1');
    const body = { error: { type: 'api_error', message: 'x' }, request_id: 'req_2' };
    const error = new APIError(undefined, body, undefined, new Headers());
    expect(classifyError(error)?.providerRequestId).toBe('req_2');
  });
});
