import { Client } from 'undici';
import { checkDestination } from './check-destination.ts';
import { checkHeaders } from './check-headers.ts';
import { type Connection, guardedConnector } from './connect-guarded.ts';
import { decompress } from './decompress.ts';
import { EgressRefusedError } from './errors.ts';
import { explainFailure } from './explain-failure.ts';
import { type EgressPolicy, type EgressRules, parsePolicy } from './policy.ts';
import { type BodyEnd, readBounded } from './read-bounded.ts';

export const EGRESS_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export type EgressMethod = (typeof EGRESS_METHODS)[number];

export interface EgressRequest {
  method: EgressMethod;
  url: string;
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  /** Ends the request at once; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Asked when the connection is there, before a byte leaves; what it throws ends the request. */
  beforeSend?: () => void;
  /** Milliseconds for all of it; the policy's where left out, and never more than that. */
  deadlineMs?: number;
  /** Bytes of the body that are kept; the policy's where left out, and never more than that. */
  maxResponseBytes?: number;
}

/** An answer, also one that is cut: once the head is there, the other side has spoken. */
export interface EgressResponse {
  status: number;
  /** Names in lower case; a header that came several times is joined with `, `. */
  headers: Readonly<Record<string, string>>;
  /** No compression is asked for; what is compressed all the same is undone, up to the bound on the body. */
  body: Uint8Array;
  /** True unless the body is whole; `bodyEnd` says what ended it. */
  truncated: boolean;
  bodyEnd: BodyEnd;
}

/** The way out to URLs that a tenant or a model chose. */
export interface Egress {
  /**
   * Sends one HTTP/1.1 request on a connection of its own, never twice, and follows no redirect:
   * a 3xx is an answer like any other.
   * Throws
   * - `EgressRefusedError`: the guard said no; nothing left.
   * - `EgressUnreachableError` (retryable): no connection was made; nothing left.
   * - `OutcomeUnknownError` (`answer_timeout`, `connection_lost`, `answer_invalid`): it may have left,
   *   and no head of an answer came.
   * - the signal's reason.
   */
  send(request: EgressRequest): Promise<EgressResponse>;
}

/** Throws a `ZodError` or a `TypeError` for a policy that cannot be read. */
export function createEgress(policy: EgressPolicy = {}): Egress {
  const rules = parsePolicy(policy);
  return { send: (request) => sendGuarded(request, rules) };
}

/**
 * The connection is not kept: a kept one may be closed by the other side just as the next request
 * leaves on it, and then nobody could say whether that request was seen.
 */
async function sendGuarded(request: EgressRequest, rules: EgressRules): Promise<EgressResponse> {
  request.signal?.throwIfAborted();
  if (!EGRESS_METHODS.includes(request.method)) {
    throw new EgressRefusedError('method_refused', `The method must be one of ${EGRESS_METHODS.join(', ')}.`);
  }
  const destination = checkDestination(request.url, rules);
  const sentHeaders = checkHeaders(request.headers ?? {});
  const abandonment = new AbortController();
  const connection: Connection = { connected: false, abandoned: abandonment.signal, reset: false };
  const client = new Client(destination.url.origin, {
    connect: guardedConnector(destination, rules, connection, request.beforeSend),
    pipelining: 0,
    headersTimeout: rules.idleTimeoutMs,
    bodyTimeout: rules.idleTimeoutMs,
    maxHeaderSize: rules.maxHeaderBytes,
  });

  const end = { expired: false };
  const giveUp = (): void => {
    void client.destroy(new Error('given up')).catch(() => undefined);
    abandonment.abort();
  };
  const timer = setTimeout(
    () => {
      end.expired = true;
      giveUp();
    },
    Math.min(request.deadlineMs ?? rules.deadlineMs, rules.deadlineMs),
  );
  request.signal?.addEventListener('abort', giveUp, { once: true });
  try {
    const answer = await client.request({
      method: request.method,
      path: destination.url.pathname + destination.url.search,
      headers: { ...sentHeaders, 'accept-encoding': 'identity' },
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    const limit = Math.min(request.maxResponseBytes ?? rules.maxResponseBytes, rules.maxResponseBytes);
    const received = joinHeaders(answer.headers);
    const hasBody = request.method !== 'HEAD' && ![204, 304].includes(answer.statusCode);
    const coding = hasBody && received['content-length'] !== '0' ? received['content-encoding'] : undefined;
    const plain = decompress(answer.body, coding);
    const { body, bodyEnd: seenEnd } = await readBounded(plain ?? answer.body, limit, () => end.expired);
    request.signal?.throwIfAborted();
    const headers = plain === null ? received : withoutCompression(received);
    const bodyEnd =
      seenEnd === 'complete' && connection.reset && endsWithConnection(received)
        ? 'connection_lost'
        : seenEnd;
    return {
      status: answer.statusCode,
      headers,
      body,
      truncated: bodyEnd !== 'complete',
      bodyEnd,
    };
  } catch (error) {
    request.signal?.throwIfAborted();
    throw explainFailure(error, { host: destination.host, connected: connection.connected, ...end });
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', giveUp);
    giveUp();
  }
}

/** A body of no stated length is over when the connection is; the client takes a reset for that too. */
function endsWithConnection(headers: Readonly<Record<string, string>>): boolean {
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
}

/** These speak of the body as it was on its way. */
function withoutCompression(headers: Readonly<Record<string, string>>): Record<string, string> {
  const { 'content-encoding': _coding, 'content-length': _length, ...rest } = headers;
  return rest;
}

function joinHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) joined[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return joined;
}
