import { setTimeout as sleep } from 'node:timers/promises';
import {
  ModelError,
  newId,
  SpendingPausedError,
  type ModelResponse,
  type ModelCallOptions,
  type ModelRequest,
  type RefusedParts,
  type Usage,
} from '@turnpike/contract';
import { BulkheadFullError, CircuitOpenError, type GuardedCall } from '@turnpike/egress';
import { type Report, withoutValue } from '@turnpike/telemetry';
import type { WholeMessage } from './assemble-message.ts';
import { backoffMs, leaseWaitMs, parkMs } from './backoff.ts';
import { buildRequest, type BuiltRequest } from './build-request.ts';
import { classifyError, type Failure } from './classify-error.ts';
import { costOf } from './cost.ts';
import { type Choice, type KeyParts, KeyRing, KeysUnavailableError, type ModelKey } from './key-ring.ts';
import { isKeyFailure } from './key-cooldowns.ts';
import type { ModelLimits } from './limits.ts';
import { logResponse, logFailure, type RequestFacts } from './log-requests.ts';
import { isBroken, isOutage, outageOf } from './outage.ts';
import type { PriceTable } from './prices.ts';
import { locateRefusal } from './read-refusal.ts';
import type { ResponseMemory } from './response-memory.ts';
import type { ResponsePacing } from './response-pacing.ts';
import type { RetryBudget } from './retry-budget.ts';
import { safeRequestId } from './safe-message.ts';
import { newProgress, streamMessage, type RequestProgress } from './stream-message.ts';

export interface CallTools extends KeyParts {
  limits: ModelLimits;
  budget: RetryBudget;
  prices: PriceTable;
  responses: ResponseMemory;
  pacing: ResponsePacing;
  /** For requests that fail. */
  report: Report;
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
): Promise<ModelResponse> {
  const call = new Call(tools, request, options);
  return call.run();
}

const LEFT_ALONE = 'The model API is failing, and is left alone for a moment.';
const BUSY = 'Too many calls of this model are under way.';
const BUDGET_SPENT = 'Too many model calls are being retried just now.';
const STEP_TIMEOUT = 'The step took longer than the agent lets it.';
const EXHAUSTED = 'All attempts at this model call are used up.';
const KEYS_UNREADABLE = 'The model keys cannot be read just now.';
/** Words of the Messages API about a thought whose signature it does not know, or that was changed. */
const THOUGHTS_REFUSED = /signature|thinking/i;
const ALL_LIMITED = 'Every model key is rate-limited or refused just now.';

/** What comes after a request that failed: another one at once, with another key or without what was refused, or the same after a wait. */
type Next = { next: 'at_once' } | { next: 'retry'; failure: Failure };

class Call {
  readonly #tools: CallTools;
  readonly #request: ModelRequest;
  readonly #options: ModelCallOptions;
  #built: BuiltRequest;
  /** Thoughts of the conversation were refused, and are left out. */
  #isThoughtless = false;
  /** Answers of this lease that came to their end and are none. */
  #brokenAnswers = 0;
  readonly #budgetKey: string;
  readonly #keys: KeyRing;
  readonly #deadline: number;
  readonly #stepEnd: number;
  #attempts: number;
  /** Requests of this lease that followed at once on one whose key, or whose thoughts, were at fault. */
  #failovers = 0;
  #isFailover = false;
  /** The last request was, and is paid for. */
  #wasCut = false;
  #keyName: string | null = null;
  #lastRequestId: string | null = null;

  constructor(tools: CallTools, request: ModelRequest, options: ModelCallOptions) {
    this.#tools = tools;
    this.#request = request;
    this.#options = options;
    this.#built = buildRequest(request);
    this.#budgetKey = `${request.tenantId}:${request.agent.model}`;
    this.#keys = new KeyRing(tools, request);
    this.#deadline = performance.now() + options.remainingMs;
    this.#stepEnd = performance.now() + options.stepTimeoutMs;
    this.#attempts = options.previousAttempts;
  }

