import { createHash } from 'node:crypto';
import { ProblemError } from '@turnpike/contract';
import type { IdempotentRequest } from '@turnpike/store';
import type { Request } from 'express';

export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * The key of an `Idempotency-Key` header: 1 to 255 visible characters, plain or as the quoted
 * string of draft-ietf-httpapi-idempotency-key-header. Throws `invalid_idempotency_key`.
 */
export function parseIdempotencyKey(header: string): string {
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (!IDEMPOTENCY_KEY.test(key)) {
    throw new ProblemError(
      'invalid_idempotency_key',
      'An Idempotency-Key has 1 to 255 visible ASCII characters.',
    );
  }
  return key;
}

/**
 * The idempotency key of a request, and what identifies the request under it; null where it has none.
 * Throws `invalid_idempotency_key`.
 */
export function idempotencyOf(request: Request, tenantId: string, body: unknown): IdempotentRequest | null {
  const header = request.get('idempotency-key');
  if (header === undefined) return null;
  return {
    tenantId,
    route: `${request.method} ${request.baseUrl}${request.path}`,
    key: parseIdempotencyKey(header),
    fingerprint: fingerprintOf(body),
  };
}

/** Differs for two bodies that do not mean the same: of the body as it was parsed. */
export function fingerprintOf(body: unknown): Buffer {
  return createHash('sha256')
    .update(JSON.stringify(body) ?? '')
    .digest();
}
