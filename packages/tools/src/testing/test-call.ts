import { agentConfigSchema, newId, toolConfigSchema } from '@turnpike/contract';
import { silentLogger } from '@turnpike/telemetry';
import type {
  AgentConfig,
  AgentTool,
  Effect,
  RegisteredTool,
  ToolCall,
  ToolConfig,
  ToolCallContext,
  ToolOutput,
  ToolScope,
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
    question: null,
    output: null,
    isError: false,
    attempts: 1,
    steps: [],
  };
}

/** The context of a turn that `signal` stops. `nowMs` is the database's time, in milliseconds since 1970. */
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
    remainingMs: () => 60_000,
    logger: silentLogger,
    traceparent: null,
    logsContent: () => false,
    signal,
    endSignal: signal,
    assertHeld: () => undefined,
    metadata: { turn: {}, session: {} },
    attempt: 1,
    steps: () => [],
    commitStep: () => Promise.resolve(),
    showProgress: () => undefined,
  };
}

/** The context as the loop gives it to this call: what is logged names the turn, the tool and the call. */
export function loggedTo(logger: TurnLogger, context: ToolCallContext, call: ToolCall): ToolCallContext {
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
