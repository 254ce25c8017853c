import type { AgentTool } from '@turnpike/contract';
import { cannotReconcile } from './cannot-reconcile.ts';
import type { FindTool } from './given-tool.ts';
import { explainInexact } from './explain-inexact.ts';
import type { InputSchemas } from './schema/input-schemas.ts';
import { textOutput } from './tool.ts';

/**
 * Tools that the client runs. Only a valid input gets to the client; an invalid one is an error for the model at once.
 */
export function clientTools(schemas: InputSchemas): FindTool<Extract<AgentTool, { type: 'client' }>> {
  return ({ name, description, input_schema: schema, strict = false }, { tenantId }) => ({
    declaration: { name, description, input_schema: schema, ...(strict ? { strict } : {}) },
    async prepare(input) {
      const explanation = explainInexact(input) ?? (await schemas.explain(tenantId, schema, input.value));
      if (explanation !== null) return { valid: false, explanation };
      return {
        valid: true,
        // What a second call would do is not known here.
        effect: 'once',
        onUnknown: 'tell_model',
        runsOutside: true,
        run: () =>
          Promise.resolve(textOutput(`${name} is run by the client, which gave no output for it.`, true)),
        reconcile: () => cannotReconcile(name),
      };
    },
  });
}
