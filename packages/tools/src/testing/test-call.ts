import { agentConfigSchema, newId, toolConfigSchema } from '@turnpike/contract';
import type {
  AgentConfig,
  AgentTool,
  Effect,
  RegisteredTool,
  ToolCall,
  ToolCallContext,
  ToolConfig,
  ToolOutput,
  ToolScope,
} from '@turnpike/contract';

/** An agent that was given these tools: builtin ones by their name, others as they are. */
export function agentWith(...tools: (string | AgentTool)[]): AgentConfig {
  return agentConfigSchema.parse({
    model: 'claude-test',
    tools: tools.map((tool) => (typeof tool === 'string' ? { type: 'builtin', name: tool } : tool)),
  });
}

/** A turn's scope of this agent, whose tenant registered these tools. */
export function scopeOf(agent: AgentConfig, tools: RegisteredTool[] = [], tenantId = TENANT): ToolScope {
  return { tenantId, agent, tools };
}

export const TENANT = newId('tenant');

/** A call as the journal would have it, started. */
export function callOf(name: string, input: unknown, effect: Effect = 'read'): ToolCall {
  return {
    id: newId('toolCall'),
    toolUseId: 'toolu_1',
    name,
    input,
    inputText: JSON.stringify(input),
    effect,
    onUnknown: 'tell_model',
    status: 'started',
    awaiting: null,
    output: null,
    isError: false,
  };
}

/** A turn that nobody stops, or that `signal` stops. `nowMs` is the database's time, in milliseconds since 1970. */
export function turnContext(
  signal: AbortSignal = new AbortController().signal,
  nowMs: number = Date.now(),
): ToolCallContext {
  return {
    tenantId: TENANT,
    turnId: newId('turn'),
    sessionId: newId('session'),
    epoch: 1,
    now: () => nowMs,
    signal,
    assertHeld: () => undefined,
  };
}

/** An HTTP tool as it is registered; what is left out has its default. */
export function registered(config: Partial<ToolConfig> & { url: string }, name = 'tool'): RegisteredTool {
  return {
    name,
    config: toolConfigSchema.parse({
      description: 'A tool on trial.',
      input_schema: { type: 'object' },
      ...config,
    }),
    signingSecret: { name: `tool_${name}`, field: 'signing_secret', version: 1, envelope: 'sealed' },
  };
}

/** What the model reads. */
export function textIn(output: ToolOutput): string {
  return output.content.map((block) => String(block['text'])).join('\n');
}
