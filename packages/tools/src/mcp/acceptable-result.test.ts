import { expect, test } from '@jest/globals';
import { acceptableResult } from './acceptable-result.ts';

const text = (shown: string) => ({ type: 'text', text: shown });

test.each<[string, Record<string, unknown>]>([
  ['is fine', { content: [text('x')], structuredContent: { a: 1 }, _meta: { b: 2 } }],
  ['is a task', { task: { taskId: 'a b', status: 'working' } }],
  ['is a task of the extension', { resultType: 'task', taskId: 'a b' }],
  ['asks for input', { resultType: 'input_required', inputRequests: {} }],
])('a result that %s is not changed', (_what, result) => {
  expect(acceptableResult(result)).toBe(result);
});

test.each<[string, Record<string, unknown>, unknown]>([
  [
    'a block of an unknown type',
    { content: [{ type: 'hologram' }] },
    [text('[left out: hologram that is not as the protocol wants it]')],
  ],
  [
    'data that is no base64',
    { content: [{ type: 'image', mimeType: 'image/png', data: '***' }] },
    [text('[left out: image that is not as the protocol wants it]')],
  ],
  ['no content', { content: null, _meta: 'x' }, []],
  [
    'structured content that is no object',
    { content: [text('x')], structuredContent: [1, 2] },
    [text('x'), text('[1,2]')],
  ],
])('of a result with %s the rest is shown', (_what, result, content) => {
  expect(acceptableResult(result)).toEqual({ content, isError: false });
});

test('an error of a server stays one, with what it says', () => {
  const result = { content: [text('It broke.'), 7], isError: true, resultType: 'complete' };
  const left = text('[left out: content that is not as the protocol wants it]');
  expect(acceptableResult(result)).toEqual({ ...result, content: [text('It broke.'), left] });
});
