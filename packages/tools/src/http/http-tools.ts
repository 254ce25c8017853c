import type { AgentTool } from '@turnpike/contract';
import { cannotReconcile } from '../cannot-reconcile.ts';
import type { FindTool } from '../given-tool.ts';
import { explainInput } from '../schema/explain-input.ts';
import type { InputSchemas } from '../schema/input-schemas.ts';
import { askOutcome } from './ask-outcome.ts';
import { callHttpTool } from './call-http-tool.ts';
import type { HttpParts } from './http-parts.ts';

/** The tenant's own tools, as of the turn's claim. */
export function httpTools(
  parts: HttpParts & { schemas: InputSchemas },
): FindTool<Extract<AgentTool, { type: 'http' }>> {
  return ({ name }, { tenantId, tools }) => {
    const tool = tools.find((registered) => registered.name === name);
    if (tool === undefined) return null;
    const {
      description,
      input_schema: schema,
      effect,
      on_unknown: onUnknown,
      reconcile_url: url,
    } = tool.config;
    return {
      declaration: { name, description, input_schema: schema },
      async prepare(input) {
        const explanation = await explainInput(parts.schemas, tenantId, schema, input);
        if (explanation !== null) return { valid: false, explanation };
        return {
          valid: true,
          effect,
          onUnknown,
          runsOutside: false,
          run: (call, context) => callHttpTool(tool, call, context, parts),
          reconcile: (call, context) =>
            url === undefined ? cannotReconcile(name) : askOutcome(tool, url, call, context, parts),
        };
      },
    };
  };
}
