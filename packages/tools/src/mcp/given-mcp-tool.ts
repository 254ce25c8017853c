import type { ToolDeclaration } from '@turnpike/contract';
import { cannotReconcile } from '../cannot-reconcile.ts';
import { explainInexact } from '../explain-inexact.ts';
import type { GivenTool } from '../given-tool.ts';
import { callMcpTool } from './call-mcp-tool.ts';
import type { Calling } from './call-parts.ts';
import { shownSchema } from './shown-schema.ts';
import { handleOf } from './task-handle.ts';

/**
 * A tool of an MCP server, under the name that the model is shown. `owner`: whose time it is to check its inputs;
 * `isDeferred`: the model must find it before it is shown it.
 */
export function givenMcpTool(
  name: string,
  called: Omit<Calling, 'call' | 'context'>,
  owner: string,
  isDeferred = false,
): GivenTool & { declaration: ToolDeclaration } {
  const { plan, tool, parts } = called;
  const { description, title, input_schema: schema } = tool;
  const shown = shownSchema(schema);
  const declaration = {
    name,
    description: description === '' ? (title ?? name) : description,
    input_schema: shown.schema,
    ...(isDeferred ? { defer_loading: true } : {}),
  };
  return {
    declaration,
    prepare: async (input) => {
      const explanation =
        explainInexact(input) ?? (await parts.schemas.explain(owner, schema, shown.inputIn(input.value)));
      if (explanation !== null) return { valid: false, explanation };
      return {
        valid: true,
        effect: plan.effect,
        onUnknown: plan.onUnknown,
        runsOutside: false,
        needsApproval: plan.needsApproval,
        run: (call, context) =>
          callMcpTool({ ...called, call: { ...call, input: shown.inputIn(call.input) }, context }),
        // A call that has a task is made again by asking for that.
        reconcile: async (_call, context) => (handleOf(context) === null ? cannotReconcile(name) : null),
      };
    },
  };
}
