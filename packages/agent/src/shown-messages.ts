import {
  withBlockPath,
  type ContentBlock,
  type ConversationMessage,
  type RefusedBlock,
  type StoredMessage,
} from '@turnpike/contract';

const THINKING = new Set(['thinking', 'redacted_thinking']);
const MAX_REASON = 200;

/**
 * The messages as the model is shown them, with a short text in place of each block that its API refused. All other
 * blocks carry the path at which they are stored, so that an error which names one can be traced back.
 */
export function shownMessages(messages: readonly StoredMessage[]): ConversationMessage[] {
  return messages.map(({ role, content, ...message }) => ({
    role,
    model: message.model,
    container: message.container,
    content: content.flatMap((block, blockIndex) => shownBlock(block, blockIndex, message)),
  }));
}

type Stored = Omit<StoredMessage, 'role' | 'content'>;

function shownBlock(block: ContentBlock, blockIndex: number, message: Stored): ContentBlock[] {
  const { id: messageId, turnSequence, index: messageIndex } = message;
  const refused = message.refused.filter((refusal) => refusal.block_index === blockIndex);
  const whole = refused.find((refusal) => refusal.item_index === null);
  if (whole !== undefined) return placeholder(block, whole);
  const path = { messageId, turnSequence, messageIndex, blockIndex };
  const items: unknown = block['content'];
  if (block.type !== 'tool_result' || !Array.isArray(items))
    return [withBlockPath(block, { ...path, itemIndex: null })];
  const content = (items as ContentBlock[]).flatMap((item, itemIndex) => {
    const refusal = refused.find((part) => part.item_index === itemIndex);
    return refusal === undefined ? [withBlockPath(item, { ...path, itemIndex })] : placeholder(item, refusal);
  });
  return [withBlockPath({ ...block, content }, { ...path, itemIndex: null })];
}

/** What replaces a refused block. A call keeps a result; a thinking block needs no replacement. */
function placeholder(block: ContentBlock, { reason }: RefusedBlock): ContentBlock[] {
  if (THINKING.has(block.type)) return [];
  const shortReason = reason.slice(0, MAX_REASON);
  const text = `[Left out: this ${block.type.replaceAll('_', ' ')} could not be read by the model. ${shortReason}]`;
  const note: ContentBlock = { type: 'text', text };
  return block.type === 'tool_result' ? [{ ...block, content: [note] }] : [note];
}
