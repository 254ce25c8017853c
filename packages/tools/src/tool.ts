import { storableText, type Effect, type TurnContext, type ToolOutput } from '@turnpike/contract';
import type { z } from 'zod';

/** What a tool is given beside its input. */
export interface ToolContext extends TurnContext {
  /** The call's id, and its idempotency key: the same in every attempt. */
  callId: string;
}

/** A tool that the operator registers in code. */
export interface Tool<Input = unknown> {
  /** 1 to 64 of `a-z A-Z 0-9 _ -`. */
  name: string;
  /** Tells the model what it does and when to use it. */
  description: string;
  /** Schema of the input, which is an object; the model is shown its JSON Schema. No async refinements. */
  input: z.ZodType<Input>;
  /** What a second identical call would do. */
  effect: Effect | ((input: Input) => Effect);
  /** Milliseconds; the runner's own limit where left out. */
  deadlineMs?: number;
  /**
   * Is given the input as parsed by `input`. Throws `OutcomeUnknownError` when the call was sent and no response came.
   * Any other error is a bug of the tool: the model is told that it failed, and the log says where.
   */
  run(input: Input, context: ToolContext): Promise<ToolOutput>;
}

/** A tool without its input type: the runner gives it only what `input` has parsed. */
export function defineTool<Input>(tool: Tool<Input>): Tool {
  return tool as Tool;
}

export function textOutput(text: string, isError = false): ToolOutput {
  return { content: [{ type: 'text', text: storableText(text) }], isError };
}
