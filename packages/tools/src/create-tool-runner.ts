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
import { runGuarded } from './run-guarded.ts';
import { textOutput, type Tool } from './tool.ts';

export interface ToolRunnerSettings {
  builtins: readonly Tool[];
  logger: Logger;
  /** For a call of a tool that sets none of its own. Milliseconds, default 30 s. */
  deadlineMs?: number;
  /** Text of one output, default 64,000 characters. */
  maxOutputCharacters?: number;
  /** Calls of one tool at once in this process, default 64. */
  maxCallsPerTool?: number;
}

/** The tools of a worker, behind the interface that the loop knows. */
export interface BuiltinToolRunner {
  declare(agent: AgentConfig): ToolDeclaration[];
  effectOf(agent: AgentConfig, name: string, input: unknown): Effect;
  run(agent: AgentConfig, call: ToolCall, context: ToolCallContext): Promise<ToolOutput>;
}

export function createToolRunner(settings: ToolRunnerSettings): BuiltinToolRunner {
  const { logger, deadlineMs = 30_000, maxOutputCharacters = 64_000, maxCallsPerTool = 64 } = settings;
  const tools = new Map(
    settings.builtins.map((tool) => [
      tool.name,
      { tool, declaration: declarationOf(tool), bulkhead: new Bulkhead(maxCallsPerTool) },
    ]),
  );
  const toolOf = (agent: AgentConfig, name: string) =>
    agent.tools.some((granted) => granted.name === name) ? tools.get(name) : undefined;

  return {
    declare(agent) {
      return agent.tools.map(({ name }) => {
        const known = tools.get(name);
        if (known === undefined) {
          throw new TerminalError('unknown_tool', `The agent names a tool that is not here: ${name}.`);
        }
        return known.declaration;
      });
    },

    effectOf(agent, name, input) {
      const known = toolOf(agent, name);
      const parsed = known?.tool.input.safeParse(input);
      // Nothing will be called, so nothing can happen twice.
      if (known === undefined || parsed?.success !== true) return 'read';
      const { effect } = known.tool;
      return typeof effect === 'function' ? effect(parsed.data) : effect;
    },

    async run(agent, call, context) {
      const known = toolOf(agent, call.name);
      if (known === undefined) return textOutput(noSuchTool(agent, call.name), true);
      const input = known.tool.input.safeParse(call.input);
      if (!input.success) return textOutput(invalidInput(input.error), true);
      const { tool, bulkhead } = known;
      return runGuarded(
        tool,
        input.data,
        call.effect,
        { ...context, callId: call.id },
        { bulkhead, deadlineMs: tool.deadlineMs ?? deadlineMs, maxOutputCharacters, logger },
      );
    },
  };
}

const jsonSchemaSchema = z.looseObject({ type: z.literal('object') });

function declarationOf(tool: Tool): ToolDeclaration {
  const { $schema: _, ...schema } = z.toJSONSchema(tool.input, { io: 'input' });
  return {
    name: tool.name,
    description: tool.description,
    input_schema: jsonSchemaSchema.parse(schema),
  };
}

function noSuchTool(agent: AgentConfig, name: string): string {
  const names = agent.tools.map((tool) => tool.name).join(', ') || 'none';
  return `There is no tool ${name}. Tools: ${names}.`;
}

function invalidInput(error: z.ZodError): string {
  const issues = error.issues.map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`);
  return `Invalid input. ${issues.slice(0, 20).join('; ')}`;
}
