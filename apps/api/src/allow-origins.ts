import cors from 'cors';
import type { RequestHandler } from 'express';

/** Request headers that a page may send, beside those that every page may. */
const REQUEST_HEADERS = [
  'Authorization',
  'X-Api-Key',
  'Content-Type',
  'Content-Encoding',
  'Idempotency-Key',
  'Last-Event-ID',
  'Prefer',
  'X-Request-Id',
  'Traceparent',
];

/** Response headers that a page may read. */
const RESPONSE_HEADERS = [
  'Location',
  'Retry-After',
  'RateLimit',
  'RateLimit-Policy',
  'X-Request-Id',
  'Idempotent-Replayed',
  'Preference-Applied',
  'Allow',
];

/**
 * Lets the pages of these origins, and of no others, read responses: problems and streams too. Credentials are
 * never allowed: the only cookie, the console's, is not sent to these paths, and a client sends its key itself.
 */
export function allowOrigins(origins: readonly string[]): RequestHandler {
  const allow = cors({
    origin: [...origins],
    methods: ['GET', 'POST', 'PUT', 'DELETE'],
    allowedHeaders: REQUEST_HEADERS,
    exposedHeaders: RESPONSE_HEADERS,
    maxAge: 600,
  });
  return (request, response, next) => {
    const asksFirst = request.get('access-control-request-method') !== undefined;
    // An OPTIONS request without these headers is no preflight, and is handled as any other method.
    if (request.method === 'OPTIONS' && !asksFirst) next();
    else allow(request, response, next);
  };
}
