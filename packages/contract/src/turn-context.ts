/** A log whose every line names the turn that it is about. */
export interface TurnLogger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A logger whose every line has these fields too. */
  child(fields: Record<string, unknown>): TurnLogger;
}

/** What belongs to one turn under one lease. Every model call and every tool call of the turn is given it. */
export interface TurnContext {
  readonly tenantId: string;
  readonly turnId: string;
  readonly sessionId: string;
  /** Of the lease. */
  readonly epoch: number;
  /** Ends the work at once; its promise rejects with the signal's reason. */
  readonly signal: AbortSignal;
  readonly logger: TurnLogger;
  /** The lease's span, the parent of the spans of its calls; null where nothing is traced. */
  readonly traceparent: string | null;
  /** Whether an operator lets the contents of this tenant's turns be logged, as of now. */
  logsContent(): boolean;
  /** Must be called right before anything is sent. Throws `LeaseLostError`, and aborts the signal with it. */
  assertHeld(): void;
  /** The database's time now, in milliseconds since 1970. */
  now(): number;
  /** Milliseconds until the turn's deadline, as of now. */
  remainingMs(): number;
}
