import type { AgentTool } from '@turnpike/contract';
import { cannotReconcile } from './cannot-reconcile.ts';
import type { FindTool } from './given-tool.ts';
import { explainInexact } from './explain-inexact.ts';
import type { InputSchemas } from './schema/input-schemas.ts';
import { textOutput } from './tool.ts';

/**
 * Tools that the client runs. Only an input that fits gets to the client; what does not is answered
 * here, at once.
 */
export function clientTools(schemas: InputSchemas): FindTool<Extract<AgentTool, { type: 'client' }>> {
  return ({ name, description, input_schema: schema }, { tenantId }) => ({
    declaration: { name, description, input_schema: schema },
    async prepare(input) {
      const explanation = explainInexact(input) ?? (await schemas.explain(tenantId, schema, input.value));
      if (explanation !== null) return { valid: false, explanation };
      return {
        valid: true,
        // Nobody here can say what a second call would do.
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
