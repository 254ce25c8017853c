import { storableText, type Effect, type ToolCallContext, type ToolOutput } from '@turnpike/contract';
import type { z } from 'zod';

/** What a tool is told of the call that it answers. */
export interface ToolContext extends ToolCallContext {
  /** The call's id, and its idempotency key: the same however often it is tried. */
  callId: string;
}

/** A tool that the operator registers in code. */
export interface Tool<Input = unknown> {
  /** 1 to 64 of `a-z A-Z 0-9 _ -`. */
  name: string;
  /** Tells the model what it does and when to use it. */
  description: string;
  /** What the model must give, an object; its JSON Schema is what the model is shown. No async refinements. */
  input: z.ZodType<Input>;
  /** What a second identical call would do. */
  effect: Effect | ((input: Input) => Effect);
  /** Milliseconds; the runner's own limit where left out. */
  deadlineMs?: number;
  /**
   * Is given what `input` made of the model's words. Throws `OutcomeUnknownError` when the call left
   * and no answer came. Whatever else it throws is a bug of the tool: the model is told that it
   * failed, the log says where.
   */
  run(input: Input, context: ToolContext): Promise<ToolOutput>;
}

/** A tool whose input type nobody needs to know any more: the runner hands it only what `input` let through. */
export function defineTool<Input>(tool: Tool<Input>): Tool {
  return tool as Tool;
}

export function textOutput(text: string, isError = false): ToolOutput {
  return { content: [{ type: 'text', text: storableText(text) }], isError };
}
