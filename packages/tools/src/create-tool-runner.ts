import { TerminalError } from '@turnpike/contract';
import type {
  AgentConfig,
  Effect,
  ToolCall,
  ToolCallContext,
  ToolDeclaration,
  ToolOutput,
} from '@turnpike/contract';
import type { Logger } from '@turnpike/telemetry';
import { z } from 'zod';
import { Bulkhead } from './bulkhead.ts';
import { declareTool } from './declare-tool.ts';
import { describeFailure } from './describe-failure.ts';
import { readInput } from './read-input.ts';
import { runTool } from './run-tool.ts';
import { mayRepeat, textOutput, type Tool } from './tool.ts';

const count = z.int().min(1).max(10_000);
const characters = z.int().min(1).max(32_000_000);
const milliseconds = z.int().min(1).max(3_600_000);

const limitsSchema = z.strictObject({
  deadlineMs: milliseconds.default(30_000),
  maxOutputCharacters: characters.default(64_000),
  maxMediaCharacters: characters.default(8_000_000),
  maxCallsPerTool: count.default(64),
  maxWaitingPerTool: z.int().min(0).max(10_000).default(256),
  maxWaitMs: milliseconds.default(5_000),
});

/**
 * The bounds of every call. All of it is optional.
 * - `deadlineMs`: for a tool that sets none of its own. Milliseconds from when the call has its
 *   place, default 30 s.
 * - `maxOutputCharacters`: text of one output, default 64,000.
 * - `maxMediaCharacters`: images and documents of one output as JSON, default 8,000,000.
 * - `maxCallsPerTool`: calls of one tool at once in this process, default 64; `maxWaitingPerTool`
 *   more wait for a place, default 256, each at most `maxWaitMs`, default 5 s.
 */
export type ToolLimits = z.input<typeof limitsSchema>;

export interface ToolRunnerSettings {
  builtins: readonly Tool[];
  logger: Logger;
  limits?: ToolLimits;
}

/** The tools of a worker, behind the interface that the loop knows. */
export interface BuiltinToolRunner {
  /** The declarations of an agent's tools, in the agent's order. Throws `TerminalError` (`unknown_tool`). */
  declare(agent: AgentConfig): ToolDeclaration[];
  /** What a second identical call would do; `read` where nothing will be called. */
  effectOf(agent: AgentConfig, name: string, input: unknown): Effect;
  /**
   * Runs one call; whatever goes wrong is an answer for the model. Throws `OutcomeUnknownError`
   * where a call that must not be repeated gave no answer, and the signal's reason.
   */
  run(agent: AgentConfig, call: ToolCall, context: ToolCallContext): Promise<ToolOutput>;
}

/** Throws a `TypeError` for a tool that cannot be declared, and a `ZodError` for limits that cannot be read. */
export function createToolRunner(settings: ToolRunnerSettings): BuiltinToolRunner {
  const { logger } = settings;
  const limits = limitsSchema.parse(settings.limits ?? {});
  const tools = new Map(settings.builtins.map((tool) => [tool.name, register(tool, limits)]));
  if (tools.size < settings.builtins.length) throw new TypeError('Two tools have the same name.');

  /** A tool that is here and that the agent was given. */
  const find = (agent: AgentConfig, name: string) =>
    agent.tools.some((given) => given.name === name) ? tools.get(name) : undefined;

  const effectNow = (tool: Tool, input: unknown): Effect => {
    try {
      return typeof tool.effect === 'function' ? tool.effect(input) : tool.effect;
    } catch (error) {
      logger.error('A tool could not tell its effect.', { tool: tool.name, ...describeFailure(error) });
      return 'once';
    }
  };

  return {
    declare(agent) {
      return agent.tools.map(({ name }) => {
        const known = tools.get(name);
        if (known !== undefined) return known.declaration;
        throw new TerminalError('unknown_tool', `The agent names a tool that is not here: ${name}.`);
      });
    },

    effectOf(agent, name, given) {
      const known = find(agent, name);
      const input = known === undefined ? undefined : readInput(known.tool, given, logger);
      return known === undefined || !input?.valid ? 'read' : effectNow(known.tool, input.value);
    },

    async run(agent, call, context) {
      context.signal.throwIfAborted();
      const known = find(agent, call.name);
      if (known === undefined) {
        const names = agent.tools.map((given) => given.name).filter((name) => tools.has(name));
        return noSuchTool(call.name, names);
      }
      const input = readInput(known.tool, call.input, logger);
      if (!input.valid) return textOutput(input.explanation, true);
      // The journal's word is what a crash is met with: after it, such a call would be repeated.
      if (mayRepeat(call.effect) && !mayRepeat(effectNow(known.tool, input.value))) {
        return textOutput(`${call.name} has changed meanwhile, so nothing was done. Call it again.`, true);
      }
      const guard = { ...known.guard, logger };
      return runTool(known.tool, input.value, call.effect, { ...context, callId: call.id }, guard);
    },
  };
}

function register(tool: Tool, limits: z.output<typeof limitsSchema>) {
  return {
    tool,
    declaration: declareTool(tool),
    guard: {
      deadlineMs: tool.deadlineMs ?? limits.deadlineMs,
      output: {
        maxTextCharacters: limits.maxOutputCharacters,
        maxMediaCharacters: limits.maxMediaCharacters,
      },
      bulkhead: new Bulkhead({
        places: limits.maxCallsPerTool,
        maxWaiting: limits.maxWaitingPerTool,
        maxWaitMs: limits.maxWaitMs,
      }),
    },
  };
}

function noSuchTool(name: string, names: string[]): ToolOutput {
  return textOutput(
    `There is no tool "${name.slice(0, 64)}". The tools are: ${names.join(', ') || 'none'}.`,
    true,
  );
}
