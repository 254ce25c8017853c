import {
  withBlockPath,
  type ContentBlock,
  type ConversationMessage,
  type RefusedBlock,
  type StoredMessage,
} from '@turnpike/contract';

const THOUGHTS = new Set(['thinking', 'redacted_thinking']);
const MOST_WORDS = 200;

/**
 * The messages as the model is shown them: a short text stands where its API refused a block. Each of the others
 * knows where it is stored, so that an error which names it can be traced back.
 */
export function shownMessages(messages: readonly StoredMessage[]): ConversationMessage[] {
  return messages.map(({ role, content, ...message }) => ({
    role,
    model: message.model,
    content: content.flatMap((block, blockIndex) => shownBlock(block, blockIndex, message)),
  }));
}

type Stored = Omit<StoredMessage, 'role' | 'content'>;

function shownBlock(block: ContentBlock, blockIndex: number, message: Stored): ContentBlock[] {
  const { id: messageId, turnSequence, index: messageIndex } = message;
  const refused = message.refused.filter((refusal) => refusal.block_index === blockIndex);
  const whole = refused.find((refusal) => refusal.item_index === null);
  if (whole !== undefined) return standIn(block, whole);
  const place = { messageId, turnSequence, messageIndex, blockIndex };
  const items: unknown = block['content'];
  if (block.type !== 'tool_result' || !Array.isArray(items))
    return [withBlockPath(block, { ...place, itemIndex: null })];
  const content = (items as ContentBlock[]).flatMap((item, itemIndex) => {
    const refusal = refused.find((part) => part.item_index === itemIndex);
    return refusal === undefined ? [withBlockPath(item, { ...place, itemIndex })] : standIn(item, refusal);
  });
  return [withBlockPath({ ...block, content }, { ...place, itemIndex: null })];
}

/** What stands in for a refused block. A call keeps its answer; nothing need stand for a thought. */
function standIn(block: ContentBlock, { reason }: RefusedBlock): ContentBlock[] {
  if (THOUGHTS.has(block.type)) return [];
  const words = reason.slice(0, MOST_WORDS);
  const text = `[Left out: this ${block.type.replaceAll('_', ' ')} could not be read by the model. ${words}]`;
  const note: ContentBlock = { type: 'text', text };
  return block.type === 'tool_result' ? [{ ...block, content: [note] }] : [note];
}
