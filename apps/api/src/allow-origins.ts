import cors from 'cors';
import type { RequestHandler } from 'express';

/** What a page may send, beside what every page may. */
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

/** What a page may read of an answer, beside its body. */
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
 * Lets the pages of these origins, and of no others, read answers: problems and streams too. Cookies are never
 * allowed; the service knows none, and a key is sent by whoever has it.
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
    // A plain OPTIONS is no question of a browser, and is answered as any other method.
    if (request.method === 'OPTIONS' && !asksFirst) next();
    else allow(request, response, next);
  };
}
