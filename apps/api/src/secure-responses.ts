import type { RequestHandler } from 'express';

/**
 * What answers that are data need to say (OWASP REST Security Cheat Sheet): nobody keeps them, shows them as
 * a page, or guesses what they are. A page says more, where it is served.
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
