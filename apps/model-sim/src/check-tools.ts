import { invalidRequest } from './api-error.ts';
import { describeIssue, firstIssue } from './format-issue.ts';
import { customToolSchema } from './request-schema.ts';
import type { MessagesRequest, Tool } from './request-schema.ts';

/** The tools that a request declares. Throws `ApiError` 400 as the real API does. */
export function checkTools(
  tools: readonly { type?: string | null | undefined; [key: string]: unknown }[],
  choice: MessagesRequest['toolChoice'] | undefined,
): Tool[] {
  const checked = tools.map((tool, index) => parseTool(tool, index));
  const names = new Set(checked.map((tool) => tool.name));
  if (names.size < checked.length) throw invalidRequest('tools: Tool names must be unique.');
  checkDeferred(checked);
  if (choice === undefined) return checked;
  if (choice.type !== 'none' && checked.length === 0) {
    throw invalidRequest('tool_choice may only be specified while providing tools');
  }
  if (choice.type === 'tool') {
    if (choice.name === undefined) throw invalidRequest('tool_choice.tool.name: Field required');
    if (!names.has(choice.name)) throw invalidRequest(`Tool '${choice.name}' not found in provided tools`);
  }
  return checked;
}

function checkDeferred(tools: readonly Tool[]): void {
  if (tools.length > 0 && tools.every(isDeferred)) {
    throw invalidRequest('All tools have defer_loading set. At least one tool must be non-deferred.');
  }
  const marked = tools.find((tool) => isDeferred(tool) && tool.cache_control != null);
  if (marked === undefined) return;
  throw invalidRequest(
    `Tool '${marked.name}' cannot have both defer_loading=true and cache_control set. Tools with defer_loading cannot use prompt caching.`,
  );
}

const isDeferred = (tool: Tool): boolean => tool.defer_loading === true;

function parseTool(tool: { type?: string | null | undefined; [key: string]: unknown }, index: number): Tool {
  if (typeof tool.type === 'string' && tool.type !== 'custom') {
    const name = tool['name'];
    return { ...tool, name: typeof name === 'string' ? name : tool.type };
  }
  const parsed = customToolSchema.safeParse(tool, { error: describeIssue });
  if (!parsed.success) throw invalidRequest(firstIssue(parsed.error, `tools.${index}.custom`));
  return parsed.data;
}
