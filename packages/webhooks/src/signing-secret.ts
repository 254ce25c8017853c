import { randomBytes } from 'node:crypto';
import { Secret } from '@turnpike/telemetry';

/** A new key to sign webhooks with, as Standard Webhooks writes it. */
export function makeSigningSecret(): Secret {
  return new Secret(`whsec_${randomBytes(32).toString('base64')}`);
}
