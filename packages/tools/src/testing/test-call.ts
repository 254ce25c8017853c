import { agentConfigSchema, newId, toolConfigSchema } from '@turnpike/contract';
import { silentLogger } from '@turnpike/telemetry';
import type {
  AgentConfig,
  AgentTool,
  Effect,
  RegisteredTool,
  ToolCall,
  ToolConfig,
  ToolOutput,
  ToolScope,
  TurnContext,
  TurnLogger,
} from '@turnpike/contract';

/** An agent with these tools: builtin ones by their name, others as they are. */
export function agentWith(...tools: (string | AgentTool)[]): AgentConfig {
  return agentConfigSchema.parse({
    model: 'claude-test',
    tools: tools.map((tool) => (typeof tool === 'string' ? { type: 'builtin', name: tool } : tool)),
  });
}

/** The scope of a turn of this agent, whose tenant registered these tools. */
export function scopeOf(agent: AgentConfig, tools: RegisteredTool[] = [], tenantId = TENANT): ToolScope {
  return { tenantId, agent, tools };
}

const TENANT = newId('tenant');

/** A started call, as in the journal. */
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

/** The context of a turn that `signal` stops. `nowMs` is the database's time, in milliseconds since 1970. */
export function turnContext(
  signal: AbortSignal = new AbortController().signal,
  nowMs: number = Date.now(),
): TurnContext {
  return {
    tenantId: TENANT,
    turnId: newId('turn'),
    sessionId: newId('session'),
    epoch: 1,
    now: () => nowMs,
    remainingMs: () => 60_000,
    logger: silentLogger,
    traceparent: null,
    logsContent: () => false,
    signal,
    assertHeld: () => undefined,
  };
}

/** The context as the loop gives it to this call: what is logged names the turn, the tool and the call. */
export function loggedTo(logger: TurnLogger, context: TurnContext, call: ToolCall): TurnContext {
  const { turnId, tenantId, sessionId, epoch } = context;
  const ids = { turn_id: turnId, tenant_id: tenantId, session_id: sessionId, epoch };
  return { ...context, logger: logger.child({ ...ids, tool: call.name, tool_call_id: call.id }) };
}

/** A registered HTTP tool; what is left out has its default. */
export function registered(config: Partial<ToolConfig> & { url: string }, name = 'tool'): RegisteredTool {
  return {
    name,
    config: toolConfigSchema.parse({
      description: 'A tool under test.',
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
