import type { RequestHandler } from 'express';

/**
 * The headers of responses that are data (OWASP REST Security Cheat Sheet): they are not cached, framed, shown as a
 * page, or sniffed for another type. A page sets more where it is served.
 */
export const SECURE_HEADERS = new Headers({
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
});

export const secureResponses: RequestHandler = (_request, response, next) => {
  response.setHeaders(SECURE_HEADERS);
  next();
};
