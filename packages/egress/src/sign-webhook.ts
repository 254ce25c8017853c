import { createHmac } from 'node:crypto';

/** `whsec_` and the key in base64, as long as it does not print. */
export interface SigningSecret {
  reveal(): string;
}

/**
 * The headers of Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`, exactly as sent, one signature
 * for each secret, the first of them the newest. `nowMs` is in milliseconds since 1970.
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
