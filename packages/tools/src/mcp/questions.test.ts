import { expect, test } from '@jest/globals';
import type { ToolCallContext } from '@turnpike/contract';
import { answerOf, questionInStream, UnanswerableError } from './questions.ts';

const asked = (message: string) => ({
  method: 'elicitation/create' as const,
  params: { message, requestedSchema: { type: 'object' as const, properties: {} } },
});

/** The answers to the questions that a call has asked before. */
function contextWith(messages: readonly string[]): ToolCallContext {
  const steps = messages.map((message) => ({
    kind: 'answer' as const,
    name: questionInStream(asked(message)).name,
    effect: 'once' as const,
    status: 'completed' as const,
    result: JSON.stringify({ action: 'decline' }),
  }));
  return { steps: () => steps } as unknown as ToolCallContext;
}

test('a server that asks something else in every attempt is answered ten times, and then no more', () => {
  const messages = Array.from({ length: 10 }, (_, place) => `At ${place} o'clock?`);
  const context = contextWith(messages);
  expect(answerOf(asked("At 3 o'clock?"), context)).toEqual({ action: 'decline' });
  expect(answerOf(asked("At 10 o'clock?"), contextWith(messages.slice(1)))).toBeNull();
  expect(() => answerOf(asked("At 10 o'clock?"), context)).toThrow(UnanswerableError);
});
