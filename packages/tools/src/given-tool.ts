import type {
  ContentBlock,
  Effect,
  OnUnknown,
  ServerToolDeclaration,
  ToolCall,
  ToolCallContext,
  ToolDeclaration,
  ToolOutput,
  ToolScope,
} from '@turnpike/contract';

/** One tool of an agent, of any kind. */
export interface GivenTool {
  declaration: ToolDeclaration | ServerToolDeclaration;
  /** Checks the input; nothing is sent yet. Never throws. */
  prepare(input: GivenInput): Promise<PreparedCall> | PreparedCall;
}

/** The input of a call, which is an object. */
export interface GivenInput {
  value: unknown;
  /** As the model wrote it; null where only its value is known. */
  text: string | null;
  /** Its numbers, as written, that `value` does not hold exactly. */
  inexact: readonly string[];
  /** The hash of the tool that accepted it when the model asked for the call; null where that is not known. */
  acceptedBy: string | null;
}

/** A call that can be made, or an explanation for the model of what is wrong with its input. */
export type PreparedCall = ReadyCall | { valid: false; explanation: string };

export interface ReadyCall {
  valid: true;
  effect: Effect;
  onUnknown: OnUnknown;
  /** The client runs it, and the turn waits for its output. */
  runsOutside: boolean;
  /** The tool itself wants a person to approve the call. */
  needsApproval?: boolean;
  /** Of a tool in code: what its definition is told apart by. */
  hash?: string;
  /** The agent that is called, and what it is given; left out for a tool of any other kind. */
  child?: { agentId: string; input: ContentBlock[] };
  /** As `ToolRunner.run` of packages/agent has it. */
  run(call: ToolCall, context: ToolCallContext): Promise<ToolOutput>;
  /** As `ToolRunner.reconcile` of packages/agent has it. */
  reconcile(call: ToolCall, context: ToolCallContext): Promise<ToolOutput | null>;
}

/** Finds the tool that an agent names; null where it does not exist, or no longer. */
export type FindTool<Named> = (named: Named, scope: ToolScope) => GivenTool | null;
