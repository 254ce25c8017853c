import { inspect } from 'node:util';
import { expect, test } from '@jest/globals';
import { checkDestination } from './check-destination.ts';
import { EgressRefusedError } from './errors.ts';
import { type EgressPolicy, parsePolicy } from './policy.ts';

function codeOf(url: string, policy: EgressPolicy = {}): string {
  try {
    checkDestination(url, parsePolicy(policy));
    return 'passed';
  } catch (error) {
    return error instanceof EgressRefusedError ? error.code : String(error);
  }
}

test.each([
  ['', 'url_refused'],
  ['example.com', 'url_refused'],
  ['//example.com', 'url_refused'],
  ['http://', 'url_refused'],
  ['http://a b/', 'url_refused'],
  ['http://[::1', 'url_refused'],
  ['http://[fe80::1%25eth0]/', 'url_refused'],
  ['http://1.2.3.4.5/', 'url_refused'],
  ['http://256.256.256.256/', 'url_refused'],
  ['http://example.com:65536/', 'url_refused'],
  ['file:///etc/passwd', 'scheme_refused'],
  ['ftp://example.com', 'scheme_refused'],
  ['gopher://example.com:80/_GET', 'scheme_refused'],
  ['ws://example.com', 'scheme_refused'],
  ['data:text/plain,a', 'scheme_refused'],
  ['javascript:alert(1)', 'scheme_refused'],
  ['blob:http://example.com/a', 'scheme_refused'],
  ['unix:/var/run/docker.sock', 'scheme_refused'],
  ['http+unix://%2Fvar%2Frun/', 'scheme_refused'],
  ['http://user@example.com', 'credentials_refused'],
  ['http://user:pass@example.com', 'credentials_refused'],
  ['http://:pass@example.com', 'credentials_refused'],
  ['http://example.com@127.0.0.1/', 'credentials_refused'],
  ['http://example.com:0/', 'port_refused'],
  ['http://example.com:22/', 'port_refused'],
  ['http://example.com:25/', 'port_refused'],
  ['http://example.com:1023/', 'port_refused'],
  ['http://example.com:6000/', 'port_refused'],
  ['http://example.com:6667/', 'port_refused'],
  ['http://example.com:10080/', 'port_refused'],
  ['http://example.com', 'passed'],
  ['HTTPS://EXAMPLE.COM', 'passed'],
  ['https://example.com:80/', 'passed'],
  ['http://example.com:1024/', 'passed'],
  ['http://example.com:65535/', 'passed'],
  ['https://8.8.8.8/', 'passed'],
  ['https://[2606:4700:4700::1111]/', 'passed'],
])('%s: %s', (url, code) => {
  expect(codeOf(url)).toBe(code);
});

