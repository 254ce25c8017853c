import type { ProblemCode } from './problems.ts';
import type { RefusedParts } from './refusals.ts';
import type { Question } from './tool-journal.ts';

/**
 * The base class of the errors that Turnpike throws deliberately. The class tells the caller what to do;
 * the code tells what happened. No instance contains a prompt, a body or a header.
 */
export class TurnpikeError extends Error {
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
  }
}

/** A retry cannot succeed. */
export class TerminalError extends TurnpikeError {}

/** A retry may succeed; after `retryAfterMs`, if the other side specified a delay. */
export class RetryableError extends TurnpikeError {
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, retryAfterMs?: number, cause?: unknown) {
    super(code, message, cause);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The request was sent and no response arrived: it may or may not have taken effect. */
export class OutcomeUnknownError extends TurnpikeError {}

/** A tenant's memory has reached its limit. The message is written for the model. */
export class MemoryFullError extends TerminalError {
  constructor(message: string) {
    super('memory_full', message);
  }
}

/**
 * A tool call ends without an outcome, and without having acted beyond its committed steps: it is `pending` again and is
 * made again later. `retryAfterMs` is how long its turn waits without a worker.
 */
export class CallDeferredError extends RetryableError {
  declare readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super('tool_deferred', message, retryAfterMs);
  }
}

/** As `CallDeferredError`, but the call is made again when a person has answered its question. */
export class CallSuspendedError extends TurnpikeError {
  readonly question: Question;

  constructor(question: Question) {
    super('tool_suspended', 'The call waits for an answer.');
    this.question = question;
  }
}

/** The lease is lost, and another worker may hold it: stop at once, write nothing. */
export class LeaseLostError extends TurnpikeError {
  constructor(turnId: string, cause?: unknown) {
    super('lease_lost', `The lease on ${turnId} is lost.`, cause);
  }
}

/** Cancellation of the turn was requested: stop what is running, then confirm. */
export class TurnCancelledError extends TerminalError {
  constructor(turnId: string) {
    super('turn_cancelled', `${turnId} is being cancelled.`);
  }
}

/** The turn's deadline passed. */
export class DeadlineError extends TerminalError {
  constructor(turnId: string) {
    super('deadline', `The deadline of ${turnId} passed.`);
  }
}

/** The next model call may cost more than the budget has left. */
export class BudgetExceededError extends TerminalError {
  constructor(budget: 'turn' | 'session' | 'day' | 'month') {
    super('budget_exceeded', `The next model call may cost more than is left of the ${budget} budget.`);
  }
}

/** The next model call must wait: for reservations of other calls to end, or for the next minute's tokens. */
export class SpendingPausedError extends RetryableError {
  declare readonly retryAfterMs: number;

  constructor(code: 'budget_busy' | 'tokens_per_minute', retryAfterMs: number) {
    const why = {
      budget_busy: 'Other model calls have reserved the rest of the budget.',
      tokens_per_minute: 'The tenant has reached its limit of tokens per minute.',
    };
    super(code, why[code], retryAfterMs);
  }
}

/** The worker is shutting down: another worker continues what is unfinished. */
export class DrainError extends RetryableError {
  constructor() {
    super('draining', 'The worker is stopping.');
  }
}

/** One validation error in a client's request. `path` is dotted, from the root of the body. */
export interface ValidationIssue {
  path: string;
  message: string;
}

/** An error that is sent to the client as an RFC 9457 problem. The code determines status and title. */
export class ProblemError extends TurnpikeError {
  declare readonly code: ProblemCode;
  readonly issues: readonly ValidationIssue[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** For `session_busy`: the turn that blocks the session. */
  readonly blockingTurnId: string | undefined;
  /** For `tool_in_use`: agents that use the tool. */
  readonly agentIds: readonly string[] | undefined;
  /** For `cursor_expired`: the oldest cursor that is still valid. */
  readonly oldestCursor: string | undefined;

  constructor(
    code: ProblemCode,
    detail: string,
    extra: {
      issues?: readonly ValidationIssue[];
      retryAfterSeconds?: number;
      blockingTurnId?: string;
      agentIds?: readonly string[];
      oldestCursor?: string;
      cause?: unknown;
    } = {},
  ) {
    super(code, detail, extra.cause);
    this.issues = extra.issues;
    this.blockingTurnId = extra.blockingTurnId;
    this.agentIds = extra.agentIds;
    this.oldestCursor = extra.oldestCursor;
    this.retryAfterSeconds = extra.retryAfterSeconds;
  }
}

/** A model call that produced no complete response. `terminal`: a retry cannot succeed. */
export class ModelError extends TurnpikeError {
  readonly terminal: boolean;
  /** Requests made for this step so far, including those of earlier leases. */
  readonly attempts: number;
  /** How long to wait before the next attempt; undefined if terminal. */
  readonly retryAfterMs: number | undefined;
  readonly providerRequestId: string | null;
  /** Identifies the outage within the tenant; undefined unless the model is unavailable. */
  readonly outage: string | undefined;
  /** The blocks of the conversation that the API refused; undefined if the error has another cause. */
  readonly refused: RefusedParts | undefined;

  constructor(
    code: string,
    message: string,
    facts: {
      terminal: boolean;
      attempts: number;
      retryAfterMs?: number;
      providerRequestId: string | null;
      refused?: RefusedParts | undefined;
      outage?: string | undefined;
      cause?: unknown;
    },
  ) {
    super(code, message, facts.cause);
    this.terminal = facts.terminal;
    this.attempts = facts.attempts;
    this.retryAfterMs = facts.retryAfterMs;
    this.providerRequestId = facts.providerRequestId;
    this.refused = facts.refused;
    this.outage = facts.outage;
  }
}
