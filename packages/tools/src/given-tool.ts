import type {
  Effect,
  OnUnknown,
  ToolCall,
  ToolCallContext,
  ToolDeclaration,
  ToolOutput,
  ToolScope,
} from '@turnpike/contract';

/** One tool as an agent was given it, whatever its kind. */
export interface GivenTool {
  declaration: ToolDeclaration;
  /** Reads what the model gave; nothing is sent yet. Never throws. */
  prepare(input: GivenInput): Promise<PreparedCall> | PreparedCall;
}

/** The input of a call, which is an object. */
export interface GivenInput {
  value: unknown;
  /** As the model wrote it; null where only its value is known. */
  text: string | null;
  /** Its numbers, as written, that `value` does not hold as they are. */
  inexact: readonly string[];
}

/** A call that is fit to leave, or what is wrong with its input, told to the model. */
export type PreparedCall = ReadyCall | { valid: false; explanation: string };

export interface ReadyCall {
  valid: true;
  effect: Effect;
  onUnknown: OnUnknown;
  /** True where the client runs it: then the turn waits for its output. */
  runsOutside: boolean;
  /** As `ToolRunner.run` of packages/agent has it. */
  run(call: ToolCall, context: ToolCallContext): Promise<ToolOutput>;
  /** As `ToolRunner.reconcile` of packages/agent has it. */
  reconcile(call: ToolCall, context: ToolCallContext): Promise<ToolOutput | null>;
}

/** Finds the tool that an agent names; null where it is not there (any more). */
export type FindTool<Named> = (named: Named, scope: ToolScope) => GivenTool | null;
