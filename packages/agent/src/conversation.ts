import { isToolUse, type ContentBlock, type Message } from '@turnpike/contract';

const NOT_RECORDED = 'The turn ended before a result of this call was recorded.';

/**
 * The conversation as the Messages API accepts it, whatever happened to earlier turns: each
 * `tool_use` is answered in the message after it, and no answer stands without its question.
 */
export function validConversation(messages: readonly Message[]): Message[] {
  const valid: Message[] = [];
  let open: string[] = [];
  for (const message of messages) {
    if (message.role === 'assistant') {
      if (open.length > 0) valid.push({ role: 'user', content: open.map(unansweredResult) });
      open = message.content.filter(isToolUse).map((block) => block.id);
      valid.push(message);
      continue;
    }
    const content = message.content.filter((block) => !isResult(block) || open.includes(block.tool_use_id));
    const answered = content.filter(isResult).map((block) => block.tool_use_id);
    const missing = open.filter((id) => !answered.includes(id)).map(unansweredResult);
    valid.push({ role: 'user', content: [...missing, ...content] });
    open = [];
  }
  if (open.length > 0) valid.push({ role: 'user', content: open.map(unansweredResult) });
  return valid;
}

function isResult(block: ContentBlock): block is ContentBlock & { tool_use_id: string } {
  return block.type === 'tool_result' && typeof block['tool_use_id'] === 'string';
}

function unansweredResult(toolUseId: string): ContentBlock {
  return { type: 'tool_result', tool_use_id: toolUseId, content: NOT_RECORDED, is_error: true };
}
