import { isText, type ContentBlock, type Message } from '@turnpike/contract';

/**
 * The conversation as the Messages API accepts it, from what is stored: blank text and empty
 * messages are left out, neighbours of one role become one message, and the results of tool calls
 * come first in theirs. Nothing given is changed; every block that is returned is a copy.
 */
export function prepareConversation(messages: readonly Message[]): Message[] {
  const prepared: Message[] = [];
  for (const message of messages) {
    const spoken = message.role === 'assistant' ? withoutLastThoughts(message.content) : message.content;
    const content = withoutBlankText(spoken);
    if (content.length === 0) continue;
    const previous = prepared.at(-1);
    if (previous?.role === message.role) previous.content.push(...content);
    else prepared.push({ role: message.role, content });
  }
  for (const message of prepared) {
    if (message.role === 'user') message.content = toolResultsFirst(message.content);
  }
  trimPrefill(prepared.at(-1));
  return prepared;
}

/** The API refuses a last message of the assistant's that ends in white space: one that it paused in may. */
function trimPrefill(message: Message | undefined): void {
  const block = message?.role === 'assistant' ? message.content.at(-1) : undefined;
  if (block !== undefined && isText(block)) block.text = block.text.trimEnd();
}

/** The API refuses a text block that is empty or only white space, also inside a tool result. */
function withoutBlankText(content: readonly ContentBlock[]): ContentBlock[] {
  return content.filter((block) => !isText(block) || block.text.trim() !== '').map(copyUnmarked);
}

/** The API refuses a message of the assistant's that ends in a thought: one that was cut off may. */
function withoutLastThoughts(content: readonly ContentBlock[]): readonly ContentBlock[] {
  const last = content.findLastIndex((block) => !THOUGHTS.has(block.type));
  return content.slice(0, last + 1);
}

const THOUGHTS = new Set(['thinking', 'redacted_thinking']);

/** A copy without a cache marker: where the markers are is decided anew for each request. */
function copyUnmarked(block: ContentBlock): ContentBlock {
  const copy: ContentBlock = { ...block };
  delete copy['cache_control'];
  // Only a result's content is made of blocks of its own. A call's `input` is the model's: it is
  // never looked into, whatever its keys are called.
  if (block.type === 'tool_result' && Array.isArray(block['content'])) {
    copy['content'] = withoutBlankText(block['content'] as ContentBlock[]);
  }
  return copy;
}

function toolResultsFirst(content: readonly ContentBlock[]): ContentBlock[] {
  return [
    ...content.filter((block) => block.type === 'tool_result'),
    ...content.filter((block) => block.type !== 'tool_result'),
  ];
}
