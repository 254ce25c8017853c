import type { Readable } from 'node:stream';
import { arrayBuffer, json, text } from 'node:stream/consumers';
import type { Agent, Dispatcher } from 'undici';

/** A request whose response body is measured, and read as slowly as its caller wants. */
export interface MeteredInit extends RequestInit {
  /**
   * Called with each piece of the body, of 16 KiB at most, before it is handed on: once the returned promise is
   * resolved, or at once for null. What it throws ends the response.
   */
  meter?: (piece: Uint8Array) => Promise<void> | null;
}

/** Whoever parses a piece holds the event loop for as long. */
const PIECE_BYTES = 16 * 1024;

/**
 * Sends one request by undici's `request`: its `fetch` brings each piece of a stream through queues of its own,
 * which is a quarter of what reading a model's stream costs. The answer is as `fetch` gives it, only that its `body`
 * is one of Node's streams, whose pieces can be iterated too.
 * - A redirect is an answer, not followed.
 * - No compression is asked for or undone.
 * Throws a `TypeError` for a body that is no text, the signal's reason, and what undici throws.
 */
export async function sendRequest(
  agent: Agent,
  url: URL,
  { method = 'GET', headers, body, signal, meter }: MeteredInit = {},
): Promise<Response> {
  if (body !== undefined && body !== null && typeof body !== 'string') {
    throw new TypeError('The body must be a text.');
  }
  signal?.throwIfAborted();
  const answer = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: method.toUpperCase(),
    headers: { ...Object.fromEntries(new Headers(headers)), 'accept-encoding': 'identity' },
    ...(typeof body === 'string' ? { body } : {}),
    ...(signal ? { signal } : {}),
  });
  return asResponse(answer, meter);
}

/** Statuses whose answer has no body. */
const BODILESS = new Set([204, 205, 304]);

function asResponse(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  meter: MeteredInit['meter'],
): Response {
  try {
    const known = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      for (const each of [value ?? []].flat()) known.append(name, each);
    }
    const response = new Response(null, { status: statusCode, headers: known });
    if (!BODILESS.has(statusCode)) {
      const pieces = meter === undefined ? body : metered(body, meter);
      return Object.defineProperties(response, {
        body: { value: pieces },
        text: { value: () => text(pieces) },
        json: { value: () => json(pieces) },
        arrayBuffer: { value: () => arrayBuffer(pieces) },
      });
    }
    discard(body);
    return response;
  } catch (error) {
    // A status that no answer has, say.
    discard(body);
    throw error;
  }
}

async function* metered(body: Readable, meter: NonNullable<MeteredInit['meter']>): AsyncGenerator<Buffer> {
  for await (const chunk of body as AsyncIterable<Buffer>) {
    for (let start = 0; start < chunk.length; start += PIECE_BYTES) {
      const piece = chunk.subarray(start, start + PIECE_BYTES);
      const turn = meter(piece);
      if (turn !== null) await turn;
      yield piece;
    }
  }
}

function discard(body: Readable): void {
  body.on('error', () => undefined).destroy();
}
