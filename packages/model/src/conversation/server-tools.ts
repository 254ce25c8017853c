import { isJsonObject, type ContentBlock, type Message } from '@turnpike/contract';
import { inStoredOrder, sentBlock } from './copy-block.ts';

/** The type of the result of a tool that the API runs itself, by the tool's name. */
const RESULT_TYPES: ReadonlyMap<string, string> = new Map([
  ['web_search', 'web_search_tool_result'],
  ['web_fetch', 'web_fetch_tool_result'],
  ['code_execution', 'code_execution_tool_result'],
  ['bash_code_execution', 'bash_code_execution_tool_result'],
  ['text_editor_code_execution', 'text_editor_code_execution_tool_result'],
  ['tool_search_tool_regex', 'tool_search_tool_result'],
  ['tool_search_tool_bm25', 'tool_search_tool_result'],
]);

const ID = /^srvtoolu_[a-zA-Z0-9_]+$/;

/**
 * The messages without calls of the API's own tools that have no result, and without results that have no call: the API
 * refuses both. A result may be in a later response, where only results of other calls are in between: the API runs
 * such a call when it goes on. So a call that may still get its result is kept. Complete pairs are kept as they are,
 * but for references to tools that are not in `toolNames`.
 */
export function pairServerCalls(messages: readonly Message[], toolNames: ReadonlySet<string>): Message[] {
  const kept = findPairs(messages);
  return messages.map(({ role, content }) => ({
    role,
    content: content.flatMap((block) => {
      if (role === 'user' || !isServerBlock(block)) return [block];
      return kept.has(block) ? [sentServerBlock(block, toolNames)] : [];
    }),
  }));
}

function findPairs(messages: readonly Message[]): Set<ContentBlock> {
  const kept = new Set<ContentBlock>();
  const usedIds = new Set<string>();
  let open = new Map<string, ContentBlock>();
  for (const { role, content } of messages) {
    if (role === 'user') {
      if (content.some(({ type }) => type !== 'tool_result')) open = new Map();
      continue;
    }
    // A call that was not answered in the response after its own is answered no more.
    const answerable = open;
    open = new Map();
    for (const block of content) {
      const { type, id, tool_use_id: of } = block;
      if (type === 'server_tool_use' && typeof id === 'string' && isNewCall(block, id, usedIds)) {
        usedIds.add(id);
        open.set(id, block);
      }
      const call = typeof of === 'string' ? (open.get(of) ?? answerable.get(of)) : undefined;
      if (call === undefined || typeof of !== 'string') continue;
      if (type !== RESULT_TYPES.get(String(call['name'])) || !isContent(block['content'])) continue;
      open.delete(of);
      answerable.delete(of);
      kept.add(call).add(block);
    }
  }
  const withOpen = new Set([...kept, ...open.values()]);
  return mayGoOn(messages.at(-1), withOpen) ? withOpen : kept;
}

/** Whether the API goes on after this message: after the results of calls, or where it paused among its own tools. */
function mayGoOn(last: Message | undefined, kept: ReadonlySet<ContentBlock>): boolean {
  if (last?.role !== 'assistant') return true;
  const end = last.content.findLast(
    (block) => !isThinking(block) && (!isServerBlock(block) || kept.has(block)),
  );
  return end !== undefined && isServerBlock(end);
}

function isNewCall({ name, input }: ContentBlock, id: string, usedIds: ReadonlySet<string>): boolean {
  return ID.test(id) && !usedIds.has(id) && RESULT_TYPES.has(String(name)) && isJsonObject(input);
}

function sentServerBlock(block: ContentBlock, toolNames: ReadonlySet<string>): ContentBlock {
  const { type, id, name, input, tool_use_id: of, content } = block;
  const found = type === 'tool_search_tool_result' ? knownReferences(content, toolNames) : content;
  const fields = type === 'server_tool_use' ? { id, name, input } : { tool_use_id: of, content: found };
  const entries = Object.entries(fields).map(([field, value]) => [field, inStoredOrder(value)]);
  return sentBlock(block, { type, ...Object.fromEntries(entries) });
}

/** The API refuses a reference to a tool that the request does not declare. */
function knownReferences(content: unknown, toolNames: ReadonlySet<string>): unknown {
  if (!isJsonObject(content) || !Array.isArray(content['tool_references'])) return content;
  const references: unknown[] = content['tool_references'];
  return {
    ...content,
    tool_references: references.filter(
      (reference) => isJsonObject(reference) && toolNames.has(String(reference['tool_name'])),
    ),
  };
}

export function isThinking({ type }: ContentBlock): boolean {
  return type === 'thinking' || type === 'redacted_thinking';
}

export function isServerBlock({ type }: ContentBlock): boolean {
  return type === 'server_tool_use' || [...RESULT_TYPES.values()].includes(type);
}

function isContent(content: unknown): boolean {
  return Array.isArray(content) || isJsonObject(content);
}
