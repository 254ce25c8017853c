import { ProblemError } from '@turnpike/contract';
import type { RequestHandler } from 'express';

/** Fields that have one value (RFC 9110, 5.3). Where one is repeated, Node keeps the first of some and joins others. */
const SINGLE = [
  'host',
  'authorization',
  'x-api-key',
  'idempotency-key',
  'content-type',
  'content-length',
  'last-event-id',
  'origin',
];

/**
 * Refuses a request whose headers can be read in two ways: a proxy before this service may have read them the other
 * way. Throws `ambiguous_header`, and `invalid_request` for HTTP/1.1 without `Host`.
 */
export const checkHeaders: RequestHandler = (request, _response, next) => {
  if (request.headers.host === undefined && request.httpVersion === '1.1')
    throw new ProblemError('invalid_request', 'A request of HTTP/1.1 needs the header Host.');
  const distinct = request.headersDistinct;
  const repeated = SINGLE.find((name) => {
    const values = distinct[name];
    return values !== undefined && values.length > 1 && new Set(values).size > 1;
  });
  if (repeated !== undefined)
    throw new ProblemError('ambiguous_header', `The header ${repeated} was sent with several values.`);
  next();
};
