import { describe, expect, it, test } from '@jest/globals';
import { inexactNumbers, parseExact, parseForDisplay, stringifyExact } from './exact-json.ts';
import { storableJsonText } from './storable-text.ts';
import { invalidInputReason } from './tool-input.ts';
import { requestedCall, invalidCallReason, countInvalidRounds, setInput, storedBlock } from './tool-use.ts';

describe('a JSON text whose numbers JavaScript cannot hold', () => {
  it.each([
    '1e400',
    '-1e400',
    '1e-400',
    '2512292042121000001',
    '0.1234567890123456789',
    '9007199254740993',
    '1.5e9999999999',
  ])('has %s, which is written again as it was read', (number) => {
    const text = `{"a":[${number},1],"b":"${number}"}`;
    expect(inexactNumbers(text)).toEqual([number]);
    expect(stringifyExact(parseExact(text))).toBe(text);
    expect(parseForDisplay(text)).toEqual({ a: [number, 1], b: number });
  });

  it.each([
    '0',
    '-0',
    '0e999',
    '1.0',
    '1E2',
    '0.1',
    '5e-324',
    '9007199254740992',
    '100000000000000000000000',
    '1.7976931348623157e308',
  ])('is none for %s, however that is written', (number) =>
    expect(inexactNumbers(`[${number}]`)).toEqual([]),
  );

  it('is not changed where a string looks like a number, or like what marks one', () => {
    const text = String.raw`{"1e400":"1e400","a":"\\u00001e400","b":"\"","c":"\\\" 1e400"}`;
    expect(inexactNumbers(text)).toEqual([]);
    expect(stringifyExact(parseExact(text))).toBe(text);
  });

  it('is looked through in time that grows with its length alone', () => {
    const long = `[1${'0'.repeat(200_000)}1,${'"\\""'.repeat(1)}]`;
    expect(inexactNumbers(long)).toHaveLength(1);
  });
});

test('a text becomes storable without a change to any other character of it', () => {
  const text = String.raw`{"a":"\ud83d\ude00 \ud83d \ude00 \u0000 \\u0000 \\\u0000 \u00e9 \n"}`;
  const clean = String.raw`{"a":"\ud83d\ude00 \ufffd \ufffd \ufffd \\u0000 \\\ufffd \u00e9 \n"}`;
  expect(storableJsonText(text)).toBe(clean);
  expect(storableJsonText('"\ud83d"')).toBe('"\ufffd"');
});

describe('the input of a call', () => {
  it.each([
    ['{"a": nope}', /not valid JSON/],
    ['', /not valid JSON/],
    ['["UTC"]', /not a JSON object/],
    ['null', /not a JSON object/],
    [`{"a":${'['.repeat(200)}${']'.repeat(200)}}`, /nested/],
    [String.raw`{"a":1,"\u0061":2}`, /name "a" twice/],
    ['{"a":{"b":1},"c":[{"b":1},{"b":2}],"b":"b"}', null],
  ])('is one that a tool can be given, or the model is told why not: %s', (text, why) => {
    const fault = invalidInputReason(text);
    if (why === null) expect(fault).toBeNull();
    else expect(fault).toMatch(why);
  });

  it('is kept as a text where its value does not say all of it, and is the same read from either', () => {
    const kept = (text: string) => {
      const block = { type: 'tool_use' as const, id: 'a', name: 'n' };
      setInput(block, text);
      const stored = storedBlock(block);
      return { stored, call: requestedCall({ ...stored, type: 'tool_use' }) };
    };
    expect(kept('{ "a": 1 }').stored).toEqual({ type: 'tool_use', id: 'a', name: 'n', input: { a: 1 } });
    expect(kept('{"a": 1e400}').stored).toMatchObject({ input: { a: '1e400' }, input_text: '{"a": 1e400}' });
    expect(kept('{"a": nope}').stored).toMatchObject({ input: {}, input_text: '{"a": nope}' });
    expect(invalidCallReason(kept('{"a": nope}').call)).toMatch(/not valid JSON/);
    expect(invalidCallReason(kept('{ "a": 1 }').call)).toBeNull();
  });
});

test('a call that lacks anything is a call, and what it lacks is said', () => {
  const whole = { type: 'tool_use' as const, id: 'a', name: 'n', input: {} };
  expect(invalidCallReason(requestedCall(whole))).toBeNull();
  expect(invalidCallReason(requestedCall({ ...whole, id: 5 }))).toMatch(/no id/);
  expect(invalidCallReason(requestedCall({ ...whole, name: '' }))).toMatch(/names no tool/);
  expect(invalidCallReason(requestedCall({ type: 'tool_use', id: 'a', name: 'n' }))).toMatch(/no input/);
});

test('rounds without a call that can be made are counted up to one that has one', () => {
  const good = { type: 'tool_use', id: 'a', name: 'n', input: {} };
  const said = (...content: { type: string }[]) => ({ role: 'assistant' as const, content });
  const user = { role: 'user' as const, content: [] };
  const bad = { ...good, name: '' };
  expect(
    countInvalidRounds([user, said(bad), user, said(good), user, said(bad), user, said(bad, bad), user]),
  ).toBe(2);
  expect(countInvalidRounds([user, said(bad), user, said(bad, good), user])).toBe(0);
  expect(countInvalidRounds([user, said(bad), user, said({ type: 'text' })])).toBe(0);
});
