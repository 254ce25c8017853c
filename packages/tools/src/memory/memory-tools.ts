import { LeaseLostError, RetryableError } from '@turnpike/contract';
import type { AgentTool, ToolCall, TurnContext, ToolOutput } from '@turnpike/contract';
import { boundOutput } from '../bound-output.ts';
import { cannotReconcile } from '../cannot-reconcile.ts';
import { describeFailure } from '../describe-failure.ts';
import { explainIssues } from '../explain-issues.ts';
import type { FindTool } from '../given-tool.ts';
import { explainInexact } from '../explain-inexact.ts';
import type { ReadLimits } from '../limits.ts';
import type { MemoryStore } from '@turnpike/contract';
import { textOutput } from '../tool.ts';
import { changeMemory } from './change-memory.ts';
import {
  MEMORY_DESCRIPTION,
  MEMORY_INPUT,
  memoryCommandSchema,
  type MemoryCommand,
} from './memory-commands.ts';
import { untilStored } from './until-stored.ts';
import { viewMemory } from './view-memory.ts';

type MemoryTool = Extract<AgentTool, { type: 'memory' }>;

export interface MemoryParts {
  memory: MemoryStore;
  limits: ReadLimits;
}

/** Anthropic's memory tool, declared as an ordinary tool under the agent's name for it. */
export function memoryTools(parts: MemoryParts): FindTool<MemoryTool> {
  return (named) => ({
    declaration: { name: named.name, description: MEMORY_DESCRIPTION, input_schema: MEMORY_INPUT },
    prepare(input) {
      const inexact = explainInexact(input);
      if (inexact !== null) return { valid: false, explanation: inexact };
      const parsed = memoryCommandSchema.safeParse(input.value);
      if (!parsed.success) return { valid: false, explanation: explainIssues(parsed.error) };
      const command = parsed.data;
      return {
        valid: true,
        effect: command.command === 'view' ? 'read' : 'idempotent',
        onUnknown: 'tell_model',
        runsOutside: false,
        run: (call, context) => runCommand(named, command, call, context, parts),
        reconcile: () => cannotReconcile(named.name),
      };
    },
  });
}

/** Throws `LeaseLostError` and the signal's reason. */
async function runCommand(
  { namespace }: MemoryTool,
  command: MemoryCommand,
  call: ToolCall,
  context: TurnContext,
  { memory, limits }: MemoryParts,
): Promise<ToolOutput> {
  const { tenantId, turnId, epoch, signal, logger } = context;
  const scope = { tenantId, namespace };
  const bounds = { maxFiles: limits.maxMemoryFiles, maxFileBytes: limits.maxMemoryFileBytes };
  const shown = { maxTextCharacters: limits.maxOutputCharacters, maxMediaCharacters: 1 };
  const bound = (output: ToolOutput): ToolOutput => boundOutput(output, shown) ?? output;
  const work = (): Promise<ToolOutput> =>
    command.command === 'view'
      ? memory.read(scope, async (files) => bound(await viewMemory(files, command)))
      : memory.once({ ...scope, turnId, epoch, toolCallId: call.id }, async (files) =>
          bound(await changeMemory(files, command, bounds)),
        );
  try {
    return await untilStored(work, signal, limits.deadlineMs);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LeaseLostError) throw error;
    logger.error('A memory call failed.', describeFailure(error));
    const reason = error instanceof RetryableError ? 'is unavailable now' : 'failed with an internal error';
    return textOutput(`The memory ${reason}. View it before you repeat the command.`, true);
  }
}
