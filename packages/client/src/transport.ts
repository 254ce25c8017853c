import { encodeQuery, parseBaseUrl, type Query } from './address.ts';
import { TurnpikeApiError } from './errors.ts';
import { Limit, pause } from './limit.ts';
import { readProblem } from './read-problem.ts';
import { canSucceedLater, retryDelayMs } from './retry-delay.ts';

const VISIBLE = /^[\x21-\x7e]+$/;

export interface TurnpikeOptions {
  /** Where the API is, such as `https://turnpike.invalid`; in a page also a path of its origin, such as `/api`. */
  baseUrl: string;
  /** `null` where somebody between adds it: a server of yours that a page reaches the API through. */
  apiKey: string | null;
  /** Default: the global one. */
  fetch?: typeof fetch | undefined;
  /** Of one try, not of all together. Default: 30 seconds. */
  timeoutMs?: number | undefined;
  /** Tries after the first one. Default: 5. */
  maxRetries?: number | undefined;
}

/** What every call takes. */
export interface CallOptions {
  /** Ends the call, which then rejects with its reason. What the service has done already stays done. */
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  maxRetries?: number | undefined;
}

/** What a call takes that makes or changes something. */
export interface WriteOptions extends CallOptions {
  /** Default: one for this call, so that its tries are one request. Give your own to survive a crash of yours. */
  idempotencyKey?: string | undefined;
}

export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  query?: Query | undefined;
  body?: unknown;
}

/** Sends requests, and sends again what may succeed then. */
export class Transport {
  readonly #baseUrl: string;
  readonly #apiKey: string | null;
  readonly #fetch: typeof fetch;
  readonly #timeoutMs: number;
  readonly maxRetries: number;

  constructor(options: TurnpikeOptions) {
    if (options.apiKey !== null && !VISIBLE.test(options.apiKey)) {
      throw new TypeError('apiKey must be visible ASCII characters.');
    }
    this.#baseUrl = parseBaseUrl(options.baseUrl, options.fetch !== undefined);
    this.#apiKey = options.apiKey;
    // Called as a method of something else, a browser's own would refuse.
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.maxRetries = options.maxRetries ?? 5;
  }

  /**
   * The answer's JSON, undefined where it has none. Throws `TurnpikeApiError`, `TurnpikeConnectionError`,
   * `TurnpikeTimeoutError`, or the signal's reason.
   */
  async call<Result>(request: ApiRequest, options: WriteOptions = {}): Promise<Result> {
    const headers = request.method === 'POST' ? { 'idempotency-key': keyOf(options) } : {};
    const maxRetries = options.maxRetries ?? this.maxRetries;
    for (let failures = 0; ;) {
      try {
        return (await this.#try(request, headers, options)) as Result;
      } catch (error) {
        failures += 1;
        // An earlier try may have deleted it, and its answer was lost.
        if (failures > 1 && request.method === 'DELETE' && isNotFound(error)) return undefined as Result;
        if (failures > maxRetries || !canSucceedLater(error)) throw error;
        await pause(retryDelayMs(error, failures), options.signal);
      }
    }
  }

  /** One try, up to the head of the answer. `limit` bounds it, its body included. */
  async open(request: ApiRequest, headers: Record<string, string>, limit: Limit): Promise<Response> {
    return this.#fetch(this.#baseUrl + request.path + encodeQuery(request.query ?? {}), {
      method: request.method,
      headers: {
        accept: 'application/json',
        ...(this.#apiKey === null ? {} : { authorization: `Bearer ${this.#apiKey}` }),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      // The service has none: whoever redirects is somebody else, and not to be told the key.
      redirect: 'manual',
      signal: limit.signal,
    });
  }

  /** For a try of something that is not over with one answer. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  async #try(request: ApiRequest, headers: Record<string, string>, options: CallOptions): Promise<unknown> {
    options.signal?.throwIfAborted();
    const limit = new Limit(options.signal, options.timeoutMs ?? this.#timeoutMs);
    try {
      const response = await this.open(request, headers, limit);
      const text = await response.text();
      if (!response.ok) throw readProblem(response, text);
      return text === '' ? undefined : parseAnswer(response, text);
    } catch (error) {
      throw limit.explain(error, `${request.method} ${request.path}`);
    } finally {
      limit.close();
    }
  }
}

function keyOf({ idempotencyKey }: WriteOptions): string {
  if (idempotencyKey === undefined) return crypto.randomUUID();
  if (!VISIBLE.test(idempotencyKey) || idempotencyKey.length > 255) {
    throw new TypeError('idempotencyKey must be 1 to 255 visible ASCII characters.');
  }
  return idempotencyKey;
}

function isNotFound(error: unknown): boolean {
  return error instanceof TurnpikeApiError && error.code === 'not_found';
}

function parseAnswer(response: Response, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw readProblem(response, text);
  }
}
