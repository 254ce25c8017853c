import { expect, test } from '@jest/globals';
import { readBatchResult } from './read-batch-result.ts';

const succeeded = (message: string): string =>
  `{"custom_id":"bcall_1","result":{"type":"succeeded","message":${message}}}`;
const messageOf = (content: string): string =>
  `{"model":"claude-test-1","content":${content},"stop_reason":"tool_use","usage":{"input_tokens":7,"output_tokens":3}}`;

test('a message is as the same one of a stream: texts are storable, and numbers of inputs as they were written', () => {
  const content = String.raw`[{"type":"text","text":"Hm.\u0000"},{"type":"tool_use","id":"t","name":"pay","input":{"cents":2512292042121000001}}]`;
  const message = readBatchResult(succeeded(messageOf(content)));
  expect(message).toMatchObject({ stopReason: 'tool_use', usage: { input_tokens: 7, output_tokens: 3 } });
  expect(message?.content[0]).toMatchObject({ text: 'Hm.\uFFFD' });
  expect(JSON.stringify(message?.content[1])).toContain('2512292042121000001');
});

test.each([
  ['has an error', '{"custom_id":"bcall_1","result":{"type":"errored","error":{}}}'],
  ['has expired', '{"custom_id":"bcall_1","result":{"type":"expired"}}'],
  ['is of a kind that nobody knows', '{"custom_id":"bcall_1","result":{"type":"paused"}}'],
  ['has no message', succeeded('{}')],
  ['has a message without its end', succeeded('{"model":"m","content":[],"usage":{}}')],
])('a result that %s has none', (_what, line) => {
  expect(readBatchResult(line)).toBeNull();
});
