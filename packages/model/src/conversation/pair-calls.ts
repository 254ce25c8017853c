import { requestedCall, isToolUse, type ContentBlock, type Message } from '@turnpike/contract';
import { sentCall, sentResult } from './sent-block.ts';

const NOT_RECORDED = 'The turn ended before a result of this call was recorded.';

/** What the API takes as the id of a call; the APIs that stand in for it elsewhere take no longer ones. */
const ID = /^[a-zA-Z0-9_-]{1,64}$/;

/**
 * Gives each call an id that the API takes and that no other call has, and answers it first thing in the message
 * after it: by its result, or by one that says that there is none. A result that answers no call is left out.
 * The id of a call depends on what stands before it alone, so that it is the same in every later request.
 */
export function pairCalls(messages: readonly Message[]): Message[] {
  const paired: Message[] = [];
  const taken = new Set<string>();
  let open: Call[] = [];
  const close = (content: readonly ContentBlock[]): void => {
    const results = resultsOf(open, content.filter(isResult));
    const rest = content.filter((block) => !isResult(block));
    open = [];
    if (results.length + rest.length > 0) paired.push({ role: 'user', content: [...results, ...rest] });
  };
  for (const { role, content } of messages) {
    if (role === 'user') {
      close(content);
      continue;
    }
    if (open.length > 0) close([]);
    paired.push({
      role,
      content: content.map((block) => {
        if (!isToolUse(block)) return block;
        const { toolUseId } = requestedCall(block);
        const id = freeId(toolUseId, taken);
        open.push({ id, toolUseId });
        return sentCall(block, id);
      }),
    });
  }
  if (open.length > 0) close([]);
  return paired;
}

interface Call {
  /** In this request, and as the model gave it. */
  id: string;
  toolUseId: string;
}

function freeId(wanted: string, taken: Set<string>): string {
  let id = wanted;
  for (let number = taken.size + 1; !ID.test(id) || taken.has(id); number += 1) id = `call_${number}`;
  taken.add(id);
  return id;
}

/** One for each call, in their order. Where calls share an id, so do their results, which stand in that order too. */
function resultsOf(calls: readonly Call[], results: readonly ContentBlock[]): ContentBlock[] {
  const left = [...results];
  return calls.map(({ id, toolUseId }) => {
    const at = left.findIndex((result) => (result['tool_use_id'] ?? '') === toolUseId);
    const [result] = at === -1 ? [] : left.splice(at, 1);
    if (result !== undefined) return sentResult(result, id);
    return {
      type: 'tool_result',
      tool_use_id: id,
      content: [{ type: 'text', text: NOT_RECORDED }],
      is_error: true,
    };
  });
}

function isResult(block: ContentBlock): boolean {
  return block.type === 'tool_result';
}
