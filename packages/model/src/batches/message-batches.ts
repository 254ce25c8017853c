import { setMaxListeners } from 'node:events';
import {
  agentConfigSchema,
  ModelError,
  type AgentConfig,
  type ModelAuth,
  type ModelResponse,
  type TokenCount,
  type TurnContext,
} from '@turnpike/contract';
import { readAll } from '@turnpike/egress';
import { z } from 'zod';
import { buildRequest, serializeBody } from '../build-request.ts';
import type { CallParts } from '../call-state.ts';
import { classifyError } from '../classify-error.ts';
import { sourcesIn } from '../compose-body.ts';
import { requestHeaders } from '../connect-model-api.ts';
import { costOf } from '../cost.ts';
import { KeyRing, type ModelKey } from '../key-ring.ts';
import { readBatchResult } from './read-batch-result.ts';
import { readLines } from './read-lines.ts';

/** By which key, and at which address, a batch is submitted and asked for. */
export interface RouteOfBatch {
  /** The name of the tenant's secret; null: the operator's key. */
  keyName: string | null;
  /** Null: the operator's endpoint. */
  baseUrl: string | null;
  auth: ModelAuth;
  apiVersion: string;
  betas: string[];
}

/** A call as a batch has it. */
export interface DraftedCall {
  route: RouteOfBatch;
  /** JSON of `params`. */
  body: string;
}

/**
 * What became of a submission. `refused`: there is no such batch, and trying again does not help; `not_sent`: nor is
 * there one, and it does; `unknown`: there may be one.
 */
export type Submitted =
  | { status: 'accepted'; providerId: string }
  | { status: 'refused' | 'unknown'; code: string; message: string }
  | { status: 'not_sent'; code: string; message: string; waitMs: number };

/** A batch as the API tells of it. */
export interface ListedMessageBatch {
  providerId: string;
  ended: boolean;
  requests: number;
  /** Milliseconds since 1970, by the API's clock. */
  createdAt: number;
}

/** A longer request is made by itself. */
const MOST_BODY_CHARACTERS = 4_000_000;
const MOST_BYTES = 1_000_000;
/** One line of results holds one message. */
const MOST_LINE_CHARACTERS = 16_000_000;
const PAGE = 100;
const MOST_PAGES = 50;
/** Statuses with which the API says that it has not taken a batch, and takes it later. */
const LATER = new Set<number | undefined>([429, 529]);
const LATER_MS = 30_000;

const batchSchema = z.looseObject({
  id: z.string().regex(/^[\w-]{1,200}$/),
  processing_status: z.string(),
  created_at: z.iso.datetime({ offset: true }),
  request_counts: z.record(z.string(), z.int().min(0)),
});
const listSchema = z.looseObject({ data: z.array(batchSchema), has_more: z.boolean() });

/** The Message Batches of the model API: what is sent there and read from there, and nothing that is kept. */
export class MessageBatches {
  readonly #parts: CallParts;
  readonly #closing: AbortSignal;

  constructor(parts: CallParts, closing: AbortSignal) {
    this.#parts = parts;
    this.#closing = closing;
  }

  /**
   * The call as a batch has it. Null where it must be made by itself: on a cloud, with stored files, where it is very
   * long, and where no key can be used, which that call will say. Throws the signal's reason.
   */
  async draft({ turn, request }: TokenCount): Promise<DraftedCall | null> {
    const key = await this.#keyOf({ turn, request }, turn.signal);
    if (key === null || !key.api.takesBatches) return null;
    if (request.messages.some(({ content }) => content.some((block) => sourcesIn(block).length > 0)))
      return null;
    const { body, apiVersion, betas } = buildRequest(request);
    const { stream: _stream, ...params } = body;
    const text = serializeBody(params);
    if (text.length > MOST_BODY_CHARACTERS) return null;
    const route = { keyName: key.name, baseUrl: request.access.baseUrl, auth: key.auth, apiVersion, betas };
    return { route, body: text };
  }

