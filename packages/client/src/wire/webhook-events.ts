import type { Batch, Turn, WebhookEventType } from './contract.ts';

interface Head<Type extends string> {
  /** The `webhook-id`: the same in every attempt. */
  id: string;
  type: Type;
  created_at: string;
}

/** An event of a turn. */
export interface TurnWebhookEvent extends Head<Extract<WebhookEventType, `turn.${string}`>> {
  /** Position among the events of the turn: webhooks may arrive in another order. */
  sequence_number: number;
  /** `truncated`: the turn was too large for a webhook; fetch it to get the rest. */
  data: { turn: Turn; truncated: boolean };
}

/** The end of a batch. */
export interface BatchWebhookEvent extends Head<Extract<WebhookEventType, `batch.${string}`>> {
  data: { batch: Omit<Batch, 'defaults'> };
}

/** An event of the service itself. */
export interface ServiceWebhookEvent extends Head<
  'ping' | Exclude<WebhookEventType, `turn.${string}` | `batch.${string}`>
> {
  data: Record<string, unknown>;
}

/** The body of a webhook. A newer service may send types that are not listed here: ignore them. */
export type WebhookEvent = TurnWebhookEvent | BatchWebhookEvent | ServiceWebhookEvent;
