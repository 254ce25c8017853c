import { requestedCall, isToolUse, type ContentBlock, type Message } from '@turnpike/contract';
import { sentCall, sentResult } from './sent-block.ts';

const NOT_RECORDED = 'The turn ended before a result of this call was recorded.';

/** A valid id of a call; some gateways accept no longer ones. */
const ID = /^[a-zA-Z0-9_-]{1,64}$/;

/**
 * Gives each call a valid id that no other call has, and puts its result at the beginning of the message after it, or
 * an error where it has none. A result without a call is left out.
 * The id of a call depends only on what comes before it, so that it is the same in every later request.
 */
export function pairCalls(messages: readonly Message[]): Message[] {
  const paired: Message[] = [];
  const usedIds = new Set<string>();
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
        const id = freeId(toolUseId, usedIds);
        open.push({ id, toolUseId });
        return sentCall(block, id);
      }),
    });
  }
  if (open.length > 0) close([]);
  return paired;
}

interface Call {
  /** Its id in this request, and the one that the model gave it. */
  id: string;
  toolUseId: string;
}

function freeId(wanted: string, usedIds: Set<string>): string {
  let id = wanted;
  for (let number = usedIds.size + 1; !ID.test(id) || usedIds.has(id); number += 1) id = `call_${number}`;
  usedIds.add(id);
  return id;
}

/** One for each call, in their order. Calls that share an id have their results in the same order. */
function resultsOf(calls: readonly Call[], results: readonly ContentBlock[]): ContentBlock[] {
  const unpaired = [...results];
  return calls.map(({ id, toolUseId }) => {
    const at = unpaired.findIndex((result) => (result['tool_use_id'] ?? '') === toolUseId);
    const [result] = at === -1 ? [] : unpaired.splice(at, 1);
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
