import {
  requestedCall,
  invalidInputReason,
  isJsonObject,
  isText,
  parseExact,
  toolNameSchema,
  type ContentBlock,
  type ToolUseBlock,
} from '@turnpike/contract';
import { inStoredOrder, leftOut, sentBlock } from './copy-block.ts';
import { isSendableSource } from './media.ts';

/** Nothing for a text that is empty or only white space: the API refuses it, also inside a tool result. */
export function sentText(block: ContentBlock): ContentBlock[] {
  if (!isText(block) || block.text.trim() === '') return [];
  return [sentBlock(block, { type: 'text', text: block.text })];
}

/** An image or a document, or a text where the API would refuse it. */
export function sentMedia(block: ContentBlock): ContentBlock {
  const { type, source } = block;
  if (!isSendableSource(type, source)) return leftOut(block, 'the model API accepts no such file');
  const details = type === 'document' ? sentDetails(block) : {};
  return sentBlock(block, { type, source: inStoredOrder(source), ...details });
}

function sentDetails({ title, context, citations }: ContentBlock): Record<string, unknown> {
  const isWritten = (text: unknown): boolean => typeof text === 'string' && text.trim() !== '';
  return {
    ...(isWritten(title) ? { title } : {}),
    ...(isWritten(context) ? { context } : {}),
    ...(isJsonObject(citations) && citations['enabled'] === true ? { citations: { enabled: true } } : {}),
  };
}

/** A call as the API accepts it, with its id in this request. */
export function sentCall(block: ToolUseBlock, id: string): ContentBlock {
  const call = requestedCall(block);
  return sentBlock(block, { type: 'tool_use', id, name: sentName(call.name), input: sentInput(call) });
}

function sentName(name: string): string {
  if (toolNameSchema.safeParse(name).success) return name;
  return name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, MAX_NAME) || 'unnamed';
}

const MAX_NAME = 64;

/** An object; any other value is wrapped in one, so that the model sees what it wrote. */
function sentInput({ input, inputText }: ReturnType<typeof requestedCall>): unknown {
  if (inputText === null) return {};
  if (invalidInputReason(inputText) === null) return inStoredOrder(parseExact(inputText));
  return { invalid_input: isJsonObject(input) || input === null ? inputText : inStoredOrder(input) };
}

/** The result of a call, with its id in this request. An error has text, and nothing else. */
export function sentResult(stored: ContentBlock, id: string): ContentBlock {
  const isError = stored['is_error'] === true;
  const content = resultBlocks(stored['content']).flatMap((block): ContentBlock[] => {
    if (isText(block)) return sentText(block);
    if (block.type !== 'image' && block.type !== 'document') return [];
    return [isError ? leftOut(block, 'an error can hold only text') : sentMedia(block)];
  });
  if (isError && content.length === 0) content.push({ type: 'text', text: SILENT_ERROR });
  return sentBlock(stored, {
    type: 'tool_result',
    tool_use_id: id,
    content,
    ...(isError ? { is_error: true } : {}),
  });
}

const SILENT_ERROR = 'The tool failed without a message.';

function resultBlocks(content: unknown): ContentBlock[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return Array.isArray(content) ? content.filter(isBlock) : [];
}

function isBlock(value: unknown): value is ContentBlock {
  return isJsonObject(value) && typeof value['type'] === 'string';
}
