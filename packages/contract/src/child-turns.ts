import { z } from 'zod';
import type { ContentBlock } from './content.ts';
import { idSchema } from './ids.ts';
import { turnStatusSchema, type StopReason, type TurnStatus } from './statuses.ts';
import { inputSchemaSchema, toolNameSchema, type InputSchema } from './tools.ts';
import type { TurnError } from './turns.ts';

/** Another agent of the tenant as a tool. A call is a child turn, in a session of its own. */
export const subAgentSchema = z.strictObject({
  type: z.literal('agent'),
  name: toolNameSchema,
  agent_id: idSchema('agent').meta({
    description: 'The agent that is called. Each call uses the version that is newest at that moment.',
  }),
  description: z
    .string()
    .min(1)
    .max(10_000)
    .meta({ description: 'Tells the model what the agent does and when to call it.' }),
  input_schema: inputSchemaSchema.optional().meta({
    description:
      'A JSON Schema of the input, which the agent gets as JSON text. Default: an object with a `prompt`, whose text the agent gets.',
  }),
  requires_approval: z.boolean().default(false).meta({
    description: 'If true, the turn waits in `requires_action` until the call is approved or denied.',
  }),
});

/** The input of a sub-agent without a schema of its own. */
export const PROMPT_SCHEMA: InputSchema = {
  type: 'object',
  properties: {
    prompt: { type: 'string', minLength: 1, description: 'What the agent is to do, with all that it must know.' },
  },
  required: ['prompt'],
  additionalProperties: false,
};

/** What a queued turn is parked for. */
export const waitingForSchema = z
  .object({
    type: z.literal('child_turns'),
    child_turns: z.array(
      z.object({
        id: idSchema('turn'),
        session_id: idSchema('session'),
        tool_call_id: idSchema('toolCall'),
        status: turnStatusSchema,
      }),
    ),
  })
  .meta({
    id: 'WaitingFor',
    description:
      'What a queued turn is parked for: child turns that have not ended. One in `requires_action` waits for the client.',
  });
export type WaitingFor = z.infer<typeof waitingForSchema>;

/** A child turn that a call asks for. */
export interface RequestedChild {
  toolCallId: string;
  agentId: string;
  input: ContentBlock[];
}

/**
 * Why a call got no child turn. `agent_deleted`: there is no such agent, or no longer; the others name the limit
 * that it would exceed.
 */
export type ChildRefusal =
  | { reason: 'agent_deleted' }
  | { reason: 'max_child_depth' | 'max_child_turns' | 'max_sessions'; limit: number };

/** What became of a call of a sub-agent: its child turn, or why there is none. */
export type StartedChild =
  | { toolCallId: string; childTurnId: string; refusal: null }
  | { toolCallId: string; childTurnId: null; refusal: ChildRefusal };

/** A child turn, as its parent needs it. */
export interface ChildTurn {
  id: string;
  status: TurnStatus;
  stopReason: StopReason | null;
  output: ContentBlock[] | null;
  error: TurnError | null;
}
