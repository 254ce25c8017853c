import { isToolUse, type ContentBlock, type Message, type ToolUseBlock } from './content.ts';
import { invalidInputReason, isExactInput, isJsonObject, displayValue } from './tool-input.ts';

/** A tool call as the model asks for it. */
export interface RequestedCall {
  /** Empty where the model gave none. */
  toolUseId: string;
  /** Empty where the model gave none. */
  name: string;
  /** For whoever looks at it; null where the model gave none. A number that JavaScript cannot hold is its text. */
  input: unknown;
  /** The input as the model wrote it: what a tool is given. Null where the model gave none. */
  inputText: string | null;
}

/** The call that a block asks for. */
export function requestedCall(block: ToolUseBlock): RequestedCall {
  const { id, name, input = null, input_text: text } = block;
  return {
    toolUseId: typeof id === 'string' ? id : '',
    name: typeof name === 'string' ? name : '',
    input,
    inputText: typeof text === 'string' ? text : input === null ? null : JSON.stringify(input),
  };
}

/**
 * Why a call cannot be made as it was asked for, in words for the model; null where it can. The tool's own view
 * of its input is not asked.
 */
export function invalidCallReason({ toolUseId, name, input, inputText }: RequestedCall): string | null {
  const fault =
    name === ''
      ? 'it names no tool'
      : toolUseId === ''
        ? 'it has no id'
        : inputText !== null
          ? invalidInputReason(inputText)
          : isJsonObject(input)
            ? null
            : 'it has no input, which must be a JSON object';
  return fault === null ? null : `The call was not made: ${fault}. Nothing was done; call the tool again.`;
}

/** How many of the newest messages of the assistant's, in a row, asked for calls none of which could be made. */
export function countInvalidRounds(messages: readonly Message[]): number {
  let rounds = 0;
  for (const { role, content } of messages.toReversed()) {
    if (role === 'user') continue;
    const calls = content.filter(isToolUse).map(requestedCall);
    if (calls.length === 0 || calls.some((call) => invalidCallReason(call) === null)) break;
    rounds += 1;
  }
  return rounds;
}

/**
 * Gives a call the input whose text came: `input` is its value, and `input_text` the text itself where that is
 * written in any other way.
 */
export function setInput(block: ContentBlock, text: string): void {
  block['input'] = displayValue(text) ?? {};
  if (JSON.stringify(block['input']) !== text) block['input_text'] = text;
}

/** The block as it is kept: the text of its input only where the input does not say all of it. */
export function storedBlock(block: ContentBlock): ContentBlock {
  const { input_text: text, ...rest } = block;
  return typeof text === 'string' && isExactInput(text) ? { ...rest, type: block.type } : block;
}
