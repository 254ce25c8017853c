import { ProblemError } from '@turnpike/contract';
import type { Response } from 'express';
import type { Admission } from './request-rates.ts';

/**
 * Sets the rate limit headers of draft-ietf-httpapi-ratelimit-headers-10. Throws `rate_limited` where the request was
 * not admitted.
 */
export function limitRate(
  response: Response,
  { isAdmitted, perSecond, remaining, resetSeconds }: Admission,
): void {
  response.setHeader('RateLimit-Policy', `"requests";q=${perSecond};w=1`);
  response.setHeader('RateLimit', `"requests";r=${remaining};t=${resetSeconds}`);
  if (isAdmitted) return;
  throw new ProblemError('rate_limited', `More than ${perSecond} requests a second were made.`, {
    retryAfterSeconds: resetSeconds,
  });
}
