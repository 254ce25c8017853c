import { invalidRequest } from './api-error.ts';
import { isTextBlock, isToolResultBlock, isToolUseBlock } from './request-schema.ts';
import type { RequestMessage } from './request-schema.ts';

/**
 * The rules between messages (merged by role): who starts, and that each `tool_use` is
 * answered first thing in the next message, once. Throws `ApiError` 400.
 */
export function checkConversation(messages: readonly RequestMessage[]): void {
  if (messages[0]?.role !== 'user') {
    throw invalidRequest('messages: first message must use the "user" role');
  }
  const seen = new Set<string>();
  for (const [position, message] of messages.entries()) {
    checkResults(message, messages[position - 1]);
    checkUses(message, messages[position + 1], seen);
  }
  checkFinalAssistant(messages.at(-1));
}

function checkUses(message: RequestMessage, next: RequestMessage | undefined, seen: Set<string>): void {
  if (message.role !== 'assistant') return;
  const asked: string[] = [];
  for (const [position, block] of message.content.entries()) {
    if (!isToolUseBlock(block)) continue;
    if (seen.has(block.id)) {
      throw invalidRequest(`messages.${message.index}.content.${position}: \`tool_use\` ids must be unique`);
    }
    seen.add(block.id);
    asked.push(block.id);
  }
  const answered = new Set(leadingResults(next));
  const open = asked.filter((id) => !answered.has(id));
  if (open.length === 0) return;
  throw invalidRequest(
    `messages.${message.index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${open.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`,
  );
}

/** Results count only where nothing stands before them: the API wants them first. */
function leadingResults(message: RequestMessage | undefined): string[] {
  if (message?.role !== 'user') return [];
  const ids: string[] = [];
  for (const block of message.content) {
    if (!isToolResultBlock(block)) break;
    ids.push(block.tool_use_id);
  }
  return ids;
}

function checkResults(message: RequestMessage, previous: RequestMessage | undefined): void {
  const open = new Set(
    previous?.role === 'assistant' ? previous.content.filter(isToolUseBlock).map((block) => block.id) : [],
  );
  const answered = new Set<string>();
  for (const [position, block] of message.content.entries()) {
    if (!isToolResultBlock(block)) continue;
    const path = `messages.${message.index}.content.${position}`;
    if (!open.has(block.tool_use_id)) {
      throw invalidRequest(
        `${path}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${block.tool_use_id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`,
      );
    }
    if (answered.has(block.tool_use_id)) {
      throw invalidRequest(
        `${path}: each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${block.tool_use_id}`,
      );
    }
    answered.add(block.tool_use_id);
  }
}

function checkFinalAssistant(last: RequestMessage | undefined): void {
  if (last?.role !== 'assistant') return;
  const block = last.content.at(-1);
  if (block !== undefined && isTextBlock(block) && /\s$/.test(block.text)) {
    throw invalidRequest('messages: final assistant content cannot end with trailing whitespace');
  }
}
