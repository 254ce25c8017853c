import { isJsonObject, type ContentBlock } from '@turnpike/contract';
import { inStoredOrder, sentBlock } from './copy-block.ts';

/** The type of the result of a tool that the API runs itself, by the tool's name. */
const RESULT_TYPES: ReadonlyMap<string, string> = new Map([
  ['web_search', 'web_search_tool_result'],
  ['web_fetch', 'web_fetch_tool_result'],
  ['code_execution', 'code_execution_tool_result'],
  ['bash_code_execution', 'bash_code_execution_tool_result'],
  ['text_editor_code_execution', 'text_editor_code_execution_tool_result'],
]);

const ID = /^srvtoolu_[a-zA-Z0-9_]+$/;

/**
 * The blocks of an assistant message, without calls of the API's own tools that have no result in it, and without
 * results that have no call: the API refuses both. Complete pairs are kept as they are.
 */
export function pairedServerCalls(content: readonly ContentBlock[], usedIds: Set<string>): ContentBlock[] {
  const paired = new Set<ContentBlock>();
  for (const [at, call] of content.entries()) {
    const { id, name, input } = call;
    if (call.type !== 'server_tool_use' || typeof id !== 'string' || !ID.test(id) || usedIds.has(id))
      continue;
    const type = RESULT_TYPES.get(String(name));
    const result = content.slice(at + 1).find((block) => block['tool_use_id'] === id && block.type === type);
    if (result === undefined || paired.has(result) || !isJsonObject(input)) continue;
    if (!isContent(result['content'])) continue;
    usedIds.add(id);
    paired.add(call).add(result);
  }
  return content.flatMap((block) => {
    if (!isServerBlock(block)) return [block];
    if (!paired.has(block)) return [];
    const { type, id, name, input, tool_use_id: of, content: found } = block;
    const fields = type === 'server_tool_use' ? { id, name, input } : { tool_use_id: of, content: found };
    const entries = Object.entries(fields).map(([field, value]) => [field, inStoredOrder(value)]);
    return [sentBlock(block, { type, ...Object.fromEntries(entries) })];
  });
}

export function isServerBlock({ type }: ContentBlock): boolean {
  return type === 'server_tool_use' || [...RESULT_TYPES.values()].includes(type);
}

function isContent(content: unknown): boolean {
  return Array.isArray(content) || isJsonObject(content);
}
