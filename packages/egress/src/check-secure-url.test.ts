import { expect, test } from '@jest/globals';
import { createSecureUrlCheck } from './check-secure-url.ts';
import { EgressRefusedError } from './errors.ts';

const check = createSecureUrlCheck({ allow: ['127.0.0.1', 'dev.internal:4010', '10.0.0.0/8'] });

test.each([
  'https://example.com/hook?x=1',
  'https://example.com:8443/',
  'https://127.0.0.1/',
  'http://127.0.0.1:4010/',
  'http://10.1.2.3/',
  'http://dev.internal:4010/',
  'http://localhost:4010/',
])('%s is accepted', (url) => {
  expect(() => check(url)).not.toThrow();
});

test.each([
  ['http://example.com/', 'scheme_refused'],
  ['http://dev.internal:4011/', 'scheme_refused'],
  ['http://127.0.0.1.example.com/', 'scheme_refused'],
  ['ftp://127.0.0.1/', 'scheme_refused'],
  ['https://user@example.com/', 'credentials_refused'],
  ['https://192.168.0.1/', 'address_refused'],
  ['https://0x7f.2/', 'address_refused'],
  ['https://0177.0.0.2/', 'address_refused'],
  ['https://[::ffff:a9fe:a9fe]/', 'address_refused'],
  ['https://example.com:25/', 'port_refused'],
  ['nonsense', 'url_refused'],
])('%s is refused: %s', (url, code) => {
  let refusal: unknown;
  try {
    check(url);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(EgressRefusedError);
  expect(refusal).toMatchObject({ code });
});

test.each(['https://localhost/', 'https://LOCALHOST./', 'https://a.localhost:8443/', 'http://localhost/'])(
  '%s is this machine: it is refused unless the operator allows it',
  (url) => {
    expect(() => createSecureUrlCheck({})(url)).toThrow(expect.objectContaining({ code: 'address_refused' }));
    expect(() => check(url)).not.toThrow();
    expect(() => createSecureUrlCheck({ allow: ['::1'] })(url)).not.toThrow();
  },
);
