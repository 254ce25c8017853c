import { createContext, runInContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { OutcomeUnknownError } from '@turnpike/contract';
import { hideValue } from './hidden-values.ts';
import { redact } from './redact.ts';
import { Secret } from './secret.ts';

const HIDDEN = 'hunter22-hunter22';
hideValue(HIDDEN);

test.each([
  'authorization',
  'Authorization',
  'Proxy-Authorization',
  'x-authorization',
  'cookie',
  'Set-Cookie',
  'signature',
  'webhook-signature',
  'token',
  'accessToken',
  'access_token',
  'refresh_token',
  'id-token',
  'X-Amz-Security-Token',
  'auth_token_v2',
  'password',
  'PASSWORD',
  'db_password_old',
  'passwd',
  'passphrase',
  'secret',
  'clientSecret',
  'webhook_secret',
  'apiKey',
  'api_key',
  'x-api-key',
  'ANTHROPIC_API_KEY',
  'privateKey',
  'private-key',
  'signing_key',
  'encryptionKey',
  'master_key',
  'credential',
  'credentials',
])('a field named %s is hidden, whatever its value', (name) => {
  for (const value of ['plain words', 4711, null, { inner: 'plain words' }, ['plain words']]) {
    expect(redact({ [name]: value })).toEqual({ [name]: '[secret]' });
  }
});

test.each([
  'input_tokens',
  'tokens',
  'max_tokens',
  'author',
  'key',
  'keyboard',
  'idempotency_key',
  'path',
  'session_id',
  'secure',
])('a field named %s is shown', (name) => {
  expect(redact({ [name]: 'plain words' })).toEqual({ [name]: 'plain words' });
});

test('names and values are hidden at every depth that is shown', () => {
  const nested = (inner: unknown): unknown => ({ a: [[{ b: inner }]] });
  expect(redact(nested({ password: 'plain words' }))).toEqual(nested({ password: '[secret]' }));
  expect(redact(nested(`so: ${HIDDEN}`))).toEqual(nested('so: [secret]'));
  expect(redact([[[[[HIDDEN]]]]])).toEqual([[[[['[secret]']]]]]);
  expect(redact([[[[[[[HIDDEN]]]]]]])).toEqual([[[[[['[deeper]']]]]]]);
});

test('a secret is hidden also where it is the name of a field', () => {
  expect(redact({ [HIDDEN]: 1, [`a ${HIDDEN}`]: { [HIDDEN]: 2 } })).toEqual({
    '[secret]': 1,
    'a [secret]': { '[secret]': 2 },
  });
});

test('maps, sets and objects with toJSON are redacted too', () => {
  const own = { toJSON: () => ({ password: 'plain words', text: HIDDEN }) };
  expect(
    redact(
      new Map<unknown, unknown>([
        ['password', 'plain words'],
        ['a', HIDDEN],
        [new Secret(HIDDEN), 1],
      ]),
    ),
  ).toEqual({
    password: '[secret]',
    a: '[secret]',
    '[secret]': '[secret]',
  });
  expect(redact(new Set([HIDDEN, { token: 'plain words' }]))).toEqual(['[secret]', { token: '[secret]' }]);
  expect(redact(own)).toEqual({ password: '[secret]', text: '[secret]' });
  expect(redact(new URL(`https://me:plain@a.example/?q=${HIDDEN}`))).toBe(
    'https://me:[secret]@a.example/?q=[secret]',
  );
  expect(redact({ it: new Secret('plain words') })).toEqual({ it: '[secret]' });
});

test('an error shows only its name, code, message, stack and causes', () => {
  const inner = Object.assign(new TypeError(`inner ${HIDDEN}`), {
    code: 'E_INNER',
    request: { body: 'plain words' },
  });
  const outer = Object.assign(new Error(`outer ${HIDDEN}`, { cause: inner }), {
    headers: { a: 'plain words' },
  });
  const shown = redact({ error: outer });
  expect(shown).toMatchObject({
    error: {
      name: 'Error',
      message: 'outer [secret]',
      cause: { name: 'TypeError', code: 'E_INNER', message: 'inner [secret]' },
    },
  });
  expect(JSON.stringify(shown)).not.toMatch(/hunter22|plain words/);
  expect(JSON.stringify(shown)).toContain('redact.test');
});

test('the fields of a cause that is not an error are redacted too', () => {
  const failure = new Error('it failed', {
    cause: { headers: { authorization: 'plain words' }, list: [[HIDDEN]] },
  });
  expect(redact(failure)).toMatchObject({
    cause: { headers: { authorization: '[secret]' }, list: [['[secret]']] },
  });
});

test('an error of Turnpike has no stack', () => {
  const shown = redact(new OutcomeUnknownError('connection_lost', 'It is gone.'));
  expect(shown).toEqual({ name: 'OutcomeUnknownError', code: 'connection_lost', message: 'It is gone.' });
});

test('an error of another realm is treated as an error', () => {
  const foreign: unknown = runInContext(
    `Object.assign(new Error('far ${HIDDEN}'), { body: 'plain words' })`,
    createContext(),
  );
  const shown = redact(foreign);
  expect(shown).toMatchObject({ name: 'Error', message: 'far [secret]' });
  expect(shown).not.toHaveProperty('body');
});

test('an error with a strange name, message, stack or code is still redacted', () => {
  const strange = Object.assign(new Error('plain'), {
    name: `E ${HIDDEN}`,
    code: { token: 'plain words' },
    stack: [HIDDEN],
  });
  expect(redact(strange)).toEqual({
    name: 'E [secret]',
    code: { token: '[secret]' },
    message: 'plain',
    stack: ['[secret]'],
  });
  const broken = new Error('plain');
  Object.defineProperty(broken, 'message', {
    get() {
      throw new Error(HIDDEN);
    },
  });
  expect(redact(broken)).toMatchObject({ name: 'Error', message: '[unreadable]' });
});

test('a cycle is cut, and a shared value is shown each time', () => {
  const cycle: Record<string, unknown> = { a: 1 };
  cycle['self'] = cycle;
  cycle['list'] = [cycle];
  expect(redact(cycle)).toEqual({ a: 1, self: '[circular]', list: ['[circular]'] });
  const failure = new Error('round');
  failure.cause = failure;
  expect(redact(failure)).toMatchObject({ message: 'round', cause: '[circular]' });
  const shared = { b: 2 };
  expect(redact([shared, shared])).toEqual([{ b: 2 }, { b: 2 }]);
});

test('a field that cannot be read does not hide the others', () => {
  const value = {
    before: 1,
    get broken() {
      throw new Error(HIDDEN);
    },
    after: 2,
    deep: {
      toJSON() {
        throw new Error(HIDDEN);
      },
    },
  };
  expect(redact(value)).toEqual({ before: 1, broken: '[unreadable]', after: 2, deep: '[unreadable]' });
});

test('it never throws, whatever its input', () => {
  const traps = new Proxy(
    {},
    {
      get: (_target, trap) => () => {
        throw new Error(String(trap));
      },
    },
  );
  const revoked = Proxy.revocable([], {});
  revoked.revoke();
  const strange = [
    new Proxy({}, traps),
    revoked.proxy,
    Object.create(null),
    new Date(NaN),
    10n,
    Symbol('a'),
    () => 1,
    undefined,
    null,
    NaN,
    new WeakMap(),
    Promise.resolve(),
    new Map([[Object.create(null), 1]]),
    JSON.parse('{"__proto__":{"a":1}}'),
  ];
  for (const value of strange) {
    expect(() => JSON.stringify([redact(value), redact({ value }), redact([value])])).not.toThrow();
  }
  expect(redact(new Proxy({}, traps))).toBe('[unreadable]');
});

test('bytes are counted, not shown', () => {
  expect(
    redact({ a: Buffer.from(HIDDEN), b: new Uint16Array(3), c: new DataView(new ArrayBuffer(5)) }),
  ).toEqual({
    a: '[17 bytes]',
    b: '[6 bytes]',
    c: '[5 bytes]',
  });
});

test('a long text is truncated, and a secret at its end is hidden whole', () => {
  const text = `${'x'.repeat(3_995)}${HIDDEN}${'y'.repeat(10)}`;
  const shown = redact(text);
  expect(shown).toBe(`${'x'.repeat(3_995)}[secr [truncated: 4000 of 4013 characters]`);
});

test('a wide, deep or shared value is bounded as a whole', () => {
  let value: unknown = 'x'.repeat(10_000);
  for (let level = 0; level < 8; level += 1) value = Array.from({ length: 100 }, () => value);
  expect(JSON.stringify(redact(value)).length).toBeLessThan(30_000_000);
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_none, index) => [`f${index}`, index]));
  expect(Object.keys(redact(wide) as object)).toHaveLength(50);
});