test.each([
  'http://127.0.0.1',
  'http://127.0.0.1./',
  'http://127.1',
  'http://127.0.1',
  'http://2130706433',
  'http://0x7f000001',
  'http://0x7F.0.0.0x1',
  'http://0x7f.1',
  'http://017700000001',
  'http://0177.0.0.1',
  'http://0177.0.0.01',
  'http://00000000177.1',
  'http://127.0.0.1%2e/',
  'http://%31%32%37.0.0.1/',
  'http://127。0。0。1/',
  'http://127．0．0．1/',
  'http://１２７.0.0.1/',
  'http://①②⑦.⓪.⓪.①/',
  'http://1\t27.0.0.1/',
  'http:\\\\127.0.0.1\\',
  'http:127.0.0.1',
  'http:/127.0.0.1',
  'http://0',
  'http://0.0.0.0',
  'http://0x0',
  'http://10.1',
  'http://167772161',
  'http://012.0.0.1',
  'http://0xa.0.0.1',
  'http://172.16.1',
  'http://192.168.257',
  'http://3232235777',
  'http://0300.0250.1.1',
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/latest/meta-data/',
  'http://0xa9fea9fe/',
  'http://0xA9.0xFE.0xA9.0xFE/',
  'http://0251.0376.0251.0376/',
  'http://169.254.43518/',
  'http://169.16689662/',
  'http://100.64.0.1',
  'http://100.100.100.200/',
  'http://255.255.255.255',
  'http://4294967295',
  'http://224.0.0.1',
  'http://168.63.129.16/',
  'http://[::]',
  'http://[::1]',
  'http://[0:0:0:0:0:0:0:1]',
  'http://[::ffff:127.0.0.1]',
  'http://[::ffff:7f00:1]',
  'http://[::ffff:a9fe:a9fe]',
  'http://[0:0:0:0:0:FFFF:10.0.0.1]',
  'http://[::ffff:8.8.8.8]',
  'http://[::127.0.0.1]',
  'http://[::ffff:0:127.0.0.1]',
  'http://[64:ff9b::169.254.169.254]',
  'http://[64:ff9b::7f00:1]',
  'http://[64:ff9b:1::a00:1]',
  'http://[2002:7f00:1::]',
  'http://[2002:a9fe:a9fe::]',
  'http://[2001:0:7f00:1::]',
  'http://[fe80::1]',
  'http://[fec0::1]',
  'http://[fc00::1]',
  'http://[fd00:ec2::254]',
  'http://[ff02::1]',
  'http://[2001:db8::1]',
])('%s is refused without a look-up', (url) => {
  expect(codeOf(url)).toBe('address_refused');
});

test('a stricter policy refuses what the default policy allows', () => {
  expect(codeOf('http://example.com', { schemes: ['https'] })).toBe('scheme_refused');
  expect(codeOf('https://example.com', { schemes: ['https'] })).toBe('passed');
  expect(codeOf('https://example.com:8443', { ports: [443] })).toBe('port_refused');
  expect(codeOf('https://example.com:22', { ports: [22] })).toBe('passed');
  expect(codeOf('https://8.8.8.8', { deny: ['8.8.8.0/24'] })).toBe('address_refused');
});

test('the allow-list allows what it names and nothing else', () => {
  const policy = { allow: ['127.0.0.1:4010', 'dev.internal:22', '10.0.0.0/8'] };
  expect(codeOf('http://127.0.0.1:4010', policy)).toBe('passed');
  expect(codeOf('http://2130706433:4010', policy)).toBe('passed');
  expect(codeOf('http://[::ffff:127.0.0.1]:4010', policy)).toBe('passed');
  expect(codeOf('http://127.0.0.1:4011', policy)).toBe('address_refused');
  expect(codeOf('http://127.0.0.2:4010', policy)).toBe('address_refused');
  expect(codeOf('http://dev.internal:22', policy)).toBe('passed');
  expect(codeOf('http://dev.internal.:22', policy)).toBe('passed');
  expect(codeOf('http://dev.internal:23', policy)).toBe('port_refused');
  expect(codeOf('http://10.9.9.9:22', policy)).toBe('passed');
  expect(codeOf('http://10.9.9.9:22', { ...policy, deny: ['10.9.0.0/16'] })).toBe('address_refused');
});

test('without a port, the default port of the scheme applies', () => {
  expect(checkDestination('https://a.example', parsePolicy({}))).toMatchObject({
    host: 'a.example',
    port: 443,
  });
  expect(checkDestination('http://[2606:4700::1]', parsePolicy({}))).toMatchObject({
    host: '2606:4700::1',
    port: 80,
  });
});

test('a refusal never contains the URL’s path, query, fragment or credentials', () => {
  const urls = [
    'http://127.0.0.1',
    'ftp://a.example',
    'http://a.example:22',
    'http://me:hunter22@a.example',
    'http://a b',
  ];
  for (const url of urls) {
    let refusal: unknown;
    try {
      checkDestination(`${url}/hunter22?key=hunter22#hunter22`, parsePolicy({}));
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(EgressRefusedError);
    expect(inspect(refusal, { depth: 20, showHidden: true })).not.toContain('hunter22');
  }
});
