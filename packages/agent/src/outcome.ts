import { isText } from '@turnpike/contract';
import type { ContentBlock, Message, Outcome, StopReason, TurnError } from '@turnpike/contract';
import { isCorrection } from './output-correction.ts';

/** Blocks that are not part of a turn's output. */
const NOT_OUTPUT = new Set([
  'thinking',
  'redacted_thinking',
  'tool_use',
  'server_tool_use',
  'tool_search_tool_result',
]);

/** The end of a turn whose last model call stopped for this reason. */
export function outcomeOf(stopReason: string, messages: readonly Message[]): Outcome {
  switch (stopReason) {
    case 'max_tokens':
    case 'model_context_window_exceeded':
      return stoppedBy(stopReason, messages);
    case 'stop_sequence':
    case 'refusal':
      return { status: 'completed', stopReason, output: outputIn(messages), error: null };
    default:
      // `end_turn`, and reasons that this code does not know: the model stopped, and there is nothing to run.
      return { status: 'completed', stopReason: 'end_turn', output: outputIn(messages), error: null };
  }
}

/** The end of a turn that reached a limit; its output so far is kept. */
export function stoppedBy(
  limit: StopReason,
  messages: readonly Message[],
  error: TurnError | null = null,
): Outcome {
  return { status: 'incomplete', stopReason: limit, output: outputIn(messages), error };
}

export function failedWith(error: TurnError, messages: readonly Message[]): Outcome {
  return { status: 'failed', stopReason: null, output: outputIn(messages), error };
}

export function cancelled(messages: readonly Message[]): Outcome {
  return { status: 'cancelled', stopReason: null, output: outputIn(messages), error: null };
}

/** All that the model said after the last user message; null where it said nothing. */
function outputIn(messages: readonly Message[]): ContentBlock[] | null {
  const blocks = lastSaid(messages).filter((block) => !NOT_OUTPUT.has(block.type));
  return blocks.length === 0 ? null : blocks;
}

/** The text at the end of its last message: what it said between tools that the API ran is no part of a value. */
export function lastText(messages: readonly Message[]): ContentBlock[] {
  const last = messages.at(-1);
  const blocks = last?.role === 'assistant' ? last.content : [];
  return blocks.slice(blocks.findLastIndex((block) => !isText(block)) + 1);
}

function lastSaid(messages: readonly Message[]): ContentBlock[] {
  // What was asked for once more, and never came, is what there was before.
  const last = messages.at(-1);
  const answered = last !== undefined && isCorrection(last) ? messages.slice(0, -1) : messages;
  const lastUser = answered.findLastIndex((message) => message.role === 'user');
  return answered.slice(lastUser + 1).flatMap((message) => message.content);
}
