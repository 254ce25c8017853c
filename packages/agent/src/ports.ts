import type {
  Advance,
  AdvanceResult,
  BatchableCall,
  RequestedCall,
  RequestedChild,
  CallCost,
  ChildRefusal,
  ChildTurn,
  ClaimedTurn,
  ContentBlock,
  InputSchema,
  InterruptedCall,
  ModelCall,
  ModelRequest,
  ModelResponse,
  Release,
  ServerToolDeclaration,
  StartedChild,
  TokenCount,
  ToolCall,
  ToolDeclaration,
  ToolOutput,
  ToolPlan,
  ToolScope,
  ToolCallContext,
  ToolsChanged,
  TurnContext,
} from '@turnpike/contract';

/**
 * What the loop needs from outside. It knows no HTTP, no queue and no database: `turns`, `model` and `tools`
 * implement these, and the worker wires them.
 */

/** The lease on one turn, and the only way to write to it. */
export interface TurnLease {
  readonly turn: ClaimedTurn;
  /**
   * Aborts when the right to write ends or the turn is to stop. The reason is a
   * `LeaseLostError`, a `TurnCancelledError`, a `DeadlineError` or a `DrainError`.
   */
  readonly signal: AbortSignal;
  /** As `signal`, but a drain does not abort it: for calls that must not be interrupted by a drain alone. */
  readonly endSignal: AbortSignal;
  /** The worker is stopping: the turn is to be released at the next step border. */
  readonly draining: boolean;
  /** Milliseconds until the turn's deadline, as of now. */
  remainingMs(): number;
  /** The database's time now, in milliseconds since 1970, by this machine's monotonic clock. */
  now(): number;
  /**
   * Throws `LeaseLostError` once another worker may own the turn, by this machine's monotonic clock: called right
   * before anything is sent, since the timers of a process that was frozen are late.
   */
  assertHeld(): void;
  /** The number of the turn's newest event. */
  readonly eventCount: number;
  /**
   * Shows a piece of the step's text to those who watch the turn: a preview, which nothing waits for and which may
   * be lost. `attempt` is the number of the newest event when the text began. Shows nothing once the lease is lost.
   */
  show(preview: { stepIndex: number; attempt: number; text: string }): void;
  /** Shows how far a tool call is; as `show`. */
  showProgress(progress: { toolCallId: string; progress: string | number }): void;
  /**
   * Commits all of it or nothing; an outcome, and an action, end the lease. Returns the state of the turn then: one
   * that was joined meanwhile goes on although its outcome was to be `completed`.
   * Throws `LeaseLostError` where another worker may own the turn.
   */
  advance(advance: Advance): Promise<AdvanceResult>;
  /**
   * Reserves the most that the next model call can cost, until its step is committed.
   * Throws `BudgetExceededError`, `SpendingPausedError` and `LeaseLostError`.
   */
  reserve(most: CallCost): Promise<void>;
  /**
   * Records the usage of a model call that became no step. It needs no lease: it was spent, also where
   * another worker holds the turn now. Never rejects.
   */
  recordUsage(call: InterruptedCall): Promise<void>;
  /**
   * Starts the child turns of these calls, committed with their events; a call that has one keeps it.
   * Throws `LeaseLostError`, and `TurnCancelledError` where the turn was asked to cancel: then none is started.
   */
  startChildren(requested: readonly RequestedChild[]): Promise<StartedChild[]>;
  /** Those of these child turns that are there: one that was erased is not. Throws `LeaseLostError`. */
  readChildren(turnIds: readonly string[]): Promise<ChildTurn[]>;
  /**
   * Parks the turn until its child turns have ended; the lease ends. False where they have ended already, and the lease
   * goes on. Throws `LeaseLostError`, and `TurnCancelledError` where the turn was asked to cancel meanwhile.
   */
  park(): Promise<boolean>;
  /** Gives the turn back to the queue; the lease ends. Throws `LeaseLostError`. */
  release(release: Release): Promise<void>;
}

export interface Model {
  /** One model call with its retries. Throws `ModelError` without a whole response, and the signal's reason. */
  call(call: ModelCall): Promise<ModelResponse>;
  /** The most that one such call can cost. */
  mostCost(request: ModelRequest): CallCost;
  /**
   * A call of the tier `batch`: its response, once its batch has ended. Null where the call is to be made by itself.
   * Throws `ModelError`, with which the turn is parked until then, `LeaseLostError`, the signal's reason, and what
   * `reserve` throws.
   */
  takeBatched?(call: BatchableCall): Promise<ModelResponse | null>;
  /**
   * The tokens of such a request as its API counts them, system prompt and tools included. Null where that cannot be
   * told in a few seconds: the caller's guess must do. Throws `LeaseLostError` and the signal's reason.
   */
  countTokens?(count: TokenCount): Promise<number | null>;
}

/** Validates structured output, off the event loop. */
export interface OutputValidator {
  /** Null if the value fits the schema; else the reasons, as the model is told. */
  explain(tenantId: string, schema: InputSchema, value: unknown): Promise<string | null>;
}

/** Every tool kind behind one interface. */
export interface ToolRunner {
  /**
   * Finds what a turn has, before it runs: the lists of MCP servers that it began with. Resolves with those that have
   * changed. Throws `RetryableError` where a service of ours is unavailable, and the signal's reason.
   */
  open(scope: ToolScope, context: TurnContext): Promise<ToolsChanged[]>;
  /** The declarations of an agent's tools, in the agent's order. Throws `TerminalError` (`unknown_tool`). */
  declare(scope: ToolScope): (ToolDeclaration | ServerToolDeclaration)[];
  /** How a call is to be handled; one without such a tool, or with an invalid input, acts on nothing: `read`. */
  planOf(scope: ToolScope, call: RequestedCall): Promise<ToolPlan>;
  /**
   * Runs one call. A tool that fails gives a result for the model (`isError`), and throws nothing.
   * Throws `OutcomeUnknownError` when the call was sent and no response came, `RetryableError` when a service of ours
   * is unavailable and it was not sent (never for the effect `once`), `CallDeferredError` and
   * `CallSuspendedError` when the call is to be made again, and the signal's reason.
   */
  run(scope: ToolScope, call: ToolCall, context: ToolCallContext): Promise<ToolOutput>;
  /**
   * Asks the tool how a call ended that was sent before; null where it may be made again: it never arrived, or it goes on
   * from its committed steps.
   * Throws `OutcomeUnknownError` where the tool cannot tell, `RetryableError` where a service of ours is unavailable
   * and the tool was not asked, and the signal's reason.
   */
  reconcile(scope: ToolScope, call: ToolCall, context: ToolCallContext): Promise<ToolOutput | null>;
  /** The agent that a call calls, and what it is given; null for any other call, also one with an invalid input. */
  childOf(scope: ToolScope, call: ToolCall): Promise<{ agentId: string; input: ContentBlock[] } | null>;
  /** What the model is told of a child turn that has ended, or that could not be started; null: it was erased. */
  outputOfChild(call: ToolCall, child: ChildTurn | ChildRefusal | null): ToolOutput;
}
