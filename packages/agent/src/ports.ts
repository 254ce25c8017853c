import type {
  Advance,
  AdvanceResult,
  RequestedCall,
  CallCost,
  ClaimedTurn,
  InterruptedCall,
  ModelResponse,
  ModelCallOptions,
  ModelRequest,
  Release,
  ToolCall,
  ToolCallContext,
  ToolDeclaration,
  ToolOutput,
  ToolPlan,
  ToolScope,
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
  /** As `signal`, but a drain does not abort it: for what must not be cut off for that alone. */
  readonly endSignal: AbortSignal;
  /** The worker is stopping: go no further than the next step border, and release the turn there. */
  readonly draining: boolean;
  /** Milliseconds until the turn's deadline, as of now. */
  remainingMs(): number;
  /** The database's time now, in milliseconds since 1970, by this machine's monotonic clock. */
  now(): number;
  /**
   * Throws `LeaseLostError` once another may own the turn, by this machine's monotonic clock:
   * called right before a call leaves, since a process that was frozen learns of the time late.
   */
  assertHeld(): void;
  /** The number of the turn's newest event. */
  readonly eventCount: number;
  /**
   * Shows a piece of the step's text to whoever watches: a preview, which nothing waits for and which
   * may be lost. `attempt` is the number of the newest event when the text began.
   */
  show(preview: { stepIndex: number; attempt: number; text: string }): void;
  /**
   * Commits all of it or nothing; an outcome, and an action, end the lease. Tells where the turn is
   * now: one that was joined meanwhile goes on although its outcome was to be `completed`.
   * Throws `LeaseLostError` where another may own the turn.
   */
  advance(advance: Advance): Promise<AdvanceResult>;
  /**
   * Puts aside what the next model call may cost at most, until its step is committed.
   * Throws `BudgetExceededError`, `SpendingPausedError` and `LeaseLostError`.
   */
  reserve(most: CallCost): Promise<void>;
  /**
   * Records the usage of a model call that became no step. It needs no lease: it was spent, whoever holds the turn
   * now. Never rejects.
   */
  recordUsage(call: InterruptedCall): Promise<void>;
  /** Gives the turn back to the queue; the lease ends. Throws `LeaseLostError`. */
  release(release: Release): Promise<void>;
}

/**
 * One model call with its retries.
 * Throws `ModelError` (of the contract) when no answer can be had now or ever.
 */
export interface Model {
  call(request: ModelRequest, options: ModelCallOptions): Promise<ModelResponse>;
  /** What one such call may cost at most. */
  mostCost(request: ModelRequest): CallCost;
}

/** Every tool kind behind one interface. */
export interface ToolRunner {
  /** The declarations of an agent's tools, in the agent's order. Throws `TerminalError` (`unknown_tool`). */
  declare(scope: ToolScope): ToolDeclaration[];
  /** How a call is to be treated; one that names no tool, or whose input is not valid, acts on nothing: `read`. */
  planOf(scope: ToolScope, call: RequestedCall): Promise<ToolPlan>;
  /**
   * Runs one call. A tool that fails is an answer for the model (`isError`), never a throw.
   * Throws `OutcomeUnknownError` when the call left and no answer came, `RetryableError` when something of ours
   * is away and it did not leave (never for a call that may leave once only), and the signal's reason.
   */
  run(scope: ToolScope, call: ToolCall, context: ToolCallContext): Promise<ToolOutput>;
  /**
   * Asks the tool how a call with the effect `reconcile` ended that left before; null where it never
   * arrived. Throws `OutcomeUnknownError` where the tool cannot tell, `RetryableError` where it could not be asked
   * for a reason of ours, and the signal's reason.
   */
  reconcile(scope: ToolScope, call: ToolCall, context: ToolCallContext): Promise<ToolOutput | null>;
}