  async run(): Promise<ModelResponse> {
    this.#options.signal.throwIfAborted();
    if (this.#attempts >= this.#tools.limits.maxTotalAttempts) {
      throw this.#error('model_attempts_exhausted', EXHAUSTED);
    }
    for (;;) {
      const answer = await this.#attempt((await this.#chooseKey()).key);
      if ('content' in answer) return answer;
      this.#isFailover = answer.next === 'at_once';
      if (answer.next === 'retry') await this.#waitBeforeRetry(answer.failure);
    }
  }

  async #attempt(key: ModelKey): Promise<ModelResponse | Next> {
    const { guard, limits } = this.#tools;
    const progress = newProgress();
    this.#keyName = key.name;
    let end: WholeMessage | Failure;
    try {
      const request = (guarded: GuardedCall) => this.#ask(key, guarded, progress);
      end = await guard.run(key.id, this.#options.signal, request, {
        // What it throws never left, or is a mistake of ours: neither says anything of the API.
        isFailure: (outcome) => ('error' in outcome ? null : speaksAgainst(outcome.result, progress)),
      });
    } catch (error) {
      if (error instanceof CircuitOpenError) return this.#leaveAlone(error);
      if (error instanceof BulkheadFullError) throw this.#parked('model_busy', BUSY, limits.backoffBaseMs);
      throw error;
    }
    if (!('content' in end)) return this.#takeFailure(key, end, progress);
    this.#keys.clear(key);
    return {
      ...end,
      costMicros: this.#costOf(end.usage),
      attempts: this.#attempts,
      providerRequestId: progress.providerRequestId,
    };
  }

  /** The breaker of a key is open: nothing was sent. Another key is asked, where there is one; else it is parked. */
  async #leaveAlone({ retryAfterMs }: CircuitOpenError): Promise<Next> {
    const { waitMs } = await this.#chooseKey();
    if (waitMs === 0) return { next: 'at_once' };
    throw this.#parked('model_circuit_open', LEFT_ALONE, Math.min(retryAfterMs, waitMs), this.#outage);
  }

  /** One request, and how it ended. Throws a ModelError where it may not leave, and the signal's reason. */
  async #ask(
    key: ModelKey,
    guarded: GuardedCall,
    progress: RequestProgress,
  ): Promise<WholeMessage | Failure> {
    const { limits, budget, logger } = this.#tools;
    const hide = (text: string): string => withoutValue(text, key.secret.reveal());
    const { signal } = this.#options;
    // Also the first request of this lease, where it is not the step's first. The budget is asked only
    // now, so that what the breaker holds back costs nothing of it. Another key is no retry: the one that
    // failed is left alone from then on, so there are as many of these as there are keys, and no storm.
    const isRetry = this.#attempts > 0 && !this.#isFailover;
    if (this.#wasCut) await this.#reserveAgain();
    if (isRetry) await this.#takeFromBudget();
    const leftMs = this.#stepEnd - performance.now();
    if (leftMs <= 0) throw this.#error('model_step_timeout', STEP_TIMEOUT);
    this.#options.assertHeld();
    this.#attempts += 1;
    if (this.#isFailover) this.#failovers += 1;
    progress.startedAt = performance.now();
    const meter = this.#tools.responses.open(this.#request.tenantId, this.#request.agent.max_tokens);
    const pace = this.#tools.pacing.open(this.#request.tenantId);
    try {
      const message = await streamMessage(
        key,
        this.#built,
        {
          signal,
          limitMs: Math.min(limits.totalTimeoutMs, leftMs),
          limitCode: leftMs < limits.totalTimeoutMs ? 'model_step_timeout' : 'model_timeout',
          // The first time it may be the stream that broke; from then on it is what the model writes.
          keepsBrokenCalls: this.#attempts > 1 || this.#built.followsBrokenCall,
          onPiece: (piece) => {
            meter.take(piece);
            return pace.next(piece.length);
          },
          onStart: () => guarded.reportSuccess(),
          onText: (text) => this.#options.onText(text),
        },
        progress,
      );
      progress.providerRequestId = safeRequestId(progress.providerRequestId, hide);
      budget.deposit(this.#budgetKey, isRetry);
      logResponse(logger, this.#facts(), progress, message);
      return { ...message, model: hide(message.model) };
    } catch (error) {
      await this.#tellOfCut(progress, hide);
      signal.throwIfAborted();
      const classified = classifyError(error, { hide });
      if (classified === undefined) throw error;
      const requestId = classified.providerRequestId ?? progress.providerRequestId;
      const failure = { ...classified, providerRequestId: safeRequestId(requestId, hide) };
      logFailure(this.#tools, this.#facts(), progress, failure);
      return failure;
    } finally {
      meter.close();
    }
  }

  /** Throws a ModelError that parks the turn, its attempts kept, where the next request is to wait for others. */
  async #reserveAgain(): Promise<void> {
    try {
      await this.#options.reserveAgain();
      this.#wasCut = false;
    } catch (error) {
      if (!(error instanceof SpendingPausedError)) throw error;
      throw this.#error(error.code, error.message, { retryAfterMs: error.retryAfterMs ?? 0 });
    }
  }

  async #tellOfCut(progress: RequestProgress, hide: (text: string) => string): Promise<void> {
    const spent = progress.spent();
    if (spent === null) return;
    const { max_tokens: most } = this.#request.agent;
    const usage = { ...spent.usage, output_tokens: Math.min(spent.usage.output_tokens, most) };
    this.#wasCut = true;
    await this.#options.onInterrupted({
      id: newId('step'),
      model: hide(spent.model),
      usage,
      costMicros: this.#costOf(usage),
      providerRequestId: safeRequestId(progress.providerRequestId, hide),
    });
  }

  /** By the name that was asked for: a gateway may call itself anything. */
  #costOf(usage: Usage): number {
    return costOf(usage, this.#tools.prices.priceOf(this.#request.agent.model, Date.now()));
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

  /** Says how to go on after a failure that leaves room for another attempt; throws any other as a ModelError. */
  async #takeFailure(key: ModelKey, seen: Failure, progress: RequestProgress): Promise<Next> {
    const { guard, limits } = this.#tools;
    this.#lastRequestId = seen.providerRequestId;
    if (this.#dropsThoughts(seen)) return { next: 'at_once' };
    if (isBroken(seen, progress)) {
      this.#brokenAnswers += 1;
      if (this.#brokenAnswers >= limits.maxBrokenAnswers) throw this.#error(seen.code, seen.message);
    }
    const openMs = guard.openForMs(key.id);
    const isBreaker = openMs > 0 && isOutage(seen, progress);
    let hasOther = false;
    let failure = seen;
    if (isKeyFailure(seen)) {
      this.#keys.note(key, seen);
      const other = await this.#chooseKey();
      hasOther = other.waitMs === 0;
      if (!hasOther) failure = await this.#untilAnyKey(seen);
      // Before the turn fails for good, a key that was refused by an earlier call is asked once more.
      if (failure.terminal && !this.#keys.hasFailed(other.key)) hasOther = true;
    } else if (isBreaker) {
      hasOther = (await this.#chooseKey()).waitMs === 0;
    }
    const { code, message, terminal } = failure;
    if (terminal && !hasOther) {
      const { refusal } = failure;
      const refused = refusal && locateRefusal(refusal, this.#built.body.messages);
      throw this.#error(code, message, { terminal, refused });
    }
    const isKnownOutage = isBreaker && !hasOther;
    // It says something about the API and nothing about this step, whose last attempt is spared. What
    // is spared so is a retry all the same, and each of them is taken from the budget.
    if (isKnownOutage && !isBroken(seen, progress))
      this.#attempts = Math.min(this.#attempts, Math.max(1, limits.maxTotalAttempts - 1));
    // Neither is terminal: another turn with the same words may well succeed.
    const isOver = code === 'model_step_timeout' && !isKnownOutage;
    if (isOver || this.#attempts >= limits.maxTotalAttempts) throw this.#error(code, message);
    // Said before the wait, and also when the retry is another lease's: the text is void from now on.
    if (progress.textGiven) this.#options.onRestart();
    if (hasOther && isKeyFailure(seen)) return { next: 'at_once' };
    const askedMs = failure.retryAfterMs ?? 0;
    if (isKnownOutage) throw this.#parked(code, message, Math.max(openMs, askedMs), this.#outage);
    if (this.#tries - this.#options.previousAttempts >= limits.maxAttempts) {
      throw this.#parked(code, message, Math.max(leaseWaitMs(this.#tries, limits), askedMs));
    }
    return { next: 'retry', failure };
  }

  /** A thought that another model signed, or a gateway changed, is refused whenever it is sent: once is enough. */
  #dropsThoughts({ code, message }: Failure): boolean {
    if (code !== 'model_rejected_request' || this.#isThoughtless) return false;
    if (!this.#built.hasThoughts || !THOUGHTS_REFUSED.test(message)) return false;
    this.#isThoughtless = true;
    this.#built = buildRequest(this.#request, { withoutThoughts: true });
    return true;
  }

  /** Requests for this step, without those that only changed the key or left thoughts out. */
  get #tries(): number {
    return this.#attempts - this.#failovers;
  }

  /** No key can be asked now: a failure that can be waited out where one of them is only rate-limited. */
  async #untilAnyKey(failure: Failure): Promise<Failure> {
    let waitMs: number;
    try {
      waitMs = await this.#keys.shortestWaitMs(this.#options.signal);
    } catch (error) {
      throw this.#keyError(error);
    }
    if (waitMs === Infinity) return failure;
    const retryAfterMs = waitMs === 0 ? undefined : waitMs;
    if (!failure.terminal) return { ...failure, retryAfterMs };
    return { ...failure, code: 'model_rate_limited', terminal: false, message: ALL_LIMITED, retryAfterMs };
  }

  async #chooseKey(): Promise<Choice> {
    try {
      return await this.#keys.choose(this.#options.signal);
    } catch (error) {
      throw this.#keyError(error);
    }
  }

  /** What stands in for an error of the keys; any other is itself. */
  #keyError(error: unknown): unknown {
    const { limits, logger } = this.#tools;
    if (error instanceof ModelError) return this.#error(error.code, error.message, { terminal: true });
    if (!(error instanceof KeysUnavailableError)) return error;
    logger.warn('model keys unavailable', { ...this.#facts(), error: error.cause });
    return this.#parked(error.code, KEYS_UNREADABLE, limits.parkBaseMs);
  }

  async #waitBeforeRetry({ code, message, retryAfterMs: askedMs }: Failure): Promise<void> {
    const { limits } = this.#tools;
    const { signal } = this.#options;
    const waitMs = backoffMs(this.#tries, askedMs, limits);
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
  #parked(code: string, message: string, leastMs: number, outage?: string): ModelError {
    const { limits, logger } = this.#tools;
    const retryAfterMs = parkMs(leastMs, limits);
    logger.debug('model call parked', { ...this.#facts(), code, retry_after_ms: retryAfterMs });
    return this.#error(code, message, { retryAfterMs, outage });
  }

  get #outage(): string {
    return outageOf(this.#request);
  }

  #error(
    code: string,
    message: string,
    facts: {
      terminal?: boolean;
      retryAfterMs?: number;
      refused?: RefusedParts | undefined;
      outage?: string | undefined;
    } = {},
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
    const { tenantId, turnId, sessionId, epoch, agent } = this.#request;
    const { model } = agent;
    const attempt = this.#attempts;
    const ids = { tenant_id: tenantId, turn_id: turnId, session_id: sessionId, epoch };
    return { ...ids, model, model_key: this.#keyName, attempt };
  }
}

function speaksAgainst(end: WholeMessage | Failure, progress: RequestProgress): boolean {
  return !('content' in end) && isOutage(end, progress);
}
