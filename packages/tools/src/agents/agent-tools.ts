import {
  PROMPT_SCHEMA,
  type AgentTool,
  type ContentBlock,
  type Effect,
  type SubAgentStore,
} from '@turnpike/contract';
import type { Logger } from '@turnpike/telemetry';
import { z } from 'zod';
import { cannotReconcile } from '../cannot-reconcile.ts';
import { describeFailure } from '../describe-failure.ts';
import type { FindTool, GivenInput } from '../given-tool.ts';
import { explainInput } from '../schema/explain-input.ts';
import type { InputSchemas } from '../schema/input-schemas.ts';
import { textOutput, type Tool } from '../tool.ts';

type SubAgent = Extract<AgentTool, { type: 'agent' }>;

/**
 * Other agents of the tenant. A call is a child turn, which the loop starts, and waits for; nothing of it runs here.
 *
 * A call acts at most once whatever the effect: it has one child turn, found again by the call's id. What that turn
 * does has effects of its own. So a call may always be repeated; it is `read` where the agent can only read.
 */
export function agentTools(parts: {
  builtins: readonly Tool[];
  schemas: InputSchemas;
  subAgents: SubAgentStore;
  logger: Logger;
}): FindTool<SubAgent> {
  return (named, { tenantId }) => {
    const { name, description, agent_id: agentId, input_schema: schema } = named;
    return {
      declaration: { name, description, input_schema: schema ?? PROMPT_SCHEMA },
      async prepare(given) {
        const input = schema === undefined ? promptOf(given) : asJson(given);
        const explanation =
          input === null
            ? 'The input must be an object with a `prompt`: a text that is not blank, and nothing else.'
            : schema === undefined
              ? null
              : await explainInput(parts.schemas, tenantId, schema, given);
        if (input === null || explanation !== null) return { valid: false, explanation: explanation ?? '' };
        return {
          valid: true,
          effect: await effectOf(tenantId, agentId, parts),
          onUnknown: 'tell_model',
          runsOutside: false,
          child: { agentId, input },
          run: () => Promise.resolve(textOutput(`${name} was not called. Nothing was done.`, true)),
          reconcile: () => cannotReconcile(name),
        };
      },
    };
  };
}

const promptSchema = z.strictObject({ prompt: z.string().regex(/\S/) });

function promptOf({ value }: GivenInput): ContentBlock[] | null {
  const input = promptSchema.safeParse(value);
  return input.success ? [{ type: 'text', text: input.data.prompt }] : null;
}

/** As the model wrote it, so that no number loses digits. */
function asJson({ value, text }: GivenInput): ContentBlock[] {
  return [{ type: 'text', text: text ?? JSON.stringify(value) }];
}

/** `read` where each tool of the agent's newest version only reads. An agent that calls agents counts as one that acts. */
async function effectOf(
  tenantId: string,
  agentId: string,
  { subAgents, builtins, logger }: { subAgents: SubAgentStore; builtins: readonly Tool[]; logger: Logger },
): Promise<Effect> {
  try {
    const agent = await subAgents.read(tenantId, agentId);
    if (agent === null) return 'read';
    const readsOnly = agent.tools.every((tool) => {
      if (tool.type === 'http') return agent.httpEffects[tool.name] === 'read';
      return tool.type === 'builtin' && builtins.find(({ name }) => name === tool.name)?.effect === 'read';
    });
    return readsOnly ? 'read' : 'idempotent';
  } catch (error) {
    // The model call that asked for this is paid for: it is not given up for what both answers allow.
    logger.warn('The effect of an agent could not be determined.', describeFailure(error));
    return 'idempotent';
  }
}
