import { Readable } from 'node:stream';
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
 * A body that is a stream is sent as it is read; with a `content-length`, it must have so many bytes.
 * Throws a `TypeError` for a body of another kind, the signal's reason, and what undici and the stream throw.
 */
export async function sendRequest(
  agent: Agent,
  url: URL,
  { method = 'GET', headers, body, signal, meter }: MeteredInit = {},
): Promise<Response> {
  const sent = sentBody(body);
  signal?.throwIfAborted();
  const data = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: method.toUpperCase(),
    headers: { ...plainHeaders(headers), 'accept-encoding': 'identity' },
    ...(sent === null ? {} : { body: sent }),
    ...(signal ? { signal } : {}),
  });
  return asResponse(data, meter);
}

function sentBody(body: MeteredInit['body']): string | Uint8Array | Readable | null {
  if (body === undefined || body === null) return null;
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  if (body instanceof ReadableStream) return Readable.from(body);
  throw new TypeError('The body must be a string, bytes or a stream.');
}

/** As a plain object: making `Headers` only to read them once costs more than the rest of a small request. */
function plainHeaders(headers: MeteredInit['headers']): Record<string, string> {
  if (headers === undefined) return {};
  if (headers instanceof Headers || Symbol.iterator in headers)
    return Object.fromEntries(new Headers(headers));
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) plain[name.toLowerCase()] = String(value);
  return plain;
}

/** Statuses of responses without a body. */
const BODILESS = new Set([204, 205, 304]);

function asResponse(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  meter: MeteredInit['meter'],
): Response {
  try {
    const response = new Response(null, { status: statusCode });
    for (const [name, value] of Object.entries(headers)) {
      if (typeof value === 'string') response.headers.append(name, value);
      else for (const each of value ?? []) response.headers.append(name, each);
    }
    if (!BODILESS.has(statusCode)) {
      const chunks = meter === undefined ? body : new MeteredBody(body, meter);
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

/** A body that is passed on piece by piece, as its meter allows. */
class MeteredBody {
  readonly #body: Readable;
  readonly #meter: NonNullable<MeteredInit['meter']>;

  constructor(body: Readable, meter: NonNullable<MeteredInit['meter']>) {
    this.#body = body;
    this.#meter = meter;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for await (const chunk of this.#body as AsyncIterable<Buffer>) {
      for (const piece of piecesOf(chunk)) {
        const permission = this.#meter(piece);
        if (permission !== null) await permission;
        yield piece;
      }
    }
  }

  /** The same without an iterator, whose promises would cost more than reading the pieces. */
  forEach(take: (piece: Buffer) => void): Promise<void> {
    const body = this.#body;
    return new Promise((resolve, reject) => {
      /** Pieces that wait for their permission; the body is paused then. */
      let waiting: Promise<void> | null = null;
      const fail = (error: unknown): void => {
        reject(error);
        discard(body);
      };
      const later = async (pieces: readonly Buffer[], permission: Promise<void>): Promise<void> => {
        await permission;
        for (const [index, piece] of pieces.entries()) {
          if (index > 0) await this.#meter(piece);
          if (body.errored !== null) return;
          take(piece);
        }
        waiting = null;
        body.resume();
      };
      const onChunk = (chunk: Buffer): void => {
        const pieces = piecesOf(chunk);
        for (const [index, piece] of pieces.entries()) {
          const permission = this.#meter(piece);
          if (permission === null) {
            take(piece);
            continue;
          }
          body.pause();
          waiting = later(pieces.slice(index), permission);
          waiting.catch(fail);
          return;
        }
      };
      body
        .on('data', (chunk: Buffer) => {
          try {
            onChunk(chunk);
          } catch (error) {
            fail(error);
          }
        })
        .once('error', reject)
        // The last piece may still wait.
        .once('end', () => {
          if (waiting === null) resolve();
          else waiting.then(resolve, reject);
        })
        .once('close', () => {
          if (!body.readableEnded) reject(new ClosedEarlyError());
        });
    });
  }
}

/** The connection closed in the middle of a body, without an error of its own. */
class ClosedEarlyError extends Error {
  readonly code = 'ECONNRESET';

  constructor() {
    super('The connection was closed before the response was complete.');
  }
}

/**
 * Calls `take` with each piece of a response, as its meter allows. Rejects with what `take` and the meter throw, and
 * with the error of the connection; the response ends then.
 */
export async function readPieces(response: Response, take: (piece: Uint8Array) => void): Promise<void> {
  const body: unknown = response.body;
  if (body instanceof MeteredBody) return body.forEach(take);
  if (response.body === null) return;
  // Node's type of a stream is not that of the browser's.
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) take(piece);
}

/** The whole body of a response that is short; null for one of more than `mostBytes`. Rejects as `readPieces`. */
export async function readAll(response: Response, mostBytes: number): Promise<Buffer | null> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  const tooLong = new Error('The body is too long.');
  try {
    await readPieces(response, (piece) => {
      length += piece.length;
      if (length > mostBytes) throw tooLong;
      pieces.push(piece);
    });
  } catch (error) {
    if (error === tooLong) return null;
    throw error;
  }
  return Buffer.concat(pieces, length);
}

function piecesOf(chunk: Buffer): Buffer[] {
  if (chunk.length <= PIECE_BYTES) return [chunk];
  const count = Math.ceil(chunk.length / PIECE_BYTES);
  return Array.from({ length: count }, (_none, index) =>
    chunk.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES),
  );
}

function discard(body: Readable): void {
  body.on('error', () => undefined).destroy();
}
