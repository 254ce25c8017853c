import { Writable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { createLogger, silentLogger, type LogFields, type LoggerSettings } from './logger.ts';
import { Secret } from './secret.ts';

function recording(settings: Partial<LoggerSettings> = {}) {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const logger = createLogger({ service: 'trial', level: 'debug', format: 'json', stream, ...settings });
  const lines = (): string[] => text.split('\n').slice(0, -1);
  return { logger, lines, entries: () => lines().map((line) => JSON.parse(line) as LogFields) };
}

test('an entry is one line of JSON with its time, level, message, service and fields', () => {
  const { logger, entries } = recording();
  logger.warn('it is late', { turn_id: 'turn_1', deep: { list: [1, 'a'] } });
  expect(entries()).toEqual([
    {
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      level: 'warn',
      message: 'it is late',
      service: 'trial',
      turn_id: 'turn_1',
      deep: { list: [1, 'a'] },
    },
  ]);
});

test('an entry is one line, whatever its fields contain', () => {
  const { logger, lines, entries } = recording();
  const cycle: LogFields = { a: 1 };
  cycle['self'] = cycle;
  const revoked = Proxy.revocable<LogFields>({}, {});
  revoked.revoke();
  const strange: LogFields[] = [
    cycle,
    { text: 'two\nlines\r\nand\u2028more' },
    { huge: 'x'.repeat(2_000_000) },
    { wide: Array.from({ length: 200_000 }, (_none, index) => index) },
    { big: 10n, symbol: Symbol('a'), call: () => 1, nothing: undefined, nan: NaN, half: '\ud800' },
    {
      get broken(): unknown {
        throw new Error('no');
      },
    },
    {
      toJSON() {
        throw new Error('no');
      },
    },
    { toJSON: () => 'a text' },
    { toJSON: () => null },
    revoked.proxy,
    new Error('an error for fields') as unknown as LogFields,
    JSON.parse('{"__proto__": {"level": "debug"}}') as LogFields,
    { error: new Error('outer', { cause: new Error('inner') }) },
  ];
  for (const fields of strange) {
    logger.info('an entry', fields);
    logger.child(fields).info('a child’s entry', fields);
  }
  expect(lines()).toHaveLength(strange.length * 2);
  for (const entry of entries()) expect(entry).toMatchObject({ level: 'info', service: 'trial' });
});

test('a field that cannot be read does not hide the others', () => {
  const { logger, entries } = recording();
  const fields = {
    get broken(): unknown {
      throw new Error('no');
    },
    turn_id: 'turn_1',
  };
  logger.child(fields).error('it failed', { step: 3 });
  expect(entries()).toMatchObject([{ broken: '[unreadable]', turn_id: 'turn_1', step: 3 }]);
});

test('no field replaces the time, the level or the message of an entry', () => {
  const { logger, entries } = recording();
  logger.error('the message', { time: 'never', level: 'debug', message: 'another' });
  expect(entries()).toMatchObject([
    { level: 'error', message: 'the message', time: expect.stringMatching(/^\d/) },
  ]);
});

test('a child’s entries have its fields and its parent’s; its own win', () => {
  const { logger, entries } = recording();
  const child = logger.child({ a: 1, b: 1, c: 1 }).child({ b: 2, c: 2 });
  child.info('hello', { c: 3 });
  logger.info('bye');
  expect(entries()[0]).toMatchObject({ service: 'trial', a: 1, b: 2, c: 3 });
  expect(entries()[1]).not.toHaveProperty('a');
});

test.each(['json', 'pretty'] as const)(
  'as %s, no line contains a secret: not in the message, a field, a name or an error',
  (format) => {
    const { logger, lines } = recording({ format });
    const secret = new Secret('swordfish "4711"');
    const value = secret.reveal();
    const late = new Secret('known-only-later');
    const child = logger.child({ value, password: 'plain words', late: late.reveal() });
    child.info(`a ${value} b`, {
      secret,
      [value]: 1,
      list: [[{ token: 'plain words', encoded: encodeURIComponent(value) }]],
      error: new Error(value, { cause: new Error(JSON.stringify(value)) }),
    });
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).not.toMatch(/swordfish|4711|plain words|known-only-later/);
  },
);

test('a value that becomes a secret after a child was made is hidden in the child’s entries', () => {
  const { logger, lines } = recording();
  const child = logger.child({ text: 'not-yet-a-secret' });
  void new Secret('not-yet-a-secret');
  child.info('hello');
  expect(lines()[0]).not.toContain('not-yet-a-secret');
});

test('entries below the level are not written', () => {
  const { logger, entries } = recording({ level: 'warn' });
  for (const level of ['debug', 'info', 'warn', 'error'] as const) logger[level](level);
  expect(entries().map((entry) => entry['message'])).toEqual(['warn', 'error']);
});

test('many entries at once are all written, in order', () => {
  const { logger, entries } = recording();
  for (let index = 0; index < 2_000; index += 1) logger.info(`entry ${index}`);
  expect(entries().map((entry) => entry['message'])).toEqual(
    Array.from({ length: 2_000 }, (_none, index) => `entry ${index}`),
  );
});

test('in the pretty format an entry is one short line', () => {
  const { logger, lines } = recording({ format: 'pretty' });
  logger.info('hello', { a: 1 });
  logger.info('bye');
  expect(lines()[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}trial: hello \{"a":1\}$/);
  expect(lines()[1]).toMatch(/trial: bye$/);
});

test('the silent logger writes nothing, and neither do its children', () => {
  expect(silentLogger.child({ a: 1 })).toBe(silentLogger);
  expect(() => silentLogger.error('a', { b: 1 })).not.toThrow();
});
