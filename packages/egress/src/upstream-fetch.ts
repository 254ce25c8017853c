import { Agent } from 'undici';
import { sendRequest } from './send-request.ts';

export interface UpstreamFetchSettings {
  /** Milliseconds without a byte, before the head and between two chunks of the body. */
  idleTimeoutMs: number;
  /** Milliseconds for TCP and TLS. Default 10 s. */
  connectTimeoutMs?: number;
  /** Bytes of one response; a longer one is an error. Default 64 MiB. */
  maxResponseBytes?: number;
  /** Certificates (PEM) to trust instead of Node's. */
  ca?: string;
}

export interface UpstreamFetch {
  fetch: typeof globalThis.fetch;
  /** Ends all requests and closes idle connections. */
  close(): Promise<void>;
}

/**
 * A `fetch` for URLs that the *operator* chose, such as the model API: without address guard, with keep-alive, and
 * with one connection per concurrent request (a worker's concurrency is the limit).
 * Redirects are returned, not followed: headers with keys must not be sent to another origin. Rejects like `fetch`:
 * with the signal's reason, or a `TypeError` whose cause is the underlying error.
 */
export function createUpstreamFetch(settings: UpstreamFetchSettings): UpstreamFetch {
  const agent = new Agent({
    connect: {
      timeout: settings.connectTimeoutMs ?? 10_000,
      rejectUnauthorized: true,
      ...(settings.ca === undefined ? {} : { ca: settings.ca }),
    },
    headersTimeout: settings.idleTimeoutMs,
    bodyTimeout: settings.idleTimeoutMs,
    maxResponseSize: settings.maxResponseBytes ?? 64 * 1024 * 1024,
  });
  return {
    async fetch(input, init) {
      if (input instanceof Request) throw new TypeError('The URL must be a string.');
      try {
        return await sendRequest(agent, new URL(input), init);
      } catch (cause) {
        if (init?.signal?.aborted === true) throw init.signal.reason;
        throw new TypeError('The request failed.', { cause });
      }
    },
    close: () => agent.destroy(),
  };
}
