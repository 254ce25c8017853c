import { createHash } from 'node:crypto';
import { ProblemError } from '@turnpike/contract';

/**
 * The key of an `Idempotency-Key` header: 1 to 255 visible characters, plain or as the quoted
 * string of draft-ietf-httpapi-idempotency-key-header. Throws `invalid_idempotency_key`.
 */
export function parseIdempotencyKey(header: string): string {
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new ProblemError(
      'invalid_idempotency_key',
      'An Idempotency-Key has 1 to 255 visible ASCII characters.',
    );
  }
  return key;
}

/** What tells one request from another under the same key: the body as it was understood. */
export function fingerprintOf(body: unknown): Buffer {
  return createHash('sha256')
    .update(JSON.stringify(body) ?? '')
    .digest();
}
