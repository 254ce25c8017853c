import type { ToolScopeOfCode } from './tool-scope.ts';

/** Thrown by a step that ends the run it is in. */
export class EndOfRun extends Error {
  readonly reason: Error;

  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
  }
}

/**
 * One run of a tool's code. It may end before the code returns: then the code is left alone, what it awaits of the run
 * never settles, and it can do nothing more through it. So no `catch` of the tool can hide how its run ended.
 */
export class CodeRun {
  readonly scope: ToolScopeOfCode;
  /** Aborts when no step may go on. */
  readonly endSignal: AbortSignal;
  /** Rejects when the run ends before its code does. */
  readonly ended: Promise<never>;
  #reject: (reason: Error) => void = () => undefined;
  #reason: Error | null = null;
  #isClosed = false;
  #stepsInProgress = 0;
  #onIdle: () => void = () => undefined;

  constructor(scope: ToolScopeOfCode, endSignal: AbortSignal) {
    this.scope = scope;
    this.endSignal = endSignal;
    this.ended = new Promise<never>((_resolve, reject) => {
      this.#reject = reject;
    });
    this.ended.catch(() => undefined);
  }

  /** The run ends as soon as the steps in progress have. */
  get isEnding(): boolean {
    return this.#reason !== null;
  }

  get isInStep(): boolean {
    return this.#stepsInProgress > 0;
  }

  /** Does a step. Never begins, and never settles, once the run is ending. */
  async during<Result>(step: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed || this.isEnding) return never();
    this.#stepsInProgress += 1;
    let reason: Error;
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof EndOfRun)) throw error;
      ({ reason } = error);
    } finally {
      this.#stepsInProgress -= 1;
      if (!this.isInStep) this.#becomeIdle();
    }
    return this.end(reason);
  }

  /** Ends the run with this error once no step is in progress. The first error counts. Never settles. */
  end(reason: Error): Promise<never> {
    this.#reason ??= reason;
    if (!this.isInStep) this.#becomeIdle();
    return never();
  }

  /** Resolves when no step is in progress. */
  async untilIdle(): Promise<void> {
    if (!this.isInStep) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }

  /** Nothing more is done through this run. */
  close(): void {
    this.#isClosed = true;
  }

  /** Throws once the run is over. */
  assertOpen(): void {
    if (this.#isClosed || this.endSignal.aborted) throw new Error('The call has ended.');
  }

  #becomeIdle(): void {
    this.#onIdle();
    if (this.#reason !== null) this.#reject(this.#reason);
  }
}

function never(): Promise<never> {
  return new Promise<never>(() => undefined);
}
