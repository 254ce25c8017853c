import { setMaxListeners } from 'node:events';
import {
  DrainError,
  type CallCost,
  type ModelCall,
  type ModelRequest,
  type ModelResponse,
  type TokenCount,
  type TurnContext,
} from '@turnpike/contract';
import { createCallGuard, type CallGuard, type EgressPolicy } from '@turnpike/egress';
import { reportSparingly, type Logger, type Secret } from '@turnpike/telemetry';
import { MessageBatches } from './batches/message-batches.ts';
import { callModel } from './call-model.ts';
import type { CloudSettings } from './clouds/cloud-settings.ts';
import { PUBLIC_API } from './connect-model-api.ts';
import { mostCostOf } from './cost.ts';
import type { OperatorKey } from './key-ring.ts';
import { keyValue, KeyValues, type ModelSecrets } from './key-values.ts';
import { KeyCooldowns } from './key-cooldowns.ts';
import { DEFAULT_LIMITS, type ModelLimits } from './limits.ts';
import { NO_FILES, type ModelFiles } from './model-files.ts';
import { ModelEndpoints } from './model-endpoints.ts';
import { TokenCounter } from './token-counter.ts';
import { readPrices, type PriceTable } from './prices.ts';
import { RequestMemory, type RequestMemoryLimits } from './request-memory.ts';
import { ResponseMemory } from './response-memory.ts';
import { ResponsePacing } from './response-pacing.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';

export interface ModelSettings {
  /** The operator's own, for tenants that may use it. Left out: each tenant brings its own. */
  apiKey?: Secret;
  /** Where the operator calls the model. Default: the public Anthropic API. */
  baseUrl?: string;
  /** The operator's own calls go by this cloud, without `apiKey`; those with a tenant's key go to `baseUrl`. */
  cloud?: CloudSettings;
  /** Where tenants' keys are. Left out: no tenant has any. */
  secrets?: ModelSecrets;
  /** Which addresses a tenant may choose. Default: public ones. */
  egress?: EgressPolicy;
  /** Where the files of conversations are. Left out: there are none. */
  files?: ModelFiles;
  logger: Logger;
  limits?: Partial<ModelLimits>;
  /** Default: the table that comes with Turnpike. */
  prices?: PriceTable;
  /** Default: one of this process. */
  retryBudget?: RetryBudget;
  /** Default: as for a process with a gigabyte or two. */
  requestMemory?: RequestMemoryLimits;
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
  /**
   * The tokens of such a request by `count_tokens`, which costs nothing; null where that fails or takes too long, where
   * no key can be used now, and on a cloud. One request, without a retry. Throws `LeaseLostError` and the signal's
   * reason.
   */
  countTokens(count: TokenCount): Promise<number | null>;
  /** Calls that go through batches of the model API. */
  readonly batches: MessageBatches;
  /** For metrics: how many circuit breakers of tenants' models are in which state. */
  breakers(): ReturnType<CallGuard['states']>;
  /** Ends the calls in progress with a DrainError, and closes idle connections. */
  close(): Promise<void>;
}

function operatorKeyOf({ apiKey, cloud }: ModelSettings, endpoints: ModelEndpoints): OperatorKey | null {
  if (endpoints.cloud !== null) {
    const secret = cloud !== undefined && 'apiKey' in cloud ? (cloud.apiKey ?? null) : null;
    return { api: endpoints.cloud, secret };
  }
  return apiKey === undefined ? null : { api: endpoints.operator, secret: keyValue(apiKey).secret };
}

/**
 * The model API behind its guards: keys, stream, classification, retries, budget, timeouts.
 * Throws for an operator's key that no header can carry, and for an egress policy that cannot be read.
 */
export function createModel(settings: ModelSettings): GuardedModel {
  const limits: ModelLimits = { ...DEFAULT_LIMITS, ...settings.limits };
  const endpoints = new ModelEndpoints(
    settings.baseUrl ?? PUBLIC_API,
    settings.egress ?? {},
    limits,
    settings.cloud,
  );
  const values = new KeyValues(settings.secrets ?? { read: async () => null }, limits.keyTtlMs);
  const prices = settings.prices ?? readPrices();
  const parts = {
    operatorKey: operatorKeyOf(settings, endpoints),
    values,
    cooldowns: new KeyCooldowns(limits),
    endpoints,
    prices,
    requests: new RequestMemory(settings.requestMemory),
    responses: new ResponseMemory(),
    pacing: new ResponsePacing(),
    files: settings.files ?? NO_FILES,
    guard: settings.guard ?? createCallGuard(MODEL_GUARD),
    limits,
    budget: settings.retryBudget ?? createRetryBudget(),
    // The code of the error is in the fields already.
    report: reportSparingly((message, { error: _kind, ...fields }) => settings.logger.warn(message, fields)),
  };
  const closing = new AbortController();
  // Each call in progress adds a listener, and a worker makes many calls.
  setMaxListeners(0, closing.signal);

  const counter = new TokenCounter(parts);

  /** Runs `work` for a turn whose signal also aborts when the model is closed. */
  const untilClosed = async <Result>(
    turn: TurnContext,
    work: (turn: TurnContext) => Promise<Result>,
  ): Promise<Result> => {
    const either = new AbortController();
    const stopFor = (signal: AbortSignal) => (): void => either.abort(signal.reason);
    const links = [turn.signal, closing.signal].map((signal) => ({ signal, stop: stopFor(signal) }));
    for (const { signal, stop } of links) {
      if (signal.aborted) stop();
      signal.addEventListener('abort', stop);
    }
    try {
      return await work({ ...turn, signal: either.signal });
    } finally {
      for (const { signal, stop } of links) signal.removeEventListener('abort', stop);
    }
  };

  return {
    call: (call) => untilClosed(call.turn, (turn) => callModel(parts, { ...call, turn })),
    countTokens: (count) => untilClosed(count.turn, (turn) => counter.count({ ...count, turn })),
    batches: new MessageBatches(parts, closing.signal),
    mostCost: (request) => mostCostOf(request, prices.priceOf(request.agent.model, Date.now())),
    breakers: () => parts.guard.states(),
    async close() {
      closing.abort(new DrainError());
      values.clear();
      await endpoints.close();
    },
  };
}
