import { isIPv6 } from 'node:net';
import { Agent, type buildConnector } from 'undici';
import { checkDestination } from './check-destination.ts';
import { guardedConnector } from './connect-guarded.ts';
import { type EgressPolicy, type EgressRules, parsePolicy } from './policy.ts';
import { sendRequest } from './send-request.ts';
import type { UpstreamFetch } from './upstream-fetch.ts';

/** Idle connections are kept so long, and no longer, whatever the other side promises. */
const KEPT_MS = 10_000;
/** Origins with a connection at once. */
const MOST_ORIGINS = 1_000;
/** Connections to one origin at once. */
const MOST_CONNECTIONS = 1_000;

/**
 * A `fetch` for URLs that a *tenant* chose and whose answers are streams, such as a gateway for the model
 * API. Each connection is guarded as one of `Egress` is: the name is resolved once, refused unless every
 * address may be reached, and the connection goes to what was checked; a kept one stays there. Of the
 * policy, `deadlineMs` does not apply: the caller's signal ends a long answer.
 * - A redirect is an answer, not followed.
 * - No compression is asked for or undone: a small answer cannot become a large one.
 * - `maxResponseBytes` bounds an answer; a longer one is an error.
 * It takes a URL as text, and a body of text. Rejects with `EgressRefusedError`, where nothing left,
 * `EgressUnreachableError`, the signal's reason, and with what the HTTP client throws.
 * Throws a `ZodError` or a `TypeError` for a policy that cannot be read.
 */
export function createGuardedFetch(policy: EgressPolicy = {}): UpstreamFetch {
  const rules = parsePolicy(policy);
  const closing = new AbortController();
  const agent = new Agent({
    connect: (options, callback) => connectGuarded(options, callback, rules, closing.signal),
    connections: MOST_CONNECTIONS,
    maxOrigins: MOST_ORIGINS,
    pipelining: 1,
    keepAliveTimeout: KEPT_MS,
    keepAliveMaxTimeout: KEPT_MS,
    headersTimeout: rules.idleTimeoutMs,
    bodyTimeout: rules.idleTimeoutMs,
    maxHeaderSize: rules.maxHeaderBytes,
    maxResponseSize: rules.maxResponseBytes,
  });
  return {
    async fetch(input, init) {
      if (typeof input !== 'string') throw new TypeError('The URL must be a text.');
      return sendRequest(agent, checkDestination(input, rules).url, init);
    },
    async close() {
      closing.abort();
      await agent.destroy();
    },
  };
}

/** The URL of the request is not known here, its origin is: that is all that is checked of a connection. */
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
