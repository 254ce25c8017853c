import type { Readable } from 'node:stream';
import { arrayBuffer, json, text } from 'node:stream/consumers';
import type { Agent, Dispatcher } from 'undici';

/** A request whose response body is metered, and read at the caller's pace. */
export interface MeteredInit extends RequestInit {
  /**
   * Called with each piece of the body, of at most 16 KiB, before it is passed on. If it returns a promise, the piece
   * is passed on when that resolves; for null, at once. What it throws ends the response.
   */
  meter?: (piece: Uint8Array) => Promise<void> | null;
}

/** A limit on the time that parsing one piece blocks the event loop. */
const PIECE_BYTES = 16 * 1024;

/**
 * Sends one request with undici's `request`. Undici's `fetch` passes each chunk through additional queues, which
 * would be a quarter of the cost of reading a model's stream. The result is a `Response` like that of `fetch`, except
 * that its `body` is a Node stream, which can be iterated as well.
 * - Redirects are returned, not followed.
 * - Responses are not decompressed; the request asks for `identity`.
 * Throws a `TypeError` if the body is not a string, the signal's reason, and what undici throws.
 */
export async function sendRequest(
  agent: Agent,
  url: URL,
  { method = 'GET', headers, body, signal, meter }: MeteredInit = {},
): Promise<Response> {
  if (body !== undefined && body !== null && typeof body !== 'string') {
    throw new TypeError('The body must be a string.');
  }
  signal?.throwIfAborted();
  const data = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: method.toUpperCase(),
    headers: { ...Object.fromEntries(new Headers(headers)), 'accept-encoding': 'identity' },
    ...(typeof body === 'string' ? { body } : {}),
    ...(signal ? { signal } : {}),
  });
  return asResponse(data, meter);
}

/** Statuses of responses without a body. */
const BODILESS = new Set([204, 205, 304]);

function asResponse(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  meter: MeteredInit['meter'],
): Response {
  try {
    const responseHeaders = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      for (const each of [value ?? []].flat()) responseHeaders.append(name, each);
    }
    const response = new Response(null, { status: statusCode, headers: responseHeaders });
    if (!BODILESS.has(statusCode)) {
      const chunks = meter === undefined ? body : metered(body, meter);
      return Object.defineProperties(response, {
        body: { value: chunks },
        text: { value: () => text(chunks) },
        json: { value: () => json(chunks) },
        arrayBuffer: { value: () => arrayBuffer(chunks) },
      });
    }
    discard(body);
    return response;
  } catch (error) {
    // Such as a status that `Response` does not accept.
    discard(body);
    throw error;
  }
}

async function* metered(body: Readable, meter: NonNullable<MeteredInit['meter']>): AsyncGenerator<Buffer> {
  for await (const chunk of body as AsyncIterable<Buffer>) {
    for (let start = 0; start < chunk.length; start += PIECE_BYTES) {
      const piece = chunk.subarray(start, start + PIECE_BYTES);
      const permission = meter(piece);
      if (permission !== null) await permission;
      yield piece;
    }
  }
}

function discard(body: Readable): void {
  body.on('error', () => undefined).destroy();
}
