import { expect, test } from '@jest/globals';
import { turnFactSchema, type TurnFact } from '@turnpike/contract';
import type { StreamResponse, Task } from './wire.ts';
import { TaskStream } from './task-stream.ts';

const TURN = 'turn_01kapjt9e8f7ga5vxq3c2m4n6r';
const AT = '2026-01-01T00:00:00.000Z';

const task: Task = {
  id: TURN,
  contextId: 'sess_01kapjt9e8f7ga5vxq3c2m4n6r',
  status: { state: 'TASK_STATE_WORKING', timestamp: AT },
};

function factOf(sequenceNumber: number, type: string, fields: Record<string, unknown>): TurnFact {
  const id = 'evt_01kapjt9e8f7ga5vxq3c2m4n6r';
  return turnFactSchema.parse({
    id,
    type,
    turn_id: TURN,
    sequence_number: sequenceNumber,
    created_at: AT,
    ...fields,
  });
}

const stepOf = (index: number, content: object[]): Record<string, unknown> => ({
  step: {
    id: 'step_01kapjt9e8f7ga5vxq3c2m4n6r',
    object: 'step',
    turn_id: TURN,
    index,
    type: 'model_call',
    model: null,
    stop_reason: null,
    content,
    usage: {
      input_tokens: 1,
      output_tokens: 1,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      requests: {},
    },
    cost_micros: 0,
    attempts: 1,
    provider_request_id: null,
    started_at: AT,
    completed_at: AT,
  },
});

/** A stream and the text that a client shows of each artifact, by the protocol's rules. */
function follow(after = 0) {
  const frames: StreamResponse[] = [];
  const encoder = new TaskStream({
    task,
    isFinal: false,
    after,
    frame: (response) => {
      frames.push(response);
      return `${JSON.stringify(response)}\n`;
    },
  });
  const shown = (): Record<string, string> => {
    const texts: Record<string, string> = {};
    for (const frame of frames) {
      if (!('artifactUpdate' in frame)) continue;
      const { artifact, append } = frame.artifactUpdate;
      const text = artifact.parts.map((part) => part.text ?? '').join('');
      texts[artifact.artifactId] = append ? (texts[artifact.artifactId] ?? '') + text : text;
    }
    return texts;
  };
  return { encoder, frames, shown };
}

test('text is sent as it is written, and the commit adds what is missing', () => {
  const { encoder, frames, shown } = follow();
  encoder.preview({ stepIndex: 0, attempt: 3, text: 'It is' });
  encoder.preview({ stepIndex: 0, attempt: 3, text: 'It is no' });
  expect(shown()).toEqual({ 'text-0': 'It is no' });
  expect(encoder.preview({ stepIndex: 0, attempt: 3, text: 'It is no' })).toBe('');
  encoder.fact(factOf(4, 'step.completed', stepOf(0, [{ type: 'text', text: 'It is noon.' }])));
  expect(shown()).toEqual({ 'text-0': 'It is noon.' });
  expect(frames.at(-1)).toMatchObject({ artifactUpdate: { append: true, lastChunk: true } });
});

test('an attempt that begins again replaces what the one before had written', () => {
  const { encoder, shown } = follow();
  encoder.preview({ stepIndex: 0, attempt: 3, text: 'It was' });
  encoder.fact(factOf(4, 'step.restarted', { step_index: 0 }));
  encoder.preview({ stepIndex: 0, attempt: 4, text: 'It is' });
  expect(shown()).toEqual({ 'text-0': 'It is' });
});

test('what was shown and is not what was committed is replaced, also where nothing was said', () => {
  const { encoder, shown } = follow();
  encoder.preview({ stepIndex: 0, attempt: 3, text: 'It was' });
  encoder.fact(factOf(4, 'step.completed', stepOf(0, [{ type: 'text', text: 'It is noon.' }])));
  encoder.preview({ stepIndex: 1, attempt: 5, text: 'Void' });
  encoder.fact(factOf(6, 'step.completed', stepOf(1, [{ type: 'tool_use', id: 'a', name: 'b', input: {} }])));
  expect(shown()).toEqual({ 'text-0': 'It is noon.', 'text-1': '' });
});

test('what the task at the beginning says is not sent again', () => {
  const { encoder } = follow(4);
  expect(encoder.fact(factOf(4, 'step.completed', stepOf(0, [{ type: 'text', text: 'Noon.' }])))).toBe('');
  expect(encoder.fact(factOf(5, 'turn.started', { attempt: 2 }))).toBe('');
  expect(encoder.fact(factOf(6, 'step.completed', stepOf(1, [{ type: 'text', text: 'One.' }])))).not.toBe('');
});

test('a task that waits for input ends the stream with its question', () => {
  const { encoder, frames } = follow();
  const call = {
    id: 'call_01kapjt9e8f7ga5vxq3c2m4n6r',
    tool_use_id: 'toolu_1',
    name: 'refund',
    input: { amount: 3 },
    input_text: '{"amount":3}',
    awaiting: 'approval',
    question: null,
  };
  const action = { type: 'submit_tool_outputs', expires_at: AT, tool_calls: [call] };
  encoder.fact(factOf(5, 'turn.requires_action', { required_action: action }));
  expect(encoder.ended).toBe(true);
  expect(frames.at(-1)).toMatchObject({
    statusUpdate: {
      status: {
        state: 'TASK_STATE_INPUT_REQUIRED',
        message: { parts: [{ text: 'May refund be called?' }, { data: { tool_calls: [call] } }] },
      },
    },
  });
});
