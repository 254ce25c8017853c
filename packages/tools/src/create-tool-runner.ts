import { invalidCallReason, inexactNumbers, OutcomeUnknownError, TerminalError } from '@turnpike/contract';
import type {
  AgentTool,
  RequestedCall,
  Effect,
  ToolCall,
  ToolCallContext,
  ServerToolDeclaration,
  ToolDeclaration,
  ToolOutput,
  ToolPlan,
  ToolScope,
} from '@turnpike/contract';
import type { CallGuard, Egress } from '@turnpike/egress';
import type { Logger } from '@turnpike/telemetry';
import { agentTools } from './agents/agent-tools.ts';
import { describeChild, describeRefusal } from './agents/describe-child.ts';
import { builtinTools } from './builtin-tools.ts';
import { cannotReconcile } from './cannot-reconcile.ts';
import { clientTools } from './client-tools.ts';
import type { FindTool, GivenTool, PreparedCall } from './given-tool.ts';
import { httpTools } from './http/http-tools.ts';
import { keepOutput, type OutputFiles } from './keep-output.ts';
import { limitsSchema, type ToolLimits } from './limits.ts';
import { McpTools } from './mcp/mcp-tools.ts';
import { memoryTools } from './memory/memory-tools.ts';
import type {
  ChildRefusal,
  ChildTurn,
  ContentBlock,
  McpListStore,
  MemoryStore,
  SubAgentStore,
  ToolsChanged,
  TurnContext,
} from '@turnpike/contract';
import type { ToolSecrets } from './ports.ts';
import { serverTool } from './server-tools.ts';
import type { InputSchemas } from './schema/input-schemas.ts';
import { textOutput, type Tool } from './tool.ts';

export interface ToolRunnerSettings {
  builtins: readonly Tool[];
  /** Finds tools that a worker's own code defines. */
  findCode: FindTool<Extract<AgentTool, { type: 'code' }>>;
  /** The egress of HTTP tools. Its own deadlines are the upper limit of theirs. */
  egress: Egress;
  /** The semaphore and the circuit breaker of each origin and builtin, for each tenant. */
  guard: CallGuard;
  secrets: ToolSecrets;
  memory: MemoryStore;
  subAgents: SubAgentStore;
  /** Where outputs that are too large are kept. Left out: they are truncated. */
  files?: OutputFiles;
  /** The tools of MCP servers: how they are reached, and what they listed. */
  mcp: { fetch: typeof globalThis.fetch; lists: McpListStore };
  logger: Logger;
  limits?: ToolLimits;
  /** Checks of the inputs of tenants' tools. */
  schemas: InputSchemas;
}

/** All kinds of tools behind the interface of the loop: `ToolRunner` of packages/agent. */
export interface ToolRunner {
  /**
   * Finds what a turn has, before it runs: the lists of MCP servers that it began with. Resolves with those that have
   * changed. Throws `RetryableError` where a service of ours is unavailable, and the signal's reason.
   */
  open(scope: ToolScope, context: TurnContext): Promise<ToolsChanged[]>;
  /** The declarations of an agent's tools, in the agent's order. Throws `TerminalError` (`unknown_tool`). */
  declare(scope: ToolScope): (ToolDeclaration | ServerToolDeclaration)[];
  /** How a call is to be handled; one without such a tool, or with an invalid input, acts on nothing: `read`. */
  planOf(scope: ToolScope, call: RequestedCall): Promise<ToolPlan>;
  /**
   * Runs one call; most errors are results for the model. Throws `OutcomeUnknownError` where a call that must not be
   * repeated was sent and got no response, `CallDeferredError` and `CallSuspendedError` where the call is to be made
   * again, `RetryableError` where a service of ours is unavailable and nothing was
   * sent, `LeaseLostError`, and the signal's reason.
   */
  run(scope: ToolScope, call: ToolCall, context: ToolCallContext): Promise<ToolOutput>;
  /**
   * Asks the tool how a call ended that was sent before; null where it may be made again: it never arrived, or it goes on
   * from its committed steps.
   * Throws `OutcomeUnknownError` where the tool cannot tell, `RetryableError` where a service of ours is unavailable and
   * the tool was not asked, and the signal's reason.
   */
  reconcile(scope: ToolScope, call: ToolCall, context: ToolCallContext): Promise<ToolOutput | null>;
  /** The agent that a call calls, and what it is given; null for any other call, also one with an invalid input. */
  childOf(scope: ToolScope, call: ToolCall): Promise<{ agentId: string; input: ContentBlock[] } | null>;
  /** What the model is told of a child turn that has ended, or that could not be started; null: it was erased. */
  outputOfChild(call: ToolCall, child: ChildTurn | ChildRefusal | null): ToolOutput;
  /** Closes connections that are kept between calls. */
  close(): Promise<void>;
}

