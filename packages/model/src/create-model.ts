import { setMaxListeners } from 'node:events';
import {
  DrainError,
  type CallCost,
  type ModelCall,
  type ModelRequest,
  type ModelResponse,
} from '@turnpike/contract';
import { createCallGuard, type CallGuard, type EgressPolicy } from '@turnpike/egress';
import { reportSparingly, type Logger, type Secret } from '@turnpike/telemetry';
import { callModel } from './call-model.ts';
import { PUBLIC_API } from './connect-model-api.ts';
import { mostCostOf } from './cost.ts';
import { keyValue, KeyValues, type ModelSecrets } from './key-values.ts';
import { KeyCooldowns } from './key-cooldowns.ts';
import { DEFAULT_LIMITS, type ModelLimits } from './limits.ts';
import { ModelEndpoints } from './model-endpoints.ts';
import { readPrices, type PriceTable } from './prices.ts';
import { ResponseMemory } from './response-memory.ts';
import { ResponsePacing } from './response-pacing.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';

export interface ModelSettings {
  /** The operator's own, for tenants that may use it. Left out: each tenant brings its own. */
  apiKey?: Secret;
  /** Where the operator calls the model. Default: the public Anthropic API. */
  baseUrl?: string;
  /** Where tenants' keys are. Left out: no tenant has any. */
  secrets?: ModelSecrets;
  /** Which addresses a tenant may choose. Default: public ones. */
  egress?: EgressPolicy;
  logger: Logger;
  limits?: Partial<ModelLimits>;
  /** Default: the table that comes with Turnpike. */
  prices?: PriceTable;
  /** Default: one of this process. */
  retryBudget?: RetryBudget;
  /** Default: one of this process, which limits calls no further than a worker limits turns. */
  guard?: CallGuard;
}

/**
 * Model calls take long, and a worker has its own limit for them: what matters here is the circuit breaker. It opens
 * for ten seconds at most, so that with the spread no turn is parked for more than about fifteen.
 */
const MODEL_GUARD = { slots: 20_000, maxWaiting: 0, maxOpenMs: 10_000 };

export interface GuardedModel {
  /**
   * One model call with its retries: a whole response, or none.
   * Throws ModelError (see `callModel` for how it is to be read), and the signal's reason at once when it aborts.
   */
  call(call: ModelCall): Promise<ModelResponse>;
  /** The most that one such call can cost. */
  mostCost(request: ModelRequest): CallCost;
  /** For metrics: how many circuit breakers of tenants' models are in which state. */
  breakers(): ReturnType<CallGuard['states']>;
  /** Ends the calls in progress with a DrainError, and closes idle connections. */
  close(): Promise<void>;
}

/**
 * The model API behind its guards: keys, stream, classification, retries, budget, timeouts.
 * Throws for an operator's key that no header can carry, and for an egress policy that cannot be read.
 */
export function createModel(settings: ModelSettings): GuardedModel {
  const limits: ModelLimits = { ...DEFAULT_LIMITS, ...settings.limits };
  const endpoints = new ModelEndpoints(settings.baseUrl ?? PUBLIC_API, settings.egress ?? {}, limits);
  const values = new KeyValues(settings.secrets ?? { read: async () => null }, limits.keyTtlMs);
  const prices = settings.prices ?? readPrices();
  const parts = {
    operatorKey: settings.apiKey === undefined ? null : keyValue(settings.apiKey),
    values,
    cooldowns: new KeyCooldowns(limits),
    endpoints,
    prices,
    responses: new ResponseMemory(),
    pacing: new ResponsePacing(),
    guard: settings.guard ?? createCallGuard(MODEL_GUARD),
    limits,
    budget: settings.retryBudget ?? createRetryBudget(),
    // The code of the error is in the fields already.
    report: reportSparingly((message, { error: _kind, ...fields }) => settings.logger.warn(message, fields)),
  };
  const closing = new AbortController();
  // Each call in progress adds a listener, and a worker makes many calls.
  setMaxListeners(0, closing.signal);

  return {
    async call(call) {
      const either = new AbortController();
      const stopFor = (signal: AbortSignal) => (): void => either.abort(signal.reason);
      const links = [call.turn.signal, closing.signal].map((signal) => ({ signal, stop: stopFor(signal) }));
      for (const { signal, stop } of links) {
        if (signal.aborted) stop();
        signal.addEventListener('abort', stop);
      }
      try {
        return await callModel(parts, { ...call, turn: { ...call.turn, signal: either.signal } });
      } finally {
        for (const { signal, stop } of links) signal.removeEventListener('abort', stop);
      }
    },
    mostCost: (request) => mostCostOf(request, prices.priceOf(request.agent.model, Date.now())),
    breakers: () => parts.guard.states(),
    async close() {
      closing.abort(new DrainError());
      values.clear();
      await endpoints.close();
    },
  };
}
