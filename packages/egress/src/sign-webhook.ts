import { createHmac } from 'node:crypto';

/** A signing secret: `whsec_` and the key in base64. It reveals its value only on request. */
export interface SigningSecret {
  reveal(): string;
}

/**
 * The headers of Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`, with the body exactly as sent, and one
 * signature per secret, newest first. `nowMs` is in milliseconds since 1970.
 */
export function signWebhook(
  secrets: readonly SigningSecret[],
  { id, nowMs, body }: { id: string; nowMs: number; body: string },
): Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.reveal().replace(/^whsec_/, ''), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}
