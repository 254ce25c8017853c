import { isIPv6 } from 'node:net';
import { Agent, type buildConnector } from 'undici';
import { checkDestination } from './check-destination.ts';
import { guardedConnector } from './connect-guarded.ts';
import { type EgressPolicy, type EgressRules, parsePolicy } from './policy.ts';
import { sendRequest } from './send-request.ts';
import type { UpstreamFetch } from './upstream-fetch.ts';

/** How long idle connections are kept, regardless of the server's keep-alive header. */
const KEEP_ALIVE_MS = 10_000;
/** Origins with open connections. */
const MAX_ORIGINS = 1_000;
/** Open connections to one origin. */
const MAX_CONNECTIONS = 1_000;

/**
 * A `fetch` for URLs that a *tenant* chose and whose responses are streams, such as a gateway for the model
 * API. Each connection is guarded like one of `Egress`: the name is resolved once, refused unless every address is
 * allowed, and the connection goes to a checked address; a reused connection stays there. The policy's `deadlineMs`
 * does not apply: the caller's signal ends a long response.
 * - Redirects are returned, not followed.
 * - Responses are not decompressed, so a small one cannot become large.
 * - A response longer than `maxResponseBytes` is an error.
 * The URL and the body must be strings. Rejects with `EgressRefusedError` (nothing was sent),
 * `EgressUnreachableError`, the signal's reason, and what the HTTP client throws.
 * Throws a `ZodError` or a `TypeError` for an invalid policy.
 */
export function createGuardedFetch(policy: EgressPolicy = {}): UpstreamFetch {
  const rules = parsePolicy(policy);
  const closing = new AbortController();
  const agent = new Agent({
    connect: (options, callback) => connectGuarded(options, callback, rules, closing.signal),
    connections: MAX_CONNECTIONS,
    maxOrigins: MAX_ORIGINS,
    pipelining: 1,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    headersTimeout: rules.idleTimeoutMs,
    bodyTimeout: rules.idleTimeoutMs,
    maxHeaderSize: rules.maxHeaderBytes,
    maxResponseSize: rules.maxResponseBytes,
  });
  return {
    async fetch(input, init) {
      if (typeof input !== 'string') throw new TypeError('The URL must be a string.');
      return sendRequest(agent, checkDestination(input, rules).url, init);
    },
    async close() {
      closing.abort();
      await agent.destroy();
    },
  };
}

/** Checks the origin of a connection. The request's URL is checked before; the connector does not know it. */
function connectGuarded(
  options: buildConnector.Options,
  callback: buildConnector.Callback,
  rules: EgressRules,
  closing: AbortSignal,
): void {
  try {
    const { protocol, hostname, port } = options;
    const host = isIPv6(hostname) ? `[${hostname}]` : hostname;
    const destination = checkDestination(`${protocol}//${host}${port ? `:${port}` : ''}`, rules);
    const connection = { connected: false, abandoned: closing, reset: false };
    guardedConnector(destination, rules, connection)(options, callback);
  } catch (error) {
    callback(error instanceof Error ? error : new Error('The connection failed.'), null);
  }
}
