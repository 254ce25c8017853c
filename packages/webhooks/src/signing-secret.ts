import { randomBytes } from 'node:crypto';
import { Secret } from '@turnpike/telemetry';

/** A new key to sign webhooks with, in the format of Standard Webhooks. */
export function makeSigningSecret(): Secret {
  return new Secret(`whsec_${randomBytes(32).toString('base64')}`);
}
