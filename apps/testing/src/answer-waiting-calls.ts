import { submitToolOutputsSchema, type Turn } from '@turnpike/contract';
import { answerAction, checkAnswers } from '@turnpike/turns';
import type { Answer, RunOptions, WaitingCall } from './run-options.ts';
import type { Run } from './run.ts';

/** Asks the test about each call that waits, and stores what it says. Throws where an answer does not fit its call. */
export async function answerWaitingCalls(
  { database: { pool }, tenantId, turnId, schemas }: Run,
  { required_action: action }: Turn,
  answer: NonNullable<RunOptions['answer']>,
): Promise<void> {
  const outputs: unknown[] = [];
  for (const call of action?.tool_calls ?? []) {
    const question = 'question' in call ? textOf(call.question) : null;
    const waiting: WaitingCall = {
      toolCallId: call.id,
      name: call.name,
      input: call.input,
      awaiting: call.awaiting,
      question,
    };
    outputs.push({ tool_call_id: call.id, ...fieldsOf(await answer(waiting)) });
  }
  const submitted = submitToolOutputsSchema.parse({ tool_outputs: outputs });
  const checked = await checkAnswers(pool, tenantId, turnId, submitted, (schema, given) =>
    schemas.misfit(tenantId, schema, given),
  );
  await answerAction(pool, tenantId, turnId, submitted, checked);
}

function fieldsOf(answer: Answer): Record<string, unknown> {
  if ('sendAgain' in answer) return { send_again: true };
  if (!('output' in answer)) return { ...answer };
  const { output, isError } = answer;
  const text = typeof output === 'string' || Array.isArray(output) ? output : JSON.stringify(output);
  return { output: text, ...(isError === undefined ? {} : { is_error: isError }) };
}

function textOf(question: unknown): string | null {
  if (typeof question !== 'object' || question === null || !('text' in question)) return null;
  return String(question.text);
}
