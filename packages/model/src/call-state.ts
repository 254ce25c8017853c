import {
  ModelError,
  type ModelCall,
  type ModelRequest,
  type RefusedParts,
  type TurnContext,
} from '@turnpike/contract';
import type { Report } from '@turnpike/telemetry';
import { parkMs } from './backoff.ts';
import { buildRequest, type BuiltRequest } from './build-request.ts';
import { costOf } from './cost.ts';
import type { PricedUsage } from './assemble-message.ts';
import { type Choice, type KeyParts, KeyRing, KeysUnavailableError } from './key-ring.ts';
import type { ModelLimits } from './limits.ts';
import type { ModelFiles } from './model-files.ts';
import type { RequestFields } from './log-requests.ts';
import { outageOf } from './outage.ts';
import type { PriceTable } from './prices.ts';
import type { ResponsePacing } from './response-pacing.ts';
import type { RequestMemory } from './request-memory.ts';
import type { ResponseMemory } from './response-memory.ts';
import type { RetryBudget } from './retry-budget.ts';

/** What all calls of a process share. */
export interface CallParts extends KeyParts {
  limits: ModelLimits;
  budget: RetryBudget;
  prices: PriceTable;
  requests: RequestMemory;
  responses: ResponseMemory;
  pacing: ResponsePacing;
  files: ModelFiles;
  /** For requests that fail. */
  report: Report;
}

const KEYS_UNREADABLE = 'The model keys cannot be read now.';

/** What one model call has come to, over all its requests. */
export class CallState {
  readonly parts: CallParts;
  readonly call: ModelCall;
  readonly keys: KeyRing;
  /** On `performance.now()`, as `stepEnd` is. */
  readonly deadline: number;
  readonly stepEnd: number;
  built: BuiltRequest;
  /** Thinking of the conversation was refused, and is left out. */
  isWithoutThinking = false;
  /** The container of the conversation was refused, and is left out. */
  isWithoutContainer = false;
  /** Requests for this step, those of earlier leases included. */
  attempts: number;
  /** Requests of this lease that only changed the key, or left thinking out, and followed at once. */
  failovers = 0;
  isFailover = false;
  /** Responses of this lease that reached their end and are invalid. */
  brokenResponses = 0;
  /** The last request was, and is paid for. */
  wasInterrupted = false;
  keyName: string | null = null;
  lastRequestId: string | null = null;

  constructor(parts: CallParts, call: ModelCall) {
    this.parts = parts;
    this.call = call;
    this.keys = new KeyRing(parts, call);
    this.deadline = performance.now() + call.turn.remainingMs();
    this.stepEnd = performance.now() + call.stepTimeoutMs;
    this.built = buildRequest(call.request);
    this.attempts = call.previousAttempts;
  }

  get request(): ModelRequest {
    return this.call.request;
  }

  get turn(): TurnContext {
    return this.call.turn;
  }

  /** The retry budget is one for each tenant and model. */
  get budgetKey(): string {
    return `${this.turn.tenantId}:${this.request.agent.model}`;
  }

  /** Requests for this step, without those that only changed the key or left thinking out. */
  get tries(): number {
    return this.attempts - this.failovers;
  }

  get outage(): string {
    return outageOf(this.request);
  }

  /** On every line that is logged about the request under way. */
  get fields(): RequestFields {
    return { model: this.request.agent.model, model_key: this.keyName, attempt: this.attempts };
  }

  /** Builds the request anew, without what was refused of the conversation. */
  rebuild(): void {
    this.built = buildRequest(this.request, {
      withoutThinking: this.isWithoutThinking,
      withoutContainer: this.isWithoutContainer,
    });
  }

  /** By the name of the model that was requested: a gateway may give itself any name. */
  costOf({ usage, webSearches, speed, geo }: PricedUsage): number {
    const { model, cache_ttl: cacheTtl, speed: asked, inference_geo: askedGeo } = this.request.agent;
    return costOf(usage, this.parts.prices.priceOf(model, Date.now()), {
      cacheTtl,
      webSearches,
      isFast: (speed ?? asked) === 'fast',
      geo: geo ?? askedGeo,
    });
  }

  /** Throws a ModelError where no key can be used, and the signal's reason. */
  chooseKey(): Promise<Choice> {
    return this.keys.choose(this.turn.signal).catch((error: unknown) => {
      throw this.keyError(error);
    });
  }

  /** The ModelError for an error of the keys; any other error is returned as it is. */
  keyError(error: unknown): unknown {
    if (error instanceof ModelError) return this.error(error.code, error.message, { terminal: true });
    if (!(error instanceof KeysUnavailableError)) return error;
    this.turn.logger.warn('Model keys are unavailable.', { ...this.fields, error: error.cause });
    return this.parked(error.code, KEYS_UNREADABLE, this.parts.limits.parkBaseMs);
  }

  /** An error by which the turn is released, to be tried again after a while. */
  parked(code: string, message: string, leastMs: number, outage?: string): ModelError {
    const retryAfterMs = parkMs(leastMs, this.parts.limits);
    this.turn.logger.debug('Model call parked.', { ...this.fields, code, retry_after_ms: retryAfterMs });
    return this.error(code, message, { retryAfterMs, outage });
  }

  error(
    code: string,
    message: string,
    facts: {
      terminal?: boolean;
      retryAfterMs?: number;
      refused?: RefusedParts | undefined;
      outage?: string | undefined;
    } = {},
  ): ModelError {
    // Without a cause: the SDK's errors carry headers and bodies.
    return new ModelError(code, message, {
      terminal: false,
      providerRequestId: this.lastRequestId,
      ...facts,
      attempts: this.attempts,
    });
  }
}
