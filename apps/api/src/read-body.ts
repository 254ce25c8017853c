import { finished, PassThrough, pipeline, Transform, type Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { ProblemError } from '@turnpike/contract';
import type { Request, RequestHandler, Response } from 'express';
import getRawBody from 'raw-body';
import type { BodyMemory, HeldBytes } from './body-memory.ts';
import { checkJsonText } from './check-json.ts';

/** Whose body it is and how large it may be, once the request is authenticated. */
export interface BodyLimits {
  tenantId: string;
  maxBytes: number;
}

/** A body that takes about a millisecond to parse. */
const LARGE_BYTES = 64 * 1024;

/**
 * Reads a JSON body of at most `maxBytes`, before and after decompression, as far as `memory` has capacity for it.
 * Throws `body_too_large`, `too_many_bodies`, `unsupported_media_type`, `invalid_json` and `invalid_request`.
 */
export function readBody(memory: BodyMemory, limitsOf: (response: Response) => BodyLimits): RequestHandler {
  return async (request, response, next) => {
    if (!hasBody(request)) return next();
    checkMediaType(request);
    const { tenantId, maxBytes } = limitsOf(response);
    const held = memory.hold(tenantId);
    response.once('close', () => held.release());
    try {
      const bytes = await readBytes(request, maxBytes, held);
      request.body = parseJson(bytes);
      // To parse and to validate a large body take some milliseconds each: other requests are served in between.
      if (bytes.length > LARGE_BYTES) await setImmediate();
    } catch (error) {
      // The rest is read and discarded: a client that still sends does not read the response yet.
      request.unpipe();
      request.resume();
      throw error;
    }
    next();
  };
}

function hasBody(request: Request): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length']) > 0;
}

function checkMediaType(request: Request): void {
  if (request.is('application/json') === false)
    throw new ProblemError('unsupported_media_type', 'The body must be application/json.');
  const charset = /;\s*charset\s*=\s*"?([^\s;"]*)/i.exec(request.headers['content-type'] ?? '')?.[1];
  if (charset !== undefined && charset.toLowerCase() !== 'utf-8')
    throw new ProblemError('unsupported_media_type', 'The body must be JSON in UTF-8.');
}

async function readBytes(request: Request, maxBytes: number, held: HeldBytes): Promise<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase();
  const length = Number(request.headers['content-length'] ?? NaN);
  const isPlain = encoding === 'identity';
  if (isPlain && length > maxBytes) throw tooLarge(maxBytes);
  try {
    if (isPlain && !Number.isNaN(length)) {
      if (!held.grow(length)) throw tooManyBodies();
      return await getRawBody(request, { length, limit: maxBytes });
    }
    // The length is unknown: each piece is reserved as it arrives.
    return await getRawBody(countInto(held, request, encoding), { limit: maxBytes });
  } catch (error) {
    throw asProblem(error, maxBytes);
  }
}

const DECOMPRESSORS: Record<string, () => Transform> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** The decompressed body, each piece reserved before it is passed on. */
function countInto(held: HeldBytes, request: Request, encoding: string): Readable {
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (held.grow(chunk.length)) done(null, chunk);
      else done(tooManyBodies());
    },
  });
  const decompress = encoding === 'identity' ? new PassThrough() : DECOMPRESSORS[encoding]?.();
  if (decompress === undefined) {
    const known = Object.keys(DECOMPRESSORS).join(', ');
    throw new ProblemError('unsupported_media_type', `The body may be compressed with ${known}.`);
  }
  // The request is not part of the pipeline, which would close the connection where it fails.
  request.pipe(decompress);
  finished(request, (error) => error && decompress.destroy(error));
  pipeline(decompress, count, () => undefined);
  return count;
}

function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  checkJsonText(bytes);
  const parsed: unknown = tryParse(bytes.toString());
  if (typeof parsed !== 'object' || parsed === null)
    throw new ProblemError('invalid_json', 'The body cannot be read as a JSON object.');
  return parsed;
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProblemError('invalid_json', 'The body cannot be read as JSON.', { cause: error });
  }
}

/** An error while a body is read is the client's: the body was truncated, or is not what its headers say. */
function asProblem(error: unknown, maxBytes: number): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof Error && 'type' in error && error.type === 'entity.too.large')
    return tooLarge(maxBytes);
  return new ProblemError(
    'invalid_request',
    'The body is truncated, or is not compressed as its headers say.',
    {
      cause: error,
    },
  );
}

function tooLarge(maxBytes: number): ProblemError {
  return new ProblemError(
    'body_too_large',
    `The body is larger than ${maxBytes} bytes, the limit (\`max_body_bytes\` of GET /v1/limits).`,
  );
}

function tooManyBodies(): ProblemError {
  return new ProblemError(
    'too_many_bodies',
    'This service is receiving too many bytes of bodies. Send this one again soon.',
    { retryAfterSeconds: 1 },
  );
}
