import type {
  Advance,
  AgentConfig,
  ClaimedTurn,
  Effect,
  ModelAnswer,
  ModelCallOptions,
  ModelRequest,
  ToolCall,
  ToolCallContext,
  ToolDeclaration,
  ToolOutput,
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
  /** Milliseconds until the turn's deadline, as of now. */
  remainingMs(): number;
  /** Commits all of it or nothing. Throws `LeaseLostError` where another may own the turn. */
  advance(advance: Advance): Promise<void>;
  /** Gives the turn back to the queue, to be taken again after `delayMs`; the lease ends. */
  release(release: { delayMs: number; modelAttempts: number }): Promise<void>;
}

/**
 * One model call with its retries.
 * Throws `ModelError` (of the contract) when no answer can be had now or ever.
 */
export interface Model {
  call(request: ModelRequest, options: ModelCallOptions): Promise<ModelAnswer>;
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

/** Previews of an answer on its way, for whoever streams: lost ones are lost. */
export interface Previews {
  text(turn: ClaimedTurn, text: string): void;
  restarted(turn: ClaimedTurn): void;
}