/** Throws a `TypeError` for a builtin that cannot be declared, and a `ZodError` for invalid limits. */
export function createToolRunner(settings: ToolRunnerSettings): ToolRunner {
  const limits = limitsSchema.parse(settings.limits ?? {});
  const { secretsWaitMs } = limits;
  const { files = null } = settings;
  const mostKeptBytes = files === null ? 0 : MOST_KEPT_BYTES;
  const parts = { ...settings, limits, secretsWaitMs, mostKeptBytes };
  const findBuiltin = builtinTools(settings.builtins, parts);
  const findHttp = httpTools(parts);
  const findClient = clientTools(parts.schemas);
  const findMemory = memoryTools(parts);
  const findAgent = agentTools(parts);
  const output = {
    maxTextCharacters: limits.maxOutputCharacters,
    maxMediaCharacters: limits.maxMediaCharacters,
  };
  const mcp = new McpTools({ ...parts, ...settings.mcp });

  const open = (named: NamedTool, scope: ToolScope): GivenTool | null => {
    switch (named.type) {
      case 'builtin':
        return findBuiltin(named, scope);
      case 'code':
        return settings.findCode(named, scope);
      case 'http':
        return findHttp(named, scope);
      case 'client':
        return findClient(named, scope);
      case 'memory':
        return findMemory(named, scope);
      case 'server':
        return serverTool(named);
      case 'agent':
        return findAgent(named, scope);
      default:
        return named satisfies never;
    }
  };
  /** A tool that exists and that the agent has. */
  const find = (
    scope: ToolScope,
    name: string,
  ): { tool: GivenTool; named: NamedTool | null; requiresApproval: boolean } | null => {
    const named = scope.agent.tools.filter(isNamed).find((tool) => tool.name === name);
    const tool = named === undefined ? mcp.of(scope).get(name) : open(named, scope);
    if (tool === undefined || tool === null) return null;
    const requiresApproval = named !== undefined && 'requires_approval' in named && named.requires_approval;
    return { tool, named: named ?? null, requiresApproval };
  };

  return {
    open: (scope, context) => mcp.open(scope, context),

    declare(scope) {
      const own = scope.agent.tools.filter(isNamed).map((named) => {
        const tool = open(named, scope);
        if (tool !== null)
          return isDeferred(named) ? { ...tool.declaration, defer_loading: true } : tool.declaration;
        throw new TerminalError('unknown_tool', `The agent names a tool that does not exist: ${named.name}.`);
      });
      return [...own, ...[...mcp.of(scope).values()].map(({ declaration }) => declaration)];
    },

    async planOf(scope, call) {
      const found = find(scope, call.name);
      const prepared = found && (await prepare(found.tool, call));
      // A call that is invalid whatever its tool can never be made: it needs no approval.
      if (found === null || invalidCallReason(call) !== null)
        return { effect: 'read', onUnknown: 'tell_model', awaiting: null };
      const needsApproval = found.requiresApproval;
      // Also for an input that is invalid now: the tool may be less strict when the call is run.
      if (!prepared?.valid) {
        return { effect: 'read', onUnknown: 'tell_model', awaiting: needsApproval ? 'approval' : null };
      }
      const { effect, onUnknown, runsOutside } = prepared;
      const asks = needsApproval || prepared.needsApproval === true;
      const awaiting = runsOutside ? 'output' : asks ? 'approval' : null;
      return { effect, onUnknown, awaiting, acceptedBy: prepared.hash ?? null };
    },

    async run(scope, call, context) {
      context.signal.throwIfAborted();
      const found = find(scope, call.name);
      if (call.name === '') return textOutput(invalidCallReason(call) ?? '', true);
      if (found === null) {
        const own = scope.agent.tools.filter(isNamed).filter((named) => open(named, scope) !== null);
        return noSuchTool(call.name, [...own.map((named) => named.name), ...mcp.of(scope).keys()]);
      }
      const prepared = await prepare(found.tool, call, call.acceptedBy);
      const hasChanged = prepared.valid && STRICTNESS[call.effect] < STRICTNESS[prepared.effect];
      if ((!prepared.valid || hasChanged) && hasActed(call)) {
        throw new OutcomeUnknownError('tool_changed', `${call.name} has changed since the call acted.`);
      }
      if (!prepared.valid) return textOutput(prepared.explanation, true);
      // Recovery after a crash, and a person's approval, rely on the effect in the journal: where the tool has become
      // stricter since, the call cannot be made with it.
      if (hasChanged) {
        return textOutput(`${call.name} has changed meanwhile, so nothing was done. Call it again.`, true);
      }
      return keepOutput(await prepared.run(call, context), call, context, files);
    },

    async reconcile(scope, call, context) {
      context.signal.throwIfAborted();
      const found = find(scope, call.name);
      const prepared = found && (await prepare(found.tool, call, call.acceptedBy));
      if (!prepared?.valid) return cannotReconcile(call.name);
      const outcome = await prepared.reconcile(call, context);
      return outcome === null ? null : keepOutput(outcome, call, context, files);
    },

    async childOf(scope, call) {
      const found = find(scope, call.name);
      if (found?.named?.type !== 'agent') return null;
      const prepared = await prepare(found.tool, call);
      return prepared.valid ? (prepared.child ?? null) : null;
    },

    outputOfChild(call, child) {
      return child !== null && 'reason' in child
        ? describeRefusal(call.name, child)
        : describeChild(call.name, child, output);
    },

    close: () => mcp.close(),
  };
}

