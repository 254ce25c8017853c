import { ProblemError } from '@turnpike/contract';
import express, { type RequestHandler } from 'express';

const refuseOtherTypes: RequestHandler = (request, _response, next) => {
  const hasBody = request.get('transfer-encoding') !== undefined || Number(request.get('content-length')) > 0;
  if (hasBody && request.is('application/json') === false) {
    throw new ProblemError('unsupported_media_type', 'The body must be application/json.');
  }
  next();
};

/** Reads a JSON body of at most `maxBytes`, also counted after decompression. Any other media type is refused. */
export function readBody(maxBytes: number): RequestHandler[] {
  return [refuseOtherTypes, express.json({ limit: maxBytes, type: 'application/json' })];
}
