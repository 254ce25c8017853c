import { createHmac } from 'node:crypto';
import type { Secret } from '@turnpike/telemetry';

/**
 * The headers of Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`, exactly as sent.
 * `secret` is `whsec_` and the key in base64; `nowMs` is in milliseconds since 1970.
 */
export function signCall(
  secret: Secret,
  { id, nowMs, body }: { id: string; nowMs: number; body: string },
): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const key = Buffer.from(secret.reveal().replace(/^whsec_/, ''), 'base64');
  const timestamp = String(Math.floor(nowMs / 1000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  };
}
