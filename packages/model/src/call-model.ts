import { setTimeout as sleep } from 'node:timers/promises';
import { ModelError, type ModelAnswer, type ModelCallOptions, type ModelRequest } from '@turnpike/contract';
import { BulkheadFullError, CircuitOpenError, type CallGuard, type GuardedCall } from '@turnpike/egress';
import type { Logger } from '@turnpike/telemetry';
import type { WholeMessage } from './assemble-message.ts';
import { backoffMs, leaseWaitMs, parkMs } from './backoff.ts';
import { buildRequest, type BuiltRequest } from './build-request.ts';
import { classifyError, type Failure } from './classify-error.ts';
import type { ModelApi } from './connect-model-api.ts';
import { costOf } from './cost.ts';
import type { ModelLimits } from './limits.ts';
import { logAnswer, logFailure, type RequestFacts } from './log-requests.ts';
import { isOutage } from './outage.ts';
import type { PriceTable } from './prices.ts';
import type { RetryBudget } from './retry-budget.ts';
import { streamMessage, type RequestProgress } from './stream-message.ts';

export interface CallTools {
  api: ModelApi;
  limits: ModelLimits;
  budget: RetryBudget;
  prices: PriceTable;
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

const LEFT_ALONE = 'The model API is failing, and is left alone for a moment.';
const BUSY = 'Too many calls of this model are under way.';
const BUDGET_SPENT = 'Too many model calls are being retried just now.';
const STEP_TIMEOUT = 'The step took longer than the agent lets it.';
const EXHAUSTED = 'All attempts at this model call are used up.';

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
  #lastRequestId: string | null = null;

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
      throw this.#error('model_attempts_exhausted', EXHAUSTED);
    }
    for (;;) {
      const answer = await this.#attempt();
      if ('content' in answer) return answer;
      await this.#waitBeforeRetry(answer);
    }
  }

  async #attempt(): Promise<ModelAnswer | Failure> {
    const { guard, limits } = this.#tools;
    const progress = newProgress();
    let end: WholeMessage | Failure;
    try {
      const request = (guarded: GuardedCall) => this.#ask(guarded, progress);
      end = await guard.run(this.#guardKey, this.#options.signal, request, {
        // What it throws never left, or is a mistake of ours: neither says anything of the API.
        isFailure: (outcome) => ('error' in outcome ? null : speaksAgainst(outcome.result, progress)),
      });
    } catch (error) {
      if (error instanceof CircuitOpenError) {
        throw this.#parked('model_circuit_open', LEFT_ALONE, error.retryAfterMs);
      }
      if (error instanceof BulkheadFullError) throw this.#parked('model_busy', BUSY, limits.backoffBaseMs);
      throw error;
    }
    if (!('content' in end)) return this.#takeFailure(end, progress);
    return {
      ...end,
      // By the name that was asked for: a gateway may call itself anything.
      costMicros: costOf(end.usage, this.#tools.prices.priceOf(this.#request.agent.model, Date.now())),
      attempts: this.#attempts,
      providerRequestId: progress.providerRequestId,
    };
  }

  /** One request, and how it ended. Throws a ModelError where it may not leave, and the signal's reason. */
  async #ask(guarded: GuardedCall, progress: RequestProgress): Promise<WholeMessage | Failure> {
    const { api, limits, budget, logger, hide } = this.#tools;
    const { signal } = this.#options;
    // Also the first request of this lease, where it is not the step's first. The budget is asked only
    // now, so that what the breaker holds back costs nothing of it.
    const isRetry = this.#attempts > 0;
    if (isRetry) await this.#takeFromBudget();
    const leftMs = this.#stepEnd - performance.now();
    if (leftMs <= 0) throw this.#error('model_step_timeout', STEP_TIMEOUT);
    this.#options.assertHeld();
    this.#attempts += 1;
    progress.startedAt = performance.now();
    try {
      const message = await streamMessage(
        api,
        this.#built,
        {
          signal,
          limitMs: Math.min(limits.totalTimeoutMs, leftMs),
          limitCode: leftMs < limits.totalTimeoutMs ? 'model_step_timeout' : 'model_timeout',
          onStart: () => guarded.answers(),
          onText: (text) => this.#options.onText(text),
        },
        progress,
      );
      budget.deposit(this.#budgetKey, isRetry);
      logAnswer(logger, this.#facts(), progress, message);
      return message;
    } catch (error) {
      signal.throwIfAborted();
      const classified = classifyError(error, { hide });
      if (classified === undefined) throw error;
      const providerRequestId = classified.providerRequestId ?? progress.providerRequestId;
      const failure = { ...classified, providerRequestId };
      logFailure(logger, this.#facts(), progress, failure);
      return failure;
    }
  }

  /**
   * Throws a ModelError that parks the turn when the budget is spent. No attempt is counted for
   * it; and since the budget also fills with time, a parked turn gets its try.
   */
  async #takeFromBudget(): Promise<void> {
    const { budget, limits } = this.#tools;
    const granted = await budget.take(this.#budgetKey);
    this.#options.signal.throwIfAborted();
    if (!granted) throw this.#parked('model_retry_budget_exhausted', BUDGET_SPENT, limits.budgetWaitMs);
  }

  /** Returns a failure that leaves room for another attempt; throws any other as a ModelError. */
  #takeFailure(failure: Failure, progress: RequestProgress): Failure {
    const { guard, limits } = this.#tools;
    const { code, message, terminal } = failure;
    this.#lastRequestId = failure.providerRequestId;
    if (terminal) throw this.#error(code, message, { terminal });
    const openMs = guard.openFor(this.#guardKey);
    const isKnownOutage = openMs > 0 && isOutage(failure, progress);
    // It says something about the API and nothing about this step, whose last attempt is spared. What
    // is spared so is a retry all the same, and each of them is taken from the budget.
    if (isKnownOutage) this.#attempts = Math.min(this.#attempts, Math.max(1, limits.maxTotalAttempts - 1));
    // Neither is terminal: another turn with the same words may well succeed.
    const isOver = code === 'model_step_timeout' && !isKnownOutage;
    if (isOver || this.#attempts >= limits.maxTotalAttempts) throw this.#error(code, message);
    // Said before the wait, and also when the retry is another lease's: the text is void from now on.
    if (progress.textGiven) this.#options.onRestart();
    const askedMs = failure.retryAfterMs ?? 0;
    if (isKnownOutage) throw this.#parked(code, message, Math.max(openMs, askedMs));
    if (this.#attempts - this.#options.previousAttempts >= limits.maxAttempts) {
      throw this.#parked(code, message, Math.max(leaseWaitMs(this.#attempts, limits), askedMs));
    }
    return failure;
  }

  async #waitBeforeRetry({ code, message, retryAfterMs: askedMs }: Failure): Promise<void> {
    const { limits } = this.#tools;
    const { signal } = this.#options;
    const waitMs = backoffMs(this.#attempts, askedMs, limits);
    const now = performance.now();
    // Past the deadline there is nothing to wait for here: the turn gives its slot back, and ends
    // by its deadline rather than as a failure of the model.
    if (waitMs > limits.maxInlineWaitMs || waitMs >= this.#deadline - now) {
      throw this.#error(code, message, { retryAfterMs: waitMs });
    }
    if (waitMs >= this.#stepEnd - now) {
      throw this.#error('model_step_timeout', STEP_TIMEOUT);
    }
    try {
      await sleep(waitMs, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  }

  /** The turn gives its slot back, and comes back after a while. */
  #parked(code: string, message: string, leastMs: number): ModelError {
    const { limits, logger } = this.#tools;
    const retryAfterMs = parkMs(leastMs, limits);
    logger.debug('model call parked', { ...this.#facts(), code, retry_after_ms: retryAfterMs });
    return this.#error(code, message, { retryAfterMs });
  }

  #error(
    code: string,
    message: string,
    facts: { terminal?: boolean; retryAfterMs?: number } = {},
  ): ModelError {
    // The cause stays here: the SDK's errors carry headers and bodies.
    return new ModelError(code, message, {
      terminal: false,
      providerRequestId: this.#lastRequestId,
      ...facts,
      attempts: this.#attempts,
    });
  }

  #facts(): RequestFacts {
    const { tenantId, turnId, agent } = this.#request;
    return { tenant_id: tenantId, turn_id: turnId, model: agent.model, attempt: this.#attempts };
  }
}

function newProgress(): RequestProgress {
  const startedAt = performance.now();
  return { startedAt, providerRequestId: null, headMs: null, begun: false, textGiven: false };
}

function speaksAgainst(end: WholeMessage | Failure, progress: RequestProgress): boolean {
  return !('content' in end) && isOutage(end, progress);
}
