import type { Turn, WebhookEventType } from './contract.ts';

interface Head<Type extends string> {
  /** The `webhook-id`: the same at every attempt. */
  id: string;
  type: Type;
  created_at: string;
}

/** Something happened to a turn. */
export interface TurnWebhookEvent extends Head<Extract<WebhookEventType, `turn.${string}`>> {
  /** Its place among the events of the turn: webhooks may come in another order. */
  sequence_number: number;
  /** `truncated`: the turn was too large for a webhook: fetch it for what is missing. */
  data: { turn: Turn; truncated: boolean };
}

/** What the service says of itself. */
export interface ServiceWebhookEvent extends Head<'ping' | Exclude<WebhookEventType, `turn.${string}`>> {
  data: Record<string, unknown>;
}

/** The body of a webhook. A newer service may send types that are not listed here: pass them over. */
export type WebhookEvent = TurnWebhookEvent | ServiceWebhookEvent;
