import { Agent } from 'undici';
import { sendRequest } from './send-request.ts';

export interface UpstreamFetchSettings {
  /** Milliseconds without a byte, before the head and between any two pieces of the body. */
  idleTimeoutMs: number;
  /** Milliseconds for TCP and TLS. Default 10 s. */
  connectTimeoutMs?: number;
  /** Bytes of one answer; a longer one is an error. Default 64 MiB. */
  maxResponseBytes?: number;
  /** Certificates (PEM) that are trusted, instead of those that Node brings. */
  ca?: string;
}

export interface UpstreamFetch {
  fetch: typeof globalThis.fetch;
  /** Ends what is under way and closes the kept connections. */
  close(): Promise<void>;
}

/**
 * A `fetch` for URLs that the *operator* chose, such as the model API: no address guard, connections
 * kept alive, as many at once as there are requests (a worker's concurrency is the bound).
 * A redirect is an answer, not followed: headers with keys must not travel to another origin. Rejects as `fetch`
 * does: with the signal's reason, and a `TypeError` whose cause is what went wrong.
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
      if (input instanceof Request) throw new TypeError('The URL must be a text.');
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
