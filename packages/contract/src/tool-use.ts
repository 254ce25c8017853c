import { isToolUse, type ContentBlock, type Message, type ToolUseBlock } from './content.ts';
import { invalidInputReason, isExactInput, isJsonObject, displayValue } from './tool-input.ts';

/** A tool call as the model requests it. */
export interface RequestedCall {
  /** Empty if the model gave none. */
  toolUseId: string;
  /** Empty if the model gave none. */
  name: string;
  /** The input for display; null if the model gave none. Numbers that JavaScript cannot represent are strings. */
  input: unknown;
  /** The input as the model wrote it, which is what the tool receives. Null if the model gave none. */
  inputText: string | null;
}

/** The call that a block requests. */
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
 * Why a requested call is malformed, in words for the model; null if it is well-formed. The input is not validated
 * against the tool's schema.
 */
export function invalidCallReason({ toolUseId, name, input, inputText }: RequestedCall): string | null {
  const reason =
    name === ''
      ? 'it names no tool'
      : toolUseId === ''
        ? 'it has no id'
        : inputText !== null
          ? invalidInputReason(inputText)
          : isJsonObject(input)
            ? null
            : 'it has no input, which must be a JSON object';
  return reason === null ? null : `The call was not made: ${reason}. Nothing was done; call the tool again.`;
}

/** How many of the newest assistant messages, in a row, requested only malformed calls. */
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
 * Sets the input of a call from its text: `input` is the parsed value, and `input_text` the text itself if it differs
 * from the serialised value.
 */
export function setInput(block: ContentBlock, text: string): void {
  block['input'] = displayValue(text) ?? {};
  if (JSON.stringify(block['input']) !== text) block['input_text'] = text;
}

/** The block as it is stored: with the text of its input only if the parsed value is lossy. */
export function storedBlock(block: ContentBlock): ContentBlock {
  const { input_text: text, ...rest } = block;
  return typeof text === 'string' && isExactInput(text) ? { ...rest, type: block.type } : block;
}
