import { setTimeout as sleep } from 'node:timers/promises';
import { ModelError, type ModelAnswer, type ModelCallOptions, type ModelRequest } from '@turnpike/contract';
import { BulkheadFullError, CircuitOpenError, type CallGuard } from '@turnpike/egress';
import type { Logger } from '@turnpike/telemetry';
import type { WholeMessage } from './assemble-message.ts';
import { backoffMs } from './backoff.ts';
import { buildRequest, type BuiltRequest } from './build-request.ts';
import { classifyError, type Failure } from './classify-error.ts';
import type { ModelApi } from './connect-model-api.ts';
import type { ModelLimits } from './limits.ts';
import { isOutage } from './outage.ts';
import type { RetryBudget } from './retry-budget.ts';
import { streamMessage, type RequestProgress } from './stream-message.ts';

export interface CallTools {
  api: ModelApi;
  limits: ModelLimits;
  budget: RetryBudget;
  guard: CallGuard;
  /** Which API it is: part of what a breaker is for. */
  origin: string;
  logger: Logger;
  /** Takes the key out of a text. */
  hide(text: string): string;
}

/**
 * One model call with its retries. Throws ModelError when there is no answer, and the signal's reason.
 * How a ModelError is to be read:
 * - `terminal`: trying again cannot help.
 * - not terminal, with `retryAfterMs`: try again after that, with `previousAttempts: attempts`.
 * - not terminal, without `retryAfterMs`: it could have worked, but the attempts are used up.
 */
export async function callModel(
  tools: CallTools,
  request: ModelRequest,
  options: ModelCallOptions,
): Promise<ModelAnswer> {
  const call = new Call(tools, request, options);
  return call.run();
}

class Call {
  readonly #tools: CallTools;
  readonly #request: ModelRequest;
  readonly #options: ModelCallOptions;
  readonly #built: BuiltRequest;
  readonly #budgetKey: string;
  readonly #guardKey: string;
  readonly #deadline: number;
  readonly #stepEnd: number;
  #attempts: number;

  constructor(tools: CallTools, request: ModelRequest, options: ModelCallOptions) {
    this.#tools = tools;
    this.#request = request;
    this.#options = options;
    this.#built = buildRequest(request);
    this.#budgetKey = `${request.tenantId}:${request.agent.model}`;
    this.#guardKey = `${this.#budgetKey} ${tools.origin}`;
    this.#deadline = performance.now() + options.remainingMs;
    this.#stepEnd = performance.now() + options.stepTimeoutMs;
    this.#attempts = options.previousAttempts;
  }

  async run(): Promise<ModelAnswer> {
    this.#options.signal.throwIfAborted();
    if (this.#attempts >= this.#tools.limits.maxTotalAttempts) {
      throw this.#error('model_attempts_exhausted', 'All attempts at this model call are used up.', {});
    }
    // A first request of this lease that is not the step's first is a retry like any other.
    if (this.#attempts > 0) {
      this.#parkWhileOpen(null);
      await this.#takeFromBudget(null);
    }
    for (;;) {
      const answer = await this.#attempt();
      if ('content' in answer) return answer;
      await this.#waitBeforeRetry(answer);
    }
  }

