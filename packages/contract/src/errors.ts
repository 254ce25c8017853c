import type { ProblemCode } from './problems.ts';
import type { RefusedParts } from './refusals.ts';

/**
 * The root of every error that Turnpike throws on purpose. The class says what to do,
 * the code says what happened. No instance carries a prompt, a body or a header.
 */
export class TurnpikeError extends Error {
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
  }
}

/** Trying again cannot help. */
export class TerminalError extends TurnpikeError {}

/** Trying again may help, after `retryAfterMs` where the other side named a time. */
export class RetryableError extends TurnpikeError {
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, retryAfterMs?: number, cause?: unknown) {
    super(code, message, cause);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The call left and no answer came back: it may or may not have happened. */
export class OutcomeUnknownError extends TurnpikeError {}

/** A tenant's memory holds as much as it may hold. The message is for the model that wanted to add to it. */
export class MemoryFullError extends TerminalError {
  constructor(message: string) {
    super('memory_full', message);
  }
}

/** Another worker may own the turn by now: stop at once, write nothing. */
export class LeaseLostError extends TurnpikeError {
  constructor(turnId: string, cause?: unknown) {
    super('lease_lost', `The lease on ${turnId} is lost.`, cause);
  }
}

/** The turn was asked to cancel: stop what runs, and confirm. */
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

/** What the turn would cost next is more than this budget has left. */
export class BudgetExceededError extends TerminalError {
  constructor(budget: 'turn' | 'session' | 'day' | 'month') {
    super(
      'budget_exceeded',
      `The next model call may cost more than is left of the budget of the ${budget}.`,
    );
  }
}

/** The next model call must wait: for what others have put aside, or for the tokens of another minute. */
export class SpendingPausedError extends RetryableError {
  declare readonly retryAfterMs: number;

  constructor(code: 'budget_busy' | 'tokens_per_minute', retryAfterMs: number) {
    const why = {
      budget_busy: 'Other model calls have put aside what is left of the budget.',
      tokens_per_minute: "The tenant's tokens of this minute are used up.",
    };
    super(code, why[code], retryAfterMs);
  }
}

/** The worker stops: what is not finished is another worker's to do. */
export class DrainError extends RetryableError {
  constructor() {
    super('draining', 'The worker is stopping.');
  }
}

/** One thing that is wrong with what the client sent. `path` is dotted, from the root of the body. */
export interface ValidationIssue {
  path: string;
  message: string;
}

/** An error that a client is told of as an RFC 9457 problem; status and title follow from the code. */
export class ProblemError extends TurnpikeError {
  declare readonly code: ProblemCode;
  readonly issues: readonly ValidationIssue[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** The turn that stands in the way, for `session_busy`. */
  readonly blockingTurnId: string | undefined;
  /** Agents that stand in the way, for `tool_in_use`. */
  readonly agentIds: readonly string[] | undefined;
  /** The oldest cursor that can still be used, for `cursor_expired`. */
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

/** A model call that gave no answer. `terminal`: trying again cannot help. */
export class ModelError extends TurnpikeError {
  readonly terminal: boolean;
  /** Requests made for this step so far, those of earlier leases included. */
  readonly attempts: number;
  /** Wait this long before the next try; undefined when terminal. */
  readonly retryAfterMs: number | undefined;
  readonly providerRequestId: string | null;
  /** The model is away: what names the outage among those of the tenant. Undefined where it is not. */
  readonly outage: string | undefined;
  /** What of the conversation was refused; undefined where that was not the reason. */
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
