import { encodeQuery, parseBaseUrl, type Query } from './address.ts';
import { TurnpikeApiError } from './errors.ts';
import { Limit, pause } from './limit.ts';
import { readProblem } from './read-problem.ts';
import { canSucceedLater, retryDelayMs } from './retry-delay.ts';

const VISIBLE = /^[\x21-\x7e]+$/;

export interface TurnpikeOptions {
  /** URL of the API, such as `https://turnpike.invalid`; in a page also a path on its origin, such as `/api`. */
  baseUrl: string;
  /** `null` if a server of yours, between a page and the API, adds the key. */
  apiKey: string | null;
  /** Default: the global `fetch`. */
  fetch?: typeof fetch | undefined;
  /** Timeout of one attempt, not of all attempts together. Default: 30 seconds. */
  timeoutMs?: number | undefined;
  /** Attempts after the first one. Default: 5. */
  maxRetries?: number | undefined;
}

/** Options of every call. */
export interface CallOptions {
  /** Aborts the call, which then rejects with the signal's reason. It does not undo what the service has done. */
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  maxRetries?: number | undefined;
}

/** Options of a call that creates or changes something. */
export interface WriteOptions extends CallOptions {
  /** Default: a random key, so that retries of this call take effect once. Pass your own to repeat the call after a crash. */
  idempotencyKey?: string | undefined;
}

export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  query?: Query | undefined;
  body?: unknown;
  /** In place of a body of JSON. */
  form?: FormData | undefined;
}

/** Sends requests, with retries. */
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
    // A browser's `fetch` throws when it is called as a method of another object.
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.maxRetries = options.maxRetries ?? 5;
  }

  /**
   * Returns the JSON of the response; undefined if it has no body. Throws `TurnpikeApiError`,
   * `TurnpikeConnectionError`, `TurnpikeTimeoutError`, or the signal's reason.
   */
  async call<Result>(request: ApiRequest, options: WriteOptions = {}): Promise<Result> {
    const headers = request.method === 'POST' ? { 'idempotency-key': keyOf(options) } : {};
    let attempts = 0;
    return retrying(options, this.maxRetries, async () => {
      attempts += 1;
      try {
        return (await this.#attempt(request, headers, options)) as Result;
      } catch (error) {
        // An earlier attempt may have deleted it, and its response was lost.
        if (attempts > 1 && request.method === 'DELETE' && isNotFound(error)) return undefined as Result;
        throw error;
      }
    });
  }

  /** Makes one attempt and returns after the response's head. `limit` also covers the body. */
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
      ...(request.form === undefined ? {} : { body: request.form }),
      // The service never redirects, and the key must not be sent to another server.
      redirect: 'manual',
      signal: limit.signal,
    });
  }

  /**
   * Makes a request whose response is not JSON, and returns its body, which is read at the caller's pace. Throws as
   * `call`.
   */
  async stream(
    request: ApiRequest,
    headers: Record<string, string>,
    options: CallOptions = {},
  ): Promise<ReadableStream<Uint8Array>> {
    return retrying(options, this.maxRetries, async () => {
      options.signal?.throwIfAborted();
      const limit = new Limit(options.signal, options.timeoutMs ?? this.#timeoutMs);
      try {
        const response = await this.open(request, headers, limit);
        if (!response.ok) throw readProblem(response, await response.text());
        // From here on the caller's signal ends it, and no timeout.
        limit.pause();
        return response.body ?? new Blob([]).stream();
      } catch (error) {
        limit.close();
        throw limit.explain(error, `${request.method} ${request.path}`);
      }
    });
  }

  /** The timeout of one attempt, for callers of `open`. */
  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  async #attempt(
    request: ApiRequest,
    headers: Record<string, string>,
    options: CallOptions,
  ): Promise<unknown> {
    options.signal?.throwIfAborted();
    const limit = new Limit(options.signal, options.timeoutMs ?? this.#timeoutMs);
    try {
      const response = await this.open(request, headers, limit);
      const text = await response.text();
      if (!response.ok) throw readProblem(response, text);
      return text === '' ? undefined : parseJson(response, text);
    } catch (error) {
      throw limit.explain(error, `${request.method} ${request.path}`);
    } finally {
      limit.close();
    }
  }
}

/** Attempts again, later each time, what may succeed later. `most`: retries, where the options name no number. */
async function retrying<Result>(
  options: Pick<CallOptions, 'maxRetries' | 'signal'>,
  most: number,
  attempt: () => Promise<Result>,
): Promise<Result> {
  const maxRetries = options.maxRetries ?? most;
  for (let failures = 0; ;) {
    try {
      return await attempt();
    } catch (error) {
      failures += 1;
      if (failures > maxRetries || !canSucceedLater(error)) throw error;
      await pause(retryDelayMs(error, failures), options.signal);
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

function parseJson(response: Response, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw readProblem(response, text);
  }
}
