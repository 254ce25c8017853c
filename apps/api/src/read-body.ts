import { ProblemError } from '@turnpike/contract';
import express, { type RequestHandler, type Response } from 'express';
import { LRUCache } from 'lru-cache';

const refuseOtherTypes: RequestHandler = (request, _response, next) => {
  const hasBody = request.get('transfer-encoding') !== undefined || Number(request.get('content-length')) > 0;
  if (hasBody && request.is('application/json') === false) {
    throw new ProblemError('unsupported_media_type', 'The body must be application/json.');
  }
  next();
};

/**
 * Reads a JSON body of at most as many bytes as `maxBytes` says for its request, also counted after
 * decompression. Any other media type is refused.
 */
export function readBody(maxBytes: (response: Response) => number): RequestHandler[] {
  // A reader's limit is fixed, and few limits are in use.
  const readers = new LRUCache<number, RequestHandler>({
    max: 100,
    memoMethod: (limit) => express.json({ limit, type: 'application/json' }),
  });
  return [
    refuseOtherTypes,
    (request, response, next) => readers.memo(maxBytes(response))(request, response, next),
  ];
}
