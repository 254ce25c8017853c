import type { Effect, ToolCallContext, ToolOutput } from '@turnpike/contract';
import type { z } from 'zod';

/** What a tool is told of the call that it answers. */
export interface ToolContext extends ToolCallContext {
  /** The call's id, and its idempotency key: the same however often it is tried. */
  callId: string;
}

/** A tool that the operator registers in code. */
export interface Tool<Input = unknown> {
  name: string;
  /** Tells the model what it does and when to use it. */
  description: string;
  /** What the model must give; its JSON Schema is what the model is shown. */
  input: z.ZodType<Input>;
  /** What a second identical call would do. */
  effect: Effect | ((input: Input) => Effect);
  /** Milliseconds; the runner's own limit where left out. */
  deadlineMs?: number;
  /**
   * Throws `OutcomeUnknownError` when the call left and no answer came. Whatever else it throws
   * is a bug of the tool: the model is told that it failed, the log says how.
   */
  run(input: Input, context: ToolContext): Promise<ToolOutput>;
}

/** A tool whose input type nobody needs to know any more. */
export function defineTool<Input>(tool: Tool<Input>): Tool {
  const { effect } = tool;
  return {
    ...tool,
    effect: typeof effect === 'function' ? (input) => effect(tool.input.parse(input)) : effect,
    run: (input, context) => tool.run(tool.input.parse(input), context),
  };
}

export function textOutput(text: string, isError = false): ToolOutput {
  return { content: [{ type: 'text', text }], isError };
}
