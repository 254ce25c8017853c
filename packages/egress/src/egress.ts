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
  /** Aborts the request at once; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called when the connection is established, before a byte is sent. What it throws ends the request. */
  beforeSend?: () => void;
  /** Milliseconds for the whole request. Default and maximum: the policy's. */
  deadlineMs?: number;
  /** Bytes of the response body that are kept. Default and maximum: the policy's. */
  maxResponseBytes?: number;
}

/** A response, possibly with a truncated body: once the head has arrived, the outcome is known. */
export interface EgressResponse {
  status: number;
  /** Names are in lower case; the values of a repeated header are joined with `, `. */
  headers: Readonly<Record<string, string>>;
  /** Decompressed, up to the size limit, if the server compresses although the request asks for `identity`. */
  body: Uint8Array;
  /** True unless the body is complete; `bodyEnd` says what ended it. */
  truncated: boolean;
  bodyEnd: BodyEnd;
}

/** An HTTP client for URLs that a tenant or a model chose. */
export interface Egress {
  /**
   * Sends one HTTP/1.1 request on a new connection, never twice, and follows no redirect: a 3xx is returned
   * like any other response.
   * Throws
   * - `EgressRefusedError`: the guard refused the request; nothing was sent.
   * - `EgressUnreachableError` (retryable): no connection was established; nothing was sent.
   * - `OutcomeUnknownError` (`answer_timeout`, `connection_lost`, `answer_invalid`): the request may have been
   *   sent, and no response head arrived.
   * - the signal's reason.
   */
  send(request: EgressRequest): Promise<EgressResponse>;
}

/** Throws a `ZodError` or a `TypeError` for an invalid policy. */
export function createEgress(policy: EgressPolicy = {}): Egress {
  const rules = parsePolicy(policy);
  return { send: (request) => sendGuarded(request, rules) };
}

/**
 * Connections are not reused: the server may close an idle one just as the next request is sent on it, and then
 * it is unknown whether that request arrived.
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

  const progress = { expired: false };
  const giveUp = (): void => {
    void client.destroy(new Error('The request was given up.')).catch(() => undefined);
    abandonment.abort();
  };
  const timer = setTimeout(
    () => {
      progress.expired = true;
      giveUp();
    },
    Math.min(request.deadlineMs ?? rules.deadlineMs, rules.deadlineMs),
  );
  request.signal?.addEventListener('abort', giveUp, { once: true });
  try {
    const response = await client.request({
      method: request.method,
      path: destination.url.pathname + destination.url.search,
      headers: { ...sentHeaders, 'accept-encoding': 'identity' },
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    const limit = Math.min(request.maxResponseBytes ?? rules.maxResponseBytes, rules.maxResponseBytes);
    const received = joinHeaders(response.headers);
    const hasBody = request.method !== 'HEAD' && ![204, 304].includes(response.statusCode);
    const coding = hasBody && received['content-length'] !== '0' ? received['content-encoding'] : undefined;
    const decompressed = decompress(response.body, coding);
    const { body, bodyEnd: readEnd } = await readBounded(
      decompressed ?? response.body,
      limit,
      () => progress.expired,
    );
    request.signal?.throwIfAborted();
    const headers = decompressed === null ? received : withoutCompression(received);
    const bodyEnd =
      readEnd === 'complete' && connection.reset && endsWithConnection(received)
        ? 'connection_lost'
        : readEnd;
    return {
      status: response.statusCode,
      headers,
      body,
      truncated: bodyEnd !== 'complete',
      bodyEnd,
    };
  } catch (error) {
    request.signal?.throwIfAborted();
    throw explainFailure(error, { host: destination.host, connected: connection.connected, ...progress });
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', giveUp);
    giveUp();
  }
}

/** Without a length, a body ends with its connection. The client does not tell a reset from such an end. */
function endsWithConnection(headers: Readonly<Record<string, string>>): boolean {
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
}

/** Removes the headers that describe the compressed body. */
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
