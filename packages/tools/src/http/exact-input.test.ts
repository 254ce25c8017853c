import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { parseForDisplay, type ToolConfig } from '@turnpike/contract';
import { startHttpToolTest, type HttpToolTest } from '../testing/http-tool-test.ts';
import { callOf, scopeOf, agentWith, textIn, turnContext } from '../testing/test-call.ts';

let harness: HttpToolTest;
beforeEach(async () => {
  harness = await startHttpToolTest();
  harness.server.respond = (_request, response) => void response.end('fine');
});
afterEach(() => harness.server.stop());

/** What the model is told of a call with this input, as it wrote it. */
async function told(
  inputText: string,
  properties: object = {},
  config: Partial<ToolConfig> = {},
): Promise<string> {
  harness.configure({ ...config, input_schema: { type: 'object', properties } });
  const scope = scopeOf(agentWith({ type: 'http', name: 'tool', requires_approval: false }), [harness.tool]);
  const asked = { ...callOf('tool', parseForDisplay(inputText)), inputText };
  const call = { ...asked, ...(await harness.runner.planOf(scope, asked)) };
  return textIn(await harness.runner.run(scope, call, turnContext()));
}

test('the body is the input as the model wrote it', async () => {
  const written = '{ "z": 1.0, "amount": 1e400, "a": {"order": 2512292042121000001} , "t": "\\u00e9" }';
  expect(await told(written)).toBe('fine');
  expect(harness.server.seen.map(({ body }) => body)).toEqual([written]);
});

test('a query has the numbers as the model wrote them', async () => {
  expect(
    await told('{"amount":1e400,"list":[2512292042121000001,"1"],"text":"1e400"}', {}, { method: 'GET' }),
  ).toBe('fine');
  expect(harness.server.seen[0]?.url).toBe(
    '/run?amount=1e400&list=%5B2512292042121000001%2C%221%22%5D&text=1e400',
  );
});

test.each([
  ['any number', '2512292042121000001', { type: 'number' }],
  ['one beyond all doubles', '1e400', { type: 'number', minimum: 5 }],
  ['a whole number', '2512292042121000001', { type: 'integer', maximum: 2600000000000000000 }],
  [
    'a number with many digits',
    '0.12345678901234567891',
    { type: 'number', exclusiveMinimum: 0, maximum: 1 },
  ],
])('a number that no double holds is sent where its schema accepts %s', async (_what, number, schema) => {
  expect(await told(`{"n": ${number}}`, { n: schema })).toBe('fine');
  expect(harness.server.seen[0]?.body).toBe(`{"n": ${number}}`);
});

test.each([
  ['a bound right beside it', '2512292042121000001', { type: 'integer', maximum: 2512292042121000000 }],
  ['what it seems to be, rounded', '2512292042121000001', { enum: [2512292042121000000] }],
  ['multiples', '2512292042121000001', { multipleOf: 2 }],
  ['whole numbers', '1.00000000000000000001', { type: 'integer' }],
  ['whole numbers, close to zero', '1e-400', { type: 'integer' }],
])(
  'a number that no double holds is not sent where nobody can say whether it fits: %s',
  async (_what, number, schema) => {
    expect(await told(`{"n": ${number}}`, { n: schema })).toContain(`cannot be given ${number} exactly`);
    expect(harness.server.seen).toEqual([]);
  },
);

test('a number that is invalid however it is rounded is explained as any other', async () => {
  expect(await told('{"n": 1e400}', { n: { type: 'number', maximum: 5 } })).toContain('n: must be <= 5');
  expect(harness.server.seen).toEqual([]);
});
