import { expect, test } from '@jest/globals';
import type { RequiredAction } from '@turnpike/contract';
import { composeNotification } from './notification.ts';
import type { ToldTurn } from './task.ts';

type Call = RequiredAction['tool_calls'][number];

/** A turn that waits for the outputs of these calls. */
function waitingFor(calls: Partial<Call>[]): ToldTurn {
  const call: Call = {
    id: 'call_01kapjt9e8f7ga5vxq3c2m4n6r',
    tool_use_id: 'toolu_1',
    name: 'where_am_i',
    input: {},
    input_text: '{}',
    awaiting: 'output',
    question: null,
  };
  return {
    id: 'turn_01kapjt9e8f7ga5vxq3c2m4n6r',
    session_id: 'sess_01kapjt9e8f7ga5vxq3c2m4n6r',
    status: 'requires_action',
    required_action: {
      type: 'submit_tool_outputs',
      expires_at: '2026-01-02T00:00:00.000Z',
      tool_calls: calls.map((each) => ({ ...call, ...each })),
    },
    error: null,
    stop_reason: null,
    created_at: '2026-01-01T00:00:00.000Z',
    started_at: null,
    finished_at: null,
  };
}

const bodyOf = (turn: ToldTurn): string =>
  composeNotification(turn, { token: null, authorization: null }).body;
const LONG = 'x'.repeat(15_000);

test('a notification has the inputs of the calls that are waited for, as long as it stays short', () => {
  const body = bodyOf(waitingFor([{ input: { order: '17' }, input_text: '{"order":"17"}' }]));
  expect(body).toContain('{\\"order\\":\\"17\\"}');
  expect(body).toContain('The output of where_am_i is needed.');
});

test('a notification that would be too long leaves out the inputs, and then the whole message', () => {
  const body = bodyOf(waitingFor([{ input: { text: LONG }, input_text: JSON.stringify({ text: LONG }) }]));
  expect(body).not.toContain('xxx');
  expect(body).toContain('The output of where_am_i is needed.');
  const many = bodyOf(waitingFor(Array.from({ length: 500 }, () => ({}))));
  expect(many.length).toBeLessThan(1_000);
  expect(JSON.parse(many)).toMatchObject({
    statusUpdate: { taskId: expect.any(String), status: { state: 'TASK_STATE_INPUT_REQUIRED' } },
  });
});
