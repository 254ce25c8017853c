import { describe, expect, it, test } from '@jest/globals';
import { inexactNumbers, parseExact, parseForDisplay, stringifyExact } from './exact-json.ts';
import { storableJsonText } from './storable-text.ts';
import { invalidInputReason } from './tool-input.ts';
import { requestedCall, invalidCallReason, countInvalidRounds, setInput, storedBlock } from './tool-use.ts';

describe('a JSON text with numbers that JavaScript cannot represent', () => {
  it.each([
    '1e400',
    '-1e400',
    '1e-400',
    '2512292042121000001',
    '0.1234567890123456789',
    '9007199254740993',
    '1.5e9999999999',
  ])('keeps %s unchanged when parsed and written again', (number) => {
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
  ])('does not include %s, in any notation', (number) => expect(inexactNumbers(`[${number}]`)).toEqual([]));

  it('keeps strings that look like a number, or like the marker of one', () => {
    const text = String.raw`{"1e400":"1e400","a":"\\u00001e400","b":"\"","c":"\\\" 1e400"}`;
    expect(inexactNumbers(text)).toEqual([]);
    expect(stringifyExact(parseExact(text))).toBe(text);
  });

  it('is scanned in time linear in its length', () => {
    const long = `[1${'0'.repeat(200_000)}1,${'"\\""'.repeat(1)}]`;
    expect(inexactNumbers(long)).toHaveLength(1);
  });
});

test('making a text storable changes no other character', () => {
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
  ])('is valid, or the model is told why not: %s', (text, reason) => {
    if (reason === null) expect(invalidInputReason(text)).toBeNull();
    else expect(invalidInputReason(text)).toMatch(reason);
  });

  it('keeps its text if its value is lossy, and reads the same from either', () => {
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

test('an incomplete call is read as a call, and the reason names what is missing', () => {
  const whole = { type: 'tool_use' as const, id: 'a', name: 'n', input: {} };
  expect(invalidCallReason(requestedCall(whole))).toBeNull();
  expect(invalidCallReason(requestedCall({ ...whole, id: 5 }))).toMatch(/no id/);
  expect(invalidCallReason(requestedCall({ ...whole, name: '' }))).toMatch(/names no tool/);
  expect(invalidCallReason(requestedCall({ type: 'tool_use', id: 'a', name: 'n' }))).toMatch(/no input/);
});

test('rounds without a valid call are counted back to the newest round with one', () => {
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
