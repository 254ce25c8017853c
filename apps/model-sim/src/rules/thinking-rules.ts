import { isThinkingBlock, type Block } from '../request-schema.ts';
import { isSignedBy } from '../sign-thinking.ts';
import { blockRule, type Rule } from './rule.ts';

export const THINKING_RULES: readonly Rule[] = [
  blockRule('a thought that was changed, or is of another model', (block, path, { fields }) => {
    if (!isThinkingBlock(block) || isSignedBy(fields.model, block.thinking, block.signature)) return null;
    return `${path}: Invalid \`signature\` in \`thinking\` block`;
  }),
  {
    name: 'a message of the assistant that ends in a thought',
    refuses({ messages }) {
      const ending = messages.find(({ content }) => isThought(content.at(-1)));
      if (ending === undefined) return null;
      return `messages.${ending.index}: The final block in an assistant message cannot be \`thinking\`.`;
    },
  },
  {
    name: 'thinking that begins in the middle of a round of calls',
    refuses({ messages, thinks }) {
      const last = messages.findLast(({ role }) => role === 'assistant');
      const [first] = last?.content ?? [];
      if (!thinks || last === undefined || first === undefined || isThought(first)) return null;
      if (last.content.every(({ type }) => type !== 'tool_use')) return null;
      return `messages.${last.index}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${first.type}\`. When \`thinking\` is enabled, a final \`assistant\` message must start with a thinking block (preceeding the lastmost set of \`tool_use\` and \`tool_result\` blocks).`;
    },
  },
  {
    name: 'a thought to go on with while thinking is off',
    refuses({ messages, thinks }) {
      const last = messages.at(-1);
      const at = last?.role === 'assistant' ? last.content.findIndex(isThought) : -1;
      if (thinks || last === undefined || at === -1) return null;
      return `messages.${last.index}.content.${at}: When thinking is disabled, an \`assistant\` message in the final position cannot contain \`thinking\`. To use thinking blocks, enable \`thinking\` in your request.`;
    },
  },
];

function isThought(block: Block | undefined): boolean {
  return block?.type === 'thinking' || block?.type === 'redacted_thinking';
}