  /** Submits a batch. `beforeSend` is called right before anything is sent; what it throws is thrown. */
  async submit(
    tenantId: string,
    route: RouteOfBatch,
    calls: readonly { id: string; body: string }[],
    { limitMs, beforeSend }: { limitMs: number; beforeSend(): void },
  ): Promise<Submitted> {
    const signal = AbortSignal.any([this.#closing, AbortSignal.timeout(limitMs)]);
    const key = await this.#routeKey(tenantId, route, signal);
    if (key === null) {
      return { status: 'refused', code: 'model_key_missing', message: 'The model key is gone.' };
    }
    const requests = calls.map(({ id, body }) => `{"custom_id":${JSON.stringify(id)},"params":${body}}`);
    const content = `{"requests":[${requests.join()}]}`;
    beforeSend();
    try {
      const response = await key.client
        .post('/v1/messages/batches', {
          body: content,
          headers: { ...requestHeaders(route, key), 'content-type': 'application/json' },
          signal,
        })
        .asResponse();
      const { id } = batchSchema.parse(await readJson(response));
      return { status: 'accepted', providerId: id };
    } catch (error) {
      return outcomeOf(error);
    }
  }

  /** The batch as it is now; null where the API has no such batch. Throws where it cannot be asked. */
  async read(tenantId: string, route: RouteOfBatch, providerId: string): Promise<ListedMessageBatch | null> {
    try {
      const response = await this.#get(tenantId, route, `/v1/messages/batches/${providerId}`);
      return listed(batchSchema.parse(await readJson(response)));
    } catch (error) {
      if (classifyError(error)?.status === 404) return null;
      throw error;
    }
  }

  /** The batches of the key's workspace that were created since then, the newest first. Throws as `read`. */
  async list(tenantId: string, route: RouteOfBatch, since: number): Promise<ListedMessageBatch[]> {
    const found: ListedMessageBatch[] = [];
    let after = '';
    for (let page = 0; page < MOST_PAGES; page++) {
      const query = `limit=${PAGE}${after === '' ? '' : `&after_id=${after}`}`;
      const response = await this.#get(tenantId, route, `/v1/messages/batches?${query}`);
      const { data, has_more: hasMore } = listSchema.parse(await readJson(response));
      const batches = data.map(listed);
      found.push(...batches.filter(({ createdAt }) => createdAt >= since));
      const last = batches.at(-1);
      if (!hasMore || last === undefined || last.createdAt < since) return found;
      after = last.providerId;
    }
    throw new Error('The model API lists too many batches.');
  }

  /** The results of a batch that has ended, as lines of JSON with the ids of their calls, one after the other. */
  async *results(
    tenantId: string,
    route: RouteOfBatch,
    providerId: string,
  ): AsyncGenerator<{ callId: string; result: string }> {
    const response = await this.#get(tenantId, route, `/v1/messages/batches/${providerId}/results`);
    for await (const line of readLines(response, MOST_LINE_CHARACTERS)) {
      const { custom_id: callId } = resultSchema.parse(JSON.parse(line));
      yield { callId, result: line };
    }
  }

  /** The response in a result; null where the batch has none for the call. Priced as `agent` says. */
  response(result: string, agent: PricedAgent): ModelResponse | null {
    const message = readBatchResult(result);
    if (message === null) return null;
    const { webSearches, speed: _speed, geo, containerId, ...response } = message;
    return {
      ...response,
      ...(containerId === null ? {} : { container: { id: containerId } }),
      costMicros: costOf(response.usage, this.#parts.prices.priceOf(agent.model, Date.now()), {
        cacheTtl: agent.cache_ttl,
        webSearches,
        isBatch: true,
        geo: geo ?? agent.inference_geo,
      }),
      attempts: 1,
      providerRequestId: null,
    };
  }

  async #get(tenantId: string, route: RouteOfBatch, path: string): Promise<Response> {
    const signal = AbortSignal.any([this.#closing, AbortSignal.timeout(this.#parts.limits.totalTimeoutMs)]);
    setMaxListeners(0, signal);
    const key = await this.#routeKey(tenantId, route, signal);
    if (key === null) throw new Error('The key of a model batch is gone.');
    return key.client.get(path, { headers: requestHeaders(route, key), signal }).asResponse();
  }

  /** The key of a route, and no other. Null where the tenant has it no longer. */
  #routeKey(tenantId: string, route: RouteOfBatch, signal: AbortSignal): Promise<ModelKey | null> {
    const { keyName, baseUrl, auth } = route;
    const keys = keyName === null ? [] : [keyName];
    const request = {
      agent: NO_AGENT,
      access: { keys, baseUrl, auth, operatorKey: keyName === null },
      messages: [],
      tools: [],
    };
    return this.#keyOf({ turn: contextOf(tenantId, signal), request }, signal);
  }

  async #keyOf(call: TokenCount, signal: AbortSignal): Promise<ModelKey | null> {
    try {
      return (await new KeyRing(this.#parts, call).choose(signal)).key;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ModelError) return null;
      throw error;
    }
  }
}

/** What the price of a call depends on. */
export type PricedAgent = Pick<AgentConfig, 'model' | 'cache_ttl' | 'inference_geo'>;

/** A key is chosen for an address, not for a model. */
const NO_AGENT = agentConfigSchema.parse({ model: 'batches' });

const resultSchema = z.looseObject({ custom_id: z.string() });

function listed(batch: z.infer<typeof batchSchema>): ListedMessageBatch {
  return {
    providerId: batch.id,
    ended: batch.processing_status === 'ended',
    requests: Object.values(batch.request_counts).reduce((sum, count) => sum + count, 0),
    createdAt: Date.parse(batch.created_at),
  };
}

async function readJson(response: Response): Promise<unknown> {
  const body = await readAll(response, MOST_BYTES);
  if (body === null) throw new Error('The response of the model API is too long.');
  return JSON.parse(body.toString());
}

function outcomeOf(error: unknown): Submitted {
  const failure = classifyError(error);
  if (failure === undefined)
    return { status: 'unknown', code: 'model_malformed_response', message: 'The response cannot be read.' };
  const { code, message, status, retryAfterMs = LATER_MS } = failure;
  if (LATER.has(status)) return { status: 'not_sent', code, message, waitMs: retryAfterMs };
  const isRefused = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 409;
  return { status: isRefused ? 'refused' : 'unknown', code, message };
}

/** The context of work that belongs to no turn. */
function contextOf(tenantId: string, signal: AbortSignal): TurnContext {
  const silent = (): void => undefined;
  const logger = { debug: silent, info: silent, warn: silent, error: silent, child: () => logger };
  return {
    tenantId,
    turnId: '',
    sessionId: '',
    epoch: 0,
    signal,
    logger,
    traceparent: null,
    logsContent: () => false,
    assertHeld: silent,
    now: () => Date.now(),
    remainingMs: () => Infinity,
  };
}
