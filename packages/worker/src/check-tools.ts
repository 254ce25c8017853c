import type { CodeTool } from './define-tool.ts';

/**
 * The tools, each once. Throws a `TypeError` for what is no list, what `defineTool` has not made, and two different tools
 * of one name.
 */
export function checkTools(tools: readonly CodeTool[]): CodeTool[] {
  if (!Array.isArray(tools)) throw new TypeError('The tools must be a list: [sendInvoice, …].');
  const byName = new Map<string, CodeTool>();
  for (const tool of tools) {
    if (tool?.type !== 'code' || typeof tool.code?.run !== 'function') {
      throw new TypeError(
        tool === undefined
          ? 'A tool is undefined: is its module imported in a circle, or its name misspelt?'
          : 'A tool was not made with defineTool().',
      );
    }
    const known = byName.get(tool.name);
    if (known !== undefined && known !== tool) throw new TypeError(`Two tools are called ${tool.name}.`);
    byName.set(tool.name, tool);
  }
  return [...byName.values()];
}
