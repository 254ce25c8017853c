const DAY_MS = 24 * 60 * 60 * 1000;

export const ODD_TEXTS = [
  '',
  '\n\n',
  '\0',
  '\0',
  'a\0b',
  '\ud800',
  '😀\uFFFD\u2028\u202E',
  "' OR 1=1; --",
  '%00',
  '__proto__',
  'constructor',
  '-1',
  'x'.repeat(300),
  'ü'.repeat(40_000),
] as const;

export const ODD_NUMBERS = [
  0,
  -0,
  -1,
  0.5,
  1e-320,
  1,
  2,
  100,
  101,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31) - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
  -(2 ** 63),
  1e308,
] as const;

/** Dates, and texts that look like dates. */
export const ODD_DAYS = [
  '0000-01-01',
  '0001-01-01',
  '0001-01-29',
  '1969-12-31',
  '1970-01-01',
  '2000-02-29',
  '2023-02-29',
  '2026-13-01',
  '9999-12-31',
  '10000-01-01',
  '-0001-01-01',
  '20260101',
] as const;

/** Times with an offset, and texts that look like times; tomorrow's can be scheduled. */
export const ODD_MOMENTS = [
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00Z',
  '0001-01-01T00:00:00+23:59',
  '1969-12-31T23:59:59Z',
  '1970-01-01T00:00:00+14:00',
  '9999-12-31T23:59:59.999Z',
  '9999-12-31T23:59:59-23:59',
  '2026-12-31T23:59:60Z',
  '2026-02-30T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T00:00:00',
  '+010000-01-01T00:00:00Z',
  ...['+15:59', '+16:00', '-16:00', '+23:59', '-23:59', '+24:00', '-00:00'].map((offset) =>
    new Date(Date.now() + DAY_MS).toISOString().replace('Z', offset),
  ),
  new Date(Date.now() + DAY_MS).toISOString().replace('Z', '123456789Z'),
] as const;

const nested = (open: string, close: string, levels: number): string =>
  `${open.repeat(levels)}1${close.repeat(levels)}`;

/** JSON that `JSON.stringify` never writes. */
export const ODD_JSON = [
  '1e400',
  '-1e400',
  '123456789012345678901234567890',
  '0.1234567890123456789',
  '{"__proto__":"x"}',
  '{"a":{"__proto__":{"b":1}}}',
  '{"constructor":{"prototype":{}}}',
  '{"toString":"x","hasOwnProperty":"y"}',
  '{"":""}',
  '{"a":1,"a":2}',
  '{"a\\u0000":1}',
  '"\\ud800"',
  nested('[', ']', 50),
  nested('[', ']', 5_000),
  nested('[', ']', 100_000),
  nested('{"a":', '}', 5_000),
  nested('{"type":"object","properties":{"a":', '}}', 2_000),
  nested('{"type":"object","not":', '}', 6_000),
  `[${'1,'.repeat(20_000)}1]`,
  `[${'{},'.repeat(1_000)}{}]`,
] as const;

/** Values of headers, by their name in lower case. */
export const ODD_HEADERS: Record<string, readonly [string, ...string[]]> = {
  'idempotency-key': [
    '',
    '""',
    'shared',
    '"shared"',
    'a b',
    'k'.repeat(255),
    'k'.repeat(256),
    'schl\xfcssel',
    'a,b',
  ],
  'last-event-id': [
    '',
    '0',
    '-1',
    '1.1',
    '0.0',
    'x',
    '1e3',
    '999999999',
    '9999999999',
    '9'.repeat(300),
    '1.1.1',
  ],
  prefer: [
    'wait=0',
    'wait=1',
    'wait=99999999999',
    'wait=-1',
    'wait',
    'respond-async, wait="1"',
    '='.repeat(500),
  ],
  traceparent: [
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    '00-00000000000000000000000000000000-0000000000000000-00',
    'ff-x',
    'x'.repeat(2_000),
  ],
  accept: ['text/event-stream', 'application/json, text/event-stream', '*/*', 'x', ''],
  'content-type': ['application/json; charset=utf-16', 'text/plain', 'application/json;charset', 'x', ''],
  'content-encoding': ['gzip', 'br', 'deflate', 'zip', 'identity'],
};

/** Parts of a path, already encoded. */
export const ODD_IN_ADDRESS = [
  '%',
  '%00',
  '%ff',
  '%ed%a0%80',
  '%c0%80',
  '..%2f..',
  '%0d%0a',
  '+',
  '1e1',
  '0x10',
] as const;
