import { submitToolOutputsSchema, type RequiredAction, type SubmitToolOutputs } from '@turnpike/contract';
import { parse, refused } from '@turnpike/dialect-base';
import { z } from 'zod';
import type { RequestMessage } from './requests.ts';
import { toBlocks } from './to-blocks.ts';

const OUTPUTS = 'a data part { "tool_outputs": [...] }, as POST /v1/turns/{turn_id}/tool_outputs takes it';

/** A data part that says what each call gets. */
const explicitSchema = z.looseObject({ tool_outputs: z.unknown() });

/**
 * What a message says to the calls that a task waits for. A program answers each by its id. A person's text, or files,
 * is the output of the one call that is waited for, or the answer to its question; it is never taken for an approval.
 */
export function answerOf(action: RequiredAction, { parts }: RequestMessage): SubmitToolOutputs {
  const [part, another] = parts;
  const isExplicit = part?.data !== undefined && explicitSchema.safeParse(part.data).success;
  if (isExplicit && another === undefined) return parseOutputs(part.data);
  const [call, ...others] = action.tool_calls;
  if (call === undefined || others.length > 0)
    throw refused('message.parts', `must be ${OUTPUTS}: the task waits for several calls`);
  const toolCallId = call.id;
  const { awaiting } = call;
  if (awaiting === 'output') {
    const output = toBlocks(parts, 'message.parts');
    return parseOutputs({ tool_outputs: [{ tool_call_id: toolCallId, output }] });
  }
  if (awaiting === 'answer')
    return parseOutputs({ tool_outputs: [{ tool_call_id: toolCallId, answer: plainAnswer(parts) }] });
  throw refused('message.parts', `must be ${OUTPUTS}: text is not taken for an approval or an outcome`);
}

function plainAnswer(parts: RequestMessage['parts']): unknown {
  const [part, another] = parts;
  if (another === undefined && part?.data !== undefined) return part.data;
  if (another === undefined && part?.text !== undefined) return part.text;
  throw refused('message.parts', 'must be one part, the answer: text or data');
}

const parseOutputs = (data: unknown): SubmitToolOutputs =>
  parse(submitToolOutputsSchema, data, 'message.parts.0.data');