  async #attempt(): Promise<ModelAnswer | Failure> {
    this.#attempts += 1;
    const startedAt = performance.now();
    const progress: RequestProgress = { providerRequestId: null, headMs: null, textGiven: false };
    try {
      const message = await this.#guarded(progress);
      this.#logAnswer(message, progress, startedAt);
      this.#tools.budget.deposit(this.#budgetKey);
      return { ...message, attempts: this.#attempts, providerRequestId: progress.providerRequestId };
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (error instanceof CircuitOpenError || error instanceof BulkheadFullError) {
        this.#attempts -= 1;
        throw this.#parked(error.retryAfterMs ?? this.#tools.limits.backoffBaseMs, null);
      }
      const failure = classifyError(error, { hide: this.#tools.hide });
      if (failure === undefined) throw error;
      return this.#takeFailure(failure, progress, startedAt);
    }
  }

  /** One request, unless the API is known to be down: no longer than the step may take. */
  #guarded(progress: RequestProgress): Promise<WholeMessage> {
    const { api, limits, guard, hide } = this.#tools;
    const { signal } = this.#options;
    const onText = (text: string): void => this.#options.onText(text);
    const totalTimeoutMs = Math.max(1, Math.min(limits.totalTimeoutMs, this.#stepEnd - performance.now()));
    const request = async (): Promise<WholeMessage> => {
      this.#options.assertHeld();
      return streamMessage(api, this.#built, { signal, totalTimeoutMs, onText }, progress);
    };
    return guard.run(this.#guardKey, signal, request, {
      isFailure: (outcome) => 'error' in outcome && isOutage(classifyError(outcome.error, { hide })),
    });
  }

  /** An API that is known to be down is not asked, and the turn waits without holding a worker. */
  #parkWhileOpen(failure: Failure | null): void {
    const forMs = this.#tools.guard.openFor(this.#guardKey);
    if (forMs > 0) throw this.#parked(forMs, failure);
  }

  /** Longer with each lease that used up its attempts: a restart is over in seconds, an outage is not. */
  #parkMs(): number {
    const { maxAttempts, parkBaseMs, parkCapMs } = this.#tools.limits;
    const leases = Math.ceil(this.#attempts / maxAttempts);
    return Math.min(parkCapMs, parkBaseMs * 2 ** (leases - 1));
  }

  #parked(leastMs: number, failure: Failure | null): ModelError {
    const retryAfterMs = Math.ceil(leastMs + Math.random() * this.#tools.limits.parkSpreadMs);
    this.#tools.logger.debug('model call parked', {
      ...this.#facts(),
      code: failure?.code,
      retry_after_ms: retryAfterMs,
    });
    const code = failure?.code ?? 'model_circuit_open';
    const message = failure?.message ?? 'The model API is failing, and is left alone for a moment.';
    return this.#error(code, message, {
      retryAfterMs,
      providerRequestId: failure?.providerRequestId ?? null,
    });
  }

  /** Returns a failure that leaves room for another attempt; throws any other as a ModelError. */
  #takeFailure(classified: Failure, progress: RequestProgress, startedAt: number): Failure {
    const failure = {
      ...classified,
      providerRequestId: classified.providerRequestId ?? progress.providerRequestId,
    };
    this.#logFailure(failure, progress, startedAt);
    if (isOutage(failure) && this.#tools.guard.openFor(this.#guardKey) > 0) {
      // It says something about the API and nothing about this step, which keeps its attempts.
      this.#attempts -= 1;
      if (progress.textGiven) this.#options.onRestart();
      this.#parkWhileOpen(failure);
    }
    // Exhausted attempts are not terminal: another turn with the same words may well succeed.
    if (failure.terminal || this.#attempts >= this.#tools.limits.maxTotalAttempts) {
      const { terminal, providerRequestId } = failure;
      throw this.#error(failure.code, failure.message, { terminal, providerRequestId });
    }
    // Said before the wait, and also when the retry is another lease's: the text is void from now on.
    if (progress.textGiven) this.#options.onRestart();
    const { maxAttempts } = this.#tools.limits;
    if (this.#attempts - this.#options.previousAttempts >= maxAttempts) {
      throw this.#parked(Math.max(this.#parkMs(), failure.retryAfterMs ?? 0), failure);
    }
    return failure;
  }

  async #waitBeforeRetry(failure: Failure): Promise<void> {
    const { limits } = this.#tools;
    const waitMs = backoffMs(this.#attempts, failure.retryAfterMs, limits);
    const leftMs = this.#deadline - performance.now();
    if (performance.now() + waitMs >= this.#stepEnd) {
      const message = 'The step took longer than the agent lets it.';
      throw this.#error('model_step_timeout', message, { providerRequestId: failure.providerRequestId });
    }
    // Past the deadline there is nothing to wait for here: the turn gives its slot back, and ends
    // by its deadline rather than as a failure of the model.
    if (waitMs > limits.maxInlineWaitMs || waitMs >= leftMs) {
      const { providerRequestId } = failure;
      throw this.#error(failure.code, failure.message, { retryAfterMs: waitMs, providerRequestId });
    }
    const { signal } = this.#options;
    try {
      await sleep(waitMs, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
    // Asked for after the wait: what is not sent after all is not taken out of the budget.
    this.#parkWhileOpen(failure);
    await this.#takeFromBudget(failure);
  }

  /**
   * Throws a ModelError that parks the turn when the budget is spent. No attempt is counted for
   * it; and since the budget also fills with time, a parked turn gets its try.
   */
  async #takeFromBudget(failure: Failure | null): Promise<void> {
    const { budget, limits, logger } = this.#tools;
    const granted = await budget.take(this.#budgetKey);
    this.#options.signal.throwIfAborted();
    if (granted) return;
    const retryAfterMs = Math.ceil(limits.budgetWaitMs * (1 + Math.random()));
    logger.info('model retry budget spent', {
      ...this.#facts(),
      retry_after_ms: retryAfterMs,
      code: failure?.code,
    });
    throw this.#error('model_retry_budget_exhausted', 'Too many model calls are being retried just now.', {
      providerRequestId: failure?.providerRequestId ?? null,
      retryAfterMs,
    });
  }

  #error(
    code: string,
    message: string,
    facts: { terminal?: boolean; retryAfterMs?: number; providerRequestId?: string | null },
  ): ModelError {
    // The cause stays here: the SDK's errors carry headers and bodies.
    return new ModelError(code, message, {
      terminal: false,
      providerRequestId: null,
      ...facts,
      attempts: this.#attempts,
    });
  }

  #logAnswer(message: WholeMessage, progress: RequestProgress, startedAt: number): void {
    this.#tools.logger.debug('model answered', {
      ...this.#facts(),
      provider_request_id: progress.providerRequestId,
      head_ms: progress.headMs,
      duration_ms: Math.round(performance.now() - startedAt),
      stop_reason: message.stopReason,
      ...message.usage,
    });
  }

  #logFailure(failure: Failure, progress: RequestProgress, startedAt: number): void {
    const { code, terminal, status, retryAfterMs, providerRequestId } = failure;
    this.#tools.logger.warn('model request failed', {
      ...this.#facts(),
      code,
      terminal,
      status,
      retry_after_ms: retryAfterMs,
      provider_request_id: providerRequestId,
      head_ms: progress.headMs,
      duration_ms: Math.round(performance.now() - startedAt),
    });
  }

  #facts(): Record<string, unknown> {
    const { tenantId, turnId, agent } = this.#request;
    return { tenant_id: tenantId, turn_id: turnId, model: agent.model, attempt: this.#attempts };
  }
}
