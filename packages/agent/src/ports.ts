import type {
  Advance,
  AgentConfig,
  ClaimedTurn,
  Effect,
  ModelAnswer,
  ModelCallOptions,
  ModelRequest,
  Release,
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
  /** The worker is stopping: go no further than the next step border, and release the turn there. */
  readonly draining: boolean;
  /** Milliseconds until the turn's deadline, as of now. */
  remainingMs(): number;
  /**
   * Throws `LeaseLostError` once another may own the turn, by this machine's monotonic clock:
   * called right before a call leaves, since a process that was frozen learns of the time late.
   */
  assertHeld(): void;
  /**
   * Commits all of it or nothing; an outcome ends the lease.
   * Throws `LeaseLostError` where another may own the turn.
   */
  advance(advance: Advance): Promise<void>;
  /** Gives the turn back to the queue; the lease ends. Throws `LeaseLostError`. */
  release(release: Release): Promise<void>;
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
