import { agentConfigSchema, newId } from '@turnpike/contract';
import type { AgentConfig, Effect, ToolCall, ToolCallContext, ToolOutput } from '@turnpike/contract';

/** An agent that was given these tools. */
export function agentWith(...names: string[]): AgentConfig {
  return agentConfigSchema.parse({
    model: 'claude-test',
    tools: names.map((name) => ({ type: 'builtin', name })),
  });
}

/** A call as the journal would have it, started. */
export function callOf(name: string, input: unknown, effect: Effect = 'read'): ToolCall {
  return {
    id: newId('toolCall'),
    toolUseId: 'toolu_1',
    name,
    input,
    effect,
    status: 'started',
    output: null,
    isError: false,
  };
}

/** A turn that nobody stops, or that `signal` stops. */
export function turnContext(signal: AbortSignal = new AbortController().signal): ToolCallContext {
  return { tenantId: newId('tenant'), turnId: newId('turn'), signal };
}

/** What the model reads. */
export function textIn(output: ToolOutput): string {
  return output.content.map((block) => String(block['text'])).join('\n');
}
