import type {
  Advance,
  AgentConfig,
  ClaimedTurn,
  ContentBlock,
  Effect,
  Message,
  ToolCall,
  Usage,
} from '@turnpike/contract';

/**
 * What the loop needs of the world. It knows no HTTP, no queue and no database:
 * `turns`, `model` and `tools` satisfy these, and the worker wires them.
 */

/** The lease on one turn, and the only way to write to it. */
export interface TurnLease {
  readonly turn: ClaimedTurn;
  /**
   * Aborts when the right to write ends or the turn is to stop. The reason is a
   * `LeaseLostError`, a `TurnCancelledError`, a `DeadlineError` or a `DrainError`.
   */
  readonly signal: AbortSignal;
  /** Commits all of it or nothing. Throws `LeaseLostError` where another may own the turn. */
  advance(advance: Advance): Promise<void>;
  /** Gives the turn back to the queue, to be taken again after `delayMs`; the lease ends. */
  release(release: { delayMs: number; modelAttempts: number }): Promise<void>;
}

/** A tool as the model is told of it. */
export interface ToolDeclaration {
  name: string;
  description: string;
  input_schema: { type: 'object'; [key: string]: unknown };
}

export interface ModelRequest {
  tenantId: string;
  agent: AgentConfig;
  /** A conversation that the Messages API accepts. */
  messages: Message[];
  tools: ToolDeclaration[];
}

export interface ModelCallOptions {
  /** Ends the call at once; the promise rejects with the signal's reason. */
  signal: AbortSignal;
  /** Milliseconds until the turn's deadline: no retry waits past it. */
  remainingMs: number;
  /** Requests already made for this step by earlier leases. */
  previousAttempts: number;
  /** A piece of the answer's text, as it comes: a preview that a restart takes back. */
  onText(text: string): void;
  /** The stream broke and is tried again: what `onText` gave for this call is void. */
  onRestart(): void;
}

/** A whole answer: only ever made from a message that reached its end. */
export interface ModelAnswer {
  content: ContentBlock[];
  /** `end_turn`, `tool_use`, `max_tokens`, `stop_sequence`, `pause_turn`, `refusal`, `model_context_window_exceeded` or one we do not know. */
  stopReason: string;
  /** The model that answered, as it names itself. */
  model: string;
  usage: Usage;
  /** Requests made for this step, `previousAttempts` included. */
  attempts: number;
  providerRequestId: string | null;
}

/**
 * One model call with its retries.
 * Throws `ModelError` (of the contract) when no answer can be had now or ever.
 */
export interface Model {
  call(request: ModelRequest, options: ModelCallOptions): Promise<ModelAnswer>;
}

export interface ToolOutput {
  content: ContentBlock[];
  isError: boolean;
}

export interface ToolCallContext {
  tenantId: string;
  turnId: string;
  /** Ends the call at once; the promise rejects with the signal's reason. */
  signal: AbortSignal;
}

/** Every tool kind behind one interface. */
export interface ToolRunner {
  /** The declarations of an agent's tools, in the agent's order. Throws `TerminalError` for an unknown tool. */
  declare(agent: AgentConfig): ToolDeclaration[];
  /** What a second identical call would do; `read` for a tool that does not exist, since nothing is called. */
  effectOf(agent: AgentConfig, name: string, input: unknown): Effect;
  /**
   * Runs one call. A tool that fails is an answer for the model (`isError`), never a throw.
   * Throws `OutcomeUnknownError` when the call left and no answer came, and the signal's reason.
   */
  run(agent: AgentConfig, call: ToolCall, context: ToolCallContext): Promise<ToolOutput>;
}