/** Of a response to an HTTP tool. A worker holds it until it is stored. */
const MOST_KEPT_BYTES = 4 * 1024 * 1024;

/** What is wrong with a call whatever its tool is checked before the tool's own rules. */
async function prepare(
  tool: GivenTool,
  call: RequestedCall,
  acceptedBy: string | null = null,
): Promise<PreparedCall> {
  const explanation = invalidCallReason(call);
  if (explanation !== null) return { valid: false, explanation };
  const { input: value, inputText: text } = call;
  return tool.prepare({ value, text, inexact: text === null ? [] : inexactNumbers(text), acceptedBy });
}

/** Whether a durable step of it may have acted: then its end cannot be that nothing was done. */
function hasActed({ steps }: ToolCall): boolean {
  return steps.some(
    ({ kind, effect, status }) => kind === 'step' && effect !== 'read' && status !== 'undone',
  );
}

const STRICTNESS: Record<Effect, number> = { read: 0, idempotent: 1, once: 2, reconcile: 2 };

function noSuchTool(name: string, names: readonly string[]): ToolOutput {
  return textOutput(
    `There is no tool "${name.slice(0, 64)}". The tools are: ${names.join(', ') || 'none'}.`,
    true,
  );
}

/** A tool that an agent names by itself, and not with its server. */
type NamedTool = Exclude<AgentTool, { type: 'mcp' }>;

function isNamed(tool: AgentTool): tool is NamedTool {
  return tool.type !== 'mcp';
}

function isDeferred(tool: NamedTool): boolean {
  return 'defer_loading' in tool && tool.defer_loading === true;
}
