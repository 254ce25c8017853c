import type { AgentTool, ToolScope } from '@turnpike/contract';
import type { FindTool, GivenTool } from '@turnpike/tools';
import { checkTools } from '../check-tools.ts';
import type { CodeTool } from '../define-tool.ts';
import type { CodeParts } from './code-parts.ts';
import { prepareCall } from './prepare-call.ts';

type Tools = ReadonlyMap<string, GivenTool>;

/** The tools of a worker's own code. They may be replaced; a turn keeps those that it began with under its lease. */
export class CodeTools {
  readonly #parts: CodeParts;
  readonly #ofScope = new WeakMap<ToolScope, Tools>();
  #newest: Tools;
  #mcp: Tools = new Map();

  /** Throws a `TypeError` for two different tools of one name. */
  constructor(tools: readonly CodeTool[], parts: CodeParts) {
    this.#parts = parts;
    this.#newest = this.#given(tools);
  }

  /** Throws a `TypeError` for two different tools of one name; then those of before stay. */
  replace(tools: readonly CodeTool[]): void {
    this.#newest = this.#given(tools);
  }

  /** The tools of the worker's own MCP servers, by their names. One in code comes first. */
  replaceMcp(tools: Tools): void {
    this.#mcp = tools;
  }

  readonly find: FindTool<Extract<AgentTool, { type: 'code' }>> = ({ name }, scope) => {
    const tools = this.#ofScope.get(scope) ?? new Map([...this.#mcp, ...this.#newest]);
    this.#ofScope.set(scope, tools);
    return tools.get(name) ?? null;
  };

  #given(tools: readonly CodeTool[]): Tools {
    return new Map(checkTools(tools).map((tool) => [tool.name, this.#asGiven(tool)]));
  }

  #asGiven(tool: CodeTool): GivenTool {
    const { name, description, inputSchema } = tool;
    return {
      declaration: { name, description, input_schema: inputSchema },
      prepare: (input) => prepareCall(tool, input, this.#parts),
    };
  }
}
