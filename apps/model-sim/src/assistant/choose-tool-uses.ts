import type { MessagesRequest, Tool } from '../request-schema.ts';
import type { Reply } from '../script.ts';
import { findUrls } from './find-in-text.ts';
import { makeToolInput } from './make-tool-input.ts';

type ToolUse = NonNullable<Reply['tool_uses']>[number];

const MAX_USES = 8;

/** The tools that a text asks for, in the order in which they are declared, with their inputs. */
export function chooseToolUses(text: string, request: MessagesRequest): ToolUse[] {
  const { toolChoice, tools } = request;
  if (toolChoice.type === 'none') return [];
  const own = tools.filter((tool) => tool.input_schema !== undefined);
  const allowed = toolChoice.type === 'tool' ? own.filter((tool) => tool.name === toolChoice.name) : own;
  const uses = allowed.flatMap((tool) => usesOf(tool, text)).slice(0, MAX_USES);
  const first = allowed[0];
  if (uses.length === 0 && toolChoice.type !== 'auto' && first !== undefined) {
    uses.push({ name: first.name, input: makeToolInput(first, text) });
  }
  return toolChoice.disable_parallel_tool_use === true ? uses.slice(0, 1) : uses;
}

function usesOf(tool: Tool, text: string): ToolUse[] {
  if (tool.name === 'http_request') {
    return findUrls(text).map((url) => ({ name: tool.name, input: makeToolInput(tool, text, url) }));
  }
  const isAskedFor =
    tool.name === 'current_time'
      ? /\b(time|clock|date|what day|today)\b/i.test(text)
      : mentions(text, tool.name);
  return isAskedFor ? [{ name: tool.name, input: makeToolInput(tool, text) }] : [];
}

/** Is the tool called by its name, written as it is or as words? */
function mentions(text: string, name: string): boolean {
  const lower = text.toLowerCase();
  return lower.includes(name.toLowerCase()) || lower.includes(name.toLowerCase().replace(/[_-]+/g, ' '));
}
