import { invalidCallReason, inexactNumbers, TerminalError } from '@turnpike/contract';
import type {
  AgentTool,
  RequestedCall,
  Effect,
  ToolCall,
  TurnContext,
  ToolDeclaration,
  ToolOutput,
  ToolPlan,
  ToolScope,
} from '@turnpike/contract';
import type { CallGuard, Egress } from '@turnpike/egress';
import type { Logger } from '@turnpike/telemetry';
import { builtinTools } from './builtin-tools.ts';
import { cannotReconcile } from './cannot-reconcile.ts';
import { clientTools } from './client-tools.ts';
import type { GivenTool, PreparedCall } from './given-tool.ts';
import { httpTools } from './http/http-tools.ts';
import { limitsSchema, type ToolLimits } from './limits.ts';
import { memoryTools } from './memory/memory-tools.ts';
import type { MemoryStore } from '@turnpike/contract';
import type { ToolSecrets } from './ports.ts';
import type { InputSchemas } from './schema/input-schemas.ts';
import { textOutput, type Tool } from './tool.ts';

export interface ToolRunnerSettings {
  builtins: readonly Tool[];
  /** The way out of HTTP tools. Its own deadlines bound theirs. */
  egress: Egress;
  /** The room and the breaker of each origin and builtin, for each tenant. */
  guard: CallGuard;
  secrets: ToolSecrets;
  memory: MemoryStore;
  logger: Logger;
  limits?: ToolLimits;
  /** Checks of the inputs of tenants' tools. */
  schemas: InputSchemas;
}

/** Every tool kind behind the interface that the loop knows: `ToolRunner` of packages/agent. */
export interface ToolRunner {
  /** The declarations of an agent's tools, in the agent's order. Throws `TerminalError` (`unknown_tool`). */
  declare(scope: ToolScope): ToolDeclaration[];
  /** How a call is to be treated; one that names no tool, or whose input is not valid, acts on nothing: `read`. */
  planOf(scope: ToolScope, call: RequestedCall): Promise<ToolPlan>;
  /**
   * Runs one call; whatever goes wrong is an answer for the model. Throws `OutcomeUnknownError` where a
   * call that must not be repeated left and gave no answer, `RetryableError` where something of ours is away
   * and nothing was sent, `LeaseLostError`, and the signal's reason.
   */
  run(scope: ToolScope, call: ToolCall, context: TurnContext): Promise<ToolOutput>;
  /**
   * Asks the tool how a call ended that left before; null where it never arrived.
   * Throws `OutcomeUnknownError` where the tool cannot tell, `RetryableError` where it could not be asked for a
   * reason of ours, and the signal's reason.
   */
  reconcile(scope: ToolScope, call: ToolCall, context: TurnContext): Promise<ToolOutput | null>;
}

/** Throws a `TypeError` for a builtin that cannot be declared, and a `ZodError` for limits that cannot be read. */
export function createToolRunner(settings: ToolRunnerSettings): ToolRunner {
  const limits = limitsSchema.parse(settings.limits ?? {});
  const { secretsWaitMs } = limits;
  const parts = { ...settings, limits, secretsWaitMs };
  const findBuiltin = builtinTools(settings.builtins, parts);
  const findHttp = httpTools(parts);
  const findClient = clientTools(parts.schemas);
  const findMemory = memoryTools(parts);

  const open = (named: AgentTool, scope: ToolScope): GivenTool | null => {
    switch (named.type) {
      case 'builtin':
        return findBuiltin(named, scope);
      case 'http':
        return findHttp(named, scope);
      case 'client':
        return findClient(named, scope);
      case 'memory':
        return findMemory(named, scope);
      default:
        return named satisfies never;
    }
  };
  /** A tool that is here and that the agent was given. */
  const find = (scope: ToolScope, name: string) => {
    const named = scope.agent.tools.find((tool) => tool.name === name);
    const tool = named === undefined ? null : open(named, scope);
    return named === undefined || tool === null ? null : { named, tool };
  };

  return {
    declare(scope) {
      return scope.agent.tools.map((named) => {
        const tool = open(named, scope);
        if (tool !== null) return tool.declaration;
        throw new TerminalError('unknown_tool', `The agent names a tool that is not here: ${named.name}.`);
      });
    },

    async planOf(scope, call) {
      const found = find(scope, call.name);
      const prepared = found && (await prepare(found.tool, call));
      // No tool can ever be given what is wrong by itself: nobody needs to approve it.
      if (found === null || invalidCallReason(call) !== null)
        return { effect: 'read', onUnknown: 'tell_model', awaiting: null };
      const needsApproval = 'requires_approval' in found.named && found.named.requires_approval;
      // Also of what is not valid now: the tool may have become less strict when the call is run.
      if (!prepared?.valid) {
        return { effect: 'read', onUnknown: 'tell_model', awaiting: needsApproval ? 'approval' : null };
      }
      const { effect, onUnknown, runsOutside } = prepared;
      return { effect, onUnknown, awaiting: runsOutside ? 'output' : needsApproval ? 'approval' : null };
    },

    async run(scope, call, context) {
      context.signal.throwIfAborted();
      const found = find(scope, call.name);
      if (call.name === '') return textOutput(invalidCallReason(call) ?? '', true);
      if (found === null) return noSuchTool(scope, call.name, (named) => open(named, scope) !== null);
      const prepared = await prepare(found.tool, call);
      if (!prepared.valid) return textOutput(prepared.explanation, true);
      // The journal's word is what a crash is met with, and what a person approved: where the tool has
      // become stricter since, that word does not cover the call any more.
      if (STRICTNESS[call.effect] < STRICTNESS[prepared.effect]) {
        return textOutput(`${call.name} has changed meanwhile, so nothing was done. Call it again.`, true);
      }
      return prepared.run(call, context);
    },

    async reconcile(scope, call, context) {
      context.signal.throwIfAborted();
      const found = find(scope, call.name);
      const prepared = found && (await prepare(found.tool, call));
      return prepared?.valid ? prepared.reconcile(call, context) : cannotReconcile(call.name);
    },
  };
}

/** What is wrong with a call whoever its tool is comes before what its tool says of it. */
async function prepare(tool: GivenTool, call: RequestedCall): Promise<PreparedCall> {
  const explanation = invalidCallReason(call);
  if (explanation !== null) return { valid: false, explanation };
  const { input: value, inputText: text } = call;
  return tool.prepare({ value, text, inexact: text === null ? [] : inexactNumbers(text) });
}

const STRICTNESS: Record<Effect, number> = { read: 0, idempotent: 1, once: 2, reconcile: 2 };

function noSuchTool(scope: ToolScope, name: string, isHere: (named: AgentTool) => boolean): ToolOutput {
  const names = scope.agent.tools.filter(isHere).map((tool) => tool.name);
  return textOutput(
    `There is no tool "${name.slice(0, 64)}". The tools are: ${names.join(', ') || 'none'}.`,
    true,
  );
}
