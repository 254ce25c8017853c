import type { AgentTool, Effect } from '@turnpike/contract';
import type { CallGuard } from '@turnpike/egress';
import type { Logger } from '@turnpike/telemetry';
import { cannotReconcile } from './cannot-reconcile.ts';
import { declareTool } from './declare-tool.ts';
import { describeFailure } from './describe-failure.ts';
import type { FindTool, GivenTool } from './given-tool.ts';
import { explainInexact } from './explain-inexact.ts';
import type { ReadLimits } from './limits.ts';
import { readInput } from './read-input.ts';
import { runTool, type RunParts } from './run-tool.ts';
import type { Tool } from './tool.ts';

/**
 * The tools that the operator registered in code.
 * Throws a `TypeError` for a tool that cannot be declared, and for two with one name.
 */
export function builtinTools(
  builtins: readonly Tool[],
  parts: { guard: CallGuard; logger: Logger; limits: ReadLimits },
): FindTool<Extract<AgentTool, { type: 'builtin' }>> {
  const tools = new Map(builtins.map((tool) => [tool.name, asGiven(tool, parts)]));
  if (tools.size < builtins.length) throw new TypeError('Two tools have the same name.');
  return ({ name }) => tools.get(name) ?? null;
}

function asGiven(
  tool: Tool,
  { guard, logger, limits }: { guard: CallGuard; logger: Logger; limits: ReadLimits },
): GivenTool {
  const parts: RunParts = {
    guard,
    deadlineMs: tool.deadlineMs ?? limits.deadlineMs,
    output: {
      maxTextCharacters: limits.maxOutputCharacters,
      maxMediaCharacters: limits.maxMediaCharacters,
    },
  };
  return {
    declaration: declareTool(tool),
    prepare(given) {
      const inexact = explainInexact(given);
      if (inexact !== null) return { valid: false, explanation: inexact };
      const input = readInput(tool, given.value, logger);
      if (!input.valid) return input;
      return {
        valid: true,
        effect: effectOf(tool, input.value, logger),
        onUnknown: 'tell_model',
        runsOutside: false,
        run: (call, context) =>
          runTool(tool, input.value, call.effect, { ...context, callId: call.id }, parts),
        reconcile: () => cannotReconcile(tool.name),
      };
    },
  };
}

function effectOf(tool: Tool, input: unknown, logger: Logger): Effect {
  try {
    return typeof tool.effect === 'function' ? tool.effect(input) : tool.effect;
  } catch (error) {
    logger.error('The effect of a tool could not be determined.', {
      tool: tool.name,
      ...describeFailure(error),
    });
    return 'once';
  }
}
