import type { Readable } from 'node:stream';
import type { Agent, Dispatcher } from 'undici';

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
  { method = 'GET', headers, body, signal }: RequestInit = {},
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
  return asResponse(answer);
}

/** Statuses whose answer has no body. */
const BODILESS = new Set([204, 205, 304]);

function asResponse({ statusCode, headers, body }: Dispatcher.ResponseData): Response {
  try {
    const known = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      for (const each of [value ?? []].flat()) known.append(name, each);
    }
    const response = new Response(null, { status: statusCode, headers: known });
    if (!BODILESS.has(statusCode)) {
      return Object.defineProperties(response, {
        body: { value: body },
        text: { value: () => body.text() },
        json: { value: () => body.json() },
        arrayBuffer: { value: () => body.arrayBuffer() },
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

function discard(body: Readable): void {
  body.on('error', () => undefined).destroy();
}
