/** The errors by which a tool says more than "this failed". Any other error is one for the model. */
export class ToolError extends Error {
  /** Tells these errors apart where a class cannot: they may come from a thread. */
  readonly kind: 'tool' | 'retry_later' | 'fail_turn' | 'unknown_outcome' = 'tool';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/**
 * Nothing was done, and a later attempt may succeed. The turn holds no worker meanwhile; the call is made again after
 * `afterMs`, twenty times at most.
 */
export class RetryLaterError extends ToolError {
  override readonly kind = 'retry_later';
  /** Milliseconds, from 100 to 3,600,000. */
  readonly afterMs: number;

  constructor(message: string, { afterMs = 5_000, ...options }: ErrorOptions & { afterMs?: number } = {}) {
    super(message, options);
    this.afterMs = afterMs;
  }
}

/** The turn cannot go on: it fails with `tool_failed_turn` and this message. */
export class FailTurnError extends ToolError {
  override readonly kind = 'fail_turn';
}

/** It may have acted, and nobody knows. The call follows the tool's `onUnknown`. */
export class UnknownOutcomeError extends ToolError {
  override readonly kind = 'unknown_outcome';
}
